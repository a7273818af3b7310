//! Symbolize: one ELF file with what has been read of it.
//! In: a [`ModuleRef`]. Out: raw answers for one address; symbols and debug information open when first needed.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

use crate::debug_file::{find_alt_file, find_debug_file};
use crate::debug_info::{DebugFrame, DebugInfo};
use crate::elf::ElfFile;
use crate::frame::ModuleRef;
use crate::options::SymbolizerOptions;
use crate::symbols::SymbolIndex;

/// Largest `.gnu_debugdata` after unpacking, in bytes.
const MINI_BYTES_MAX: u64 = 64 << 20;

/// A module whose file exists and is the one that was recorded.
pub struct Module {
    elf: Arc<ElfFile>,
    debug_file: OnceCell<Option<Arc<ElfFile>>>,
    symbols: OnceCell<Vec<SymbolIndex>>,
    debug_info: OnceCell<Option<DebugInfo>>,
}

impl Module {
    /// Opens the file. `None` if it is missing, no ELF file, or not the build that was recorded.
    pub fn open(module: &ModuleRef) -> Option<Self> {
        let elf = ElfFile::open(&module.path)?;
        if module.build_id.is_some() && module.build_id != elf.build_id {
            return None;
        }
        Some(Self {
            elf: Arc::new(elf),
            debug_file: OnceCell::new(),
            symbols: OnceCell::new(),
            debug_info: OnceCell::new(),
        })
    }

    /// Whether the file was overwritten in place after it was opened.
    pub fn changed(&self) -> bool {
        self.elf.source().changed()
    }

    /// The raw name of the function that covers `address`, from the symbol tables alone.
    pub fn symbol(&self, address: u64, debug_dirs: &[PathBuf]) -> Option<String> {
        let tables = self.symbols.get_or_init(|| self.read_symbols(debug_dirs));
        tables.iter().find_map(|table| table.name(address))
    }

    /// The functions at `address`, innermost first, from debug information; empty if there is none.
    pub fn debug_frames(&self, address: u64, options: &SymbolizerOptions) -> Vec<DebugFrame> {
        let debug_dirs = options.debug_dirs.as_slice();
        let debug_info = self.debug_info.get_or_init(|| {
            let holder = if self.elf.has(".debug_info") || self.elf.has(".zdebug_info") {
                Arc::clone(&self.elf)
            } else {
                Arc::clone(self.debug_file(debug_dirs)?)
            };
            let alt = find_alt_file(&holder, debug_dirs);
            DebugInfo::open(&holder, alt, options.inflated_bytes_max, options.memory_bytes_max)
        });
        debug_info.as_ref().map(|debug_info| debug_info.frames(address)).unwrap_or_default()
    }

    /// Bytes held in memory on behalf of this module: what was read, and an estimate of the parsed index.
    pub fn held_bytes(&self) -> u64 {
        let debug_info = self.debug_info.get().and_then(Option::as_ref);
        let debug_file = self.debug_file.get().and_then(Option::as_ref);
        self.elf.source().held_bytes()
            + debug_file.map_or(0, |file| file.source().held_bytes())
            + debug_info.map_or(0, DebugInfo::alt_held_bytes)
    }

    /// The fullest table there is: the program's own, or that of its debug file; else what is left in a
    /// stripped file: its dynamic symbols, and the functions that a mini debug file names besides.
    fn read_symbols(&self, debug_dirs: &[PathBuf]) -> Vec<SymbolIndex> {
        let full = SymbolIndex::read(&self.elf, ".symtab", ".strtab")
            .or_else(|| SymbolIndex::read(self.debug_file(debug_dirs)?, ".symtab", ".strtab"));
        if let Some(full) = full {
            return vec![full];
        }
        let mini = || SymbolIndex::read(&self.elf.open_mini(MINI_BYTES_MAX)?, ".symtab", ".strtab");
        SymbolIndex::read(&self.elf, ".dynsym", ".dynstr").into_iter().chain(mini()).collect()
    }

    fn debug_file(&self, debug_dirs: &[PathBuf]) -> Option<&Arc<ElfFile>> {
        self.debug_file.get_or_init(|| find_debug_file(&self.elf, debug_dirs).map(Arc::new)).as_ref()
    }
}
