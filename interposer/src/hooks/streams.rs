//! Interposer, hooks of streams and directories: descriptors that libc owns and closes inside itself, where no hook of
//! `close` sees it.

use super::entry::hooks;
use crate::errno::KeepErrno;
use crate::ledger;
use crate::real::resources as real;
use crate::stack::Here;
use core::ffi::{c_char, c_int};
use libc::{DIR, FILE};
use memguard_segment::Class;

/// The descriptor of a stream; -1 where it has none.
fn number_of(stream: *mut FILE) -> c_int {
    let _errno = KeepErrno::new();
    // SAFETY: a stream of the program's that is open, or null, which is not passed on.
    if stream.is_null() { -1 } else { unsafe { libc::fileno(stream) } }
}

fn number_of_directory(directory: *mut DIR) -> c_int {
    let _errno = KeepErrno::new();
    // SAFETY: a directory of the program's that is open, or null, which is not passed on.
    if directory.is_null() { -1 } else { unsafe { libc::dirfd(directory) } }
}

fn opened(stream: *mut FILE, class: Class, here: Here) -> *mut FILE {
    ledger::opened_by_owner(number_of(stream), class, stream as usize, here);
    stream
}

/// `freopen`: the stream's descriptor is closed whether or not another is opened in its place.
fn reopened(stream: *mut FILE, here: Here, call: impl FnOnce() -> *mut FILE) -> *mut FILE {
    ledger::closing(number_of(stream));
    opened(call(), Class::Stream, here)
}

hooks! {
    fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE, |here| {
        // SAFETY: the program's own arguments, passed on.
        opened(unsafe { real::FOPEN.get()(path, mode) }, Class::Stream, here)
    }

    fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE, |here| {
        // SAFETY: the program's own arguments, passed on.
        opened(unsafe { real::FOPEN64.get()(path, mode) }, Class::Stream, here)
    }

    fn tmpfile() -> *mut FILE, |here| {
        // SAFETY: takes nothing.
        opened(unsafe { real::TMPFILE.get()() }, Class::Stream, here)
    }

    fn tmpfile64() -> *mut FILE, |here| {
        // SAFETY: takes nothing.
        opened(unsafe { real::TMPFILE64.get()() }, Class::Stream, here)
    }

    fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE, |here| {
        // SAFETY: the program's own arguments, passed on.
        opened(unsafe { real::POPEN.get()(command, mode) }, Class::Popen, here)
    }

    fn fdopen(number: c_int, mode: *const c_char) -> *mut FILE, |here| {
        // SAFETY: the program's own arguments, passed on.
        let stream = unsafe { real::FDOPEN.get()(number, mode) };
        if !stream.is_null() {
            ledger::adopted(number, Class::Stream, stream as usize, here);
        }
        stream
    }

    fn freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE, |here| {
        // SAFETY: the program's own arguments, passed on.
        reopened(stream, here, || unsafe { real::FREOPEN.get()(path, mode, stream) })
    }

    fn freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE, |here| {
        // SAFETY: the program's own arguments, passed on.
        reopened(stream, here, || unsafe { real::FREOPEN64.get()(path, mode, stream) })
    }

    fn fclose(stream: *mut FILE) -> c_int, |_here| {
        ledger::closing(number_of(stream));
        // SAFETY: the program's own argument, passed on.
        unsafe { real::FCLOSE.get()(stream) }
    }

    fn pclose(stream: *mut FILE) -> c_int, |_here| {
        ledger::closing(number_of(stream));
        // SAFETY: the program's own argument, passed on.
        unsafe { real::PCLOSE.get()(stream) }
    }

    fn opendir(path: *const c_char) -> *mut DIR, |here| {
        // SAFETY: the program's own argument, passed on.
        let directory = unsafe { real::OPENDIR.get()(path) };
        ledger::opened_by_owner(number_of_directory(directory), Class::Directory, directory as usize, here);
        directory
    }

    fn fdopendir(number: c_int) -> *mut DIR, |here| {
        // SAFETY: the program's own argument, passed on.
        let directory = unsafe { real::FDOPENDIR.get()(number) };
        if !directory.is_null() {
            ledger::adopted(number, Class::Directory, directory as usize, here);
        }
        directory
    }

    fn closedir(directory: *mut DIR) -> c_int, |_here| {
        ledger::closing(number_of_directory(directory));
        // SAFETY: the program's own argument, passed on.
        unsafe { real::CLOSEDIR.get()(directory) }
    }
}
