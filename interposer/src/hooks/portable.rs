//! Interposer, hooks of the malloc family without assembly: the same decisions as the x86-64 ones, in plain Rust,
//! with the thread's state in a `thread_local!`. The slow path walks the stack from its own frame and drops ours.

use crate::{filter, lifecycle, real, sample, thread};
use core::ffi::{c_int, c_void};

/// Whether this allocation would use the countdown up; then the slow path counts it. Otherwise it is counted.
fn is_due(bytes: usize) -> bool {
    // Before the constructor the loader may not have set this thread's storage up yet.
    if !lifecycle::has_started() {
        return false;
    }
    // SAFETY: the block is the calling thread's own; no reference to it is held across hooks.
    let countdown = unsafe { &mut (*thread::current()).countdown };
    match countdown.checked_sub(bytes as u64) {
        None | Some(0) => true,
        Some(left) => {
            *countdown = left;
            false
        }
    }
}

macro_rules! allocating {
    ($($name:ident, $next:ident, |$($arg:ident: $ty:ty),*| -> $ret:ty, size $size:expr, old $old:expr;)*) => {$(
        /// See the C standard library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            let size: Option<usize> = $size;
            let old: *mut c_void = $old;
            let Some(size) = size else {
                // SAFETY: the program's own arguments, passed on.
                return unsafe { real::$next.get()($($arg),*) };
            };
            if (!old.is_null() && filter::may_hold(old as u64)) || is_due(size) {
                let here = core::ptr::from_ref(&size) as u64;
                // SAFETY: the program's own arguments, passed on.
                return unsafe { sample::$name($($arg,)* here, 0) };
            }
            // SAFETY: the program's own arguments, passed on.
            unsafe { real::$next.get()($($arg),*) }
        }
    )*};
}

allocating! {
    malloc, MALLOC, |bytes: usize| -> *mut c_void, size Some(bytes), old core::ptr::null_mut();
    valloc, VALLOC, |bytes: usize| -> *mut c_void, size Some(bytes), old core::ptr::null_mut();
    pvalloc, PVALLOC, |bytes: usize| -> *mut c_void, size Some(bytes), old core::ptr::null_mut();
    calloc, CALLOC, |count: usize, bytes: usize| -> *mut c_void, size count.checked_mul(bytes),
        old core::ptr::null_mut();
    memalign, MEMALIGN, |alignment: usize, bytes: usize| -> *mut c_void, size Some(bytes), old core::ptr::null_mut();
    aligned_alloc, ALIGNED_ALLOC, |alignment: usize, bytes: usize| -> *mut c_void, size Some(bytes),
        old core::ptr::null_mut();
    posix_memalign, POSIX_MEMALIGN, |out: *mut *mut c_void, alignment: usize, bytes: usize| -> c_int,
        size Some(bytes), old core::ptr::null_mut();
    realloc, REALLOC, |block: *mut c_void, bytes: usize| -> *mut c_void, size Some(bytes), old block;
}

/// See reallocarray(3). A realloc of the product, which may overflow; then the real function says no. Otherwise that one is
/// not asked: libc's calls `realloc` by its name, and the block would be booked twice.
///
/// # Safety
/// As for reallocarray.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(block: *mut c_void, count: usize, bytes: usize) -> *mut c_void {
    let Some(product) = count.checked_mul(bytes) else {
        // SAFETY: the program's own arguments, passed on.
        return unsafe { real::REALLOCARRAY.get()(block, count, bytes) };
    };
    if (!block.is_null() && filter::may_hold(block as u64)) || is_due(product) {
        let here = core::ptr::from_ref(&product) as u64;
        // SAFETY: the program's own block.
        return unsafe { sample::realloc(block, product, here, 0) };
    }
    // SAFETY: the program's own block.
    unsafe { real::REALLOC.get()(block, product) }
}

macro_rules! freeing {
    ($($(#[$attribute:meta])* $name:ident, $next:ident, $slow:path, |$block:ident $(, $arg:ident)*|;)*) => {$(
        /// See the C standard library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        $(#[$attribute])*
        pub unsafe extern "C" fn $name($block: *mut c_void $(, $arg: usize)*) {
            if filter::may_hold($block as u64) {
                // SAFETY: the program's own arguments, passed on.
                return unsafe { $slow($block $(, $arg)*) };
            }
            // SAFETY: the program's own arguments, passed on.
            unsafe { real::$next.get()($block $(, $arg)*) }
        }
    )*};
}

freeing! {
    #[unsafe(no_mangle)] free, FREE, sample::free, |block|;
    #[unsafe(no_mangle)] cfree, CFREE, sample::cfree, |block|;
    #[unsafe(no_mangle)] free_sized, FREE_SIZED, sample::free_sized, |block, bytes|;
    #[unsafe(no_mangle)] free_aligned_sized, FREE_ALIGNED_SIZED, sample::free_aligned_sized, |block, alignment, bytes|;
    /// Not exported: the same way, to a function that does nothing; to measure it.
    passed, NOTHING, real::nothing, |block|;
}

/// See dlclose(3).
///
/// # Safety
/// As for dlclose.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    // SAFETY: the program's own argument, passed on.
    unsafe { sample::dlclose(handle) }
}
