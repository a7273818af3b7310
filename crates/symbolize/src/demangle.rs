//! Symbolize: from a linker name to one a person reads.
//! In: a symbol as the compiler wrote it. Out: Rust (v0 and legacy) and C++ names without hash, parameters,
//! return type or the suffixes of compiler-made clones; any other name unchanged.

use std::fmt::{self, Write};

/// Longest name looked at or produced, in bytes. Substitutions let a short C++ symbol expand without end.
pub const NAME_BYTES_MAX: usize = 4096;

/// Marks that compilers append to the name of a function they cloned, split or renamed.
const CLONE_SUFFIXES: &[&str] = &[
    "constprop",
    "isra",
    "part",
    "cold",
    "llvm",
    "lto_priv",
    "localalias",
    "clone",
    "warm",
    "hot",
    "unlikely",
];

/// The readable form of `symbol`.
pub fn demangle(symbol: &str) -> String {
    let symbol = without_suffix(truncated(symbol));
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        let mut text = BoundedText::default();
        // The alternate form leaves out the hash.
        if write!(text, "{name:#}").is_ok() && !text.0.is_empty() {
            return text.0;
        }
    }
    if is_cpp(symbol) { demangle_cpp(symbol).unwrap_or_else(|| symbol.to_owned()) } else { symbol.to_owned() }
}

/// `symbol` without the marks of compiler-made clones: `copy.constprop.0.isra.1` is `copy`. What remains is
/// the function as it is in the source, the same for every build.
pub fn without_suffix(symbol: &str) -> &str {
    let mut name = symbol;
    loop {
        let Some((head, last)) = name.rsplit_once('.') else { return name };
        let kept = if last.bytes().all(|byte| byte.is_ascii_digit()) {
            head.rsplit_once('.').filter(|(_, mark)| CLONE_SUFFIXES.contains(mark)).map(|(head, _)| head)
        } else {
            CLONE_SUFFIXES.contains(&last).then_some(head)
        };
        match kept {
            Some(head) if !head.is_empty() => name = head,
            _ => return name,
        }
    }
}

fn is_cpp(symbol: &str) -> bool {
    symbol.starts_with("_Z") || symbol.starts_with("__Z") || symbol.starts_with("_GLOBAL_")
}

fn demangle_cpp(symbol: &str) -> Option<String> {
    let parsed = cpp_demangle::Symbol::new(symbol.as_bytes()).ok()?;
    let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
    let mut text = BoundedText::default();
    parsed.structured_demangle(&mut text, &options).ok()?;
    (!text.0.is_empty()).then_some(text.0)
}

/// Cuts at a character boundary.
fn truncated(text: &str) -> &str {
    let mut end = text.len().min(NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A string that refuses to grow past [`NAME_BYTES_MAX`].
#[derive(Default)]
struct BoundedText(String);

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > NAME_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every mangling scheme gives the bare qualified name.
    #[test]
    fn names_are_readable() {
        let cases = [
            ("main", "main"),
            ("_ZN3foo3barEi", "foo::bar"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back"),
            ("_Znwm", "operator new"),
            ("_ZN5alloc3vec12Vec$LT$T$GT$4push17h0123456789abcdefE", "alloc::vec::Vec<T>::push"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN3foo3barEi.constprop.0.cold", "foo::bar"),
            ("take.isra.0", "take"),
            ("take.llvm.1234567", "take"),
            ("counter.12", "counter.12"),
            ("_Znot_cpp", "_Znot_cpp"),
            ("", ""),
        ];
        for (symbol, expected) in cases {
            assert_eq!(demangle(symbol), expected, "{symbol}");
        }
    }

    /// Goal: a symbol built to expand without end stays within bounds.
    #[test]
    fn expansion_is_bounded() {
        let mut symbol = String::from("_Z1fI1A");
        for index in 0..30_u32 {
            let reference = if index == 0 { "S_".to_owned() } else { format!("S{}_", index - 1) };
            symbol.push_str("1BIS_");
            symbol.push_str(&reference);
            symbol.push('E');
        }
        symbol.push_str("Evv");
        assert!(demangle(&symbol).len() <= NAME_BYTES_MAX);
        assert!(demangle(&"x".repeat(100_000)).len() <= NAME_BYTES_MAX);
    }
}
