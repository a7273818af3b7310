//! Report, suppressions: `LeakSanitizer`'s format.
//! In: the text of a file, lines `leak:PATTERN` and comments. Out: rules; one matches if the function, module or source file of any
//! frame contains its pattern.

use super::error::SuppressionError;
use super::glob::Glob;
use super::rule::{Rule, Test};

/// What every rule begins with.
pub const PREFIX: &str = "leak:";

pub fn parse(text: &str, file: &str) -> Result<Vec<Rule>, SuppressionError> {
    let mut rules = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(pattern) = line.strip_prefix(PREFIX) else {
            let message = format!("found '{line}', expected leak:PATTERN, a comment (#) or an empty line");
            return Err(SuppressionError::syntax(file, number, message));
        };
        if pattern.is_empty() {
            return Err(SuppressionError::syntax(file, number, "there is no pattern after leak:"));
        }
        rules.push(Rule::of_tool(line, file, number, Test::AnyFrame(Glob::leak_sanitizer(pattern))));
    }
    Ok(rules)
}
