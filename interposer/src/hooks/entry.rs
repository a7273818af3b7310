//! Interposer, how the hooks of resources are entered. In: the program's call. Out: the body of the hook, which also gets
//! to know where it was called from.
//!
//! On x86-64 a hook with up to four arguments begins with three instructions that pass the caller's stack and frame
//! pointers on as further arguments: the walk then starts at the caller, and stacks seen before are recognised
//! without one. Elsewhere, and with more arguments, the walk starts inside the hook and drops our frames.

/// Declares hooks: name, arguments, result, and a body that is given `here`.
macro_rules! hooks {
    ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, |$here:ident| $body:block)*) => {$(
        /// See the C library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            $(#[$attribute])*
            unsafe extern "C" fn body($($arg: $ty,)* sp: u64, fp: u64) -> $ret {
                let $here = crate::stack::Here::at_entry(sp, fp);
                let _ = $here;
                $body
            }
            core::arch::naked_asm!($crate::hooks::entry::registers!($($arg)*), "jmp {body}", body = sym body)
        }

        /// See the C library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
        #[unsafe(no_mangle)]
        $(#[$attribute])*
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            let $here = crate::stack::Here::INSIDE;
            let _ = $here;
            $body
        }
    )*};
}

/// The same for hooks with more arguments than leave two registers free.
macro_rules! wide_hooks {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, |$here:ident| $body:block)*) => {$(
        /// See the C library's function of this name.
        ///
        /// # Safety
        /// As for that function.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
            let $here = crate::stack::Here::INSIDE;
            $body
        }
    )*};
}

/// Puts stack and frame pointer behind so many arguments.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
macro_rules! registers {
    () => {
        "mov rdi, rsp\nmov rsi, rbp\n"
    };
    ($a:ident) => {
        "mov rsi, rsp\nmov rdx, rbp\n"
    };
    ($a:ident $b:ident) => {
        "mov rdx, rsp\nmov rcx, rbp\n"
    };
    ($a:ident $b:ident $c:ident) => {
        "mov rcx, rsp\nmov r8, rbp\n"
    };
    ($a:ident $b:ident $c:ident $d:ident) => {
        "mov r8, rsp\nmov r9, rbp\n"
    };
}

pub(crate) use hooks;
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
pub(crate) use registers;
pub(crate) use wide_hooks;
