//! Report: whether a stack ends in a store with keys. In: a resolved stack. Out: yes or no.
//!
//! Memory that the program still knows and never frees grows in a list, a log or a cache alike; the heap does not tell which.
//! Names do: of the containers of C++ and Rust, of an interpreter's dictionaries, and of functions that people call by what
//! they are.

use memguard_symbolize::{Frame, FrameRole, role};

/// Names of containers with keys, anywhere in a function's full name.
const CONTAINERS: [&str; 11] = [
    "_Hashtable",
    "_Rb_tree",
    "unordered_map",
    "unordered_set",
    "std::map",
    "hashbrown",
    "HashMap",
    "BTreeMap",
    "HashSet",
    "PyDict",
    "g_hash_table",
];
/// Words in the name of a function or file.
const WORDS: [&str; 14] = [
    "cache", "cached", "caches", "memo", "memoize", "intern", "interned", "lru", "dict", "hash", "map",
    "hashmap", "memoized", "lookup",
];
/// Application frames, from the innermost on, whose names are looked at.
const FRAMES: usize = 2;

/// Whether what is allocated here goes into a store with keys, by the names on the stack.
pub(crate) fn goes_into_a_keyed_store(stack: &[Frame]) -> bool {
    let innermost =
        stack.iter().position(|frame| role(frame) == FrameRole::Application).unwrap_or(stack.len());
    let inside = stack.iter().take(innermost + FRAMES);
    let mut names = inside.map(|frame| frame.function.as_str());
    if names.any(|name| CONTAINERS.iter().any(|container| name.contains(container))) {
        return true;
    }
    let application = stack.iter().filter(|frame| role(frame) == FrameRole::Application).take(FRAMES);
    application.into_iter().any(|frame| {
        let file = frame.file.as_deref().map_or("", crate::location::base_name);
        let own = frame.function.rsplit("::").next().unwrap_or_default();
        words(own).chain(words(file)).any(|word| WORDS.contains(&word.as_str()))
    })
}

/// The words of a name in snake case or camel case, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[(&str, &str)]) -> Vec<Frame> {
        let frame = |(function, file): &(&str, &str)| Frame {
            function: (*function).to_owned(),
            file: Some((*file).to_owned()),
            line: Some(1),
            module: "server".to_owned(),
            address: 16,
            inlined: false,
        };
        functions.iter().map(frame).collect()
    }

    #[test]
    fn names_tell() {
        let keyed = [
            &[("malloc", "malloc.c"), ("cache_result", "query.c"), ("main", "query.c")][..],
            &[("operator new(unsigned long)", ""), ("insertThumbnailMap", "x.cpp")],
            &[("load_page", "lru.c")],
            &[
                ("operator new(unsigned long)", ""),
                ("std::_Hashtable<int, int>::_M_insert", "hashtable.h"),
                ("Stats::count", "stats.cpp"),
            ],
        ];
        for stack_of in keyed {
            assert!(goes_into_a_keyed_store(&stack(stack_of)), "{stack_of:?}");
        }
        let plain = [
            &[("malloc", "malloc.c"), ("append_entry", "audit.c"), ("main", "audit.c")][..],
            &[("malloc", "malloc.c"), ("record", "a.c"), ("handle", "a.c"), ("cache_all", "a.c")],
            &[("mapped_file", "remap.c")],
        ];
        for stack_of in plain {
            assert!(!goes_into_a_keyed_store(&stack(stack_of)), "{stack_of:?}");
        }
    }
}
