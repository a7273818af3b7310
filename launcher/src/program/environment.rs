//! Launcher, program: the variables that decide what is executed and with what. In: this process's environment, or a test's.
//! Out: values by name.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

/// Environment variables.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// This process's.
    pub fn own() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.get(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}
