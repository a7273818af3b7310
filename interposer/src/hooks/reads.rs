//! Interposer, hooks of `read`: whether anybody still listens to a timer. The kernel says that one has expired; that it
//! was read since, it does not. All other descriptors pass by a byte table and a jump.

use crate::ledger;
use crate::real::resources as real;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU8, Ordering};

/// Numbers told apart.
const NUMBERS: usize = 1 << 10;

/// Which descriptors may be timers: one byte per hashed number, zero for surely none. What was set once stays, since
/// another timer may share the byte.
#[repr(C, align(64))]
pub struct Timers([AtomicU8; NUMBERS]);

/// The one table of the process.
pub static TIMERS: Timers = Timers([const { AtomicU8::new(0) }; NUMBERS]);

/// From now on reads of this descriptor are looked at.
pub fn note_timer(number: c_int) {
    if let Some(byte) = TIMERS.0.get(number as usize & (NUMBERS - 1)) {
        byte.store(1, Ordering::Relaxed);
    }
}

/// A hook: the byte decides.
macro_rules! reading {
    ($name:ident, $next:ident, $body:ident, fn($($arg:ident: $ty:ty),*)) => {
        /// See read(2).
        ///
        /// # Safety
        /// As for read.
        #[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(number: c_int $(, $arg: $ty)*) -> isize {
            core::arch::naked_asm!(
                "mov eax, edi",
                "and eax, {mask}",
                "lea r11, [rip + {timers}]",
                "cmp byte ptr [r11 + rax], 0",
                "jne 2f",
                "jmp qword ptr [rip + {next}]",
                "2:",
                "jmp {body}",
                mask = const NUMBERS - 1,
                timers = sym TIMERS,
                next = sym real::$next,
                body = sym $body,
            )
        }

        /// See read(2).
        ///
        /// # Safety
        /// As for read.
        #[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(number: c_int $(, $arg: $ty)*) -> isize {
            let may_be = TIMERS.0.get(number as usize & (NUMBERS - 1));
            if may_be.is_some_and(|byte| byte.load(Ordering::Relaxed) != 0) {
                // SAFETY: the program's own arguments, passed on.
                return unsafe { $body(number $(, $arg)*) };
            }
            // SAFETY: the program's own arguments, passed on.
            unsafe { real::$next.get()(number $(, $arg)*) }
        }

        unsafe extern "C" fn $body(number: c_int $(, $arg: $ty)*) -> isize {
            // SAFETY: the program's own arguments, passed on.
            let bytes = unsafe { real::$next.get()(number $(, $arg)*) };
            if bytes > 0 {
                ledger::timer_was_read(number);
            }
            bytes
        }
    };
}

reading!(read, READ, read_timer, fn(buffer: *mut c_void, bytes: usize));
reading!(__read_chk, READ_CHK, read_timer_checked, fn(buffer: *mut c_void, bytes: usize, room: usize));
