//! Interposer, hooks of the malloc family without assembly: the same decisions as the x86-64 ones, in plain Rust,
//! with the thread's state in a `thread_local!`. The slow path walks the stack from its own frame and drops ours.

use crate::thread::{self, Thread};
use crate::{filter, lifecycle, real, sample};
use core::ffi::{c_int, c_void};

/// Subtracts from the countdown; true if the slow path is due.
fn counts_down(bytes: usize) -> bool {
    // Before the constructor the loader may not have set this thread's storage up yet.
    if !lifecycle::has_started() {
        return false;
    }
    let thread: *mut Thread = thread::current();
    // SAFETY: the block is the calling thread's own; no reference to it is held across hooks.
    unsafe {
        let before = (*thread).countdown;
        let after = before.wrapping_sub(bytes as u64);
        (*thread).countdown = after;
        // Negative: a call that was left by longjmp had used it up.
        before <= bytes as u64 || (after as i64) < 0
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
            if counts_down(size) || (!old.is_null() && filter::may_hold(old as u64)) {
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
    if counts_down(product) || (!block.is_null() && filter::may_hold(block as u64)) {
        let here = core::ptr::from_ref(&product) as u64;
        // SAFETY: the program's own block.
        return unsafe { sample::realloc(block, product, here, 0) };
    }
    // SAFETY: the program's own block.
    unsafe { real::REALLOC.get()(block, product) }
}

macro_rules! freeing {
    ($($name:ident, $next:ident, |$block:ident $(, $arg:ident)*|;)*) => {$(
        /// See the C standard library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($block: *mut c_void $(, $arg: usize)*) {
            if filter::may_hold($block as u64) {
                // SAFETY: the program's own arguments, passed on.
                return unsafe { sample::$name($block $(, $arg)*) };
            }
            // SAFETY: the program's own arguments, passed on.
            unsafe { real::$next.get()($block $(, $arg)*) }
        }
    )*};
}

freeing! {
    free, FREE, |block|;
    cfree, CFREE, |block|;
    free_sized, FREE_SIZED, |block, bytes|;
    free_aligned_sized, FREE_ALIGNED_SIZED, |block, alignment, bytes|;
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
