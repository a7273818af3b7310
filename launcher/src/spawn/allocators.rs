//! Launcher, spawn: allocators with functions that the interposer does not stand before.
//! In: the command, the environment as the program will get it. Out: which of the libraries beside the interposer it needs.
//!
//! The loader itself says which libraries a program has, those of `LD_PRELOAD` among them: asked with `--list` it maps them and
//! runs nothing of them. A command that only starts another (a shell script, `env`) tells nothing of that one.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use memguard_symbolize::{exports, interpreter};

/// A library beside the interposer, and the functions by which one knows a library that calls for it.
const BESIDE: [(&str, [&str; 2]); 2] =
    [("libmemguard_operators.so", ["malloc", "_Znwm"]), ("libmemguard_allocx.so", ["mallocx", "sdallocx"])];

/// The longest first line that the system takes for one of a script.
const SCRIPT_LINE_BYTES_MAX: u64 = 256;

/// What is to be preloaded behind the interposer for this command; what is not installed is left out, and so is everything if the
/// loader cannot be asked.
pub fn libraries(command: &OsStr, interposer: &Path) -> Vec<PathBuf> {
    let installed = BESIDE.map(|(file, names)| (interposer.with_file_name(file), names));
    let mut installed = installed.into_iter().filter(|(path, _)| path.is_file()).peekable();
    if installed.peek().is_none() {
        return Vec::new();
    }
    let loaded = find(command).map(|program| loaded(&program)).unwrap_or_default();
    let needed = |names: &[&str; 2]| loaded.iter().any(|path| exports(path, names).len() == names.len());
    installed.filter(|(_, names)| needed(names)).map(|(path, _)| path).collect()
}

/// The file that will be executed: the command, or the interpreter of a script.
fn find(command: &OsStr) -> Option<PathBuf> {
    let program = if command.as_bytes().contains(&b'/') {
        PathBuf::from(command)
    } else {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(command)).find(|file| is_executable(file))?
    };
    let mut line = Vec::new();
    fs::File::open(&program).ok()?.take(SCRIPT_LINE_BYTES_MAX).read_to_end(&mut line).ok()?;
    let Some(line) = line.strip_prefix(b"#!") else { return Some(program) };
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    let mut words = line[..end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next().map(|word| PathBuf::from(OsStr::from_bytes(word)))
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
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

    /// Goal: scripts are known by their interpreter, commands by `PATH`. Method: a script, `sh`, and what is neither.
    #[test]
    fn the_executed_file_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let script = folder.path().join("script");
        fs::write(&script, "#! /bin/sh -e\ntrue\n").expect("written");
        assert_eq!(find(script.as_os_str()), Some(PathBuf::from("/bin/sh")));
        let shell = find(OsStr::new("sh")).expect("there is a shell");
        assert!(loaded(&shell).iter().any(|path| path.to_string_lossy().contains("libc.so")), "{shell:?}");
        assert_eq!(find(OsStr::new("/nowhere/at/all")), None);
        assert!(loaded(&script).is_empty());
    }

    #[test]
    fn nothing_is_needed_where_nothing_is_installed() {
        assert!(libraries(OsStr::new("sh"), Path::new("/nowhere/libmemguard.so")).is_empty());
    }
}
