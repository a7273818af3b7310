//! Recording, lines: what a file consists of after its header. Differences only: what has not changed is not said.
//! In: made by the writer. Out: read by the reader.
//!
//! Names are short and rows are arrays: a busy process makes thousands of them a second.

use crate::rows::{HeapTotals, HeldRow, HeldTotals, LiveRow};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// Stacks and the site that each belongs to.
    Sites(Vec<(u32, u32)>),
    /// What a site is called; a later one is better.
    Place(u32, String),
    /// One look.
    Step(Box<Step>),
    /// No more was recorded: so many bytes were full.
    Full(u64),
    /// The process has ended and everything was read.
    End,
}

/// Everything that was taken in before one judgement, in the order in which a model takes it in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What a look through memory found after the step before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
    /// Time and mean bytes between samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(u64, u64)>,
    /// CPU time so far, in ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// The heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap: Option<Heap>,
    /// Everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// Which objects something points at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traces {
    /// Time, in ns.
    pub at: u64,
    /// Site, birth in ns, address, whether something points at it.
    pub rows: Vec<(u32, u64, u64, bool)>,
}

/// A reading of the heap.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heap {
    /// Time, in ns.
    pub at: u64,
    /// Resident bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss: Option<u64>,
    /// Totals that have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<HeapTotals>,
    /// Whether the live objects were told.
    pub live: bool,
    /// Addresses that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub died: Vec<u64>,
    /// Objects that are new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub born: Vec<LiveRow>,
}

/// A reading of everything else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Time, in ns.
    pub at: u64,
    /// Totals that have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<HeldTotals>,
    /// Open descriptors, their limit, threads, libraries.
    pub counts: (u64, Option<u64>, u64, Option<u64>),
    /// Whether what is held was told.
    pub listed: bool,
    /// Class and id of what is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<(u8, u64)>,
    /// What is new or has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub come: Vec<HeldRow>,
}
