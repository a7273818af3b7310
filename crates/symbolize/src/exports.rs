//! Symbolize: what a file tells the loader: which loader it wants, which functions it offers to others.
//! In: a file, names. Out: a path; those of the names that its dynamic symbol table defines.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::elf::ElfFile;

/// More of a symbol table is not read.
const INFLATED_BYTES_MAX: u64 = 64 << 20;
/// No path is longer.
const PATH_BYTES_MAX: usize = 4096;
/// A symbol's entry in a 64-bit file.
const ENTRY_BYTES: usize = 24;
/// The section of what is only referred to.
const SHN_UNDEF: u16 = 0;

/// The loader that the program at `path` asks for. `None` if it is no ELF file, or loads no libraries.
pub fn interpreter(path: &Path) -> Option<PathBuf> {
    let section = ElfFile::open(path)?.section(".interp", INFLATED_BYTES_MAX)?;
    let mut name = section.read_once(0, section.len().min(PATH_BYTES_MAX))?;
    name.truncate(name.iter().position(|byte| *byte == 0)?);
    Some(PathBuf::from(OsString::from_vec(name)))
}

/// Of these names, the ones that the library at `path` defines for others, in the order of the names. None if it is not a
/// 64-bit ELF file of this machine's byte order.
pub fn exports<'a>(path: &Path, names: &[&'a str]) -> Vec<&'a str> {
    let defined = ElfFile::open(path).filter(|elf| elf.is_64).and_then(|elf| defined(&elf, names));
    let defined = defined.unwrap_or_default();
    names.iter().copied().filter(|name| defined.contains(name)).collect()
}

fn defined<'a>(elf: &ElfFile, names: &[&'a str]) -> Option<Vec<&'a str>> {
    let table = elf.section(".dynsym", INFLATED_BYTES_MAX)?;
    let strings = elf.section(".dynstr", INFLATED_BYTES_MAX)?;
    let table = table.read_once(0, table.len() - table.len() % ENTRY_BYTES)?;
    let strings = strings.read_once(0, strings.len())?;
    let entries = table.chunks_exact(ENTRY_BYTES);
    let found = entries.filter_map(|entry| {
        let name = u32::from_ne_bytes(entry.get(..4)?.try_into().ok()?);
        let section = u16::from_ne_bytes(entry.get(6..8)?.try_into().ok()?);
        let name = strings.get(name as usize..)?;
        let is_defined = section != SHN_UNDEF;
        names.iter().copied().find(|wanted| {
            is_defined && name.starts_with(wanted.as_bytes()) && name.get(wanted.len()) == Some(&0)
        })
    });
    Some(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what a library defines is told from what it needs and from what it does not know. Method: the C library that this
    /// test runs with.
    #[test]
    fn defined_names_are_told_from_others() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("readable");
        let libc =
            maps.lines().filter_map(|line| line.split_once('/')).find(|(_, path)| path.contains("libc.so"));
        let libc = format!("/{}", libc.expect("this test is linked dynamically").1);
        assert!(interpreter(Path::new("/proc/self/exe")).is_some_and(|loader| loader.is_file()));
        let found = exports(Path::new(&libc), &["malloc", "_Znwm", "mallo", "free", "__tls_get_addr"]);
        assert_eq!(found, ["malloc", "free"]);
        assert!(exports(Path::new("/proc/self/maps"), &["malloc"]).is_empty());
    }
}
