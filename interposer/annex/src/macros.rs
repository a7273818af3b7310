//! Annex, entries in assembly for x86-64: exported names, counting entries, and what a library without Rust's std must bring
//! itself. In: names and registers. Out: functions.
//!
//! The fast path changes only registers that a call may change anyway. The real operator may throw: the slow path of an
//! allocation describes its frame, so the exception passes through it. All other ways end in a jump.

/// Declares one exported name: its door, the exported function, and its table row. `crate::open` is what [`library!`] declares in
/// the crate that uses it.
#[allow(clippy::crate_in_macro_def)]
#[macro_export]
macro_rules! exported {
    ($name:ident, missing $missing:path) => {
        /// The door of this name.
        pub static DOOR: $crate::Door = $crate::Door::closed(opener as *const ());

        /// The table's row of this name.
        pub const ROW: $crate::Row = $crate::Row {
            door: &DOOR,
            // SAFETY: a literal with one NUL at its end.
            name: unsafe {
                core::ffi::CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes())
            },
            exported: $name as *const (),
            counting: counting as *const (),
            missing: $missing as *const (),
        };

        /// The function of this name, with the program's own arguments.
        ///
        /// # Safety
        /// As for the function that the allocator defines.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!("jmp qword ptr [rip + {door}]", door = sym DOOR)
        }

        /// Where the door leads until the start: opens all doors, then goes through this one.
        #[unsafe(naked)]
        unsafe extern "C" fn opener() {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "push rdi",
                "push rsi",
                "push rdx",
                "push rcx",
                "push r8",
                ".cfi_adjust_cfa_offset 40",
                "call {open}",
                "pop r8",
                "pop rcx",
                "pop rdx",
                "pop rsi",
                "pop rdi",
                ".cfi_adjust_cfa_offset -40",
                "jmp qword ptr [rip + {door}]",
                ".cfi_endproc",
                open = sym crate::open,
                door = sym DOOR,
            )
        }
    };
}

/// A name that allocates; its size is in this register.
#[macro_export]
macro_rules! allocating {
    ($($name:ident: $module:ident, size $size:literal, missing $missing:path;)*) => {$(
        mod $module {
            $crate::exported!($name, missing $missing);

            /// Subtracts from the countdown; if it is used up, calls the real function and books the block.
            #[unsafe(naked)]
            unsafe extern "C" fn counting() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    "mov rax, qword ptr [rip + {offset}]",
                    concat!("sub qword ptr fs:[rax], ", $size),
                    "jbe 2f",
                    "jmp qword ptr [rip + {door} + 8]",
                    "2:",
                    "push rbx",
                    ".cfi_def_cfa_offset 16",
                    ".cfi_offset rbx, -16",
                    "sub rsp, 16",
                    ".cfi_def_cfa_offset 32",
                    concat!("mov qword ptr [rsp], ", $size),
                    // Not counted yet: the real function may throw, and then nothing here is reached again; or it calls a
                    // hook that counts itself, which is known by the block that it leaves in the second word.
                    concat!("add qword ptr fs:[rax], ", $size),
                    "mov qword ptr fs:[rax + 8], 0",
                    "call qword ptr [rip + {door} + 8]",
                    "mov rdi, rax",
                    "mov rsi, qword ptr [rsp]",
                    "lea rdx, [rsp + 24]",
                    "mov rcx, rbp",
                    "lea r8, [rip + {door}]",
                    "mov rbx, rax",
                    "call {booked}",
                    "mov rax, rbx",
                    "add rsp, 16",
                    ".cfi_def_cfa_offset 16",
                    "pop rbx",
                    ".cfi_def_cfa_offset 8",
                    "ret",
                    ".cfi_endproc",
                    offset = sym $crate::OFFSET,
                    door = sym DOOR,
                    booked = sym $crate::booked,
                )
            }
        }
    )*};
}

/// A name that frees its first argument; it has three arguments at the most.
#[macro_export]
macro_rules! freeing {
    ($($name:ident: $module:ident, missing $missing:path;)*) => {$(
        mod $module {
            $crate::exported!($name, missing $missing);

            /// Asks the filter; if it thinks so, books the death first.
            #[unsafe(naked)]
            unsafe extern "C" fn counting() {
                core::arch::naked_asm!(
                    ".cfi_startproc",
                    "mov eax, edi",
                    "shr eax, 12",
                    "mov rcx, qword ptr [rip + {filter}]",
                    "cmp byte ptr [rcx + rax], 0",
                    "jne 2f",
                    "jmp qword ptr [rip + {door} + 8]",
                    "2:",
                    "push rdi",
                    "push rsi",
                    "push rdx",
                    ".cfi_adjust_cfa_offset 24",
                    "call {released}",
                    "pop rdx",
                    "pop rsi",
                    "pop rdi",
                    ".cfi_adjust_cfa_offset -24",
                    "test al, al",
                    "je 3f",
                    "jmp qword ptr [rip + {door} + 8]",
                    "3:",
                    "ret",
                    ".cfi_endproc",
                    filter = sym $crate::FILTER,
                    door = sym DOOR,
                    released = sym $crate::released,
                )
            }
        }
    )*};
}

/// A name that changes the size of its first argument to its second; `slow` gets the program's arguments, then stack and frame
/// pointer, in these registers.
#[macro_export]
macro_rules! resizing {
    ($($name:ident: $module:ident, slow $slow:path, sp $sp:literal, fp $fp:literal, missing $missing:path;)*) => {$(
        mod $module {
            $crate::exported!($name, missing $missing);

            /// Subtracts from the countdown and asks the filter.
            #[unsafe(naked)]
            unsafe extern "C" fn counting() {
                core::arch::naked_asm!(
                    "mov eax, edi",
                    "shr eax, 12",
                    "mov r10, qword ptr [rip + {filter}]",
                    "mov r11, qword ptr [rip + {offset}]",
                    "sub qword ptr fs:[r11], rsi",
                    "jbe 2f",
                    "cmp byte ptr [r10 + rax], 0",
                    "jne 2f",
                    "jmp qword ptr [rip + {door} + 8]",
                    "2:",
                    // Not counted yet: what is called counts.
                    "add qword ptr fs:[r11], rsi",
                    concat!("mov ", $sp, ", rsp"),
                    concat!("mov ", $fp, ", rbp"),
                    "jmp {slow}",
                    filter = sym $crate::FILTER,
                    offset = sym $crate::OFFSET,
                    door = sym DOOR,
                    slow = sym $slow,
                )
            }
        }
    )*};
}

/// The table of a library, what opens its doors, its constructor, and what std would bring.
#[macro_export]
macro_rules! library {
    ($home:expr, $($module:ident)*) => {
        static ROWS: &[$crate::Row] = &[$($module::ROW),*];

        /// Opens all doors.
        extern "C" fn open() {
            $crate::open_doors(ROWS, $home);
        }

        #[used]
        #[unsafe(link_section = ".init_array")]
        static CONSTRUCTOR: extern "C" fn() = start;

        /// The loader calls this once, before the program's own start.
        extern "C" fn start() {
            $crate::start(ROWS, $home);
        }

        /// There is no call that panics.
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            // SAFETY: abort takes nothing and does not return.
            unsafe { libc::abort() }
        }

        // The precompiled `core` names this symbol in its unwind tables; with panic=abort nobody calls it. Hidden, so that it
        // cannot shadow the one of a Rust program that links std dynamically.
        core::arch::global_asm!(
            ".hidden rust_eh_personality",
            ".globl rust_eh_personality",
            "rust_eh_personality:",
            "ud2"
        );
    };
}
