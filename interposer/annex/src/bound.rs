//! Annex, weak references: names that hardly any process defines. In: a name, which the loader binds when it loads the library. Out:
//! the address, null if nobody defines the name. A search that fails would make the loader write an error message, for which it
//! allocates; a bound reference costs next to nothing.

/// The address of the definition that comes first, null if there is none.
#[macro_export]
macro_rules! bound {
    ($name:literal) => {{
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
    }};
}
