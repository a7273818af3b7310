//! Patterns: from a function's name to an expression that still matches after a rebuild. In: a demangled name. Out: a regular
//! expression for the whole name.
//!
//! What a compiler numbers (closures, lambdas, clones), hashes, or makes from type arguments is left open; all else is
//! literal.

use memguard_symbolize::without_suffix;
use regex::escape;

/// The expression for a function.
pub fn generalised(function: &str) -> String {
    let name = without_suffix(function);
    let (name, tail) = without_tail(name);
    let mut out = String::new();
    let mut at = 0;
    while let Some(character) = name[at..].chars().next() {
        let rest = &name[at..];
        let before = &name[..at];
        at += if let Some(symbols) = operator(before, rest) {
            out += &escape(symbols);
            symbols.len()
        } else if let Some(length) = arguments(before, rest) {
            out += "<.*>";
            length
        } else if let Some(length) = closure(rest) {
            // `{{closure}}` or `{closure#0}`, by the way names are mangled.
            out += r"\{\{?closure(?:#\d+)?\}\}?";
            length
        } else if let Some((mark, length)) = numbered(rest) {
            out += &escape(mark);
            out += r"\d+";
            length
        } else {
            out += &escape(character.encode_utf8(&mut [0; 4]));
            character.len_utf8()
        };
    }
    out + tail
}

/// Cuts off a hash or number at the end, and gives the expression for one that may be there.
fn without_tail(name: &str) -> (&str, &'static str) {
    if let Some((head, hash)) = name.rsplit_once("::h")
        && hash.len() == 16
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return (head, "(?:::h[0-9a-f]{16})?");
    }
    if let Some((head, number)) = name.rsplit_once('.')
        && !head.is_empty()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return (head, r"(?:\.\d+)?");
    }
    (name, "")
}

/// The symbols of `operator<`, `operator->`: no brackets of type arguments.
fn operator<'a>(before: &str, rest: &'a str) -> Option<&'a str> {
    let word = before.strip_suffix("operator")?;
    if word.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let end = rest.find(|c: char| !"<>=!+-*/%^&|~,[]()".contains(c)).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// Length of type arguments, `<…>` after a name or `::`. A bracket that opens a name, as in `<T as Trait>::f`, is none.
fn arguments(before: &str, rest: &str) -> Option<usize> {
    let follows_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    if !follows_name || !rest.starts_with('<') {
        return None;
    }
    let mut depth = 0_u32;
    let mut previous = ' ';
    for (at, character) in rest.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if previous != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
        previous = character;
    }
    None
}

/// Length of a closure of Rust.
fn closure(rest: &str) -> Option<usize> {
    if rest.starts_with("{{closure}}") {
        return Some("{{closure}}".len());
    }
    let number = rest.strip_prefix("{closure#")?;
    let digits = digits(number);
    (digits > 0 && number[digits..].starts_with('}')).then(|| "{closure#".len() + digits + 1)
}

/// Whatever compilers number: `{lambda(int)#1}`, `{impl#2}`, `$_0`.
fn numbered(rest: &str) -> Option<(&'static str, usize)> {
    ["#", "$_"].into_iter().find_map(|mark| {
        let digits = digits(rest.strip_prefix(mark)?);
        (digits > 0).then_some((mark, mark.len() + digits))
    })
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    /// Goal: a rebuild's names still match, others do not. Method: pairs of what was seen and what comes after; a stranger.
    #[test]
    fn rebuilds_match_and_strangers_do_not() {
        let cases = [
            ("parse_request", "parse_request", "parse_requests"),
            ("take.constprop.0", "take", "untake"),
            ("take.isra.0.cold", "take", "taken"),
            ("app::Store<int>::put", "app::Store<std::vector<long> >::put", "app::Store::put"),
            ("app::serve::{{closure}}", "app::serve::{closure#3}", "app::serve"),
            ("app::serve::{closure#0}", "app::serve::{closure#12}", "app::serve::{shim#0}"),
            ("app::read::h0123456789abcdef", "app::read::hfedcba9876543210", "app::read::hello"),
            (
                "<app::Order as core::clone::Clone>::clone",
                "<app::Order as core::clone::Clone>::clone",
                "<app::Item as core::clone::Clone>::clone",
            ),
            (
                "<app::Pool<u8> as app::Take>::take",
                "<app::Pool<[u8; 4]> as app::Take>::take",
                "<app::Cool<u8> as app::Take>::take",
            ),
            ("app::run::<f64>", "app::run::<i32>", "app::run"),
            (
                "main::{lambda(int)#1}::operator()",
                "main::{lambda(int)#2}::operator()",
                "main::{lambda(int)#1}::operator[]",
            ),
            ("Row::operator<", "Row::operator<", "Row::operator<<"),
            ("Row::operator->", "Row::operator->", "Row::operator-"),
            ("run(int)::$_0", "run(int)::$_7", "run(int)::$_"),
            ("counter.12", "counter", "counter.x"),
            ("(anonymous namespace)::keep", "(anonymous namespace)::keep", "keep"),
        ];
        for (seen, again, stranger) in cases {
            let expression = format!("^(?:{})$", generalised(seen));
            let regex = Regex::new(&expression).expect(&expression);
            assert!(regex.is_match(without_suffix(seen)), "{expression} does not match {seen}");
            assert!(regex.is_match(again), "{expression} does not match {again}");
            assert!(!regex.is_match(stranger), "{expression} matches {stranger}");
        }
    }

    /// Goal: whatever a binary calls its functions, it is an expression that matches that name. Method: odd names.
    #[test]
    fn odd_names_are_taken_literally() {
        for name in [
            "",
            "a<b",
            "<<<",
            ">",
            "operator",
            "operator<",
            "x#",
            "$_",
            "a.b.c",
            "é::ß<ü>",
            "{closure#}",
            "a\nb",
            "-><",
        ] {
            let expression = format!("^(?:{})$", generalised(name));
            assert!(Regex::new(&expression).expect(&expression).is_match(name), "{expression} for {name}");
        }
    }
}
