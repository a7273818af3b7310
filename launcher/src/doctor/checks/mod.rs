//! Launcher, doctor: the table of checks, in the order in which they are told.
// A check that always answers has the form of those that may not.
#![allow(clippy::unnecessary_wraps)]

mod debug_symbols;
mod kernel;
mod libc_version;
mod library;
mod limits;
mod machine;
mod mounts;
mod obstacles;
mod program;
mod session;

use super::Patient;
use super::answer::Answer;

/// One check. It answers nothing where it has nothing to ask (of no command, say).
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Asks.
    pub ask: fn(&Patient) -> Option<Answer>,
}

const fn check(name: &'static str, ask: fn(&Patient) -> Option<Answer>) -> Check {
    Check { name, ask }
}

/// Every check.
pub const ALL: [Check; 23] = [
    check("architecture", machine::architecture),
    check("C library", libc_version::version),
    check("interposer", library::found),
    check("interposer's place", mounts::library),
    check("sessions", session::folder),
    check("sessions' place", mounts::sessions),
    check("room for sessions", session::space),
    check("address space", limits::address_space),
    check("file size", limits::file_size),
    check("tracing", kernel::tracing),
    check("system calls", kernel::system_calls),
    check("processes", kernel::processes),
    check("sockets", kernel::sockets),
    check("command", program::found),
    check("program's machine", obstacles::machine),
    check("linking", obstacles::linking),
    check("program's C library", obstacles::c_library),
    check("language runtime", obstacles::runtime),
    check("privileges", obstacles::privileges),
    check("sanitizer", obstacles::sanitizer),
    check("other profilers", obstacles::profilers),
    check("allocator", obstacles::allocator),
    check("debug symbols", debug_symbols::found),
];
