//! libmemguard.so (skeleton).
