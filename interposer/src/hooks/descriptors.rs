//! Interposer, hooks of descriptors: everything that opens a file, makes a pipe, duplicates or closes.

use super::entry::hooks;
use crate::ledger;
use crate::real::resources as real;
use crate::stack::Here;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::mode_t;
use memguard_segment::Class;

/// Books an open that succeeded, and gives its answer back.
fn opened(number: c_int, class: Class, here: Here) -> c_int {
    ledger::opened(number, class, here);
    number
}

/// What `open` with these flags makes. A nameless file is made with the flag of directories and one more.
fn class_of(flags: c_int) -> Class {
    let is_nameless = flags & libc::O_TMPFILE == libc::O_TMPFILE;
    if flags & libc::O_DIRECTORY != 0 && !is_nameless { Class::Directory } else { Class::File }
}

/// Hooks that call the function of their name and book what it answers.
macro_rules! opening {
    ($(fn $name:ident($($arg:ident: $ty:ty),*), $next:ident, $class:expr;)*) => {
        hooks! {$(
            fn $name($($arg: $ty),*) -> c_int, |here| {
                // SAFETY: the program's own arguments, passed on.
                let number = unsafe { real::$next.get()($($arg),*) };
                opened(number, $class, here)
            }
        )*}
    };
}

opening! {
    fn open(path: *const c_char, flags: c_int, mode: mode_t), OPEN, class_of(flags);
    fn open64(path: *const c_char, flags: c_int, mode: mode_t), OPEN64, class_of(flags);
    fn __open(path: *const c_char, flags: c_int, mode: mode_t), OPEN_ALIAS, class_of(flags);
    fn __open64(path: *const c_char, flags: c_int, mode: mode_t), OPEN64_ALIAS, class_of(flags);
    fn __open_2(path: *const c_char, flags: c_int), OPEN_2, class_of(flags);
    fn __open64_2(path: *const c_char, flags: c_int), OPEN64_2, class_of(flags);
    fn openat(at: c_int, path: *const c_char, flags: c_int, mode: mode_t), OPENAT, class_of(flags);
    fn openat64(at: c_int, path: *const c_char, flags: c_int, mode: mode_t), OPENAT64, class_of(flags);
    fn __openat_2(at: c_int, path: *const c_char, flags: c_int), OPENAT_2, class_of(flags);
    fn __openat64_2(at: c_int, path: *const c_char, flags: c_int), OPENAT64_2, class_of(flags);
    fn creat(path: *const c_char, mode: mode_t), CREAT, Class::File;
    fn creat64(path: *const c_char, mode: mode_t), CREAT64, Class::File;
    fn open_by_handle_at(at: c_int, handle: *mut c_void, flags: c_int), OPEN_BY_HANDLE_AT, class_of(flags);
    fn mkstemp(template: *mut c_char), MKSTEMP, Class::File;
    fn mkstemp64(template: *mut c_char), MKSTEMP64, Class::File;
    fn mkostemp(template: *mut c_char, flags: c_int), MKOSTEMP, Class::File;
    fn mkostemp64(template: *mut c_char, flags: c_int), MKOSTEMP64, Class::File;
    fn mkstemps(template: *mut c_char, suffix: c_int), MKSTEMPS, Class::File;
    fn mkstemps64(template: *mut c_char, suffix: c_int), MKSTEMPS64, Class::File;
    fn mkostemps(template: *mut c_char, suffix: c_int, flags: c_int), MKOSTEMPS, Class::File;
    fn mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int), MKOSTEMPS64, Class::File;
    fn memfd_create(name: *const c_char, flags: c_uint), MEMFD_CREATE, Class::Memfd;
    fn shm_open(name: *const c_char, flags: c_int, mode: mode_t), SHM_OPEN, Class::Memfd;
    fn mq_open(name: *const c_char, flags: c_int, mode: mode_t, attributes: *mut c_void), MQ_OPEN,
        Class::OtherDescriptor;
    fn posix_openpt(flags: c_int), POSIX_OPENPT, Class::OtherDescriptor;
    fn getpt(), GETPT, Class::OtherDescriptor;
    fn dup(number: c_int), DUP, Class::Duplicate;
}

hooks! {
    fn close(number: c_int) -> c_int, |_here| {
        ledger::closing(number);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::CLOSE.get()(number) }
    }

    fn __close(number: c_int) -> c_int, |_here| {
        ledger::closing(number);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::CLOSE_ALIAS.get()(number) }
    }

    fn mq_close(queue: c_int) -> c_int, |_here| {
        ledger::closing(queue);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::MQ_CLOSE.get()(queue) }
    }

    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int, |_here| {
        // With CLOEXEC nothing is closed now; with what the kernel does not know nothing is closed at all.
        let closes = flags & !libc::CLOSE_RANGE_UNSHARE.cast_signed() == 0 && first <= last;
        if closes {
            ledger::closing_range(first, last);
        }
        // SAFETY: the program's own arguments, passed on.
        unsafe { real::CLOSE_RANGE.get()(first, last, flags) }
    }

    fn closefrom(first: c_int) -> (), |_here| {
        ledger::closing_range(first.max(0).cast_unsigned(), c_uint::MAX);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::CLOSEFROM.get()(first) }
    }

    fn dup2(number: c_int, onto: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        duplicated(number, onto, here, || unsafe { real::DUP2.get()(number, onto) })
    }

    fn dup3(number: c_int, onto: c_int, flags: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        duplicated(number, onto, here, || unsafe { real::DUP3.get()(number, onto, flags) })
    }

    fn fcntl(number: c_int, command: c_int, argument: usize) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        controlled(command, unsafe { real::FCNTL.get()(number, command, argument) }, here)
    }

    fn fcntl64(number: c_int, command: c_int, argument: usize) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        controlled(command, unsafe { real::FCNTL64.get()(number, command, argument) }, here)
    }

    fn pipe(ends: *mut c_int) -> c_int, |here| {
        // SAFETY: the program's own argument, passed on.
        let answer = unsafe { real::PIPE.get()(ends) };
        // SAFETY: on success two numbers are there.
        unsafe { opened_pair(answer, ends, Class::Pipe, here) }
    }

    fn pipe2(ends: *mut c_int, flags: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::PIPE2.get()(ends, flags) };
        // SAFETY: on success two numbers are there.
        unsafe { opened_pair(answer, ends, Class::Pipe, here) }
    }
}

/// `dup2` and `dup3`: what was open under the number is closed in the same moment. Onto itself nothing happens.
fn duplicated(number: c_int, onto: c_int, here: Here, call: impl FnOnce() -> c_int) -> c_int {
    if number == onto {
        return call();
    }
    let before = ledger::suspend(onto);
    let answer = call();
    before.settle(answer >= 0);
    opened(answer, Class::Duplicate, here)
}

fn controlled(command: c_int, answer: c_int, here: Here) -> c_int {
    if command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC {
        ledger::opened(answer, Class::Duplicate, here);
    }
    answer
}

/// Books two descriptors if the call succeeded.
///
/// # Safety
/// If `answer` is 0, `ends` points at two numbers.
pub unsafe fn opened_pair(answer: c_int, ends: *const c_int, class: Class, here: Here) -> c_int {
    if answer == 0 {
        // SAFETY: by the promise above.
        let [one, other] = unsafe { ends.cast::<[c_int; 2]>().read_unaligned() };
        ledger::opened(one, class, here);
        ledger::opened(other, class, here);
    }
    answer
}
