//! Interposer: names that hardly any process defines. In: weak references, which the loader binds when it loads this library. Out:
//! the address, null if nobody defines the name. A search that fails would make the loader write an error message, for which
//! it allocates; bound references cost next to nothing.

/// The address of the definition that comes first, null if there is none.
macro_rules! bound {
    ($name:literal) => {{
        #[cfg(target_arch = "x86_64")]
        {
            let found: *const core::ffi::c_void;
            // SAFETY: loads a word of the global offset table.
            unsafe {
                core::arch::asm!(
                    concat!(".weak ", $name),
                    concat!("mov {found}, qword ptr [rip + ", $name, "@GOTPCREL]"),
                    found = out(reg) found,
                    options(nostack, preserves_flags, readonly, pure)
                );
            }
            found
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            // SAFETY: a literal with its NUL.
            let name = unsafe {
                core::ffi::CStr::from_bytes_with_nul_unchecked(concat!($name, "\0").as_bytes())
            };
            $crate::real::optional(name).cast_const().cast::<core::ffi::c_void>()
        }
    }};
}

pub(crate) use bound;
