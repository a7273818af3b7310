//! Unwind: who may touch what a slot holds. In: threads that want to use it, and one that wants to change it. Out: users
//! and a change never meet, and nobody waits.
//!
//! One word: the state in the upper half, the number of users in the lower. A user counts itself first and looks at
//! the state afterwards, so the count may be too high for a moment in any state: transitions add to the word and never
//! overwrite it, and a slot changes hands only while nobody is counted at all.
//!
//! ```text
//! EMPTY ──begin──> LOADING ──publish──> LIVE ──retire──> RETIRED ──begin (no users)──> LOADING
//!   ^─────give_up─────┘
//! ```

use crate::primitive::{AtomicU64, Ordering};

const EMPTY: u64 = 0;
const LOADING: u64 = 1 << 32;
const LIVE: u64 = 2 << 32;
const RETIRED: u64 = 3 << 32;
const STATE_MASK: u64 = !0 << 32;

/// The word. See the module's documentation.
pub(crate) struct Occupancy {
    word: AtomicU64,
}

impl Occupancy {
    /// Of a slot that holds nothing. The word, which the caller makes, is zero.
    pub(crate) const fn new(word: AtomicU64) -> Self {
        Self { word }
    }

    /// Whether there was something to use a moment ago.
    pub(crate) fn is_live(&self) -> bool {
        // Matched by the release in `publish`: what stands beside the word is that of this life or a later one.
        self.word.load(Ordering::Acquire) & STATE_MASK == LIVE
    }

    /// Becomes a user; false if there is nothing to use. A user calls `leave` once.
    pub(crate) fn enter(&self) -> bool {
        // Matched by the release in `publish`.
        let live = self.word.fetch_add(1, Ordering::Acquire) & STATE_MASK == LIVE;
        if !live {
            self.leave();
        }
        live
    }

    /// Is no user any more.
    pub(crate) fn leave(&self) {
        // Release: what was read was read before the slot changes hands. Matched by the acquire in `begin`.
        self.word.fetch_sub(1, Ordering::Release);
    }

    /// No new users; the slot changes hands when the last one has left.
    pub(crate) fn retire(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & STATE_MASK == LIVE {
            let retired = word + (RETIRED - LIVE);
            match self.word.compare_exchange(word, retired, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Takes an unused slot; true for one thread at a time, which then may change what the slot holds until it calls
    /// `publish` or `give_up`.
    pub(crate) fn begin(&self) -> bool {
        // Matched by the release in `leave` and `give_up`.
        let from =
            |state| self.word.compare_exchange(state, LOADING, Ordering::Acquire, Ordering::Relaxed).is_ok();
        from(EMPTY) || from(RETIRED)
    }

    /// What the slot holds is complete.
    pub(crate) fn publish(&self) {
        self.word.fetch_add(LIVE - LOADING, Ordering::Release);
    }

    /// The slot holds nothing.
    pub(crate) fn give_up(&self) {
        self.word.fetch_sub(LOADING - EMPTY, Ordering::Release);
    }
}
