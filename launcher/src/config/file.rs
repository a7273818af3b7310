//! Launcher, configuration: the file's share.
//! In: the text of a `memguard.toml`. Out: [`Assignment`]s with their lines.

use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use memguard_patterns::nearest;

use super::error::{ConfigError, Origin};
use super::key::{Key, PER_PATTERN};
use super::pattern::Pattern;
use super::settings::Assignment;
use super::table::KEYS;

/// Reads one configuration file. A relative folder in it is meant relative to the file.
pub fn read(path: &Path) -> Result<Vec<Assignment>, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<Assignment>, ConfigError> {
    let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        origin: origin(text, path, error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    let mut values = Vec::new();
    flatten(document.get_ref(), "", &mut values);
    // The parser sorts by name; messages are about the first error a reader meets.
    values.sort_by_key(|(_, value)| value.span().start);
    values.into_iter().map(|(name, value)| assignment(&name, value, text, path)).collect()
}

/// Collects `table.key` names with their values; empty tables say nothing.
fn flatten<'t, 'i>(table: &'t DeTable<'i>, prefix: &str, into: &mut Vec<(String, &'t Spanned<DeValue<'i>>)>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => flatten(inner, &format!("{name}."), into),
            _ => into.push((name, value)),
        }
    }
}

fn assignment(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    text: &str,
    path: &Path,
) -> Result<Assignment, ConfigError> {
    let origin = origin(text, path, value.span().start);
    let Some((key, pattern)) = find(name) else {
        let known = known_names();
        let nearest = nearest(name, known.iter().map(String::as_str));
        return Err(ConfigError::UnknownKey { origin, found: name.to_owned(), nearest });
    };
    let Some(value) = scalar_text(value.get_ref(), key.kind.separator()) else {
        let found = value.get_ref().type_str().to_owned();
        return Err(ConfigError::BadValue {
            origin,
            key: name.to_owned(),
            found,
            expected: key.kind.expected(),
        });
    };
    let value = key.kind.relative_to(path.parent().unwrap_or(Path::new("")), value);
    Ok(Assignment { key, pattern, text: value, origin })
}

fn find(name: &str) -> Option<(&'static Key, Option<Pattern>)> {
    KEYS.iter().find_map(|key| match key.name.strip_suffix(PER_PATTERN) {
        // The list form, `auto_cleanup = ["handles"]`, is taken beside `auto_cleanup.handles = true`.
        Some(stem) if name == stem => Some((key, None)),
        Some(stem) => {
            let pattern = name.strip_prefix(stem)?.strip_prefix('.')?;
            Some((key, Some(Pattern::named(pattern)?)))
        }
        None => (key.name == name).then_some((key, None)),
    })
}

fn known_names() -> Vec<String> {
    let names = KEYS.iter().flat_map(|key| match key.name.strip_suffix(PER_PATTERN) {
        Some(stem) => Pattern::all().map(|pattern| format!("{stem}.{}", pattern.name())).collect(),
        None => vec![key.name.to_owned()],
    });
    names.collect()
}

/// The text of a value as it would be written in the environment; lists become `a,b`, or what `separator` makes of them.
fn scalar_text(value: &DeValue<'_>, separator: char) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(integer) => {
            let digits = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            Some(digits.to_string())
        }
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(items) => {
            let names: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            Some(names?.join(&separator.to_string()))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn origin(text: &str, path: &Path, offset_bytes: usize) -> Origin {
    let before = text.as_bytes().get(..offset_bytes).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count();
    Origin::File { path: path.to_owned(), line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let parsed =
            parse(text, Path::new("m.toml")).and_then(|found| super::super::settings::resolve(&found));
        parsed.expect_err(text).to_string()
    }

    #[test]
    fn errors_name_line_key_found_and_expected() {
        let unknown = message("\n[handles]\nmax_ages = 3\n");
        assert_eq!(unknown, "m.toml:3: unknown key 'handles.max_ages'; did you mean 'handles.max_age_s'?");
        let bad = message("# one\npoll_interval_s = \"soon\"");
        assert!(bad.starts_with("m.toml:2: poll_interval_s: found 'soon', expected a time from"), "{bad}");
        assert!(
            message("sample_rate = 2").contains("m.toml:1: sample_rate: found '2', expected a number from")
        );
        assert!(message("sample_rate = [").starts_with("m.toml:1: not valid TOML: "));
        assert!(message("dir = 1979-05-27").contains("found 'datetime', expected a folder"));
        let both = message("sample_rate = 0.1\nsample_bytes = 5");
        assert!(both.starts_with("m.toml:2: sample_bytes and sample_rate (m.toml:1)"), "{both}");
    }

    #[test]
    fn switches_for_what_does_not_exist_yet_are_refused_only_when_on() {
        assert!(
            message("[auto_cleanup]\nhandles = true").starts_with("m.toml:2: auto_cleanup.handles: cleaning")
        );
        assert!(message("auto_cleanup = [\"timers\"]").starts_with("m.toml:1: auto_cleanup: cleaning"));
        assert!(message("telemetry.enabled = true").starts_with("m.toml:1: telemetry.enabled: telemetry is"));
        assert!(message("auto_cleanup.handle = true").contains("did you mean 'auto_cleanup.handles'?"));
        let off = "auto_cleanup.handles = false\nauto_cleanup.leaks = false\ntelemetry.enabled = false";
        assert_eq!(parse(off, Path::new("m.toml")).expect("known keys").len(), 3);
    }

    #[test]
    fn relative_folders_of_fingerprints_are_relative_to_the_file() {
        for text in ["patterns_dir = \"a:/b\"", "patterns_dir = [\"a\", \"/b\"]"] {
            let found = parse(text, Path::new("/etc/memguard/m.toml")).expect("known key");
            assert_eq!(found[0].text, "/etc/memguard/a:/b");
        }
        assert!(message("patterns_dir = \"\"").contains("expected a folder, or several with colons between"));
    }

    #[test]
    fn a_relative_folder_is_relative_to_the_file() {
        let found = parse("dir = \"state\"", Path::new("/etc/memguard/m.toml")).expect("known key");
        assert_eq!(found[0].text, "/etc/memguard/state");
        let text = "baseline = \"base.json\"\nsuppressions = [\"a.toml\", \"/b.supp\"]";
        let found = parse(text, Path::new("/etc/memguard/m.toml")).expect("known keys");
        let texts: Vec<_> = found.iter().map(|assignment| assignment.text.as_str()).collect();
        assert_eq!(texts, ["/etc/memguard/base.json", "/etc/memguard/a.toml:/b.supp"]);
    }
}
