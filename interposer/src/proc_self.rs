//! Interposer: what the kernel tells a process about itself, read once at attachment.

use crate::sys::File;
use core::ffi::CStr;

/// Reads a file of `/proc/self` into `buffer`; returns the bytes read.
pub fn read(path: &CStr, buffer: &mut [u8]) -> usize {
    File::open(path, libc::O_RDONLY, 0).map_or(0, |file| file.read_at(buffer, 0))
}

/// The path of the program file; returns its length in bytes.
pub fn exe(buffer: &mut [u8]) -> usize {
    let path = c"/proc/self/exe";
    let at = libc::AT_FDCWD as usize;
    let n = crate::sys::call(
        libc::SYS_readlinkat,
        [at, path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0],
    );
    usize::try_from(n).unwrap_or(0).min(buffer.len())
}
