//! Interposer, hooks of POSIX timers.

use super::entry::hooks;
use crate::ledger;
use crate::real::resources as real;
use core::ffi::c_int;
use libc::{clockid_t, sigevent, timer_t};
use memguard_segment::Class;

hooks! {
    fn timer_create(clock: clockid_t, event: *mut sigevent, timer: *mut timer_t) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::TIMER_CREATE.get()(clock, event, timer) };
        if answer == 0 {
            // SAFETY: on success there is a timer's id.
            let timer = unsafe { timer.read_unaligned() };
            ledger::made(Class::PosixTimer, timer as u64, 0, here);
        }
        answer
    }

    fn timer_delete(timer: timer_t) -> c_int, |_here| {
        ledger::ended(Class::PosixTimer, timer as u64);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::TIMER_DELETE.get()(timer) }
    }
}
