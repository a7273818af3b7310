//! Interposer: what each thread keeps. In initial-exec thread-local storage on x86-64, so that the hooks reach it
//! with one instruction; in a plain `thread_local!` elsewhere. No destructor: it is simply there until the end.

use crate::hints::Hints;
use core::sync::atomic::{AtomicU32, Ordering};
use memguard_sampling::Rng;

/// A thread's state. All zero at first, which means: not armed, countdown run out.
#[repr(C)]
pub struct Thread {
    /// Bytes until the slow path is due: the next sample, or the end of a stretch of a long gap. The hooks subtract each
    /// allocation; one that is not smaller is due, and its hook puts back what it took. Must stay the first field: the assembly knows only
    /// the block's address.
    pub countdown: u64,
    /// The last block that was due, or 0. Must stay the second field, for the same reason.
    pub last_due: u64,
    /// Bytes from the end of this stretch to the next sample; 0 if that is where the sample is.
    pub rest_bytes: u64,
    /// Mean bytes between samples with which the gap was drawn.
    pub interval_bytes: u64,
    /// Source of the countdowns.
    pub rng: Rng,
    /// Lowest address known to belong to this thread's own stack.
    pub stack_start: u64,
    /// One past the stack's highest address; 0 until found out.
    pub stack_end: u64,
    /// Stack pointer of the slow path that is under way; 0 if none is.
    pub busy_sp: u64,
    /// How many calls came while that seemed to be so.
    pub reentries: u32,
    /// Stack pointer to come back to after a panic; 0 if there is none.
    pub parachute: usize,
    /// When one of its bookings was timed last, on the monotonic clock, in ns.
    pub timed_at_ns: u64,
    /// Number of the thread, in order of arming.
    pub number: u32,
    /// Calls of `vfork` that this thread is in: the child shares this very block until it executes something, and its
    /// descriptors are not the parent's.
    pub vforks: u32,
    /// Births and deaths booked by this thread; now and then one is timed.
    pub bookings: u32,
    /// Whether the fields above are set up.
    pub armed: bool,
    /// Whether the segment knows of the thread.
    pub counted: bool,
    /// Where its stacks were found.
    pub hints: Hints,
}

/// One booking in so many is timed, and stands for all of them. A prime: births and deaths alternate, and both are to have
/// their turn.
pub const TIMED_ONE_IN: u32 = 61;

#[unsafe(link_section = ".data")]
static THREADS: AtomicU32 = AtomicU32::new(0);

impl Thread {
    /// Counts a booking. Whether it is to be timed, for all of the [`TIMED_ONE_IN`].
    pub fn books(&mut self) -> bool {
        self.bookings = self.bookings.wrapping_add(1);
        self.bookings.is_multiple_of(TIMED_ONE_IN)
    }

    /// A number for a new thread.
    pub fn next_number() -> u32 {
        THREADS.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
mod place {
    use super::Thread;

    core::arch::global_asm!(
        ".pushsection .tbss.memguard_thread,\"awT\",@nobits",
        ".p2align 6",
        ".globl memguard_thread",
        ".hidden memguard_thread",
        ".type memguard_thread, @object",
        ".size memguard_thread, {size}",
        "memguard_thread:",
        ".zero {size}",
        ".popsection",
        size = const core::mem::size_of::<Thread>(),
    );

    /// The calling thread's block.
    pub fn current() -> *mut Thread {
        let block: *mut Thread;
        // SAFETY: on x86-64 the word at fs:0 is the thread pointer itself (System V ABI, TLS variant II), and the
        // GOT entry holds the block's offset from it (initial-exec).
        unsafe {
            core::arch::asm!(
                "mov {block}, qword ptr fs:[0]",
                "add {block}, qword ptr [rip + memguard_thread@GOTTPOFF]",
                block = out(reg) block,
                options(nostack, preserves_flags, readonly, pure)
            );
        }
        block
    }

    /// The thread pointer; glibc puts a thread's control block right above its stack.
    pub fn thread_pointer() -> u64 {
        let pointer: u64;
        // SAFETY: as above.
        unsafe {
            core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) pointer,
                options(nostack, preserves_flags, readonly, pure));
        }
        pointer
    }

    /// Where every thread's block lies, from its thread pointer.
    pub extern "C" fn offset() -> usize {
        (current() as usize).wrapping_sub(thread_pointer() as usize)
    }
}

#[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
mod place {
    use super::Thread;
    use crate::hints::Hints;
    use core::cell::UnsafeCell;
    use memguard_sampling::Rng;

    std::thread_local! {
        static THREAD: UnsafeCell<Thread> = const {
            UnsafeCell::new(Thread {
                countdown: 0,
                last_due: 0,
                rest_bytes: 0,
                interval_bytes: 0,
                rng: Rng::from_seed(0),
                stack_start: 0,
                stack_end: 0,
                busy_sp: 0,
                reentries: 0,
                parachute: 0,
                timed_at_ns: 0,
                number: 0,
                vforks: 0,
                bookings: 0,
                armed: false,
                counted: false,
                hints: Hints::NONE,
            })
        };
    }

    /// The calling thread's block. Const-initialised and without a destructor, so it neither allocates nor ends.
    pub fn current() -> *mut Thread {
        THREAD.with(UnsafeCell::get)
    }

    /// The address of the thread's storage, which lies next to its control block, right above its stack.
    pub fn thread_pointer() -> u64 {
        current() as u64
    }

    /// There is no such place: storage may be made when a thread first asks for it.
    pub extern "C" fn offset() -> usize {
        0
    }
}

pub use place::{current, offset, thread_pointer};

/// The address of the thread's control block, which is what `pthread_self` gives in glibc.
pub fn control_block() -> u64 {
    // SAFETY: takes nothing.
    unsafe { libc::pthread_self() as u64 }
}
