//! Symbolize: where distributions put debug information that was split off.
//! In: a program's ELF headers. Out: its separate debug file, and the file several of those share, each
//! verified to belong. Local directories only.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::elf::ElfFile;
use crate::source::Source;

/// Path of the separate debug file that belongs to a program or library.
pub fn debug_file_of(program: &Path, debug_dirs: &[PathBuf]) -> Option<PathBuf> {
    let found = find_debug_file(&ElfFile::open(program)?, debug_dirs)?;
    Some(found.source().path().to_owned())
}

/// The separate debug file of `elf`: by build-id first, else by `.gnu_debuglink`.
pub fn find_debug_file(elf: &ElfFile, debug_dirs: &[PathBuf]) -> Option<ElfFile> {
    by_build_id(elf, debug_dirs).or_else(|| by_debug_link(elf, debug_dirs))
}

/// The supplementary file (`dwz -m`) that `elf` names in `.gnu_debugaltlink`.
pub fn find_alt_file(elf: &ElfFile, debug_dirs: &[PathBuf]) -> Option<ElfFile> {
    let (name, build_id) = elf.debug_alt_link.as_ref()?;
    let name = Path::new(OsStr::from_bytes(name));
    let directory = elf.source().path().parent().unwrap_or(Path::new("/"));
    // An absolute name replaces the directory.
    let beside = std::iter::once(directory.join(name));
    let by_id = debug_dirs.iter().filter_map(|root| build_id_path(root, build_id));
    beside
        .chain(by_id)
        .filter_map(|path| ElfFile::open(&path))
        .find(|alt| alt.build_id.as_deref() == Some(build_id.as_slice()))
}

fn by_build_id(elf: &ElfFile, debug_dirs: &[PathBuf]) -> Option<ElfFile> {
    let build_id = elf.build_id.as_deref()?;
    debug_dirs
        .iter()
        .filter_map(|root| build_id_path(root, build_id))
        .filter_map(|path| ElfFile::open(&path))
        .find(|debug| debug.build_id.as_deref() == Some(build_id))
}

/// `ROOT/.build-id/ab/cdef….debug`
fn build_id_path(root: &Path, build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let mut name = format!("{first:02x}/");
    for byte in rest {
        write!(name, "{byte:02x}").ok()?;
    }
    name.push_str(".debug");
    Some(root.join(".build-id").join(name))
}

fn by_debug_link(elf: &ElfFile, debug_dirs: &[PathBuf]) -> Option<ElfFile> {
    let (name, checksum) = elf.debug_link.as_ref()?;
    // A base name by definition; anything else is not followed.
    let name = Path::new(OsStr::from_bytes(name)).file_name()?;
    let directory = elf.source().path().parent()?;
    let nested = debug_dirs.iter().map(|root| root.join(directory.strip_prefix("/").unwrap_or(directory)));
    [directory.to_owned(), directory.join(".debug")]
        .into_iter()
        .chain(nested)
        .map(|directory| directory.join(name))
        .filter(|path| path != elf.source().path())
        .filter_map(|path| ElfFile::open(&path))
        .find(|debug| match (&elf.build_id, &debug.build_id) {
            (Some(program), Some(debug)) => program == debug,
            _ => crc32(debug.source()) == Some(*checksum),
        })
}

/// CRC-32 (the polynomial of zlib) over a whole file, as `.gnu_debuglink` records it.
fn crc32(source: &Source) -> Option<u32> {
    let table: Vec<u32> = (0..256_u32)
        .map(|byte| (0..8).fold(byte, |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))))
        .collect();
    let mut crc = u32::MAX;
    let mut offset = 0;
    while offset < source.len() {
        let bytes = source.read(offset, (1 << 20).min(source.len() - offset))?;
        offset += bytes.len() as u64;
        for byte in bytes {
            crc = (crc >> 8) ^ table[usize::from(crc as u8 ^ byte)];
        }
    }
    Some(!crc)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn run(command: &mut Command) {
        assert!(command.output().unwrap().status.success(), "{command:?}");
    }

    /// Goal: the file shared by `dwz` is found where the link says, relative or by build-id, and verified.
    #[test]
    fn alt_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a.c"), "int main(void) { return 0; }").unwrap();
        for (name, flag) in [("alt", "-g"), ("program", "-O1")] {
            run(Command::new("gcc")
                .args([flag, "-Wl,--build-id"])
                .arg(path("a.c"))
                .arg("-o")
                .arg(path(name)));
        }
        let id = ElfFile::open(&path("alt")).unwrap().build_id.unwrap();
        fs::write(path("link"), [b"alt\0", id.as_slice()].concat()).unwrap();
        let section = format!(".gnu_debugaltlink={}", path("link").display());
        run(Command::new("objcopy").arg("--add-section").arg(section).arg(path("program")));
        let program = ElfFile::open(&path("program")).unwrap();
        assert_eq!(find_alt_file(&program, &[]).unwrap().build_id, Some(id.clone()));

        let by_id = build_id_path(&path("debug"), &id).unwrap();
        fs::create_dir_all(by_id.parent().unwrap()).unwrap();
        fs::rename(path("alt"), &by_id).unwrap();
        assert!(find_alt_file(&program, &[]).is_none());
        assert_eq!(find_alt_file(&program, &[path("debug")]).unwrap().source().path(), by_id);
        fs::copy(path("program"), &by_id).unwrap();
        assert!(find_alt_file(&program, &[path("debug")]).is_none(), "another build-id");
    }
}
