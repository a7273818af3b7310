//! Test kit (skeleton).
