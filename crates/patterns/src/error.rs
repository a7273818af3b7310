//! Patterns: why a file of fingerprints is not taken. In: built while loading. Out: one line that names file, line,
//! fingerprint, and what to do.

use std::fmt;
use std::path::PathBuf;

/// A file or folder that is not taken, as a whole.
#[derive(Debug, thiserror::Error)]
#[error("{}{}{}: {problem}", path.display(), At(*line), Of(name))]
pub struct LoadError {
    /// The file or folder.
    pub path: PathBuf,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// The fingerprint's name, where it has one.
    pub name: Option<String>,
    /// What is wrong.
    pub problem: Box<Problem>,
}

struct At(Option<usize>);

impl fmt::Display for At {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(out, ":{line}"))
    }
}

struct Of<'a>(&'a Option<String>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(out, ": fingerprint '{name}'"))
    }
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A folder that cannot be listed, or a file that cannot be read.
    #[error("cannot be read: {}", without_number(.0))]
    Unreadable(std::io::Error),
    /// A folder was asked for.
    #[error("is not a folder; name the folder that holds the *.toml files")]
    NotAFolder,
    /// Far too long for a file of fingerprints.
    #[error("is larger than {} MiB, which no file of fingerprints is", .0 >> 20)]
    TooLarge(u64),
    /// Not TOML.
    #[error("not valid TOML: {0}")]
    Syntax(String),
    /// TOML, but not of this form: an unknown key, a missing one, a value of another type.
    #[error("{0}")]
    Form(String),
    /// A name that cannot be one.
    #[error("a name is made of small letters, digits and single dashes, such as 'openssl-ssl-new'")]
    Name,
    /// Two fingerprints of one name among the user's own, or in one file.
    #[error("the name is taken twice, first in {}; rename one", .0.display())]
    Duplicate(PathBuf),
    /// A text that must say something is empty.
    #[error("{0} is empty; {1}")]
    Empty(&'static str, &'static str),
    /// A kind of another pattern.
    #[error("{key}: kind '{kind}' belongs to pattern '{of}', not to '{pattern}'")]
    ForeignKind {
        /// Where it stands.
        key: &'static str,
        /// The kind.
        kind: String,
        /// The pattern it belongs to.
        of: String,
        /// The fingerprint's pattern.
        pattern: String,
    },
    /// Not a regular expression.
    #[error("{key}: '{regex}' is not a regular expression: {why}")]
    Regex {
        /// Where it stands.
        key: &'static str,
        /// As written.
        regex: String,
        /// What the parser says.
        why: String,
    },
    /// It would match everything of its pattern.
    #[error("nothing says which findings it knows; give calls, through, frames, module or kinds")]
    MatchesEverything,
    /// `through` and `library` speak of what `calls` calls.
    #[error("library has no meaning without calls: it says whose function calls is")]
    LibraryWithoutCalls,
    /// It builds on a fingerprint that is not there.
    #[error("refines '{found}', which is no fingerprint{}", suggestion(.nearest.as_deref()))]
    RefinesUnknown {
        /// As written.
        found: String,
        /// The name most like it.
        nearest: Option<String>,
    },
    /// It builds on one that builds on another.
    #[error("refines '{0}', which refines another one itself; refine that one")]
    RefinesRefined(String),
    /// A frame of an example that cannot be read.
    #[error("example frame '{0}' is not of the form 'function @ module' or 'function @ module [file]'")]
    ExampleFrame(String),
    /// An example that it does not match.
    #[error("example {0} is not matched by the signature: correct one of them")]
    ExampleNotMatched(usize),
    /// An example that it matches at another place.
    #[error(
        "example {number} has its place in '{found}', not in '{expected}': correct location, library or frames"
    )]
    ExampleElsewhere {
        /// Its number, from 1.
        number: usize,
        /// Where it is.
        found: String,
        /// Where it was said to be.
        expected: String,
    },
    /// A counterexample that it matches.
    #[error("counterexample {0} is matched by the signature: make the signature narrower")]
    CounterexampleMatched(usize),
}

/// The name in `known` that a typing error most likely meant, if any is near enough.
pub fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    const SIMILARITY_MIN: f64 = 0.75;
    known
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

/// The end of a message that proposes it.
pub fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

/// The system's words without Rust's "(os error 2)".
fn without_number(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
