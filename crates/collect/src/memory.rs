//! Collect, memory: where a process's tables lie. In: a segment file, or nothing. Out: the same atomic words either way.

use crate::file::SharedFile;
use memguard_segment::{AtomicU64, Words};

/// The words of one process.
#[derive(Debug)]
pub enum Memory {
    /// A file that the process writes to.
    Shared(SharedFile),
    /// Our own: nobody writes, the process has no hooks.
    Own(Box<[AtomicU64]>),
}

impl Memory {
    /// The words.
    pub fn words(&self) -> Words<'_> {
        match self {
            Self::Shared(file) => file.words(),
            Self::Own(words) => words,
        }
    }

    /// How much of it is in memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        match self {
            Self::Shared(file) => file.resident_bytes(),
            Self::Own(words) => size_of_val::<[AtomicU64]>(words) as u64,
        }
    }
}
