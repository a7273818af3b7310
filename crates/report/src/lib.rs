//! report (skeleton).
