//! Interposer, what a library without Rust's std must bring itself. Nothing here is ever meant to run.

/// A panic ends here, and the thread goes on where it packed its parachute. Without one nothing sensible is left to do.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    crate::parachute::fall();
    // SAFETY: abort takes nothing and does not return.
    unsafe { libc::abort() }
}

// The precompiled `core` names this symbol in its unwind tables; with panic=abort nobody calls it. Hidden, so that
// it cannot shadow the one of a Rust program that links std dynamically.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".hidden rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    "ud2"
);
