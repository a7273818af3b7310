//! Operators, where nobody else defines one: a program in C that refers to it weakly, and calls it. In: its arguments. Out: what
//! libstdc++'s operator gives, as long as there is memory. Nothing here can throw: without memory the program ends.

use core::ffi::c_void;

/// Of `operator new(size_t)`.
pub(crate) unsafe extern "C" fn new(bytes: usize) -> *mut c_void {
    // SAFETY: any size will do.
    or_end(unsafe { new_nothrow(bytes) })
}

/// Of `operator new(size_t, nothrow)`.
pub(crate) unsafe extern "C" fn new_nothrow(bytes: usize) -> *mut c_void {
    // SAFETY: any size will do.
    unsafe { libc::malloc(bytes.max(1)) }
}

/// Of `operator new(size_t, align_val_t)`.
pub(crate) unsafe extern "C" fn new_aligned(bytes: usize, alignment: usize) -> *mut c_void {
    // SAFETY: any size will do; the alignment is the program's.
    or_end(unsafe { new_aligned_nothrow(bytes, alignment) })
}

/// Of `operator new(size_t, align_val_t, nothrow)`.
pub(crate) unsafe extern "C" fn new_aligned_nothrow(bytes: usize, alignment: usize) -> *mut c_void {
    let mut block = core::ptr::null_mut();
    // SAFETY: a place for the answer; a bad alignment is refused.
    unsafe { libc::posix_memalign(&raw mut block, alignment.max(size_of::<usize>()), bytes.max(1)) };
    block
}

fn or_end(block: *mut c_void) -> *mut c_void {
    if block.is_null() {
        // SAFETY: takes nothing and does not return.
        unsafe { libc::abort() }
    }
    block
}
