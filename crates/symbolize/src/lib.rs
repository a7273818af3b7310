//! Symbolize: from an address in an ELF file to function, file, line and the functions inlined there.
//! In: a module's path, its recorded build-id, an address in the file's own address space (SVMA).
//! Out: [`Frame`]s, innermost inlined function first, and the [`FrameRole`] that says which of them is the
//! application's own.
//!
//! # Design constraints
//!
//! * **A wrong name is worse than none.** A file whose build-id differs from the one recorded (replaced or
//!   deleted since) is not used; the answer is then `module+0x1234`.
//! * **The collector outlives everything it looks at.** Files are read by position, never mapped: a library
//!   that is truncated under our hands is an error value, not a SIGBUS. Garbage files yield unnamed frames.
//! * **Bounded.** Only the parts of a file that a lookup touches are read; what was read is counted and the
//!   least recently used modules are dropped at [`SymbolizerOptions::memory_bytes_max`].
//! * **Nothing leaves the machine.** Separate debug files are sought on local disks only.
#![forbid(unsafe_code)]

mod debug_file;
mod debug_info;
mod demangle;
mod elf;
mod exports;
mod frame;
mod module;
mod options;
mod reader;
mod role;
mod role_table;
mod section;
mod source;
mod symbolizer;
mod symbols;

pub use debug_file::debug_file_of;
pub use demangle::{NAME_BYTES_MAX, demangle, without_suffix};
pub use exports::{exports, interpreter};
pub use frame::{Frame, ModuleRef};
pub use options::SymbolizerOptions;
pub use role::{FrameRole, is_allocator_module, location_index, role};
pub use symbolizer::{Symbolizer, SymbolizerStats};
