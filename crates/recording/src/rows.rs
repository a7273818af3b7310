//! Recording, rows: the readings of the model as rows of numbers, there and back.
//! In: model types. Out: rows. A row that no writer of ours makes gives nothing.

use memguard_model::{
    Class, Condition, Holding, HoldingTotals, LIFETIME_BUCKETS, LifetimeHistogram, LiveSample, Origin,
    StackId, StackTotals,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bucket and count, of buckets that are not empty.
pub type Lifetimes = Vec<(u8, u32)>;

/// Stack; births, deaths; objects born, died; bytes born, died; lifetimes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeapTotals(u32, u64, u64, f64, f64, f64, f64, Lifetimes);

/// Address, size, birth, probability, stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRow(u64, u64, u64, f64, u32);

/// Class, stack, births, deaths, lifetimes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldTotals(u8, u32, u64, u64, Lifetimes);

/// Id, class, origin, stack, birth, size, condition, last use, name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldRow(u64, u8, u8, u32, u64, u64, State, Option<u64>, String);

/// A condition; times in ns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing special.
    Ordinary,
    /// It waits for connections.
    Listening,
    /// The peer has closed, since.
    CloseWait(u64),
    /// Nobody reads the timer: since, ticks, interval.
    Unread(u64, u64, u64),
    /// It has ended, since.
    Ended(u64),
    /// Nobody has to join it.
    Detached,
    /// Its descriptor is closed, since.
    Orphaned(u64),
}

fn rows_of(lifetimes: &LifetimeHistogram) -> Lifetimes {
    (0..).zip(lifetimes).filter(|(_, count)| **count != 0).map(|(bucket, count)| (bucket, *count)).collect()
}

fn histogram_of(rows: &Lifetimes) -> Option<LifetimeHistogram> {
    let mut lifetimes = [0; LIFETIME_BUCKETS];
    for (bucket, count) in rows {
        *lifetimes.get_mut(usize::from(*bucket))? = *count;
    }
    Some(lifetimes)
}

impl From<&StackTotals> for HeapTotals {
    fn from(of: &StackTotals) -> Self {
        let lifetimes = rows_of(&of.lifetimes);
        Self(
            of.stack.0,
            of.births,
            of.deaths,
            of.born_count,
            of.died_count,
            of.born_bytes,
            of.died_bytes,
            lifetimes,
        )
    }
}

impl HeapTotals {
    pub(crate) fn restore(&self) -> Option<StackTotals> {
        Some(StackTotals {
            stack: StackId(self.0),
            births: self.1,
            deaths: self.2,
            born_count: self.3,
            died_count: self.4,
            born_bytes: self.5,
            died_bytes: self.6,
            lifetimes: histogram_of(&self.7)?,
        })
    }
}

impl From<&LiveSample> for LiveRow {
    fn from(of: &LiveSample) -> Self {
        Self(of.address, of.size_bytes, of.born_ns, of.inclusion_probability, of.stack.0)
    }
}

impl LiveRow {
    pub(crate) fn restore(&self) -> LiveSample {
        LiveSample {
            address: self.0,
            size_bytes: self.1,
            born_ns: self.2,
            inclusion_probability: self.3,
            stack: StackId(self.4),
        }
    }
}

impl From<&HoldingTotals> for HeldTotals {
    fn from(of: &HoldingTotals) -> Self {
        Self(of.class.code(), of.stack.0, of.births, of.deaths, rows_of(&of.lifetimes))
    }
}

impl HeldTotals {
    pub(crate) fn restore(&self) -> Option<HoldingTotals> {
        Some(HoldingTotals {
            class: Class::from_code(self.0)?,
            stack: StackId(self.1),
            births: self.2,
            deaths: self.3,
            lifetimes: histogram_of(&self.4)?,
        })
    }
}

impl From<&Holding> for HeldRow {
    fn from(of: &Holding) -> Self {
        let origin = match of.origin {
            Origin::Hooked => 0,
            Origin::Inherited => 1,
            Origin::Unhooked => 2,
        };
        let state = match of.condition {
            Condition::Ordinary => State::Ordinary,
            Condition::Listening => State::Listening,
            Condition::CloseWait { since_ns } => State::CloseWait(since_ns),
            Condition::Unread { since_ns, ticks, interval_ns } => State::Unread(since_ns, ticks, interval_ns),
            Condition::Ended { since_ns } => State::Ended(since_ns),
            Condition::Detached => State::Detached,
            Condition::Orphaned { since_ns } => State::Orphaned(since_ns),
        };
        let name = of.name.to_string();
        Self(of.id, of.class.code(), origin, of.stack.0, of.born_ns, of.size_bytes, state, of.used_ns, name)
    }
}

impl HeldRow {
    pub(crate) fn restore(&self) -> Option<Holding> {
        Some(Holding {
            id: self.0,
            class: Class::from_code(self.1)?,
            origin: match self.2 {
                0 => Origin::Hooked,
                1 => Origin::Inherited,
                2 => Origin::Unhooked,
                _ => return None,
            },
            stack: StackId(self.3),
            born_ns: self.4,
            size_bytes: self.5,
            condition: match self.6 {
                State::Ordinary => Condition::Ordinary,
                State::Listening => Condition::Listening,
                State::CloseWait(since_ns) => Condition::CloseWait { since_ns },
                State::Unread(since_ns, ticks, interval_ns) => {
                    Condition::Unread { since_ns, ticks, interval_ns }
                }
                State::Ended(since_ns) => Condition::Ended { since_ns },
                State::Detached => Condition::Detached,
                State::Orphaned(since_ns) => Condition::Orphaned { since_ns },
            },
            used_ns: self.7,
            name: Arc::from(self.8.as_str()),
        })
    }
}
