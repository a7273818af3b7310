//! Launcher, configuration: the leak patterns that can be switched on and off by name.
//! In: names as users write them. Out: [`Pattern`] and [`PatternSet`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// The family of a leak, as in reports and in `patterns = "handles,caches"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern(u8);

/// Every pattern's name, in the order of documentation.
const NAMES: [&str; 10] = [
    "leaks",
    "caches",
    "cycles",
    "handles",
    "timers",
    "threads",
    "listeners",
    "processes",
    "mappings",
    "fragmentation",
];

impl Pattern {
    /// The pattern of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(|index| Self(index as u8))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// Whether what it leaks is measured in bytes, not counted in things.
    pub fn is_memory(self) -> bool {
        matches!(self.name(), "leaks" | "caches" | "cycles" | "mappings" | "fragmentation")
    }

    /// All patterns.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..NAMES.len() as u8).map(Self)
    }
}

/// A set of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PatternSet(u16);

impl PatternSet {
    /// The set of every pattern.
    pub fn all() -> Self {
        Pattern::all().fold(Self::default(), Self::with)
    }

    /// This set and one more.
    #[must_use]
    pub fn with(self, pattern: Pattern) -> Self {
        Self(self.0 | 1 << pattern.0)
    }

    /// Whether the pattern belongs to the set.
    pub fn contains(self, pattern: Pattern) -> bool {
        self.0 & 1 << pattern.0 != 0
    }

    /// The members, in the order of documentation.
    pub fn iter(self) -> impl Iterator<Item = Pattern> {
        Pattern::all().filter(move |pattern| self.contains(*pattern))
    }
}

impl fmt::Display for PatternSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return out.write_str("all");
        }
        let names: Vec<_> = self.iter().map(Pattern::name).collect();
        out.write_str(&names.join(","))
    }
}
