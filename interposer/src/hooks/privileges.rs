//! Interposer, hooks of the calls after which the session's directory is out of reach: giving up root's rights, and a new
//! root directory. A process that is to be watched at all becomes so before them. Prefork servers do this in every worker.

use super::entry::hooks;
use crate::errno::KeepErrno;
use crate::lifecycle;
use crate::real::resources as real;
use core::ffi::{c_char, c_int};
use libc::uid_t;

/// Somebody who is not root is about to be who this process runs as.
fn becoming(users: &[uid_t]) {
    const UNCHANGED: uid_t = uid_t::MAX;
    if users.iter().any(|user| *user != 0 && *user != UNCHANGED) {
        leaving();
    }
}

fn leaving() {
    let _errno = KeepErrno::new();
    lifecycle::attach_while_allowed();
}

hooks! {
    fn setuid(user: uid_t) -> c_int, |_here| {
        becoming(&[user]);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::SETUID.get()(user) }
    }

    fn seteuid(user: uid_t) -> c_int, |_here| {
        becoming(&[user]);
        // SAFETY: the program's own argument, passed on.
        unsafe { real::SETEUID.get()(user) }
    }

    fn setreuid(user: uid_t, effective: uid_t) -> c_int, |_here| {
        becoming(&[user, effective]);
        // SAFETY: the program's own arguments, passed on.
        unsafe { real::SETREUID.get()(user, effective) }
    }

    fn setresuid(user: uid_t, effective: uid_t, saved: uid_t) -> c_int, |_here| {
        becoming(&[user, effective, saved]);
        // SAFETY: the program's own arguments, passed on.
        unsafe { real::SETRESUID.get()(user, effective, saved) }
    }

    fn chroot(path: *const c_char) -> c_int, |_here| {
        leaving();
        // SAFETY: the program's own argument, passed on.
        unsafe { real::CHROOT.get()(path) }
    }
}
