//! Symbolize: what the user of a [`crate::Symbolizer`] decides.
//! In: set by the launcher. Out: read by the symbolizer and its modules.

use std::path::PathBuf;

/// How the symbolizer works.
#[derive(Debug, Clone)]
pub struct SymbolizerOptions {
    /// Roots of separate debug files; each may have a `.build-id` directory. Default: `/usr/lib/debug`.
    pub debug_dirs: Vec<PathBuf>,
    /// Whether to read debug information at all (lines, inlined functions). Default: true.
    pub debug_info: bool,
    /// Modules kept open at most. Default: 128.
    pub modules_max: usize,
    /// Bytes of files and of their parsed index held in memory before the least recently used modules are
    /// dropped; the functions and lines parsed from them come on top, up to about half as much. A file whose
    /// index alone would take half of this gives names without lines. Default: 192 MiB.
    pub memory_bytes_max: u64,
    /// Largest compressed section that is inflated, in bytes after inflation. Default: 256 MiB.
    pub inflated_bytes_max: u64,
    /// Resolved addresses remembered. Default: 4096.
    pub answers_max: usize,
}

impl Default for SymbolizerOptions {
    fn default() -> Self {
        Self {
            debug_dirs: vec![PathBuf::from("/usr/lib/debug")],
            debug_info: true,
            modules_max: 128,
            memory_bytes_max: 192 << 20,
            inflated_bytes_max: 256 << 20,
            answers_max: 4096,
        }
    }
}
