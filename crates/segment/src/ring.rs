//! Segment: the order of events. Many writers, one reader, never waits.
//! In: the interposer pushes births and deaths. Out: the collector pops them.
//!
//! A bounded queue with a stamp in every slot (after Dmitry Vyukov's bounded MPMC queue): a slot that is free
//! for position `n` carries stamp `n`, one that holds the event of position `n` carries `n + 1`. Two changes
//! make it fit to live between processes that do not trust each other:
//! * the stamp carries 16 bits of a checksum of the event, so an event torn by whatever cause is noticed;
//! * a writer that dies between its reservation and its stamp cannot block the reader: the reader takes the
//!   slot away after a while, and the late writer's stamp, a compare-and-swap, then fails.

use crate::Words;
use crate::primitive::Ordering;
use crate::writers::{self, Writers};

/// Words of a slot: stamp and seven words of event; one cache line.
pub const SLOT_WORDS: usize = 8;
/// Words of an event.
const BODY_WORDS: usize = SLOT_WORDS - 1;
/// Words of the ring's positions: head and tail on a cache line each.
pub(crate) const CONTROL_WORDS: usize = 16;
const HEAD: usize = 0;
const TAIL: usize = 8;
/// How often a writer tries again when others take its position; then the event counts as lost.
const PUSH_TRIES: usize = 64;
const STAMP_BITS: u32 = 48;
const STAMP_MASK: u64 = (1 << STAMP_BITS) - 1;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// An object was sampled.
    Birth = 1,
    /// A sampled object was freed.
    Death = 2,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Stack of the object's birth.
    pub stack: u32,
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its birth on the process clock, in ns; with the address it tells objects apart.
    pub born_ns: u64,
    /// Time of the event on the process clock, in ns.
    pub at_ns: u64,
    /// Probability with which it was sampled.
    pub p: f32,
}

/// What the reader found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Nothing new.
    Empty,
    /// The next event.
    Event(Event),
    /// The next position is reserved but not written yet; try later or [`Ring::abandon`] it.
    Unfinished,
    /// The slot's bytes make no sense; it was skipped.
    Corrupt,
}

/// The event was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The reader is a whole ring behind, or too many writers compete.
    Full,
    /// The reader took the slot away.
    Abandoned,
}

/// The ring. See the module's documentation.
#[derive(Debug, Clone, Copy)]
pub struct Ring<'a> {
    control: Words<'a>,
    slots: Words<'a>,
    /// Number of slots, a power of two; 0 where there is no memory for them.
    count: u64,
    writers: Writers,
}

impl<'a> Ring<'a> {
    pub(crate) fn new(control: Words<'a>, slots: Words<'a>) -> Self {
        Self { control, slots, count: (slots.len() / SLOT_WORDS) as u64, writers: Writers::Many }
    }

    /// The same ring, for a caller that knows who else writes.
    #[must_use]
    #[inline]
    pub fn written_by(self, writers: Writers) -> Self {
        Self { writers, ..self }
    }

