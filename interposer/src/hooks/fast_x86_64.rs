//! Interposer, hooks of the malloc family for x86-64: four instructions to count, six to ask, the last a jump to the real
//! function, so that it returns straight to the program and sees nothing of us.
//!
//! Allocation: subtract the size from the thread's countdown; "below or equal" (unsigned borrow, or exactly zero)
//! takes the slow path with the caller's stack and frame pointers as further arguments, and puts the countdown back first:
//! the slow path counts itself, and what it is interrupted by finds a countdown in order. Free: look at the page's byte in the
//! filter. Only registers that a call may change anyway are touched; argument registers are not. Each function begins a cache
//! line.

use crate::filter::FILTER;
use crate::{real, sample};
use core::arch::naked_asm;
use core::ffi::{c_int, c_void};

/// A hook that counts down: `size` is the register with the size, `sp` and `fp` those in which the slow path expects
/// the caller's stack pointer (which points at the return address) and frame pointer.
macro_rules! allocating {
    ($name:ident, $slow:path, $next:path, size $size:literal, sp $sp:literal, fp $fp:literal,
     fn($($arg:ident: $ty:ty),*) -> $ret:ty) => {
        /// See the C standard library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            naked_asm!(
                "mov rax, qword ptr [rip + memguard_thread@GOTTPOFF]",
                concat!("sub qword ptr fs:[rax], ", $size),
                "jbe 2f",
                "jmp qword ptr [rip + {next}]",
                "2:",
                concat!("add qword ptr fs:[rax], ", $size),
                concat!("mov ", $sp, ", rsp"),
                concat!("mov ", $fp, ", rbp"),
                "jmp {slow}",
                ".p2align 6",
                next = sym $next,
                slow = sym $slow,
            )
        }
    };
}

allocating!(malloc, sample::malloc, real::MALLOC, size "rdi", sp "rsi", fp "rdx", fn(bytes: usize) -> *mut c_void);
allocating!(valloc, sample::valloc, real::VALLOC, size "rdi", sp "rsi", fp "rdx", fn(bytes: usize) -> *mut c_void);
allocating!(pvalloc, sample::pvalloc, real::PVALLOC, size "rdi", sp "rsi", fp "rdx", fn(bytes: usize) -> *mut c_void);
allocating!(memalign, sample::memalign, real::MEMALIGN, size "rsi", sp "rdx", fp "rcx",
    fn(alignment: usize, bytes: usize) -> *mut c_void);
allocating!(aligned_alloc, sample::aligned_alloc, real::ALIGNED_ALLOC, size "rsi", sp "rdx", fp "rcx",
    fn(alignment: usize, bytes: usize) -> *mut c_void);
allocating!(posix_memalign, sample::posix_memalign, real::POSIX_MEMALIGN, size "rdx", sp "rcx", fp "r8",
    fn(out: *mut *mut c_void, alignment: usize, bytes: usize) -> c_int);

/// See calloc(3). The product may overflow; then the real function says no.
///
/// # Safety
/// As for calloc.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    naked_asm!(
        "mov rax, rdi",
        "mul rsi",
        "jo 3f",
        "mov rcx, qword ptr [rip + memguard_thread@GOTTPOFF]",
        "sub qword ptr fs:[rcx], rax",
        "jbe 2f",
        "3:",
        "jmp qword ptr [rip + {next}]",
        "2:",
        "add qword ptr fs:[rcx], rax",
        "mov rdx, rsp",
        "mov rcx, rbp",
        "jmp {slow}",
        ".p2align 6",
        next = sym real::CALLOC,
        slow = sym sample::calloc,
    )
}

/// See realloc(3). Takes the slow path if the old block may be sampled or the new one is due.
///
/// # Safety
/// As for realloc.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    naked_asm!(
        "mov rdx, qword ptr [rip + memguard_thread@GOTTPOFF]",
        "mov eax, edi",
        "shr eax, 12",
        "lea rcx, [rip + {filter}]",
        "sub qword ptr fs:[rdx], rsi",
        "jbe 2f",
        "cmp byte ptr [rcx + rax], 0",
        "jne 2f",
        "jmp qword ptr [rip + {next}]",
        "2:",
        "add qword ptr fs:[rdx], rsi",
        "mov rdx, rsp",
        "mov rcx, rbp",
        "jmp {slow}",
        ".p2align 6",
        filter = sym FILTER,
        next = sym real::REALLOC,
        slow = sym sample::realloc,
    )
}

/// See reallocarray(3). A realloc of the product, which may overflow; then the real function says no. Otherwise that one is
/// not asked: libc's calls `realloc` by its name, and the block would be booked twice.
///
/// # Safety
/// As for reallocarray.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(block: *mut c_void, count: usize, bytes: usize) -> *mut c_void {
    naked_asm!(
        "mov r8, rdx",
        "mov rax, rsi",
        "mul rdx",
        "mov rdx, r8",
        "jo 3f",
        "mov rsi, rax",
        "mov rdx, qword ptr [rip + memguard_thread@GOTTPOFF]",
        "mov eax, edi",
        "shr eax, 12",
        "lea rcx, [rip + {filter}]",
        "sub qword ptr fs:[rdx], rsi",
        "jbe 2f",
        "cmp byte ptr [rcx + rax], 0",
        "jne 2f",
        "jmp qword ptr [rip + {next}]",
        "3:",
        "jmp qword ptr [rip + {refuses}]",
        "2:",
        "add qword ptr fs:[rdx], rsi",
        "mov rdx, rsp",
        "mov rcx, rbp",
        "jmp {slow}",
        ".p2align 6",
        filter = sym FILTER,
        next = sym real::REALLOC,
        refuses = sym real::REALLOCARRAY,
        slow = sym sample::realloc,
    )
}

/// A hook that frees: the page filter decides; other arguments stay where they are.
macro_rules! freeing {
    ($(#[$attribute:meta])* $name:ident, $slow:path, $next:path, fn($($arg:ident: $ty:ty),*)) => {
        /// See the C standard library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[unsafe(naked)]
        $(#[$attribute])*
        pub unsafe extern "C" fn $name($($arg: $ty),*) {
            naked_asm!(
                "mov eax, edi",
                "shr eax, 12",
                "lea rcx, [rip + {filter}]",
                "cmp byte ptr [rcx + rax], 0",
                "jne 2f",
                "jmp qword ptr [rip + {next}]",
                "2:",
                "jmp {slow}",
                ".p2align 6",
                filter = sym FILTER,
                next = sym $next,
                slow = sym $slow,
            )
        }
    };
}

freeing!(
    #[unsafe(no_mangle)]
    free,
    sample::free,
    real::FREE,
    fn(block: *mut c_void)
);
freeing!(
    #[unsafe(no_mangle)]
    cfree,
    sample::cfree,
    real::CFREE,
    fn(block: *mut c_void)
);
freeing!(
    #[unsafe(no_mangle)]
    free_sized,
    sample::free_sized,
    real::FREE_SIZED,
    fn(block: *mut c_void, bytes: usize)
);
freeing!(
    #[unsafe(no_mangle)]
    free_aligned_sized,
    sample::free_aligned_sized,
    real::FREE_ALIGNED_SIZED,
    fn(block: *mut c_void, alignment: usize, bytes: usize)
);
freeing!(
    /// Not exported: the same way, to a function that does nothing; to measure it.
    passed,
    real::nothing,
    real::NOTHING,
    fn(block: *mut c_void)
);

/// See dlclose(3).
///
/// # Safety
/// As for dlclose.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    // SAFETY: the program's own argument, passed on.
    unsafe { sample::dlclose(handle) }
}
