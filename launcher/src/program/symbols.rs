//! Launcher, program: the few symbols that tell a sanitizer or an allocator from its presence. In: an ELF file's symbol tables. Out:
//! the known names that it defines.

use object::elf::{FileHeader64, SHN_UNDEF};
use object::read::StringTable;
use object::read::elf::{ElfFile, SectionHeader, Sym};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, elf};

use super::Reach;

/// Tables longer than this are not looked through.
const TABLE_BYTES_MAX: u64 = 256 << 20;

/// One known symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// The start of this sanitizer's runtime.
    Sanitizer(&'static str),
    /// `malloc` itself.
    Malloc,
    /// An allocator's function under a name of its own.
    Allocator(&'static str),
}

const KNOWN: [(&[u8], Symbol); 17] = [
    (b"__asan_init", Symbol::Sanitizer("AddressSanitizer")),
    (b"__hwasan_init", Symbol::Sanitizer("HWAddressSanitizer")),
    (b"__tsan_init", Symbol::Sanitizer("ThreadSanitizer")),
    (b"__msan_init", Symbol::Sanitizer("MemorySanitizer")),
    (b"__lsan_init", Symbol::Sanitizer("LeakSanitizer")),
    (b"malloc", Symbol::Malloc),
    (b"mallctl", Symbol::Allocator("jemalloc")),
    (b"je_malloc", Symbol::Allocator("jemalloc")),
    (b"je_mallctl", Symbol::Allocator("jemalloc")),
    (b"_rjem_malloc", Symbol::Allocator("jemalloc")),
    (b"_rjem_mallctl", Symbol::Allocator("jemalloc")),
    (b"tc_malloc", Symbol::Allocator("tcmalloc")),
    (b"TCMallocInternalMalloc", Symbol::Allocator("tcmalloc")),
    (b"mi_malloc", Symbol::Allocator("mimalloc")),
    (b"rpmalloc", Symbol::Allocator("rpmalloc")),
    (b"sn_malloc", Symbol::Allocator("snmalloc")),
    (b"scudo_malloc", Symbol::Allocator("scudo")),
];

impl Symbol {
    /// The sanitizer that it belongs to.
    pub fn sanitizer(&self) -> Option<&'static str> {
        if let Self::Sanitizer(name) = self { Some(name) } else { None }
    }

    /// The allocator among some symbols, and what it serves.
    pub fn allocator(symbols: &[Self]) -> Option<(&'static str, Reach)> {
        let named = symbols.iter().find_map(|symbol| match symbol {
            Self::Allocator(name) => Some(*name),
            _ => None,
        });
        match (symbols.contains(&Self::Malloc), named) {
            (true, named) => Some((named.unwrap_or("an allocator of its own"), Reach::Everything)),
            (false, named) => named.map(|name| (name, Reach::Some)),
        }
    }
}

/// The known symbols that a file defines, each once.
pub fn known_symbols<'a, R: std::io::Read + std::io::Seek>(
    file: &ElfFile<'a, FileHeader64<Endianness>, &'a ReadCache<R>>,
    endian: Endianness,
    cache: &'a ReadCache<R>,
) -> Vec<Symbol> {
    let mut found = Vec::new();
    for table in [file.elf_dynamic_symbol_table(), file.elf_symbol_table()] {
        let strings = file.elf_section_table().section(table.string_section()).ok();
        // As one piece: by name, every one of a million would be read and kept apart.
        let strings = strings.and_then(|section| {
            let (offset, size) = section.file_range(endian).filter(|(_, size)| *size <= TABLE_BYTES_MAX)?;
            cache.read_bytes_at(offset, size).ok()
        });
        let Some(bytes) = strings else { continue };
        let strings = StringTable::new(bytes, 0, bytes.len() as u64);
        for symbol in table.symbols() {
            let is_code = matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC);
            if !is_code || symbol.st_shndx(endian) == SHN_UNDEF {
                continue;
            }
            let Ok(name) = strings.get(symbol.st_name(endian)) else { continue };
            if let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == name)
                && !found.contains(known)
            {
                found.push(*known);
            }
        }
    }
    found
}
