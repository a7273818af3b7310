//! Symbolize: which frame of a stack is the application's own.
//! In: resolved frames. Out: their [`FrameRole`], and the index of the frame that gives a finding its place.
//! The names are in `role_table`.

use crate::frame::Frame;
use crate::role_table::{ALLOCATOR_MODULES, ALLOCATORS, RUNTIME, RUNTIME_FILES, RUNTIME_MODULES, START_UP};

/// Whose code a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameRole {
    /// Hands out memory: the malloc family, wrappers around it, `operator new`, pools.
    Allocator,
    /// The C library, the language's runtime and standard library, and `MemGuard` itself.
    Runtime,
    /// Everything else.
    Application,
}

/// The role of one frame.
pub fn role(frame: &Frame) -> FrameRole {
    let function = frame.function.as_str();
    if matches_any(&frame.module, ALLOCATOR_MODULES) || is_allocator(function) {
        FrameRole::Allocator
    } else if matches_any(&frame.module, RUNTIME_MODULES)
        || matches_any(function, START_UP)
        || is_runtime(function)
        || frame.file.as_deref().is_some_and(is_runtime_file)
    {
        FrameRole::Runtime
    } else {
        FrameRole::Application
    }
}

/// Index of the frame that gives the place of a finding: the innermost one of the application. If there is
/// none, the outermost that has a name and does more than start a program or a thread; else the outermost.
pub fn location_index(stack: &[Frame]) -> Option<usize> {
    let application = stack.iter().position(|frame| role(frame) == FrameRole::Application);
    let sensible = || {
        stack.iter().rposition(|frame| {
            frame.is_named()
                && !matches_any(&frame.function, START_UP)
                && !matches_any(&frame.module, ALLOCATOR_MODULES)
        })
    };
    application.or_else(sensible).or_else(|| stack.len().checked_sub(1))
}

/// Whether a source file belongs to a language's standard library. Inlined functions of programs built with line tables
/// only have names without their namespace: `alloc` may be anyone's, but its file tells.
fn is_runtime_file(file: &str) -> bool {
    RUNTIME_FILES.iter().any(|part| file.contains(part))
}

/// Whether this file's name is that of an allocator which takes the place of the C library's.
pub fn is_allocator_module(name: &str) -> bool {
    matches_any(name, ALLOCATOR_MODULES) && !name.starts_with("libmemguard")
}

fn is_allocator(function: &str) -> bool {
    // `Shape::operator new` is a class's own allocator; its caller is of interest.
    let last = function.rfind("operator ").map_or(function, |at| &function[at..]);
    matches_any(function, ALLOCATORS) || matches_any(last, &["operator new*", "operator delete*"])
}

/// Whether the function belongs to a language's standard library, looking through Rust's
/// `<Type as Trait>::method`.
fn is_runtime(function: &str) -> bool {
    let Some(qualified) = function.strip_prefix('<') else { return matches_any(function, RUNTIME) };
    let (type_name, trait_name) = match split_top_level(qualified) {
        Some((type_name, trait_name)) => (bare_type(type_name), Some(trait_name)),
        None => (bare_type(qualified), None),
    };
    if type_name.contains("::") {
        return matches_any(type_name, RUNTIME);
    }
    // A primitive or a type parameter (`<T as alloc::…>`, `<[u8]>::to_vec`): the trait decides.
    trait_name.is_none_or(|trait_name| matches_any(trait_name, RUNTIME))
}

