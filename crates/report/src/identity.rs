//! Report: names for findings and for sets of findings that outlast the run.
//! In: pattern, kind, resolved stack; or finished findings. Out: 16 hex digits.

use memguard_symbolize::{Frame, FrameRole, role, without_suffix};

use crate::document::ReportFinding;

/// Hex digits of an id or stamp.
const DIGITS: usize = 16;

/// blake3 over pattern, kind, the fingerprint if it names a library's function, and the function names of the application's
/// frames. What lies inside of that function is the library's: another build of it gives the same id.
///
/// No address, line, file or host goes in, no suffix of a compiler-made clone, and a function that calls
/// itself counts once: the id survives a rebuild that moves lines, address randomisation, another host and
/// another depth of recursion. A frame without a name counts as its module.
pub fn finding_id(pattern: &str, kind: &str, fingerprint: Option<&str>, stack: &[Frame]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(pattern.as_bytes());
    hasher.update(b"\n");
    hasher.update(kind.as_bytes());
    if let Some(name) = fingerprint {
        // No function is called so.
        hasher.update(b"\n@");
        hasher.update(name.as_bytes());
    }
    let mut previous = None;
    for frame in stack.iter().filter(|frame| role(frame) == FrameRole::Application) {
        let name = if frame.is_named() { without_suffix(&frame.function) } else { frame.module.as_str() };
        if previous != Some(name) {
            hasher.update(b"\n");
            hasher.update(name.as_bytes());
            previous = Some(name);
        }
    }
    digits(&hasher)
}

/// blake3 over the sorted `pattern:location:confidence` of the findings, confidence with two decimals, one a
/// line. Equal stamps: nothing changed that a person would act on.
pub fn stamp(findings: &[ReportFinding]) -> String {
    let mut lines: Vec<String> = findings
        .iter()
        .map(|finding| format!("{}:{}:{:.2}\n", finding.pattern, finding.location, finding.confidence))
        .collect();
    lines.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for line in &lines {
        hasher.update(line.as_bytes());
    }
    digits(&hasher)
}

fn digits(hasher: &blake3::Hasher) -> String {
    let hex = hasher.finalize().to_hex();
    hex.as_str().chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, module: &str, line: u32) -> Frame {
        Frame {
            function: function.to_owned(),
            file: Some("server.c".to_owned()),
            line: Some(line),
            module: module.to_owned(),
            address: u64::from(line) * 16,
            inlined: false,
        }
    }

    /// Goal: what a rebuild, another host or the allocator changes does not change the id.
    #[test]
    fn id_is_stable() {
        let id = |stack: &[Frame]| finding_id("leaks", "heap-growth", None, stack);
        let stack =
            [frame("malloc", "libmemguard.so", 1), frame("load", "server", 7), frame("main", "server", 9)];
        let expected = id(&stack);
        assert_eq!(expected.len(), 16);
        let moved = [
            frame("malloc", "libjemalloc.so.2", 5),
            frame("load", "server", 70),
            frame("main", "server", 99),
        ];
        assert_eq!(id(&moved), expected);
        let cloned = [frame("load.constprop.0.isra.0", "server", 7), frame("main.cold", "server", 9)];
        assert_eq!(id(&cloned), expected);
        let recursive = [frame("load", "server", 7), frame("load", "server", 8), frame("main", "server", 9)];
        assert_eq!(id(&recursive), expected);
        let unnamed = |address: u32| [frame(&format!("server+{address:#x}"), "server", address)];
        assert_eq!(id(&unnamed(16)), id(&unnamed(32)));
    }

    /// Goal: what tells findings apart changes the id.
    #[test]
    fn id_tells_apart() {
        let stack = [frame("load", "server", 7), frame("main", "server", 9)];
        let expected = finding_id("leaks", "heap-growth", None, &stack);
        assert_ne!(finding_id("caches", "heap-growth", None, &stack), expected);
        assert_ne!(finding_id("leaks", "heap-unreachable", None, &stack), expected);
        assert_ne!(finding_id("leaks", "heap-growth", None, &stack[..1]), expected);
        assert_ne!(finding_id("leaks", "heap-growth", None, &[frame("loadmain", "server", 7)]), expected);
        assert_ne!(finding_id("leaks", "heap-growth", Some("libc-strdup"), &stack), expected);
    }
}
