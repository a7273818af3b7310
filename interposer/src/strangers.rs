//! Interposer, strangers: tools that replace the allocator in this process already. In: the environment and the loaded symbols, at
//! start. Out: whether hooks have to stay away.
//!
//! A sanitizer's or Valgrind's allocator counts what passes it; with hooks in between both would count wrong, and some
//! runtimes end the program when their interceptors are not first. Tools of Valgrind's that leave the allocator as it is
//! (callgrind, cachegrind) are no strangers.

use crate::real::bound::bound;
use core::ffi::CStr;

/// What file names of preloaded libraries that profile the heap begin with.
const LIBRARIES: [&[u8]; 6] =
    [b"vgpreload_", b"libheaptrack", b"libbytehound", b"libmemray", b"_memray", b"libmemusage"];
/// Valgrind's core, which every one of its tools preloads.
const VALGRIND_CORE: &[u8] = b"vgpreload_core";

/// Whether there is one. Called by the constructor, once, before the program can change its environment.
pub fn are_here() -> bool {
    // SAFETY: the constructor runs before any other thread of the program.
    let value = unsafe { libc::getenv(c"LD_PRELOAD".as_ptr()) };
    if !value.is_null() {
        // SAFETY: getenv gives a NUL-terminated string.
        let preloads = unsafe { CStr::from_ptr(value) }.to_bytes();
        if names_one(preloads) {
            return true;
        }
    }
    // What a sanitizer's runtime starts with, and one of heaptrack's.
    let starts = [
        bound!("__asan_init"),
        bound!("__tsan_init"),
        bound!("__msan_init"),
        bound!("__hwasan_init"),
        bound!("__lsan_init"),
        bound!("heaptrack_init"),
    ];
    starts.iter().any(|start| !start.is_null())
}

fn names_one(preloads: &[u8]) -> bool {
    let mut entries = preloads.split(|byte| matches!(byte, b':' | b' '));
    entries.any(|entry| {
        let name = entry.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        LIBRARIES.iter().any(|stem| name.starts_with(stem)) && !name.starts_with(VALGRIND_CORE)
    })
}
