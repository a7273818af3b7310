//! Launcher, configuration: the environment's share.
//! In: all variables of the launcher. Out: [`Assignment`]s of those that begin with `MEMGUARD_`.

use std::ffi::OsString;

use memguard_patterns::nearest;

use super::error::{ConfigError, Origin};
use super::key::{Key, PER_PATTERN};
use super::pattern::Pattern;
use super::settings::Assignment;
use super::table::{INTERNAL_VARIABLES, KEYS};

/// Reads the variables. One that begins with `MEMGUARD_` and is not known is an error: it is a typing error,
/// and to ignore it would run the program under settings its owner did not choose.
pub fn read(variables: &[(OsString, OsString)]) -> Result<Vec<Assignment>, ConfigError> {
    let mut assignments = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if !name.starts_with("MEMGUARD_") || INTERNAL_VARIABLES.contains(&name.as_ref()) {
            continue;
        }
        let Some((key, pattern)) = find(&name) else {
            let known: Vec<_> = KEYS.iter().map(Key::variable).collect();
            let nearest = nearest(&name, known.iter().map(String::as_str));
            return Err(ConfigError::UnknownVariable { found: name.into_owned(), nearest });
        };
        let origin = Origin::Environment(name.into_owned());
        let Some(text) = value.to_str() else {
            let (key, found) = (key.name.to_owned(), value.to_string_lossy().into_owned());
            return Err(ConfigError::BadValue { origin, key, found, expected: "UTF-8 text".to_owned() });
        };
        assignments.push(Assignment { key, pattern, text: text.to_owned(), origin });
    }
    Ok(assignments)
}

fn find(variable: &str) -> Option<(&'static Key, Option<Pattern>)> {
    if let Some(key) = KEYS.iter().find(|key| key.variable() == variable) {
        return Some((key, None));
    }
    KEYS.iter().filter(|key| key.name.ends_with(PER_PATTERN)).find_map(|key| {
        let rest = variable.strip_prefix(&key.variable())?.strip_prefix('_')?;
        Some((key, Some(Pattern::named(&rest.to_lowercase())?)))
    })
}
