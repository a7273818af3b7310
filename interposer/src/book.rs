//! Interposer: the books on sampled objects. In: births and deaths. Out: live table, totals, ring and page filter, in
//! that order of truth: what is not in the live table was never born, whatever else was lost.

use crate::{filter, writers};
use memguard_segment::{
    Dropped, Event, EventKind, LiveTable, Loss, Losses, Record, Ring, Segment, TotalsTable, Writers,
};

/// The parts of the segment that the books are kept in.
pub struct Books {
    live: LiveTable<'static>,
    totals: TotalsTable<'static>,
    ring: Ring<'static>,
    losses: Losses<'static>,
    /// Whether what is booked is a sample of many.
    samples: bool,
}

/// Does something at a desk, as it is to be done just now. It is compiled twice, so that who writes is asked once, and not at each
/// word.
macro_rules! asked_once {
    ($books:expr, |$desk:ident| $work:expr) => {
        match writers::now() {
            Writers::One => {
                let $desk = Desk { books: $books, writers: Writers::One };
                $work
            }
            Writers::Many => {
                let $desk = Desk { books: $books, writers: Writers::Many };
                $work
            }
        }
    };
}

/// The same, told who else writes to them just now.
#[derive(Clone, Copy)]
struct Desk<'a> {
    books: &'a Books,
    writers: Writers,
}

impl Books {
    /// Of this segment; whether samples are booked, or everything.
    pub fn of(segment: &Segment<'static>, samples: bool) -> Self {
        Self {
            live: segment.live(),
            totals: segment.totals(),
            ring: segment.ring(),
            losses: segment.losses(),
            samples,
        }
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

    /// Books a birth. Before the program gets the pointer, so that its free finds the record.
    #[inline]
    pub fn birth(&self, record: &Record) {
        asked_once!(self, |desk| desk.birth(record));
    }

    /// Books the death of the object at this address, if there is one; only then is the time asked for.
    #[inline]
    pub fn death(&self, address: u64, now_ns: impl FnOnce() -> u64) {
        asked_once!(self, |desk| {
            if let Some(record) = desk.live().remove(address) {
                desk.finish(&record, now_ns());
            }
        });
    }

    /// Takes an object out of the table for a call that may fail; [`Books::restore`] or [`Books::finish`] must follow.
    #[inline]
    pub fn suspend(&self, address: u64) -> Option<Record> {
        asked_once!(self, |desk| desk.live().remove(address))
    }

    /// Puts back what [`Books::suspend`] took.
    pub fn restore(&self, record: &Record, now_ns: u64) {
        asked_once!(self, |desk| {
            if desk.live().insert(record).is_err() {
                desk.losses().count(Loss::LiveTableFull);
                desk.finish(record, now_ns);
            }
        });
    }

    /// Books the death of an object that is out of the table already.
    #[inline]
    pub fn finish(&self, record: &Record, now_ns: u64) {
        asked_once!(self, |desk| desk.finish(record, now_ns));
    }
}

#[allow(clippy::inline_always)] // see `asked_once`
impl Desk<'_> {
    #[inline(always)]
    fn live(self) -> LiveTable<'static> {
        self.books.live.written_by(self.writers)
    }

    #[inline(always)]
    fn losses(self) -> Losses<'static> {
        self.books.losses.written_by(self.writers)
    }

    #[inline(always)]
    fn birth(self, record: &Record) {
        // Somebody freed this address behind our back; the old object is dead, or its record would be a false leak.
        if let Some(before) = self.live().remove(record.address) {
            self.miss(&before, record.born_ns);
        }
        // Before the table and taken back after it: a handler that leaves by longjmp in between must not leave a page that
        // counts too few objects, because frees of all others in it would then pass unseen. Too many only cost a look.
        filter::add(record.address, self.books.samples, self.writers);
        if self.live().insert(record).is_err() {
            self.refuse(record.address);
            return;
        }
        let totals = self.books.totals.written_by(self.writers);
        totals.birth(record.stack, record.size_bytes, f64::from(record.p));
        self.event(EventKind::Birth, record, record.born_ns);
    }

    /// An object's free passed us by.
    #[cold]
    #[inline(never)]
    fn miss(self, before: &Record, now_ns: u64) {
        self.finish(before, now_ns);
        self.losses().count(Loss::FreeMissed);
    }

    /// There is no room for an object.
    #[cold]
    #[inline(never)]
    fn refuse(self, address: u64) {
        filter::remove(address, self.books.samples, self.writers);
        self.losses().count(Loss::LiveTableFull);
    }

    #[inline(always)]
    fn finish(self, record: &Record, now_ns: u64) {
        filter::remove(record.address, self.books.samples, self.writers);
        let lifetime_ns = now_ns.saturating_sub(record.born_ns);
        let totals = self.books.totals.written_by(self.writers);
        totals.death(record.stack, record.size_bytes, f64::from(record.p), lifetime_ns);
        self.event(EventKind::Death, record, now_ns);
    }

    #[inline(always)]
    fn event(self, kind: EventKind, record: &Record, at_ns: u64) {
        let event = Event {
            kind,
            stack: record.stack,
            address: record.address,
            size_bytes: record.size_bytes,
            born_ns: record.born_ns,
            at_ns,
            p: record.p,
        };
        match self.books.ring.written_by(self.writers).push(&event) {
            Ok(()) => {}
            Err(Dropped::Full) => self.losses().count(Loss::RingFull),
            Err(Dropped::Abandoned) => self.losses().count(Loss::EventAbandoned),
        }
    }
}
