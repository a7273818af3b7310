//! Interposer, what the libraries beside it are offered: the operators of other allocators and jemalloc's own functions are
//! counted by small libraries of their own, which book here. In: their calls. Out: the same records as from the hooks of the
//! malloc family.

use crate::{filter, sample, thread};
use core::ffi::c_void;
use memguard_annex::{Interface, VERSION};

static INTERFACE: Interface =
    Interface { thread_offset: thread::offset, filter: filter::bytes(), allocated, freed, resized };

/// The table of what is offered; null for a library of another version.
#[unsafe(no_mangle)]
pub extern "C" fn memguard_interface(version: u64) -> *const Interface {
    if version == VERSION { &raw const INTERFACE } else { core::ptr::null() }
}

/// Counts and books an allocation, unless a hook of the malloc family did so within the real call: then true.
unsafe extern "C" fn allocated(block: *mut c_void, bytes: usize, sp: u64, fp: u64) -> bool {
    // A failed allocation took no bytes.
    if block.is_null() {
        return false;
    }
    let was_due = sample::was_due(block);
    if !was_due {
        sample::allocated(block, bytes, sp, fp);
    }
    was_due
}

unsafe extern "C" fn freed(block: *mut c_void) -> bool {
    sample::freed(block)
}

unsafe extern "C" fn resized(
    old: *mut c_void,
    bytes: usize,
    sp: u64,
    fp: u64,
    call: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    context: *mut c_void,
) -> *mut c_void {
    sample::reallocated(old, bytes, sp, fp, || {
        // SAFETY: the other library's own function and context.
        unsafe { call(context) }
    })
}
