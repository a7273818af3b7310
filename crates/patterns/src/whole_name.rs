//! Patterns: an expression for the whole name of a function or module. In: its text. Out: whether a name matches. It is
//! compiled when it is first asked: most of the built-in ones never are.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use crate::error::Problem;

/// A compiled expression larger than this was not meant.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// An expression.
#[derive(Debug, Clone)]
pub struct WholeName {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl WholeName {
    /// Checks the text, which was found at `key`.
    ///
    /// # Errors
    /// If it is no regular expression.
    pub(crate) fn new(key: &'static str, text: &str) -> Result<Self, Problem> {
        let whole = Self::unchecked(text);
        // By itself first: a bracket too many would fit into ours.
        let wrong = regex_syntax::parse(text).err().map(|error| error.to_string());
        let wrong = wrong.or_else(|| whole.compile().err().map(|error| error.to_string()));
        let problem = |why: String| Problem::Regex { key, regex: text.to_owned(), why: last_line(&why) };
        wrong.map_or(Ok(whole), |why| Err(problem(why)))
    }

    /// Takes a text that a test has checked.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the whole name matches.
    pub fn is_match(&self, name: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| self.compile().ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(name))
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&format!("^(?:{})$", self.text)).size_limit(COMPILED_BYTES_MAX).build()
    }
}

/// Expressions are explained with a drawing; its last line says what is wrong.
fn last_line(text: &str) -> String {
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
