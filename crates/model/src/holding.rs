//! Model, input side for resources: what one process holds beside sampled memory, as hooks and kernel agree on it.
//! In: filled by `collect` (tables of the segment, joined with what the kernel lists), or by a simulation in virtual
//! time. Out: absorbed by [`crate::ProcessModel::absorb_resources`].

use crate::reading::{LifetimeHistogram, StackId};
use memguard_segment::Class;
use std::sync::Arc;

/// How a resource came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// A hook saw its birth.
    Hooked,
    /// It was there when the process came under watch: inherited, or opened before.
    Inherited,
    /// The kernel lists it, no hook saw it come: a raw system call, or libc's own.
    Unhooked,
}

/// What the kernel says of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Nothing special.
    #[default]
    Ordinary,
    /// A socket that waits for connections: it is meant to stay.
    Listening,
    /// A connection whose peer has closed its side: only our `close` is missing.
    CloseWait {
        /// Look at which it was first seen so, ns on the process clock.
        since_ns: u64,
    },
    /// A timer that goes on expiring and is not read.
    Unread {
        /// Look since which its ticks have only grown, ns on the process clock.
        since_ns: u64,
        /// Expirations that the kernel has counted since; of a timer that goes on it counts the first alone.
        ticks: u64,
        /// Its interval; 0 fires once.
        interval_ns: u64,
    },
    /// A thread or child that has ended, and nobody has joined or waited for it.
    Ended {
        /// Look at which it was first seen so, ns on the process clock.
        since_ns: u64,
    },
    /// A thread that was detached: nobody has to join it.
    Detached,
    /// A registration whose descriptor the process has closed: it lives on because another descriptor, or another
    /// process, still has the same file open.
    Orphaned {
        /// Look at which it was first seen so, ns on the process clock.
        since_ns: u64,
    },
}

/// One thing that a process holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// Descriptor number, thread handle, process id, address: unique within its class at any one time.
    pub id: u64,
    /// What it is.
    pub class: Class,
    /// How it came to be known.
    pub origin: Origin,
    /// Where it was made; [`StackId`] 0 where that is unknown.
    pub stack: StackId,
    /// Birth on the process clock, in ns; the first look that showed it where no hook saw it.
    pub born_ns: u64,
    /// Bytes, where that means something (mappings).
    pub size_bytes: u64,
    /// What the kernel says.
    pub condition: Condition,
    /// Look at which it was last seen to be used (position moved, data sent or received, ticks read), ns on the
    /// process clock. `None` where the kernel does not tell.
    pub used_ns: Option<u64>,
    /// Path, endpoints and state, interval, thread name and start function, command: for people.
    pub name: Arc<str>,
}

/// Births and deaths of one class at one stack since the process was first watched. Exact, never decreasing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldingTotals {
    /// What is counted.
    pub class: Class,
    /// Where they were made.
    pub stack: StackId,
    /// How many came.
    pub births: u64,
    /// How many of them went.
    pub deaths: u64,
    /// How long those lived.
    pub lifetimes: LifetimeHistogram,
}

/// One look at what a process holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceReading {
    /// Time of the look on the process clock, in ns.
    pub at_ns: u64,
    /// Totals of every stack that made something.
    pub totals: Vec<HoldingTotals>,
    /// Everything held, or `None` if nothing has moved since the look before.
    pub holdings: Option<Vec<Holding>>,
    /// Open descriptors.
    pub descriptors: u64,
    /// Soft limit of descriptors (`RLIMIT_NOFILE`).
    pub descriptors_max: Option<u64>,
    /// Living threads.
    pub threads: u64,
    /// Loaded libraries, if they were counted on this look.
    pub modules: Option<u64>,
}
