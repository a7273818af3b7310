//! Launcher, doctor: what a check answers.

use serde::Serialize;

/// How much of a program can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// Nothing.
    None,
    /// Not all: from outside, or without its heap.
    Part,
    /// Everything.
    Full,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It could be better.
    Warn,
    /// It stands in the way.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub state: State,
    /// How much can be watched, as far as this check goes.
    pub extent: Extent,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Answer {
    /// As it should be.
    pub fn ok(found: impl Into<String>) -> Self {
        Self { state: State::Ok, extent: Extent::Full, found: found.into(), remedy: None }
    }

    /// It could be better, but everything can be watched.
    pub fn warn(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Warn, extent: Extent::Full, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Some of it cannot be watched.
    pub fn part(state: State, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state, extent: Extent::Part, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Nothing can be watched.
    pub fn none(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Fail, extent: Extent::None, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// An answer with the name of its check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The check.
    pub name: &'static str,
    /// Its answer.
    pub answer: Answer,
}
