//! Allocx, slow paths of what changes a block's size. In: the program's call. Out: the death of the old object and the birth of
//! the new one, if the call succeeds; as for realloc.

use core::ffi::{c_int, c_void};
use memguard_annex::interface;

/// The call as it has to be made.
struct Call {
    block: *mut c_void,
    bytes: usize,
    extra: usize,
    flags: c_int,
    /// What `xallocx` answered.
    size_bytes: usize,
}

/// Slow path of `rallocx`; null means that nothing happened.
///
/// # Safety
/// The program's own arguments; `sp` and `fp` as the entry found them.
pub(crate) unsafe extern "C" fn rallocx(
    block: *mut c_void,
    bytes: usize,
    flags: c_int,
    sp: u64,
    fp: u64,
) -> *mut c_void {
    let mut call = Call { block, bytes, extra: 0, flags, size_bytes: 0 };
    // SAFETY: passed on.
    unsafe { booked(&mut call, really_rallocx, sp, fp) }
}

/// Slow path of `xallocx`. The block stays where it is; an answer below what was asked for means that it could not grow.
///
/// # Safety
/// The program's own arguments; `sp` and `fp` as the entry found them.
pub(crate) unsafe extern "C" fn xallocx(
    block: *mut c_void,
    bytes: usize,
    extra: usize,
    flags: c_int,
    sp: u64,
    fp: u64,
) -> usize {
    let mut call = Call { block, bytes, extra, flags, size_bytes: 0 };
    // SAFETY: passed on.
    unsafe { booked(&mut call, really_xallocx, sp, fp) };
    call.size_bytes
}

unsafe fn booked(
    call: &mut Call,
    really: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    sp: u64,
    fp: u64,
) -> *mut c_void {
    let (block, bytes) = (call.block, call.bytes);
    let context = core::ptr::from_mut(call).cast();
    match interface() {
        // SAFETY: the program's own arguments, and the context that `really` expects, alive until this returns.
        Some(table) => unsafe { (table.resized)(block, bytes, sp, fp, really, context) },
        // SAFETY: as above. Never so: the doors lead here only if there is a table.
        None => unsafe { really(context) },
    }
}

unsafe extern "C" fn really_rallocx(call: *mut c_void) -> *mut c_void {
    type Real = unsafe extern "C" fn(*mut c_void, usize, c_int) -> *mut c_void;
    // SAFETY: `booked` passes a call; the door's function has this type.
    unsafe {
        let call = &*call.cast::<Call>();
        let real = core::mem::transmute::<*const (), Real>(crate::rallocx_door::DOOR.real());
        real(call.block, call.bytes, call.flags)
    }
}

unsafe extern "C" fn really_xallocx(call: *mut c_void) -> *mut c_void {
    type Real = unsafe extern "C" fn(*mut c_void, usize, usize, c_int) -> usize;
    // SAFETY: `booked` passes a call; the door's function has this type.
    unsafe {
        let call = &mut *call.cast::<Call>();
        let real = core::mem::transmute::<*const (), Real>(crate::xallocx_door::DOOR.real());
        call.size_bytes = real(call.block, call.bytes, call.extra, call.flags);
        if call.size_bytes >= call.bytes { call.block } else { core::ptr::null_mut() }
    }
}
