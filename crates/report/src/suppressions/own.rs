//! Report, suppressions: our own format, TOML with tables `[[suppression]]`.
//! In: the text of a file. Out: rules; and for a finding, the table that suppresses it.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::error::SuppressionError;
use super::glob::Glob;
use super::rule::{Criteria, Rule, Step, Test, application};
use crate::document::{ReportFinding, StackFrame};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    suppression: Vec<Spanned<Table>>,
}

/// One table.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stack: Vec<String>,
}

/// A date, in quotes or not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Day {
    Toml(toml::value::Datetime),
    Text(String),
}

pub fn parse(text: &str, file: &str) -> Result<Vec<Rule>, SuppressionError> {
    let line_of = |offset: usize| {
        let before = text.as_bytes().get(..offset).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    };
    let parsed: File = toml::from_str(text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        SuppressionError::syntax(file, line, error.message().replace('\n', ", "))
    })?;
    let rules = parsed.suppression.into_iter().map(|table| {
        let line = line_of(table.span().start);
        rule(table.into_inner(), file, line)
    });
    rules.collect()
}

fn rule(table: Table, file: &str, line: usize) -> Result<Rule, SuppressionError> {
    let wrong = |message: String| Err(SuppressionError::syntax(file, line, message));
    for (key, value) in [("name", &table.name), ("reason", &table.reason)] {
        if value.trim().is_empty() {
            return wrong(format!("{key} is empty; say it, for those who read this in a year"));
        }
    }
    let expires = match &table.expires {
        None => None,
        Some(day) => {
            let text = match day {
                Day::Toml(day) => day.to_string(),
                Day::Text(text) => text.clone(),
            };
            match end_of_day(&text) {
                Some(end_s) => Some((text, end_s)),
                None => return wrong(format!("expires: found '{text}', expected a date such as 2027-03-31")),
            }
        }
    };
    let globs = [&table.id, &table.pattern, &table.kind, &table.function, &table.module, &table.file];
    if globs.iter().any(|glob| glob.as_ref().is_some_and(String::is_empty))
        || table.stack.iter().any(String::is_empty)
    {
        return wrong("an empty text matches nothing; leave the key out, or write \"*\"".to_owned());
    }
    let says = |text: &String| text != "..." && Glob::own(text).has_letters();
    if !globs.iter().copied().flatten().chain(&table.stack).any(says) {
        return wrong(
            "it would suppress everything; give id, pattern, kind, function, module, file or stack"
                .to_owned(),
        );
    }
    let glob = |text: &Option<String>| text.as_deref().map(Glob::own);
    let step = |text: &String| match text.as_str() {
        "..." => Step::Any,
        name => Step::Function(vec![Glob::own(name)]),
    };
    let criteria = Criteria {
        id: glob(&table.id),
        pattern: glob(&table.pattern),
        kind: glob(&table.kind),
        function: glob(&table.function),
        module: glob(&table.module),
        file: glob(&table.file),
        stack: table.stack.iter().map(step).collect(),
    };
    Ok(Rule {
        name: table.name,
        source: format!("{file}:{line}"),
        reason: Some(table.reason),
        expires,
        test: Test::All(criteria),
    })
}

/// The end of a day (UTC) in seconds since 1970.
fn end_of_day(date: &str) -> Option<f64> {
    const DAY_S: f64 = 86_400.0;
    if date.len() != "2027-03-31".len() {
        return None;
    }
    let start = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok()?;
    let start_s = start.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
    Some(start_s + DAY_S)
}

/// The table that suppresses a finding: its pattern, its kind, and its application's functions from the innermost on. Of a
/// finding without a stack it is the id.
pub fn table(
    finding: &ReportFinding,
    name: &str,
    reason: &str,
    expires: Option<&str>,
) -> Result<String, String> {
    let frames = application(&finding.stack);
    let stack: Vec<String> = frames.into_iter().map(function_glob).collect();
    let table = Table {
        name: name.to_owned(),
        reason: reason.to_owned(),
        expires: expires.map(|day| Day::Text(day.to_owned())),
        id: stack.is_empty().then(|| Glob::quoted(&finding.id)),
        pattern: Some(finding.pattern.clone()),
        kind: Some(finding.kind.clone()),
        stack,
        ..Table::default()
    };
    let text = toml::to_string(&table).map_err(|error| error.to_string())?;
    Ok(format!("[[suppression]]\n{text}"))
}

/// A function's name; what has none is known by its module, wherever in it the next build puts it.
fn function_glob(frame: &StackFrame) -> String {
    match frame.function.strip_prefix(frame.module.as_str()) {
        Some(rest) if rest.starts_with("+0x") => format!("{}+0x*", Glob::quoted(&frame.module)),
        _ => Glob::quoted(memguard_symbolize::without_suffix(&frame.function)),
    }
}
