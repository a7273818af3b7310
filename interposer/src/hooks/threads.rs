//! Interposer, hooks of threads. How a thread ends is the kernel's to say; here is noted who made it, which task it is,
//! and whether somebody has joined or detached it.

use super::entry::{hooks, wide_hooks};
use crate::ledger;
use crate::real::resources as real;
use crate::stack::Here;
use crate::task;
use core::ffi::{c_int, c_void};
use libc::{clockid_t, pthread_attr_t, pthread_t, timespec};
use memguard_segment::{Class, Object};
use real::Function;

fn made(handle: pthread_t, main: u64, is_detached: bool, here: Here) {
    let extra = || {
        // One that is detached may be over by now, and its control block gone.
        let id = if is_detached { None } else { task::id(handle) };
        let mark = if is_detached { Object::DETACHED } else { 0 };
        id.unwrap_or(Object::NO_TASK) | mark
    };
    ledger::made_with(Class::Thread, handle, main, extra, here);
}

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

fn is_detached(attributes: *const pthread_attr_t) -> bool {
    let mut state = 0;
    // SAFETY: the program's own attributes, or none; only read.
    !attributes.is_null()
        && unsafe { pthread_attr_getdetachstate(attributes, &raw mut state) } == 0
        && state == libc::PTHREAD_CREATE_DETACHED
}

/// A join: the thread is known until it succeeds, which may take long, and its handle may be another's at once.
fn joined(handle: pthread_t, call: impl FnOnce() -> c_int) -> c_int {
    let thread = ledger::known(Class::Thread, handle);
    let answer = call();
    if answer == 0 {
        ledger::ended_as(thread);
    }
    answer
}

fn detached(handle: pthread_t, call: impl FnOnce() -> c_int) -> c_int {
    // Before the call: afterwards the handle may be another's.
    ledger::changed(Class::Thread, handle, |thread| thread.extra |= Object::DETACHED);
    let answer = call();
    if answer != 0 {
        ledger::changed(Class::Thread, handle, |thread| thread.extra &= !Object::DETACHED);
    }
    answer
}

hooks! {
    fn pthread_create(
        handle: *mut pthread_t,
        attributes: *const pthread_attr_t,
        main: Function,
        argument: *mut c_void
    ) -> c_int, |here| {
        let is_detached = is_detached(attributes);
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::PTHREAD_CREATE.get()(handle, attributes, main, argument) };
        if answer == 0 {
            // SAFETY: on success there is a handle.
            made(unsafe { handle.read_unaligned() }, main as u64, is_detached, here);
        }
        answer
    }

    fn thrd_create(handle: *mut pthread_t, main: Function, argument: *mut c_void) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::THRD_CREATE.get()(handle, main, argument) };
        if answer == 0 {
            // SAFETY: on success there is a handle.
            made(unsafe { handle.read_unaligned() }, main as u64, false, here);
        }
        answer
    }

    fn pthread_join(handle: pthread_t, value: *mut *mut c_void) -> c_int, |_here| {
        // SAFETY: the program's own arguments, passed on.
        joined(handle, || unsafe { real::PTHREAD_JOIN.get()(handle, value) })
    }

    fn pthread_tryjoin_np(handle: pthread_t, value: *mut *mut c_void) -> c_int, |_here| {
        // SAFETY: the program's own arguments, passed on.
        joined(handle, || unsafe { real::PTHREAD_TRYJOIN_NP.get()(handle, value) })
    }

    fn pthread_timedjoin_np(handle: pthread_t, value: *mut *mut c_void, until: *const timespec) -> c_int, |_here| {
        // SAFETY: the program's own arguments, passed on.
        joined(handle, || unsafe { real::PTHREAD_TIMEDJOIN_NP.get()(handle, value, until) })
    }

    fn pthread_detach(handle: pthread_t) -> c_int, |_here| {
        // SAFETY: the program's own argument, passed on.
        detached(handle, || unsafe { real::PTHREAD_DETACH.get()(handle) })
    }

    fn thrd_join(handle: pthread_t, value: *mut c_int) -> c_int, |_here| {
        // SAFETY: the program's own arguments, passed on.
        joined(handle, || unsafe { real::THRD_JOIN.get()(handle, value) })
    }

    fn thrd_detach(handle: pthread_t) -> c_int, |_here| {
        // SAFETY: the program's own argument, passed on.
        detached(handle, || unsafe { real::THRD_DETACH.get()(handle) })
    }
}

wide_hooks! {
    fn pthread_clockjoin_np(
        handle: pthread_t,
        value: *mut *mut c_void,
        clock: clockid_t,
        until: *const timespec
    ) -> c_int, |_here| {
        // SAFETY: the program's own arguments, passed on.
        joined(handle, || unsafe { real::PTHREAD_CLOCKJOIN_NP.get()(handle, value, clock, until) })
    }
}
