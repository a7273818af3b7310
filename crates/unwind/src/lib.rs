//! unwind (skeleton).
