//! Interposer: the books on sampled objects. In: births and deaths. Out: live table, totals, ring and page filter, in
//! that order of truth: what is not in the live table was never born, whatever else was lost.

use crate::filter;
use memguard_segment::{
    Dropped, Event, EventKind, LiveTable, Loss, Losses, Record, Ring, Segment, TotalsTable, Writers,
};

/// The parts of the segment that the books are kept in, told how many threads write to them.
pub struct Books {
    live: LiveTable<'static>,
    totals: TotalsTable<'static>,
    ring: Ring<'static>,
    losses: Losses<'static>,
    writers: Writers,
    /// Whether what is booked is a sample of many.
    samples: bool,
}

impl Books {
    /// Of this segment; whether samples are booked, or everything.
    pub fn of(segment: &Segment<'static>, samples: bool, writers: Writers) -> Self {
        Self {
            live: segment.live().written_by(writers),
            totals: segment.totals().written_by(writers),
            ring: segment.ring().written_by(writers),
            losses: segment.losses().written_by(writers),
            writers,
            samples,
        }
    }

    /// Books a birth. Before the program gets the pointer, so that its free finds the record.
    #[inline]
    pub fn birth(&self, record: &Record) {
        // Somebody freed this address behind our back; the old object is dead, or its record would be a false leak.
        if let Some(before) = self.live.remove(record.address) {
            self.finish(&before, record.born_ns);
            self.losses.count(Loss::FreeMissed);
        }
        // Before the table and taken back after it: a handler that leaves by longjmp in between must not leave a page that
        // counts too few objects, because frees of all others in it would then pass unseen. Too many only cost a look.
        filter::add(record.address, self.samples, self.writers);
        if self.live.insert(record).is_err() {
            filter::remove(record.address, self.samples, self.writers);
            self.losses.count(Loss::LiveTableFull);
            return;
        }
        self.totals.birth(record.stack, record.size_bytes, f64::from(record.p));
        self.event(EventKind::Birth, record, record.born_ns);
    }

    /// Asks the processor for the place of a block's record before it is needed.
    #[inline]
    pub fn prefetch(&self, address: u64) {
        self.live.prefetch(address);
    }

    /// Whether there may be an object at this address: a neighbour of one that is booked is let go at once.
    #[inline]
    pub fn may_hold(&self, address: u64) -> bool {
        !self.samples || filter::may_be(address)
    }

    /// Takes an object out of the table for a call that may fail; [`Books::restore`] or [`Books::finish`] must follow.
    #[inline]
    pub fn suspend(&self, address: u64) -> Option<Record> {
        self.live.remove(address)
    }

    /// Puts back what [`Books::suspend`] took.
    pub fn restore(&self, record: &Record, now_ns: u64) {
        if self.live.insert(record).is_err() {
            self.losses.count(Loss::LiveTableFull);
            self.finish(record, now_ns);
        }
    }

    /// Books the death of an object that is out of the table already.
    #[inline]
    pub fn finish(&self, record: &Record, now_ns: u64) {
        filter::remove(record.address, self.samples, self.writers);
        let lifetime_ns = now_ns.saturating_sub(record.born_ns);
        self.totals.death(record.stack, record.size_bytes, f64::from(record.p), lifetime_ns);
        self.event(EventKind::Death, record, now_ns);
    }

    #[inline]
    fn event(&self, kind: EventKind, record: &Record, at_ns: u64) {
        let event = Event {
            kind,
            stack: record.stack,
            address: record.address,
            size_bytes: record.size_bytes,
            born_ns: record.born_ns,
            at_ns,
            p: record.p,
        };
        match self.ring.push(&event) {
            Ok(()) => {}
            Err(Dropped::Full) => self.losses.count(Loss::RingFull),
            Err(Dropped::Abandoned) => self.losses.count(Loss::EventAbandoned),
        }
    }
}