/// `A as B>::m` at nesting depth zero gives `A` and `B>::m`.
fn split_top_level(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    for (at, character) in text.char_indices() {
        match character {
            '<' | '(' | '[' => depth += 1,
            '>' if text[..at].ends_with('-') => {}
            '>' | ')' | ']' => depth -= 1,
            ' ' if depth == 0 && text[at..].starts_with(" as ") => {
                return Some((&text[..at], &text[at + 4..]));
            }
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// The path a Rust type begins with, references, pointers, brackets and `dyn` aside.
fn bare_type(text: &str) -> &str {
    let mut rest = text;
    loop {
        let shorter = ["&", "*const ", "*mut ", "mut ", "dyn ", "[", "(", "<"]
            .iter()
            .find_map(|prefix| rest.strip_prefix(prefix));
        match shorter {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    // Arguments say nothing about who wrote the type: `alloc::vec::Vec<app::Order>`.
    let end = rest.find(['<', '>', ']', ')', ',', ';', ' ']).unwrap_or(rest.len());
    rest[..end].trim_end_matches("::")
}

/// Whether `name` equals a pattern, or begins with one that ends in `*`.
pub fn matches_any(name: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: &str) -> Frame {
        Frame {
            function: function.to_owned(),
            file: None,
            line: None,
            module: module.to_owned(),
            address: 0x1234,
            inlined: false,
        }
    }

    /// Goal: a standard library's inlined functions are recognised by their files where their names say nothing.
    #[test]
    fn files_tell_the_standard_library() {
        for (role_expected, file) in [
            (FrameRole::Runtime, "/rustc/0123abcd/library/alloc/src/raw_vec/mod.rs"),
            (
                FrameRole::Runtime,
                "/home/u/.rustup/toolchains/x/lib/rustlib/src/rust/library/core/src/ops/function.rs",
            ),
            (FrameRole::Runtime, "/usr/include/c++/12/bits/basic_string.h"),
            (FrameRole::Application, "/home/u/library/alloc/src/main.rs"),
            (FrameRole::Application, "src/include/cpp/orders.h"),
        ] {
            let frame = Frame { file: Some(file.to_owned()), ..frame("with_capacity<u8>", "app") };
            assert_eq!(role(&frame), role_expected, "{file}");
        }
    }

    /// Goal: wrappers and runtimes are skipped, names that only look like them are not.
    #[test]
    fn roles() {
        let cases = [
            (
                FrameRole::Allocator,
                "malloc reallocarray operator_new operator_new[] Shape::operator_new xmalloc \
              xstrdup g_malloc g_malloc0_n g_strdup_printf zmalloc zcalloc_num ztrymalloc_usable je_malloc \
              ngx_alloc ngx_palloc ngx_palloc_large ngx_pcalloc PyMem_Malloc PyObject_Malloc _PyObject_GC_New \
              sqlite3Malloc sqlite3_malloc64 sqlite3DbMallocRaw alloc::alloc::alloc __rust_alloc \
              __rustc::__rust_alloc alloc::raw_vec::RawVec<T>::reserve",
            ),
            (
                FrameRole::Runtime,
                "std::vector<int>::push_back std::make_unique<app::Order> __gnu_cxx::x core::ops::f \
              alloc::vec::Vec<T>::push hashbrown::raw::RawTable<T>::reserve <alloc::vec::Vec<app::T>_as_core::clone::Clone>::clone \
              <T_as_alloc::string::ToString>::to_string <[T]_as_alloc::slice::Join<&T>>::join strdup getline \
              <&mut_alloc::vec::Vec<T>_as_std::io::Write>::write start_thread main::{{closure}}_no",
            ),
            (
                FrameRole::Application,
                "main my_std_thing reallocate_orders malloc_pool_of_mine xmalloc_orders \
              my::std::thing std_thing standard::f core_loop coreutils::main <app::Order_as_core::clone::Clone>::clone \
              app::alloc::alloc <app::Order>::new g_mallocator zmallocator jet_new ngx_http_handler PyList_Append \
              sqlite3Prepare allocate_order operator_table newton server+0x1234 <T_as_app::Store>::put",
            ),
        ];
        for (expected, names) in cases {
            for name in names.split_whitespace().filter(|name| !name.ends_with("_no")) {
                let spaced =
                    if name.contains("_as_") || name.contains("operator_new") || name.contains("mut_") {
                        name.replace("_as_", " as ")
                            .replace("operator_new", "operator new")
                            .replace("mut_", "mut ")
                    } else {
                        name.to_owned()
                    };
                assert_eq!(role(&frame(&spaced, "server")), expected, "{spaced}");
            }
        }
        for module in
            ["libc.so.6", "libc-2.31.so", "ld-linux-x86-64.so.2", "libstdc++.so.6.0.30", "libgcc_s.so.1"]
        {
            assert_eq!(role(&frame("anything", module)), FrameRole::Runtime, "{module}");
        }
        for module in ["libmemguard.so", "libjemalloc.so.2", "libtcmalloc_minimal.so.4"] {
            assert_eq!(role(&frame("anything", module)), FrameRole::Allocator, "{module}");
        }
        for module in ["libcurl.so.4", "libc_app", "libcrypto.so.3", "ld-of-mine"] {
            assert_eq!(role(&frame("anything", module)), FrameRole::Application, "{module}");
        }
    }

    /// Goal: the place is the innermost application frame, or the most telling other one.
    #[test]
    fn location() {
        let libc = "libc.so.6";
        let stack = [
            frame("malloc", "libmemguard.so"),
            frame("strdup", libc),
            frame("add_user", "server"),
            frame("main", "server"),
            frame("__libc_start_main", libc),
        ];
        assert_eq!(location_index(&stack), Some(2));
        let runtime_only = [
            frame("malloc", "libmemguard.so"),
            frame("getline", libc),
            frame("__libc_start_main", libc),
            frame("_start", "server"),
        ];
        assert_eq!(location_index(&runtime_only), Some(1));
        let stripped = [frame("malloc", "libmemguard.so"), frame("server+0x99", "server")];
        assert_eq!(location_index(&stripped), Some(1));
        assert_eq!(location_index(&[frame("libc.so.6+0x1", libc)]), Some(0));
        assert_eq!(location_index(&[]), None);
    }
}
