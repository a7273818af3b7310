//! Report, suppressions: findings that somebody has decided not to be told of.
//! In: the texts of files in our own format, `LeakSanitizer`'s, or Valgrind's, told apart by what stands in them. Out: findings of
//! a document marked with the rule that suppresses them, and which rules were of use.

mod error;
mod glob;
mod leak_sanitizer;
mod own;
mod rule;
mod valgrind;

#[cfg(test)]
mod tests;

pub use error::SuppressionError;

use crate::document::{ExpiredSuppression, Report, ReportFinding, Suppressed, Suppression};
use rule::Rule;

/// The rules of all files, in the order in which they were read: the first that matches counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Suppressions {
    rules: Vec<Rule>,
}

/// Whose format a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Own,
    LeakSanitizer,
    Valgrind,
}

impl Suppressions {
    /// Adds the rules of a file, which messages call `file`.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn read(&mut self, text: &str, file: &str) -> Result<(), SuppressionError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let rules = match format(text, file)? {
            Some(Format::Own) => own::parse(text, file)?,
            Some(Format::LeakSanitizer) => leak_sanitizer::parse(text, file)?,
            Some(Format::Valgrind) => valgrind::parse(text, file)?,
            None => Vec::new(),
        };
        self.rules.extend(rules);
        Ok(())
    }

    /// Marks what is suppressed at `now_s`, and notes which rules were of no use.
    pub(crate) fn mark(&self, report: &mut Report, now_s: f64) {
        let mut used = vec![false; self.rules.len()];
        for finding in &mut report.findings {
            finding.suppressed_by = None;
            for (rule, used) in self.rules.iter().zip(&mut used) {
                if !rule.has_expired(now_s) && rule.matches(finding) {
                    *used = true;
                    finding.suppressed_by = Some(named(rule));
                    break;
                }
            }
        }
        let (expired, valid): (Vec<_>, Vec<_>) =
            self.rules.iter().zip(used).partition(|(rule, _)| rule.has_expired(now_s));
        report.suppressed = Suppressed {
            findings: 0,
            by: Vec::new(),
            unused: valid.iter().filter(|(_, used)| !used).map(|(rule, _)| named(rule)).collect(),
            expired: expired
                .iter()
                .map(|(rule, _)| ExpiredSuppression {
                    name: rule.name.clone(),
                    source: rule.source.clone(),
                    expires: rule.expires.as_ref().map_or_else(String::new, |(day, _)| day.clone()),
                })
                .collect(),
        };
    }

    /// Whether any rule, expired or not, is about the finding.
    pub fn matches(&self, finding: &ReportFinding) -> bool {
        self.rules.iter().any(|rule| rule.matches(finding))
    }

    /// Whether a rule has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.name == name)
    }
}

/// `text`, a file in our own format, with a table at its end that suppresses the finding.
///
/// # Errors
/// If the text is not in our own format, if something in it suppresses the finding already at `now_s`, or `expires` is no date.
pub fn append_suppression(
    text: &str,
    file: &str,
    finding: &ReportFinding,
    reason: &str,
    expires: Option<&str>,
    now_s: f64,
) -> Result<String, SuppressionError> {
    if let Some(Format::LeakSanitizer | Format::Valgrind) = format(text, file)? {
        let message =
            "this file is in another tool's format; name another file, both can be given to --suppressions";
        return Err(SuppressionError::syntax(file, 1, message));
    }
    let mut rules = Suppressions::default();
    rules.read(text, file)?;
    if let Some(rule) = rules.rules.iter().find(|rule| !rule.has_expired(now_s) && rule.matches(finding)) {
        let message = format!("'{}' suppresses this finding already; nothing was added", rule.name);
        let line = rule.source.rsplit(':').next().and_then(|line| line.parse().ok()).unwrap_or(1);
        return Err(SuppressionError::syntax(file, line, message));
    }
    let mut name = format!("{} {}", finding.kind, finding.location);
    if rules.has_name(&name) {
        name = format!("{name} {}", finding.id);
    }
    let table = own::table(finding, &name, reason, expires)
        .map_err(|message| SuppressionError::syntax(file, 1, message))?;
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let whole = format!("{text}{gap}{table}");
    // Whatever was written is read again before anybody relies on it.
    let mut written = Suppressions::default();
    written.read(&whole, file)?;
    if !written.matches(finding) {
        let message = "the suppression would not match its own finding; this is a defect of memguard";
        return Err(SuppressionError::syntax(file, 1, message));
    }
    Ok(whole)
}

fn named(rule: &Rule) -> Suppression {
    Suppression { name: rule.name.clone(), source: rule.source.clone(), reason: rule.reason.clone() }
}

/// By the first line that says something; none if nothing does.
fn format(text: &str, file: &str) -> Result<Option<Format>, SuppressionError> {
    let mut said = (1..).zip(text.lines().map(str::trim));
    let Some((line, first)) = said.find(|(_, line)| !line.is_empty() && !line.starts_with('#')) else {
        return Ok(None);
    };
    let is_assignment = || first.split_once('=').is_some_and(|(key, _)| !key.contains(':'));
    match first {
        "{" => Ok(Some(Format::Valgrind)),
        _ if first.starts_with(leak_sanitizer::PREFIX) => Ok(Some(Format::LeakSanitizer)),
        _ if first.starts_with('[') || is_assignment() => Ok(Some(Format::Own)),
        _ => {
            const SHOWN_MAX: usize = 40;
            let found: String = first.chars().take(SHOWN_MAX).collect();
            Err(SuppressionError::UnknownFormat { file: file.to_owned(), line, found })
        }
    }
}
