//! Interposer: the books on sampled objects. In: births and deaths. Out: live table, totals, ring and page filter, in
//! that order of truth: what is not in the live table was never born, whatever else was lost.

use crate::filter;
use crate::lifecycle::Attached;
use crate::thread::{self, TIMED_ONE_IN};
use crate::writers;
use memguard_segment::{Event, EventKind, HeaderWord, LiveTable, Loss, Record};

/// Books a birth. Before the program gets the pointer, so that its free finds the record.
pub fn birth(attached: &Attached, record: &Record) {
    // Somebody freed this address behind our back; the old object is dead, or its record would be a false leak.
    if remove(attached, record.address, record.born_ns).is_some() {
        attached.segment.losses().count(Loss::FreeMissed);
    }
    // Before the table and taken back after it: a handler that leaves by longjmp in between must not leave a page that counts
    // too few objects, because frees of all others in it would then pass unseen. Too many only cost a look.
    filter::add(record.address);
    if live(attached).insert(record).is_err() {
        filter::remove(record.address);
        attached.segment.losses().count(Loss::LiveTableFull);
        return;
    }
    attached.segment.totals().written_by(writers::now()).birth(
        record.stack,
        record.size_bytes,
        f64::from(record.p),
    );
    event(attached, EventKind::Birth, record, record.born_ns);
}

/// Books the death of the object at this address, if it was sampled. Before the real free: afterwards another thread
/// may be given the address at once.
pub fn death(attached: &Attached, address: u64) {
    // The clock is read only for an object that is ours: most calls come because of a neighbour in the page.
    let Some(record) = suspend(attached, address) else { return };
    // SAFETY: the calling thread's own block; a handler that interrupts us leaves its fields in order.
    let timed = unsafe { (*thread::current()).books() };
    let started_ns = if timed { attached.now_ns() } else { 0 };
    finish(attached, &record, attached.death_ns());
    if timed {
        attached.spent(HeaderWord::HookNs, started_ns, TIMED_ONE_IN);
    }
}

/// Takes an object out of the table for a call that may fail; [`restore`] or [`finish`] must follow.
pub fn suspend(attached: &Attached, address: u64) -> Option<Record> {
    live(attached).remove(address)
}

fn live(attached: &Attached) -> LiveTable<'_> {
    attached.segment.live().written_by(writers::now())
}

/// Puts back what [`suspend`] took.
pub fn restore(attached: &Attached, record: &Record) {
    if live(attached).insert(record).is_err() {
        attached.segment.losses().count(Loss::LiveTableFull);
        finish(attached, record, attached.death_ns());
    }
}

fn remove(attached: &Attached, address: u64, now_ns: u64) -> Option<()> {
    let record = suspend(attached, address)?;
    finish(attached, &record, now_ns);
    Some(())
}

/// Books the death of an object that is out of the table already.
pub fn finish(attached: &Attached, record: &Record, now_ns: u64) {
    filter::remove(record.address);
    let lifetime_ns = now_ns.saturating_sub(record.born_ns);
    attached.segment.totals().written_by(writers::now()).death(
        record.stack,
        record.size_bytes,
        f64::from(record.p),
        lifetime_ns,
    );
    event(attached, EventKind::Death, record, now_ns);
}

fn event(attached: &Attached, kind: EventKind, record: &Record, at_ns: u64) {
    let event = Event {
        kind,
        stack: record.stack,
        address: record.address,
        size_bytes: record.size_bytes,
        born_ns: record.born_ns,
        at_ns,
        p: record.p,
    };
    let losses = attached.segment.losses().written_by(writers::now());
    match attached.segment.ring().written_by(writers::now()).push(&event) {
        Ok(()) => {}
        Err(memguard_segment::Dropped::Full) => losses.count(Loss::RingFull),
        Err(memguard_segment::Dropped::Abandoned) => losses.count(Loss::EventAbandoned),
    }
}
