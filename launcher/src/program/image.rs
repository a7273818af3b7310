//! Launcher, program: what an executable file is. In: its ELF headers, its needed libraries, its symbols. Out: [`Image`].
//!
//! Only what is looked at is read, and nothing is believed: a damaged file is one of which nothing is known.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use object::elf::{self, DT_NEEDED, FileHeader64};
use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::read::{Object, ReadCache};
use object::{Endianness, FileKind};

use super::symbols::{Symbol, known_symbols};

/// What a program brings along instead of the C library's allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It defines `malloc` itself: nothing of its heap is seen.
    Everything,
    /// It calls an allocator by names of its own: what it takes from there is not seen.
    Some,
}

/// An executable file.
// Facts that are independent of each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Another class or machine than ours, in words: `a 32-bit program`, `built for aarch64`.
    pub foreign: Option<&'static str>,
    /// The loader it asks for; none if it is statically linked, or the loader itself.
    pub interpreter: Option<String>,
    /// Whether it asks for no loader.
    pub is_static: bool,
    /// Libraries it needs.
    pub needed: Vec<String>,
    /// Whether Go's linker made it.
    pub is_go: bool,
    /// The sanitizer it was built with.
    pub sanitizer: Option<&'static str>,
    /// The allocator that is linked into it, and what it serves.
    pub allocator: Option<(&'static str, Reach)>,
    /// Whether it has debug information of its own.
    pub has_debug_info: bool,
    /// Whether it has a table of all its functions.
    pub has_symbols: bool,
    /// GNU build-id.
    pub build_id: Option<Vec<u8>>,
}

impl Image {
    /// Reads a file; `None` if it cannot be read or is no ELF file.
    pub fn read(path: &Path) -> Option<Self> {
        let cache = ReadCache::new(BufReader::new(File::open(path).ok()?));
        match FileKind::parse(&cache).ok()? {
            FileKind::Elf64 => {}
            FileKind::Elf32 => return Some(Self::foreign("a 32-bit program")),
            _ => return None,
        }
        let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
        let endian = header.endian().ok()?;
        let machine = header.e_machine(endian);
        if machine != own_machine() {
            return Some(Self::foreign(match machine {
                elf::EM_X86_64 => "built for x86-64",
                elf::EM_AARCH64 => "built for aarch64",
                _ => "built for another architecture",
            }));
        }
        let file = ElfFile::<FileHeader64<Endianness>, _>::parse(&cache).ok()?;
        let interpreter = file.elf_program_headers().iter().find_map(|header| {
            let text = header.interpreter(endian, &cache).ok()??;
            Some(String::from_utf8_lossy(text).into_owned())
        });
        let mut needed = Vec::new();
        if let Ok(table) = file.elf_dynamic_table() {
            let names = table.iter().filter(|entry| entry.tag == DT_NEEDED);
            let names = names.filter_map(|entry| table.string(entry).ok());
            needed.extend(names.map(|name| String::from_utf8_lossy(name).into_owned()));
        }
        let has = |name: &str| file.section_by_name(name).is_some();
        let is_loader = path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.starts_with("ld-linux") || name.starts_with("ld-musl")
        });
        let symbols = known_symbols(&file, endian, &cache);
        let sanitizer = sanitizer_library(&needed).or_else(|| symbols.iter().find_map(Symbol::sanitizer));
        Some(Self {
            foreign: None,
            is_static: interpreter.is_none() && !is_loader,
            interpreter,
            needed,
            is_go: has(".go.buildinfo") || has(".note.go.buildid"),
            sanitizer,
            allocator: Symbol::allocator(&symbols),
            has_debug_info: has(".debug_info") || has(".zdebug_info"),
            has_symbols: has(".symtab"),
            build_id: file.build_id().ok().flatten().map(<[u8]>::to_vec),
        })
    }

    fn foreign(words: &'static str) -> Self {
        Self { foreign: Some(words), ..Self::default() }
    }

    /// Whether it is linked with musl.
    pub fn is_musl(&self) -> bool {
        let file = self.interpreter.as_deref().and_then(|path| path.rsplit('/').next());
        file.is_some_and(|name| name.starts_with("ld-musl"))
            || self.needed.iter().any(|name| name.starts_with("libc.musl"))
    }
}

fn own_machine() -> elf::Machine {
    if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 }
}

/// Libraries of sanitizers by the beginning of their names.
const SANITIZER_LIBRARIES: [(&str, &str); 7] = [
    ("libasan", "AddressSanitizer"),
    ("libhwasan", "HWAddressSanitizer"),
    ("libtsan", "ThreadSanitizer"),
    ("liblsan", "LeakSanitizer"),
    ("libmsan", "MemorySanitizer"),
    ("libubsan", "UndefinedBehaviorSanitizer"),
    ("libclang_rt.", "a sanitizer of clang"),
];

fn sanitizer_library(needed: &[String]) -> Option<&'static str> {
    let by_name = |(stem, called): &(&str, &'static str)| {
        needed.iter().any(|name| name.starts_with(stem)).then_some(*called)
    };
    SANITIZER_LIBRARIES.iter().find_map(by_name)
}
