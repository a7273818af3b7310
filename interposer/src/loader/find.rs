//! Interposer, loader: `_dl_find_object`, the lock-free question to glibc's dynamic loader (since 2.35). In: an address. Out: the
//! module mapped there.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

#[unsafe(link_section = ".data")]
static FIND_OBJECT: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Looks for the function, once, from the constructor.
pub fn resolve() {
    FIND_OBJECT.store(crate::real::optional(c"_dl_find_object"), Ordering::Relaxed);
}

/// Whether this C library has it.
pub fn is_there() -> bool {
    !FIND_OBJECT.load(Ordering::Relaxed).is_null()
}

/// glibc's `struct dl_find_object` (dlfcn.h, since 2.35; the layout of x86-64 and `AArch64`).
#[repr(C)]
pub struct FoundObject {
    flags: u64,
    pub map_start: *mut c_void,
    pub map_end: *mut c_void,
    pub link_map: *mut c_void,
    pub eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// The module at an address.
pub fn find_object(address: u64) -> Option<FoundObject> {
    let function = FIND_OBJECT.load(Ordering::Relaxed);
    if function.is_null() {
        return None;
    }
    let mut found = FoundObject {
        flags: 0,
        map_start: core::ptr::null_mut(),
        map_end: core::ptr::null_mut(),
        link_map: core::ptr::null_mut(),
        eh_frame: core::ptr::null_mut(),
        reserved: [0; 7],
    };
    // SAFETY: dlsym found the function under its name, whose type glibc fixes; lock-free and async-signal-safe.
    let answer = unsafe {
        let function: unsafe extern "C" fn(*mut c_void, *mut FoundObject) -> c_int =
            core::mem::transmute(function);
        function(core::ptr::with_exposed_provenance_mut(address as usize), &raw mut found)
    };
    (answer == 0).then_some(found)
}
