//! collect (skeleton).
