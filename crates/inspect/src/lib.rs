//! inspect (skeleton).
