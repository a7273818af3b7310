//! Patterns: one fingerprint. In: made by `file`. Out: matched by `library`, shown to people.

use memguard_detect::Kind;
use std::path::PathBuf;

use crate::example::Example;
use crate::signature::Signature;

/// A well-known leak: how it is recognised, what it is, what to do.
#[derive(Debug, Clone)]
pub struct Fingerprint {
    /// Stable name, such as `openssl-ssl-new`.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What goes wrong, in a sentence or two.
    pub explanation: String,
    /// What to do about it.
    pub fix: String,
    /// How often it is met, where somebody has said so.
    pub prevalence: Option<Prevalence>,
    /// The kind that a finding becomes.
    pub becomes: Option<Kind>,
    /// The fingerprint that it refines; findings keep the id that they have by that one.
    pub refines: Option<String>,
    /// What a finding must look like.
    pub signature: Signature,
    /// Findings that it knows.
    pub examples: Vec<Example>,
    /// Findings that look alike and that it does not know.
    pub counterexamples: Vec<Example>,
    /// The file it stands in; built-in ones are named by that alone.
    pub file: PathBuf,
    /// Whether it is the user's own.
    pub is_own: bool,
}

/// How often a leak is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prevalence {
    /// In words.
    pub text: String,
    /// Who says so.
    pub source: String,
}

impl Fingerprint {
    /// The name under which findings are told apart.
    pub fn root(&self) -> &str {
        self.refines.as_deref().unwrap_or(&self.name)
    }
}
