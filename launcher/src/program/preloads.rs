//! Launcher, program: profilers that are preloaded already. In: `LD_PRELOAD` and the variables that switch profilers on. Out: the
//! obstacle that they are: two that count the same allocations falsify each other.

use std::path::Path;

use super::{Environment, Obstacle};

/// Beginnings of file names of libraries that profile or check the heap.
const PROFILERS: [(&str, &str); 12] = [
    ("libheaptrack", "heaptrack"),
    ("libbytehound", "bytehound"),
    ("libmemray", "memray"),
    ("_memray", "memray"),
    ("libleak", "libleak"),
    ("libmemusage", "memusage"),
    ("libmtrace", "mtrace"),
    ("vgpreload_", "Valgrind"),
    ("libasan", "AddressSanitizer"),
    ("libtsan", "ThreadSanitizer"),
    ("liblsan", "LeakSanitizer"),
    ("libclang_rt", "a sanitizer"),
];

/// Allocators that profile only if a variable says so: library, variable, what the variable holds, name.
const SWITCHED: [(&str, &str, &str, &str); 2] = [
    ("libtcmalloc", "HEAPPROFILE", "", "tcmalloc's heap profiler"),
    ("libjemalloc", "MALLOC_CONF", "prof:true", "jemalloc's heap profiler"),
];

/// The first profiler that is preloaded.
pub fn profiler(environment: &Environment) -> Option<Obstacle> {
    let value = environment.text("LD_PRELOAD");
    let entries = value.split([' ', ':']).filter(|entry| !entry.is_empty());
    let mut names = entries.filter_map(|entry| Path::new(entry).file_name()?.to_str());
    let known = |name: &str| {
        // Valgrind's core alone leaves the allocator as it is.
        let plain = PROFILERS.iter().find(|(stem, _)| name.starts_with(stem)).map(|(_, called)| *called);
        let plain = plain.filter(|_| !name.starts_with("vgpreload_core"));
        plain.or_else(|| {
            let on = |variable, word| {
                environment.get(variable).is_some() && environment.text(variable).contains(word)
            };
            let switched = SWITCHED
                .iter()
                .find(|(stem, variable, word, _)| name.starts_with(stem) && on(variable, *word));
            switched.map(|(.., called)| *called)
        })
    };
    names.find_map(known).map(|called| Obstacle::Profiler(called.to_owned()))
}
