//! Interposer, hooks of registrations that nobody takes back: functions to be called at exit or at a fork. (`atexit` and
//! `pthread_atfork` are linked into the program and call these.)

use super::entry::hooks;
use crate::ledger;
use crate::real::resources as real;
use core::ffi::{c_int, c_void};
use memguard_segment::Class;
use real::Function;

macro_rules! registering {
    ($(fn $name:ident($($arg:ident: $ty:ty),*), $next:ident;)*) => {
        hooks! {$(
            fn $name($($arg: $ty),*) -> c_int, |here| {
                // SAFETY: the program's own arguments, passed on.
                let answer = unsafe { real::$next.get()($($arg),*) };
                if answer == 0 {
                    ledger::registered(Class::Callback, here);
                }
                answer
            }
        )*}
    };
}

registering! {
    fn on_exit(function: Function, argument: *mut c_void), ON_EXIT;
    fn __cxa_atexit(function: Function, argument: *mut c_void, library: *mut c_void), CXA_ATEXIT;
    fn __register_atfork(prepare: Function, parent: Function, child: Function, library: *mut c_void), REGISTER_ATFORK;
}
