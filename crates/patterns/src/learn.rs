//! Patterns: a file learned from a finding. In: what the finding says and what the user adds. Out: the text of a file that
//! loads, and knows the finding.

use std::fmt::Write;

use memguard_symbolize::Frame;

use crate::example::Example;
use crate::generalise::generalised;

/// So many of the program's functions are asked for: enough to tell callers apart, few enough to outlive changes further out.
const FRAMES_MAX: usize = 4;

/// What there is to learn.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// Name of the new fingerprint.
    pub name: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Where it comes from and what was seen.
    pub explanation: &'a str,
    /// What to do.
    pub fix: &'a str,
    /// The finding's pattern.
    pub pattern: &'a str,
    /// The finding's kind.
    pub kind: &'a str,
    /// The fingerprint that knew it already; it is made narrower.
    pub refines: Option<&'a str>,
    /// The program's own functions from the finding's place outwards.
    pub functions: &'a [String],
    /// The whole stack.
    pub stack: &'a [Frame],
}

/// The text of the file.
pub fn learn(lesson: &Lesson<'_>) -> String {
    let mut functions: Vec<&str> = lesson.functions.iter().map(String::as_str).collect();
    // Recursion may go deeper next time.
    functions.dedup();
    functions.truncate(FRAMES_MAX);
    let mut text = String::new();
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    put("[[fingerprint]]");
    put(&format!("name = {}", quoted(lesson.name)));
    put(&format!("title = {}", quoted(lesson.title)));
    match lesson.refines {
        Some(base) => put(&format!("refines = {}", quoted(base))),
        None => {
            put(&format!("pattern = {}", quoted(lesson.pattern)));
            put(&format!("kinds = [{}]", quoted(lesson.kind)));
        }
    }
    put(&list("frames", functions.iter().map(|function| generalised(function))));
    put(&format!("explanation = {}", quoted(lesson.explanation)));
    put(&format!("fix = {}", quoted(lesson.fix)));
    put("");
    put("[[fingerprint.example]]");
    put(&format!("kind = {}", quoted(lesson.kind)));
    if let Some(place) = functions.first() {
        put(&format!("location = {}", quoted(place)));
    }
    put(&list("stack", lesson.stack.iter().map(Example::line)));
    text
}

fn list(key: &str, items: impl Iterator<Item = String>) -> String {
    let mut text = format!("{key} = [\n");
    for item in items {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    {},", quoted(&item));
    }
    text + "]"
}

/// A TOML string: literal where that spares backslashes.
fn quoted(text: &str) -> String {
    let is_plain = !text.contains('\'') && !text.chars().any(char::is_control);
    if is_plain && text.contains(['\\', '"']) {
        return format!("'{text}'");
    }
    toml::Value::from(text).to_string()
}
