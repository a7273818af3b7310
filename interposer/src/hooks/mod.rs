//! Interposer, the exported functions. In: the program's calls. Out: the real functions, called with exactly the
//! program's arguments; and now and then a detour through [`crate::sample`].
//!
//! The list of exported names is `interposer/exports.txt`; a test compares it with the built library.

#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
mod fast_x86_64;
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
pub use fast_x86_64::passed;

#[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
mod portable;
#[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
pub use portable::passed;

pub(crate) mod entry;

mod callbacks;
mod descriptors;
mod instances;
mod mappings;
mod privileges;
mod processes;
pub mod reads;
mod sockets;
mod streams;
mod threads;
mod timers;
