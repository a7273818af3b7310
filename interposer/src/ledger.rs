//! Interposer: the books on everything that is not a block of memory. In: births and deaths of descriptors and other
//! objects, from the hooks of their functions. Out: descriptor table, object table, totals.
//!
//! A birth is booked after the real call, a death before it: a number that was given back may be handed out again at
//! once. What is booked here may be called from signal handlers, fork children, and under other libraries' locks:
//! nothing waits, nothing allocates, errno is kept.
//!
//! A child of `vfork` shares the memory of its parent but not its descriptors: nothing that it does is booked.

use crate::errno::KeepErrno;
use crate::lifecycle::{self, Attached, Standing};
use crate::mapping_homes;
use crate::stack::{self, Here};
use crate::task;
use crate::thread;
use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};
use memguard_segment::{
    Class, Descriptor, Entry, HeaderWord, Loss, Object, ObjectTable, STACK_UNKNOWN, TableFull,
};

/// Objects that find no room before the full table is swept once more: a sweep looks at tens of thousands of places.
const UNSWEPT_MAX: u32 = 1024;

/// How many of them there have been since the last sweep; the first finds it due.
static UNSWEPT: AtomicU32 = AtomicU32::new(UNSWEPT_MAX);

fn in_vfork_child() -> bool {
    // SAFETY: the calling thread's own block.
    unsafe { (*thread::current()).vforks != 0 }
}

