//! Interposer: a way out of the unwinder. In: a closure. Out: whether it ran to its end.
//!
//! Our own code has no panicking call; the DWARF libraries contain a few behind conditions that hold by their own
//! logic. Should one fail all the same, on tables nobody thought of, the panic handler brings the thread back to the
//! last [`guard`], and the sample goes without a stack. Nothing is unwound in between: what the closure held stays
//! held (a count of users, a try-flag), which costs recall and nothing else.

#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
use crate::thread;
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
use core::ffi::c_void;

/// Runs `work`; false if it fell out of the way by a panic.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
pub fn guard<F: FnMut()>(mut work: F) -> bool {
    extern "C" fn call<F: FnMut()>(work: *mut c_void) {
        // SAFETY: the pointer to `work` that `guard` passes, alive until `guard` returns.
        unsafe { (*work.cast::<F>())() }
    }
    let thread = thread::current();
    // SAFETY: the calling thread's own block.
    let place = unsafe { &raw mut (*thread).parachute };
    // SAFETY: as above.
    let outer = unsafe { place.read() };
    // SAFETY: `call` gets the pointer it expects; `place` is where `fall` looks.
    let fell = unsafe { pack(call::<F>, (&raw mut work).cast(), place) };
    // SAFETY: as above.
    unsafe { place.write(outer) };
    fell == 0
}

/// Without the assembly for it there is no way out: a panic aborts.
#[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
pub fn guard<F: FnMut()>(mut work: F) -> bool {
    work();
    true
}

/// Back to the innermost [`guard`] of this thread, if there is one.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
pub fn fall() {
    // SAFETY: the calling thread's own block; a non-zero value was put there by a `pack` that has not returned.
    unsafe {
        let stack = (*thread::current()).parachute;
        if stack != 0 {
            jump(stack);
        }
    }
}

/// Calls `function(argument)` after noting at `place` where to come back to; 0, or 1 if `jump` came back.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
#[unsafe(naked)]
unsafe extern "C" fn pack(
    function: extern "C" fn(*mut c_void),
    argument: *mut c_void,
    place: *mut usize,
) -> usize {
    core::arch::naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov qword ptr [rdx], rsp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "xor eax, eax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Returns 1 from the `pack` that noted this stack pointer.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
#[unsafe(naked)]
unsafe extern "C" fn jump(stack: usize) -> ! {
    core::arch::naked_asm!(
        "mov rsp, rdi",
        "mov eax, 1",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}
