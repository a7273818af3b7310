//! Interposer: keeps errno as the program left it, around bookkeeping only, so that what the real call sets
//! survives.

/// Restores errno when dropped.
pub struct KeepErrno {
    saved: i32,
}

impl KeepErrno {
    /// Notes errno as it is now.
    pub fn new() -> Self {
        // SAFETY: libc gives a valid pointer to this thread's errno.
        Self { saved: unsafe { *libc::__errno_location() } }
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as in `new`.
        unsafe { *libc::__errno_location() = self.saved }
    }
}
