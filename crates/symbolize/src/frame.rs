//! Symbolize, input and output: the module an address lies in, and the frames it resolves to.
//! In: built by the caller ([`ModuleRef`]) and by [`crate::Symbolizer`] ([`Frame`]). Out: read by `report`.

use std::path::{Path, PathBuf};

/// A mapped ELF file, as the watched process recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleRef {
    /// Where the file is to be opened (inside a container: through `/proc/PID/root`).
    pub path: PathBuf,
    /// GNU build-id read from the process's memory; a file with another one is not used.
    /// `None`: unknown, the file is trusted.
    pub build_id: Option<Vec<u8>>,
}

impl ModuleRef {
    /// Base name for display: `libcurl.so.4`; without the kernel's ` (deleted)`; `?` for an empty path.
    pub fn name(&self) -> String {
        let text = self.path.to_string_lossy();
        let text = text.strip_suffix(" (deleted)").unwrap_or(&text);
        let base = Path::new(text).file_name().map(|name| name.to_string_lossy().into_owned());
        base.filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
    }
}

/// One function on a call stack.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Demangled name without parameters or hash; `module+0x1234` when no symbol covers the address.
    pub function: String,
    /// Source file as the compiler recorded it (mostly absolute), when debug information is at hand.
    pub file: Option<String>,
    /// Line in `file`, counted from 1.
    pub line: Option<u32>,
    /// Base name of the module.
    pub module: String,
    /// The address that was asked for (SVMA); the same for all functions inlined there.
    pub address: u64,
    /// This function was inlined into the next frame.
    pub inlined: bool,
}

impl Frame {
    /// A frame of which nothing but the module is known.
    pub fn unnamed(module: &ModuleRef, address: u64) -> Self {
        let module = module.name();
        Self {
            function: format!("{module}+{address:#x}"),
            file: None,
            line: None,
            module,
            address,
            inlined: false,
        }
    }

    /// Whether a symbol or debug information gave the function's name.
    pub fn is_named(&self) -> bool {
        !self.function.strip_prefix(self.module.as_str()).is_some_and(|rest| rest.starts_with("+0x"))
    }
}
