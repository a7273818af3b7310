//! Interposer: stacks of our own for what needs more room than a small stack has. In: a closure. Out: it has run.
//!
//! One is for attachment and the admission of a module, which block all signals; each working memory of a walk has one too,
//! for the program's may be smaller than a page (a child of `clone`, a coroutine), and nothing tells how small.

use crate::sys::{self, SignalsBlocked};
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes of the stack; pages cost memory only when touched.
const STACK_BYTES: usize = 256 << 10;

/// Of its upper end so many bytes are kept.
const KEPT_BYTES: usize = 8 << 10;

/// Bytes of a walk's stack.
const WALK_BYTES: usize = 64 << 10;

static TOP: AtomicUsize = AtomicUsize::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

/// Maps the stack; false if the kernel refuses.
pub fn start() -> bool {
    if TOP.load(Ordering::Acquire) != 0 {
        return true;
    }
    let Some(bottom) = map_stacks(STACK_BYTES) else { return false };
    TOP.store(bottom + STACK_BYTES, Ordering::Release);
    true
}

/// Maps memory for stacks, which takes room only where it is touched; its lowest address.
fn map_stacks(bytes: usize) -> Option<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    let bottom = sys::map(bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)?;
    Some(bottom as usize)
}

/// For a fork child, whose other threads do not exist any more.
pub fn reset() {
    BUSY.store(false, Ordering::Relaxed);
}

/// Runs `work` on the private stack; not at all if the stack is in use or was never mapped.
pub fn run<F: FnMut()>(work: F) {
    let top = TOP.load(Ordering::Acquire);
    if top == 0 {
        return;
    }
    // A signal handler of the program must not run here: it may need more stack than this.
    let _blocked = SignalsBlocked::new();
    if BUSY.swap(true, Ordering::Acquire) {
        return;
    }
    // SAFETY: the stack is mapped and ours alone (BUSY).
    unsafe { on(top, work) };
    BUSY.store(false, Ordering::Release);
}

/// The same for what takes much of the stack and is seldom done: its pages are given back, for each would be copied by every
/// fork.
pub fn run_deep<F: FnMut()>(mut work: F) {
    run(|| {
        work();
        // Below what is in use just now: this frame, and its caller's, on the page at the top.
        let bottom = TOP.load(Ordering::Relaxed) - STACK_BYTES;
        sys::advise(bottom as *mut c_void, STACK_BYTES - KEPT_BYTES, libc::MADV_DONTNEED);
    });
}

/// Runs `work` on the stack that ends at `top`.
///
/// # Safety
/// The stack is mapped, large enough, and nobody else's; no handler of the program may run meanwhile.
unsafe fn on<F: FnMut()>(top: usize, mut work: F) {
    extern "C" fn call<F: FnMut()>(work: *mut c_void) {
        // SAFETY: the pointer to `work` that `on` passes, alive until `on` returns.
        let work = unsafe { &mut *work.cast::<F>() };
        // Here, not outside: a fall must not skip the way back to the thread's stack.
        crate::parachute::guard(work);
    }
    // SAFETY: as promised by the caller; `call` gets the pointer it expects.
    unsafe { switch(top, call::<F>, (&raw mut work).cast()) };
}

/// The stacks of walks, one for each working memory.
pub struct WalkStacks {
    start: usize,
}

impl WalkStacks {
    /// Maps `count` of them, the same number each time; a fork child has its parent's. `None` if the kernel refuses.
    pub fn map(count: usize) -> Option<Self> {
        static START: AtomicUsize = AtomicUsize::new(0);
        let mut start = START.load(Ordering::Relaxed);
        if start == 0 {
            start = map_stacks(count * WALK_BYTES)?;
            START.store(start, Ordering::Relaxed);
        }
        Some(Self { start })
    }

    /// Runs `work` on the stack that belongs to the working memory of this number.
    ///
    /// # Safety
    /// The caller holds that working memory, and blocks all signals.
    pub unsafe fn run<F: FnMut()>(&self, number: usize, work: F) {
        // SAFETY: mapped for good; whoever holds the working memory holds its stack.
        unsafe { on(self.start + (number + 1) * WALK_BYTES, work) };
    }
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
