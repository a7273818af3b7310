//! Interposer: a stack of our own for the few things that need more room than a small thread's stack has: attachment
//! and the admission of a module. In: a closure. Out: it has run, with all signals blocked.

use crate::sys::{self, SignalsBlocked};
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes of the stack; pages cost memory only when touched.
const STACK_BYTES: usize = 256 << 10;

static TOP: AtomicUsize = AtomicUsize::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

/// Maps the stack; false if the kernel refuses.
pub fn start() -> bool {
    if TOP.load(Ordering::Acquire) != 0 {
        return true;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    let Some(bottom) = sys::map(STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) else {
        return false;
    };
    TOP.store(bottom as usize + STACK_BYTES, Ordering::Release);
    true
}

/// For a fork child, whose other threads do not exist any more.
pub fn reset() {
    BUSY.store(false, Ordering::Relaxed);
}

/// Runs `work` on the private stack; not at all if the stack is in use or was never mapped.
pub fn run<F: FnMut()>(mut work: F) {
    extern "C" fn call<F: FnMut()>(work: *mut c_void) {
        // SAFETY: the pointer to `work` that `run` passes, alive until `run` returns.
        let work = unsafe { &mut *work.cast::<F>() };
        // Here, not outside: a fall must not skip the way back to the thread's stack and signals.
        crate::parachute::guard(work);
    }
    let top = TOP.load(Ordering::Acquire);
    if top == 0 {
        return;
    }
    // A signal handler of the program must not run here: it may need more stack than this.
    let _blocked = SignalsBlocked::new();
    if BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    // SAFETY: the stack is mapped and ours alone (BUSY); `call` gets the pointer it expects.
    unsafe { switch(top, call::<F>, (&raw mut work).cast()) };
    BUSY.store(false, Ordering::Release);
}

/// Calls `function(argument)` with the stack pointer at `top`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn switch(top: usize, function: extern "C" fn(*mut c_void), argument: *mut c_void) {
    core::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
    )
}

/// Without a switch written for the architecture, the thread's own stack has to do.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn switch(_top: usize, function: extern "C" fn(*mut c_void), argument: *mut c_void) {
    function(argument);
}
