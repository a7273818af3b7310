//! Interposer: keeps errno as the program left it, around bookkeeping only, so that what the real call sets
//! survives.

/// Restores errno when dropped.
pub struct KeepErrno {
    /// This thread's errno.
    place: *mut i32,
    saved: i32,
}

impl KeepErrno {
    /// Notes errno as it is now.
    pub fn new() -> Self {
        // SAFETY: libc gives a valid pointer to this thread's errno.
        let place = unsafe { libc::__errno_location() };
        // SAFETY: the same.
        Self { place, saved: unsafe { *place } }
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as in `new`; the thread is still the same.
        unsafe { *self.place = self.saved }
    }
}
