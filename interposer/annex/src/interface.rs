//! Annex, the interface: what libmemguard.so offers to the libraries beside it, through one exported function. In: a version.
//! Out: a table of its functions and of what the fast paths read.

use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

/// Of the table below. Both sides are built together; a library left over from another version goes without.
pub const VERSION: u64 = 2;
/// Bytes of the page filter; the hooks keep an address's low 32 bits, and shift them by 12.
pub const PAGES: usize = 1 << 20;

/// The table.
#[repr(C)]
pub struct Interface {
    /// Where each thread's block lies, from the thread pointer; 0 if the library was built without such a place. Its first
    /// word is the countdown, its second the last block that was due in a hook of the malloc family.
    pub thread_offset: extern "C" fn() -> usize,
    /// Which pages may hold sampled objects.
    pub filter: &'static [AtomicU8; PAGES],
    /// Books an allocation that would use the countdown up and is not counted yet: block, size, stack pointer at the entry
    /// (pointing at the return address), frame pointer. The second word was cleared before the real call. True if that
    /// went through a hook of the malloc family, which booked it.
    pub allocated: unsafe extern "C" fn(*mut c_void, usize, u64, u64) -> bool,
    /// Books a death that the filter thinks possible. False if the block must not reach the allocator.
    pub freed: unsafe extern "C" fn(*mut c_void) -> bool,
    /// Books a change of size that is not counted yet: old block, new size, stack and frame pointer, then what really does it. That answers null
    /// if nothing happened.
    pub resized: unsafe extern "C" fn(
        *mut c_void,
        usize,
        u64,
        u64,
        unsafe extern "C" fn(*mut c_void) -> *mut c_void,
        *mut c_void,
    ) -> *mut c_void,
}

/// Where the filter is; read by the assembly of the doors once they are open.
pub static FILTER: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
/// The thread block's place; read likewise.
pub static OFFSET: AtomicUsize = AtomicUsize::new(0);

static INTERFACE: AtomicPtr<Interface> = AtomicPtr::new(core::ptr::null_mut());

/// libmemguard.so's function, null if it is not there: a weak reference, bound when this library is loaded.
#[cfg(target_arch = "x86_64")]
fn offer() -> Option<extern "C" fn(u64) -> *const Interface> {
    let found = crate::bound!("memguard_interface");
    // SAFETY: null, or the function of that name and type; an optional function pointer is exactly that.
    unsafe { core::mem::transmute::<*const c_void, Option<extern "C" fn(u64) -> *const Interface>>(found) }
}

/// Without doors of this architecture nobody asks.
#[cfg(not(target_arch = "x86_64"))]
fn offer() -> Option<extern "C" fn(u64) -> *const Interface> {
    None
}

/// Asks libmemguard.so; false if it is not there, is of another version, or has no place for the fast path.
pub(crate) fn find() -> bool {
    let Some(offer) = offer() else { return false };
    let found = offer(VERSION);
    // SAFETY: null, or a table that is there until the process ends.
    let Some(table) = (unsafe { found.as_ref() }) else { return false };
    let offset = (table.thread_offset)();
    OFFSET.store(offset, Ordering::Relaxed);
    FILTER.store(table.filter.as_ptr().cast_mut().cast(), Ordering::Relaxed);
    // Matched by the acquire load below.
    INTERFACE.store(found.cast_mut(), Ordering::Release);
    offset != 0
}

/// The table, once it was found.
pub fn interface() -> Option<&'static Interface> {
    // SAFETY: null, or a table that is there until the process ends.
    unsafe { INTERFACE.load(Ordering::Acquire).as_ref() }
}
