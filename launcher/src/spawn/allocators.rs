//! Launcher, spawn: allocators with functions that the interposer does not stand before.
//! In: the file that is executed, the environment as the program will get it. Out: which of the libraries beside the interposer it needs.
//!
//! The loader itself says which libraries a program has, those of `LD_PRELOAD` among them: asked with `--list` it maps them and
//! runs nothing of them. A command that only starts another (a shell script, `env`) tells nothing of that one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use memguard_symbolize::{exports, interpreter};

/// A library beside the interposer, and the functions by which one knows a library that calls for it.
const BESIDE: [(&str, [&str; 2]); 2] =
    [("libmemguard_operators.so", ["malloc", "_Znwm"]), ("libmemguard_allocx.so", ["mallocx", "sdallocx"])];

/// What is to be preloaded behind the interposer for this program file; what is not installed is left out, and so is everything
/// if the loader cannot be asked.
pub fn libraries(program: &Path, interposer: &Path) -> Vec<PathBuf> {
    let installed = BESIDE.map(|(file, names)| (interposer.with_file_name(file), names));
    let mut installed = installed.into_iter().filter(|(path, _)| path.is_file()).peekable();
    if installed.peek().is_none() {
        return Vec::new();
    }
    let loaded = loaded(program);
    let needed = |names: &[&str; 2]| loaded.iter().any(|path| exports(path, names).len() == names.len());
    installed.filter(|(_, names)| needed(names)).map(|(path, _)| path).collect()
}

/// The libraries that the loader would map for this program.
fn loaded(program: &Path) -> Vec<PathBuf> {
    let glibc =
        |loader: &PathBuf| loader.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-linux"));
    let Some(loader) = interpreter(program).filter(glibc) else { return Vec::new() };
    let mut command = Command::new(loader);
    command.arg("--list").arg(program).stdin(Stdio::null()).stderr(Stdio::null());
    command.output().map(|output| paths(&output.stdout)).unwrap_or_default()
}

/// The paths of a list: `NAME => PATH (ADDRESS)` or `PATH (ADDRESS)` a line.
fn paths(list: &[u8]) -> Vec<PathBuf> {
    let path = |line: &[u8]| {
        let end = line.windows(4).rposition(|part| part == b" (0x")?;
        let line = &line[..end];
        let start = line.iter().position(|byte| *byte == b'/')?;
        Some(PathBuf::from(OsStr::from_bytes(&line[start..])))
    };
    list.split(|byte| *byte == b'\n').filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_the_loaders_is_read() {
        let list = b"\tlinux-vdso.so.1 (0x00007f2f)\n\tliba.so.2 => /opt/my lib/liba.so.2 (0x00007f2f)\n\
                     \tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f2f)\n";
        assert_eq!(paths(list), ["/opt/my lib/liba.so.2", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from));
    }

    #[test]
    fn the_loader_tells_what_a_program_has() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("script");
        std::fs::write(&script, "#! /bin/sh -e\ntrue\n").expect("written");
        let shell = Path::new("/bin/sh");
        assert!(loaded(shell).iter().any(|path| path.to_string_lossy().contains("libc.so")), "{shell:?}");
        assert!(loaded(&script).is_empty());
    }

    #[test]
    fn nothing_is_needed_where_nothing_is_installed() {
        assert!(libraries(Path::new("/bin/sh"), Path::new("/nowhere/libmemguard.so")).is_empty());
    }
}
