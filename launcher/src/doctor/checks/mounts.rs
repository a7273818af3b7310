//! Launcher, doctor: file systems that nothing may be executed from (`noexec`).

use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::super::Patient;
use super::super::answer::Answer;
use super::session::nearest;
use crate::spawn::find_library;

fn is_noexec(path: &Path) -> Option<bool> {
    Some(statvfs(path).ok()?.flags().contains(FsFlags::ST_NOEXEC))
}

/// The loader cannot map a library from such a file system.
pub fn library(_: &Patient) -> Option<Answer> {
    let path = find_library().ok()?;
    Some(if is_noexec(&path)? {
        Answer::none(
            format!("{} lies on a file system mounted noexec", path.display()),
            "copy it to a file system without noexec and set MEMGUARD_LIB to its path",
        )
    } else {
        Answer::ok("libraries may be loaded from there")
    })
}

/// Nothing is executed from there: it does no harm.
pub fn sessions(patient: &Patient) -> Option<Answer> {
    let words = if is_noexec(nearest(patient.place.path()))? {
        "mounted noexec, which does no harm"
    } else {
        "not mounted noexec"
    };
    Some(Answer::ok(words))
}
