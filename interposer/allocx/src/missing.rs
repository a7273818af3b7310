//! Allocx, where there is no jemalloc: a program that refers to one of its functions weakly and takes that for its presence. In:
//! nothing. Out: the answer "no memory", which is within what these functions may say.

use core::ffi::c_void;

/// Of `mallocx`.
pub(crate) extern "C" fn mallocx() -> *mut c_void {
    core::ptr::null_mut()
}

/// Of `rallocx`.
pub(crate) extern "C" fn rallocx() -> *mut c_void {
    core::ptr::null_mut()
}

/// Of `xallocx`: the block's size, which it has not.
pub(crate) extern "C" fn xallocx() -> usize {
    0
}

/// Of `dallocx` and `sdallocx`: no block came from here.
pub(crate) extern "C" fn dallocx() {}
