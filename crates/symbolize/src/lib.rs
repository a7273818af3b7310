//! symbolize (skeleton).
