//! Interposer, hooks of kernel instances with a descriptor: epoll, eventfd, signalfd, timerfd, inotify, fanotify, pidfd;
//! and of what is registered with them.

use super::entry::hooks;
use super::reads::note_timer;
use crate::ledger;
use crate::real::resources as real;
use core::ffi::{c_char, c_int, c_uint};
use libc::{epoll_event, pid_t, sigset_t};
use memguard_segment::{Class, Object};

/// Hooks that call the function of their name and book what it answers.
macro_rules! making {
    ($(fn $name:ident($($arg:ident: $ty:ty),*), $next:ident, $class:ident;)*) => {
        hooks! {$(
            fn $name($($arg: $ty),*) -> c_int, |here| {
                // SAFETY: the program's own arguments, passed on.
                let number = unsafe { real::$next.get()($($arg),*) };
                ledger::opened(number, Class::$class, here);
                number
            }
        )*}
    };
}

making! {
    fn epoll_create(size: c_int), EPOLL_CREATE, Epoll;
    fn epoll_create1(flags: c_int), EPOLL_CREATE1, Epoll;
    fn eventfd(count: c_uint, flags: c_int), EVENTFD, Eventfd;
    fn inotify_init(), INOTIFY_INIT, Inotify;
    fn inotify_init1(flags: c_int), INOTIFY_INIT1, Inotify;
    fn fanotify_init(flags: c_uint, event_flags: c_uint), FANOTIFY_INIT, OtherDescriptor;
    fn pidfd_open(pid: pid_t, flags: c_uint), PIDFD_OPEN, OtherDescriptor;
}

/// The handle of a registration.
fn handle(instance: c_int, target: c_int) -> u64 {
    Object::registration_handle(instance.cast_unsigned(), target.cast_unsigned())
}

hooks! {
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let number = unsafe { real::TIMERFD_CREATE.get()(clock, flags) };
        ledger::opened(number, Class::Timerfd, here);
        if number >= 0 {
            note_timer(number);
        }
        number
    }

    fn signalfd(number: c_int, mask: *const sigset_t, flags: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::SIGNALFD.get()(number, mask, flags) };
        // Given a descriptor it changes that one.
        if number == -1 {
            ledger::opened(answer, Class::Signalfd, here);
        }
        answer
    }

    fn epoll_ctl(instance: c_int, operation: c_int, number: c_int, event: *mut epoll_event) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::EPOLL_CTL.get()(instance, operation, number, event) };
        if answer == 0 && operation == libc::EPOLL_CTL_ADD {
            ledger::made(Class::EpollRegistration, handle(instance, number), 0, here);
        } else if answer == 0 && operation == libc::EPOLL_CTL_DEL {
            ledger::ended(Class::EpollRegistration, handle(instance, number));
        }
        answer
    }

    fn inotify_add_watch(instance: c_int, path: *const c_char, mask: u32) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let watch = unsafe { real::INOTIFY_ADD_WATCH.get()(instance, path, mask) };
        // What is watched already keeps its number; it is not registered twice.
        if watch >= 0 && ledger::known(Class::InotifyWatch, handle(instance, watch)).is_none() {
            ledger::made(Class::InotifyWatch, handle(instance, watch), 0, here);
        }
        watch
    }

    fn inotify_rm_watch(instance: c_int, watch: c_int) -> c_int, |_here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::INOTIFY_RM_WATCH.get()(instance, watch) };
        if answer == 0 {
            ledger::ended(Class::InotifyWatch, handle(instance, watch));
        }
        answer
    }
}
