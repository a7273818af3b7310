//! Interposer: the session's files as shared atomic words. In: paths. Out: mappings that stay for ever: a hook may
//! be using them in any thread at any time.

use crate::sys::{self, File};
use core::ffi::CStr;
use memguard_segment::control::Refusal;
use memguard_segment::{AtomicU64, Words};

/// Maps an open file shared, for reading and writing.
pub fn words(file: &File, bytes: usize) -> Option<Words<'static>> {
    let address = sys::map(bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, file.fd(), 0)?;
    // The tables are used all over. Without this a page that is touched brings its neighbours along, which the kernel has to
    // fill with zeros first.
    sys::advise(address, bytes, libc::MADV_RANDOM);
    // SAFETY: a fresh page-aligned mapping of that many bytes that is never unmapped; atomics allow that the
    // collector writes to it at the same time.
    Some(unsafe { core::slice::from_raw_parts(address.cast::<AtomicU64>(), bytes / 8) })
}

/// Opens and maps an existing file of the session.
pub fn existing(path: &CStr, bytes: usize) -> Option<Words<'static>> {
    words(&File::open(path, libc::O_RDWR | libc::O_NOFOLLOW, 0).ok()?, bytes)
}

/// Makes a new file of the session with all its blocks reserved, and maps it. Leaves nothing behind on failure.
pub fn fresh(path: &CStr, bytes: usize) -> Result<Words<'static>, Refusal> {
    if !File::size_is_allowed(bytes) {
        return Err(Refusal::FileSizeLimit);
    }
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let file = File::open(path, flags, 0o600).map_err(|_| Refusal::CannotCreate)?;
    let mapped = if file.leaves_space(bytes) && file.reserve(bytes).is_ok() {
        words(&file, bytes).ok_or(Refusal::CannotMap)
    } else {
        Err(Refusal::NoSpace)
    };
    if mapped.is_err() {
        sys::unlink(path);
    }
    mapped
}