    /// Writes the first stamps. Once, by whoever makes the segment, before anyone uses it: a fresh file is
    /// all zero, and stamp 0 is right for slot 0 only.
    pub fn initialise(&self) {
        for (i, slot) in self.slots.chunks_exact(SLOT_WORDS).enumerate() {
            if let Some(stamp) = slot.first() {
                stamp.store(i as u64, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    fn slot(&self, position: u64) -> Option<(&'a crate::AtomicU64, &'a [crate::AtomicU64; BODY_WORDS])> {
        let start = (position & self.count.saturating_sub(1)) as usize * SLOT_WORDS;
        let [stamp, body @ ..] = self.slots.get(start..)?.first_chunk::<SLOT_WORDS>()?;
        Some((stamp, body))
    }

    /// Appends an event; gives up rather than wait.
    #[allow(clippy::inline_always)] // who writes is known where it is called, and then asked no more
    #[inline(always)]
    pub fn push(&self, event: &Event) -> Result<(), Dropped> {
        self.try_push(event).unwrap_or_else(|| self.push_among_others(event))
    }

    /// The same, where others are about it.
    #[cold]
    #[inline(never)]
    fn push_among_others(self, event: &Event) -> Result<(), Dropped> {
        (0..PUSH_TRIES).find_map(|_| self.try_push(event)).unwrap_or(Err(Dropped::Full))
    }

    /// `None` if another took the position.
    #[allow(clippy::inline_always)] // as `push`
    #[inline(always)]
    fn try_push(&self, event: &Event) -> Option<Result<(), Dropped>> {
        let Some(head) = self.control.get(HEAD) else { return Some(Err(Dropped::Full)) };
        let position = head.load(Ordering::Relaxed);
        let Some((stamp, body)) = self.slot(position) else { return Some(Err(Dropped::Full)) };
        // Matched by the release store in `advance`: the reader is done with the slot.
        let free = stamp.load(Ordering::Acquire);
        if free == position & STAMP_MASK {
            let next = position.wrapping_add(1);
            return writers::exchange(head, position, next, Ordering::Relaxed, self.writers)
                .then(|| Self::fill(stamp, body, free, position, event));
        }
        (head.load(Ordering::Relaxed) == position).then_some(Err(Dropped::Full))
    }

    #[inline]
    fn fill(
        stamp: &crate::AtomicU64,
        body: &[crate::AtomicU64; BODY_WORDS],
        free: u64,
        position: u64,
        event: &Event,
    ) -> Result<(), Dropped> {
        let words = encode(event);
        for (to, from) in body.iter().zip(words) {
            to.store(from, Ordering::Relaxed);
        }
        // Matched by the acquire load in `pop`.
        stamp
            .compare_exchange(free, full_stamp(position, &words), Ordering::Release, Ordering::Relaxed)
            .map(|_| ())
            .map_err(|_| Dropped::Abandoned)
    }

    /// Takes the next event. One reader only.
    pub fn pop(&self) -> Next {
        let (position, head) = self.positions();
        let Some((stamp, body)) = self.slot(position) else { return Next::Empty };
        // Matched by the release in `fill`.
        let seen = stamp.load(Ordering::Acquire);
        if seen == position & STAMP_MASK {
            return if head == position { Next::Empty } else { Next::Unfinished };
        }
        let mut words = [0u64; BODY_WORDS];
        for (to, from) in words.iter_mut().zip(body) {
            *to = from.load(Ordering::Relaxed);
        }
        let event = if seen == full_stamp(position, &words) { decode(&words) } else { None };
        self.advance(stamp, position);
        event.map_or(Next::Corrupt, Next::Event)
    }

    /// Takes the slot of an unfinished event away from its writer. For the reader, when the writer is dead
    /// or has been given ample time.
    pub fn abandon(&self) {
        let (position, head) = self.positions();
        let Some((stamp, _)) = self.slot(position) else { return };
        let next = position.wrapping_add(self.count) & STAMP_MASK;
        if head != position
            && stamp
                .compare_exchange(position & STAMP_MASK, next, Ordering::Release, Ordering::Relaxed)
                .is_ok()
        {
            self.store_tail(position.wrapping_add(1));
        }
    }

    /// Number of events reserved and not yet taken; at most the number of slots.
    pub fn pending(&self) -> u64 {
        let (tail, head) = self.positions();
        head.wrapping_sub(tail)
    }

    /// Number of slots.
    pub fn capacity(&self) -> u64 {
        self.count
    }

    /// Tail and head. If they are more than a ring apart, one of them was overwritten by who knows what: the reader
    /// then goes once round behind the head, and the stamps it leaves on its way fit the head again.
    fn positions(&self) -> (u64, u64) {
        let word = |i: usize| self.control.get(i).map_or(0, |w| w.load(Ordering::Relaxed));
        let (tail, head) = (word(TAIL), word(HEAD));
        if head.wrapping_sub(tail) <= self.count {
            (tail, head)
        } else {
            (head.wrapping_sub(self.count), head)
        }
    }

    fn store_tail(&self, position: u64) {
        if let Some(tail) = self.control.get(TAIL) {
            tail.store(position, Ordering::Relaxed);
        }
    }

    fn advance(&self, stamp: &crate::AtomicU64, position: u64) {
        // Matched by the acquire load in `push`.
        stamp.store(position.wrapping_add(self.count) & STAMP_MASK, Ordering::Release);
        self.store_tail(position.wrapping_add(1));
    }
}

fn full_stamp(position: u64, words: &[u64; BODY_WORDS]) -> u64 {
    let mut sum = position;
    for word in words {
        sum = (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    }
    // Never zero in the upper bits: a full slot is never mistaken for a free one.
    ((sum >> STAMP_BITS) | 1) << STAMP_BITS | (position.wrapping_add(1) & STAMP_MASK)
}

fn encode(event: &Event) -> [u64; BODY_WORDS] {
    [
        u64::from(event.kind as u32) << 32 | u64::from(event.stack),
        event.address,
        event.size_bytes,
        event.born_ns,
        event.at_ns,
        u64::from(event.p.to_bits()),
        0,
    ]
}

fn decode(words: &[u64; BODY_WORDS]) -> Option<Event> {
    let kind = match words[0] >> 32 {
        1 => EventKind::Birth,
        2 => EventKind::Death,
        _ => return None,
    };
    Some(Event {
        kind,
        stack: words[0] as u32,
        address: words[1],
        size_bytes: words[2],
        born_ns: words[3],
        at_ns: words[4],
        p: f32::from_bits(words[5] as u32),
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::primitive::AtomicU64;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn words(n: usize) -> Vec<AtomicU64> {
        (0..n).map(|_| AtomicU64::new(0)).collect()
    }

    fn event(i: u64) -> Event {
        Event { kind: EventKind::Birth, stack: 3, address: i, size_bytes: 5, born_ns: 7, at_ns: 9, p: 0.5 }
    }

    #[test]
    fn events_come_out_in_order_over_many_rounds() {
        let (c, s) = (words(CONTROL_WORDS), words(4 * SLOT_WORDS));
        let ring = Ring::new(&c, &s);
        ring.initialise();
        for round in 0..10 {
            for i in 0..4 {
                ring.push(&event(round * 4 + i)).unwrap();
            }
            assert_eq!(ring.push(&event(99)), Err(Dropped::Full));
            for i in 0..4 {
                assert_eq!(ring.pop(), Next::Event(event(round * 4 + i)));
            }
            assert_eq!(ring.pop(), Next::Empty);
        }
    }

    #[test]
    fn a_dead_writer_does_not_block_the_reader() {
        let (c, s) = (words(CONTROL_WORDS), words(4 * SLOT_WORDS));
        let ring = Ring::new(&c, &s);
        ring.initialise();
        c[HEAD].fetch_add(1, Ordering::Relaxed); // reserved by a thread that was killed
        ring.push(&event(1)).unwrap();
        assert_eq!(ring.pop(), Next::Unfinished);
        ring.abandon();
        assert_eq!(ring.pop(), Next::Event(event(1)));
        // The dead writer awakes: its stamp fails, the slot's next life is not touched.
        let (stamp, body) = ring.slot(0).unwrap();
        assert_eq!(Ring::fill(stamp, body, 0, 0, &event(0)), Err(Dropped::Abandoned));
        assert_eq!(ring.pop(), Next::Empty);
    }

    #[test]
    fn torn_events_are_noticed() {
        let (c, s) = (words(CONTROL_WORDS), words(4 * SLOT_WORDS));
        let ring = Ring::new(&c, &s);
        ring.initialise();
        ring.push(&event(1)).unwrap();
        s[2].store(1234, Ordering::Relaxed);
        assert_eq!(ring.pop(), Next::Corrupt);
        assert_eq!(ring.pop(), Next::Empty);
    }

    #[test]
    fn a_damaged_position_costs_one_round() {
        for (damaged, value) in [(HEAD, 1 << 60 | 7), (HEAD, 0), (TAIL, u64::MAX), (TAIL, 1 << 40)] {
            let (c, s) = (words(CONTROL_WORDS), words(4 * SLOT_WORDS));
            let ring = Ring::new(&c, &s);
            ring.initialise();
            for i in 0..9 {
                ring.push(&event(i)).unwrap();
                assert_eq!(ring.pop(), Next::Event(event(i)));
            }
            c[damaged].store(value, Ordering::Relaxed);
            let skipped = (0..5).take_while(|_| matches!(ring.pop(), Next::Corrupt)).count();
            assert!(skipped <= 4, "one round at most");
            for i in 0..9 {
                ring.push(&event(i)).unwrap();
                assert_eq!(ring.pop(), Next::Event(event(i)), "word {damaged} was {value}");
            }
        }
    }

    #[test]
    fn without_memory_nothing_happens() {
        let ring = Ring::new(&[], &[]);
        ring.initialise();
        assert_eq!(ring.push(&event(1)), Err(Dropped::Full));
        assert_eq!(ring.pop(), Next::Empty);
        ring.abandon();
        assert_eq!((ring.pending(), ring.capacity()), (0, 0));
    }

    proptest! {
        /// Arbitrary bytes: the reader ends, and panics never.
        #[test]
        fn survives_any_bytes(control in prop::collection::vec(any::<u64>(), CONTROL_WORDS),
                              slots in prop::collection::vec(any::<u64>(), 4 * SLOT_WORDS)) {
            let c: Vec<AtomicU64> = control.iter().map(|w| AtomicU64::new(*w)).collect();
            let s: Vec<AtomicU64> = slots.iter().map(|w| AtomicU64::new(*w)).collect();
            let ring = Ring::new(&c, &s);
            for _ in 0..64 {
                if matches!(ring.pop(), Next::Unfinished) { ring.abandon(); }
                let _ = ring.push(&event(1));
                let _ = ring.pending();
            }
        }
    }
}
