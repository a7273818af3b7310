//! Interposer: names that hardly any process defines, by weak references; by a search where there is no assembly for them.

/// The address of the definition that comes first, null if there is none.
macro_rules! bound {
    ($name:literal) => {{
        #[cfg(target_arch = "x86_64")]
        {
            memguard_annex::bound!($name)
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            // SAFETY: a literal with its NUL.
            let name =
                unsafe { core::ffi::CStr::from_bytes_with_nul_unchecked(concat!($name, "\0").as_bytes()) };
            $crate::real::optional(name).cast_const().cast::<core::ffi::c_void>()
        }
    }};
}

pub(crate) use bound;
