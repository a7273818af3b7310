//! sampling (skeleton).
