//! Interposer, hooks of mappings. A mapping placed over others (`MAP_FIXED`) is part of what the program holds there
//! already: it ends what it covers and is no birth.

use super::entry::{hooks, wide_hooks};
use crate::ledger;
use crate::real::resources as real;
use crate::stack::Here;
use core::ffi::{c_int, c_void};
use memguard_segment::Class;

fn mapped(address: *mut c_void, bytes: usize, here: Here) {
    if address != libc::MAP_FAILED {
        ledger::made(Class::Mapping, address as u64, bytes as u64, here);
    }
}

/// Whether the program chose the place itself.
fn is_placed(flags: c_int) -> bool {
    flags & (libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) != 0
}

wide_hooks! {
    fn mmap(
        address: *mut c_void,
        bytes: usize,
        protection: c_int,
        flags: c_int,
        number: c_int,
        offset: i64
    ) -> *mut c_void, |here| {
        // SAFETY: the program's own arguments, passed on.
        let mapping = unsafe { real::MMAP.get()(address, bytes, protection, flags, number, offset) };
        if !is_placed(flags) {
            mapped(mapping, bytes, here);
        }
        mapping
    }

    fn mmap64(
        address: *mut c_void,
        bytes: usize,
        protection: c_int,
        flags: c_int,
        number: c_int,
        offset: i64
    ) -> *mut c_void, |here| {
        // SAFETY: the program's own arguments, passed on.
        let mapping = unsafe { real::MMAP64.get()(address, bytes, protection, flags, number, offset) };
        if !is_placed(flags) {
            mapped(mapping, bytes, here);
        }
        mapping
    }

    fn mremap(
        address: *mut c_void,
        bytes: usize,
        bytes_new: usize,
        flags: c_int,
        address_new: *mut c_void
    ) -> *mut c_void, |here| {
        let before = ledger::known(Class::Mapping, address as u64);
        // SAFETY: the program's own arguments, passed on.
        let mapping = unsafe { real::MREMAP.get()(address, bytes, bytes_new, flags, address_new) };
        // A size of zero doubles a shared mapping; the old one stays.
        if mapping != libc::MAP_FAILED {
            if bytes != 0 {
                ledger::ended_as(before);
            }
            mapped(mapping, bytes_new, here);
        }
        mapping
    }
}

hooks! {
    fn munmap(address: *mut c_void, bytes: usize) -> c_int, |_here| {
        ledger::unmapping(address as u64, bytes as u64);
        // SAFETY: the program's own arguments, passed on.
        unsafe { real::MUNMAP.get()(address, bytes) }
    }
}