/// Works on the books, if there are any. Timed now and then, as all work on them is.
#[inline]
fn on_books<T>(work: impl FnOnce(&'static Attached) -> T) -> Option<T> {
    let _errno = KeepErrno::new();
    let (Standing::Attached(attached), timed) = lifecycle::standing_for_work() else { return None };
    if in_vfork_child() {
        return None;
    }
    let answer = work(attached);
    attached.spent_on_resource(timed, None);
    Some(answer)
}

/// Books with the stack that leads here.
#[inline(never)]
fn with_stack(class: Class, here: Here, book: impl FnOnce(&'static Attached, u32)) {
    let _errno = KeepErrno::new();
    let (standing, timed) = lifecycle::standing_for_work();
    // This may be what makes the process worth watching.
    let Some(attached) = lifecycle::attached_when_grown(standing) else { return };
    if in_vfork_child() {
        return;
    }
    // SAFETY: the calling thread's own block; a handler that interrupts us leaves its fields in order.
    let thread = unsafe { &mut *thread::current() };
    let stack = match stack::number(attached, thread, here, class) {
        STACK_UNKNOWN => stack::unknown(attached, class),
        stack => stack,
    };
    book(attached, stack);
    attached.segment.totals().count_birth(stack);
    attached.spent_on_resource(timed, Some(class));
}

/// A descriptor was opened.
pub fn opened(number: c_int, class: Class, here: Here) {
    opened_by_owner(number, class, 0, here);
}

/// A descriptor was opened for a `FILE` or `DIR`.
pub fn opened_by_owner(number: c_int, class: Class, owner: usize, here: Here) {
    let Ok(number) = u32::try_from(number) else { return };
    with_stack(class, here, |attached, stack| {
        let born_ns = attached.about_now_ns();
        let descriptor = Descriptor { class: Some(class), stack, born_ns, owner: owner as u64 };
        match attached.segment.descriptors().open(number, &descriptor) {
            Ok(None) => {}
            // Somebody closed this number behind our back; what was there before is gone.
            Ok(Some(before)) => {
                attached.segment.losses().count(Loss::CloseMissed);
                count_death(attached, before.stack, before.born_ns, born_ns);
            }
            Err(_) => attached.segment.losses().count(Loss::DescriptorTableFull),
        }
    });
}

fn count_death(attached: &Attached, stack: u32, born_ns: u64, now_ns: u64) {
    attached.segment.totals().count_death(stack, now_ns.saturating_sub(born_ns));
}

/// A descriptor is about to be closed.
pub fn closing(number: c_int) {
    let Ok(number) = u32::try_from(number) else { return };
    on_books(|attached| {
        let Some(closed) = attached.segment.descriptors().close(number) else { return };
        count_death(attached, closed.stack, closed.born_ns, attached.about_now_ns());
    });
}

/// All descriptors from `first` to `last` are about to be closed.
pub fn closing_range(first: u32, last: u32) {
    on_books(|attached| {
        let descriptors = attached.segment.descriptors();
        let now_ns = attached.about_now_ns();
        for number in first..descriptors.extent().min(last.saturating_add(1)) {
            if let Some(closed) = descriptors.close(number) {
                count_death(attached, closed.stack, closed.born_ns, now_ns);
            }
        }
    });
}

/// What was taken out of the table for a call that may fail.
pub struct Suspended(Option<(u32, Descriptor)>);

/// Takes a descriptor out of the table for a call that closes it if it succeeds; [`Suspended::settle`] must follow.
pub fn suspend(number: c_int) -> Suspended {
    let Ok(number) = u32::try_from(number) else { return Suspended(None) };
    Suspended(on_books(|attached| Some((number, attached.segment.descriptors().close(number)?))).flatten())
}

impl Suspended {
    /// The call succeeded, and the descriptor is closed; or it failed, and nothing happened.
    pub fn settle(self, is_closed: bool) {
        let Some((number, descriptor)) = self.0 else { return };
        on_books(|attached| {
            if is_closed {
                count_death(attached, descriptor.stack, descriptor.born_ns, attached.about_now_ns());
            } else {
                // It had an entry before.
                let _ = attached.segment.descriptors().open(number, &descriptor);
            }
        });
    }
}

/// A `FILE` or `DIR` has taken over a descriptor that was open already; one that nobody saw coming begins here.
pub fn adopted(number: c_int, class: Class, owner: usize, here: Here) {
    let Ok(at) = u32::try_from(number) else { return };
    let is_known = on_books(|attached| {
        attached.segment.descriptors().adopt(at, class, owner as u64);
        attached.segment.descriptors().get(at).is_some()
    });
    if is_known != Some(true) {
        opened_by_owner(number, class, owner, here);
    }
}

/// A descriptor that may be a timer was read.
pub fn timer_was_read(number: c_int) {
    let Ok(number) = u32::try_from(number) else { return };
    on_books(|attached| attached.segment.descriptors().used(number, Class::Timerfd, attached.about_now_ns()));
}

/// An object was made. `handle` tells it from others of its class.
pub fn made(class: Class, handle: u64, detail: u64, here: Here) {
    made_with(class, handle, detail, || 0, here);
}

/// The same of one about which more has to be found out.
pub fn made_with(class: Class, handle: u64, detail: u64, extra: impl FnOnce() -> u32, here: Here) {
    with_stack(class, here, |attached, stack| {
        let born_ns = attached.about_now_ns();
        let object = Object { class: Some(class), handle, detail, born_ns, stack, extra: extra() };
        let objects = attached.segment.objects();
        if let Some(before) = objects.remove(object.key()) {
            // A detached thread and a registration end unseen by rule; anything else is a missed end.
            if before.extra & Object::DETACHED == 0 && class != Class::EpollRegistration {
                attached.segment.losses().count(Loss::CloseMissed);
            }
            count_death(attached, before.stack, before.born_ns, born_ns);
        }
        if insert(objects, &object).is_err() {
            if UNSWEPT.fetch_add(1, Ordering::Relaxed) >= UNSWEPT_MAX {
                UNSWEPT.store(0, Ordering::Relaxed);
                sweep(attached, born_ns);
            }
            if insert(objects, &object).is_err() {
                attached.segment.losses().count(Loss::ObjectTableFull);
            }
        }
    });
}

/// Something was registered that is never taken back: counted at its place, not kept.
pub fn registered(class: Class, here: Here) {
    with_stack(class, here, |_, _| {});
}

/// An object has ended, or is about to.
pub fn ended(class: Class, handle: u64) {
    on_books(|attached| end(attached, class, handle));
}

fn end(attached: &Attached, class: Class, handle: u64) {
    let Some(object) = attached.segment.objects().remove(Object::key_of(class, handle)) else { return };
    count_death(attached, object.stack, object.born_ns, attached.about_now_ns());
}

/// The process has made a copy of itself.
pub fn copied() {
    on_books(|attached| attached.segment.add(HeaderWord::Forks, 1));
}

/// A wait of the program has told how this child ended.
pub fn reaped(pid: u32, status: u32) {
    on_books(|attached| {
        attached.segment.fates().add(pid, status);
        end(attached, Class::Child, u64::from(pid));
    });
}

/// What is known of an object now.
pub fn known(class: Class, handle: u64) -> Option<Object> {
    on_books(|attached| attached.segment.objects().find(Object::key_of(class, handle))).flatten()
}

/// This very object has ended; not one that has got its handle since.
pub fn ended_as(object: Option<Object>) {
    let Some(object) = object else { return };
    on_books(|attached| {
        let objects = attached.segment.objects();
        let Some(found) = objects.remove(object.key()) else { return };
        if found.born_ns == object.born_ns {
            count_death(attached, found.stack, found.born_ns, attached.about_now_ns());
        } else {
            // It had a place before.
            let _ = insert(objects, &found);
        }
    });
}

/// Changes what is known of an object, if it is known.
pub fn changed(class: Class, handle: u64, change: impl FnOnce(&mut Object)) {
    on_books(|attached| {
        let objects = attached.segment.objects();
        let Some(mut object) = objects.remove(Object::key_of(class, handle)) else { return };
        change(&mut object);
        if insert(objects, &object).is_err() {
            attached.segment.losses().count(Loss::ObjectTableFull);
        }
    });
}

/// The memory from `start` on is about to be unmapped or mapped over. A mapping that lies within is gone; one that loses
/// its beginning or its end shrinks.
pub fn unmapping(start: u64, bytes: u64) {
    on_books(|attached| unmap(attached, start, bytes));
}

fn unmap(attached: &Attached, start: u64, bytes: u64) {
    let objects = attached.segment.objects();
    let end = start.saturating_add(bytes.next_multiple_of(4096));
    let whole = objects.find(Object::key_of(Class::Mapping, start)).filter(|found| found.detail == bytes);
    if let Some(found) = whole {
        if objects.remove(found.key()).is_some() {
            count_death(attached, found.stack, found.born_ns, attached.about_now_ns());
        }
        return;
    }
    // Not exactly one of ours: look at all mappings.
    mapping_homes::for_each(objects.buckets(), |home| {
        let mut is_there = false;
        objects.for_each_at(home, |object| {
            if object.class == Some(Class::Mapping) {
                is_there |= !cut(attached, &object, start, end);
            }
        });
        is_there
    });
}

/// Takes what lies between `start` and `end` from a mapping. Whether all of it lies there: then it is gone.
fn cut(attached: &Attached, mapping: &Object, start: u64, end: u64) -> bool {
    let objects = attached.segment.objects();
    let (from, to) = (mapping.handle, mapping.handle.saturating_add(mapping.detail));
    if to <= start || end <= from || objects.remove(mapping.key()).is_none() {
        return false;
    }
    let (handle, detail) = match (from < start, end < to) {
        (true, _) => (from, start - from),
        (false, true) => (end, to - end),
        (false, false) => {
            count_death(attached, mapping.stack, mapping.born_ns, attached.about_now_ns());
            return true;
        }
    };
    let _ = insert(objects, &Object { handle, detail, ..*mapping });
    false
}

/// Puts an object into the table, where it can be found again.
fn insert(objects: ObjectTable<'_>, object: &Object) -> Result<(), TableFull> {
    objects.insert(object)?;
    if object.class == Some(Class::Mapping) {
        mapping_homes::mark(objects.home(object.key()));
    }
    Ok(())
}

/// Drops what has ended without a call: detached threads and registrations of closed descriptors.
fn sweep(attached: &Attached, now_ns: u64) {
    let objects = attached.segment.objects();
    objects.for_each(|object| {
        let is_over = match object.class {
            Some(Class::Thread) => {
                object.extra & Object::DETACHED != 0 && !task::is_alive(object.extra & !Object::DETACHED)
            }
            Some(Class::EpollRegistration) => {
                let (_, target) = Object::registration(object.handle);
                attached.segment.descriptors().get(target).is_none()
            }
            _ => false,
        };
        if is_over && objects.remove(object.key()).is_some() {
            count_death(attached, object.stack, object.born_ns, now_ns);
        }
    });
}
