//! Annex, taking back a name: after the start, libraries that are loaded later find what they would find without us. In: one of
//! our exported functions. Out: its entry of our own symbol table is without a value, and the loader passes over it.
//!
//! A preloaded library stands first in every search. A plugin that brings its own libstdc++, loaded by a program in C, would
//! bind its operators to ours, behind which there are none. Names of that kind are of use only where an allocator defines
//! them; in every other process they are taken back before the program's own start. What was bound until then goes through
//! the door, straight on.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU64, Ordering};

const PAGE: usize = 4096;

/// `RTLD_DL_SYMENT` of `dladdr1`: also give the symbol's entry.
const SYMBOL_ENTRY: c_int = 1;

unsafe extern "C" {
    fn dladdr1(
        address: *const c_void,
        info: *mut libc::Dl_info,
        extra: *mut *mut c_void,
        flags: c_int,
    ) -> c_int;
}

/// Takes back the name of this function, if it is in the module that starts at `own`. Called by the constructor alone: nobody
/// else changes the pages' protection meanwhile. If the kernel refuses, the name stays.
pub(crate) fn withdraw(exported: *const (), own: *const c_void) {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let mut entry: *mut c_void = core::ptr::null_mut();
    // SAFETY: places for one answer each.
    let found = unsafe { dladdr1(exported.cast(), info.as_mut_ptr(), &raw mut entry, SYMBOL_ENTRY) } != 0;
    // SAFETY: all-zero bytes are a valid value, which a failed call leaves.
    let info = unsafe { info.assume_init() };
    if !found || entry.is_null() || info.dli_fbase.cast_const() != own || own.is_null() {
        return;
    }
    let entry: *mut libc::Elf64_Sym = entry.cast();
    let first = entry as usize & !(PAGE - 1);
    let bytes = (entry as usize + size_of::<libc::Elf64_Sym>()).next_multiple_of(PAGE) - first;
    let pages: *mut c_void = core::ptr::with_exposed_provenance_mut(first);
    // SAFETY: pages of our own symbol table, which nothing is executed from; the value is an aligned word, stored at once, for
    // a thread that just looks a name up.
    unsafe {
        if libc::mprotect(pages, bytes, libc::PROT_READ | libc::PROT_WRITE) == 0 {
            AtomicU64::from_ptr(&raw mut (*entry).st_value).store(0, Ordering::Relaxed);
            libc::mprotect(pages, bytes, libc::PROT_READ);
        }
    }
}
