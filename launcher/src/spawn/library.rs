//! Launcher, spawn: where the interposer is.
//! In: `MEMGUARD_LIB`, the launcher's own path. Out: the absolute path of `libmemguard.so`.
//!
//! The rule: `$MEMGUARD_LIB` if set; else beside the executable; else `../lib/memguard/` and `../lib/`
//! from there. Links are followed first, so that an installation can be moved or linked to as a whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::SpawnError;

/// Names the interposer's file, before any other rule.
pub const LIBRARY_VARIABLE: &str = "MEMGUARD_LIB";

const PLACES: [&str; 3] = ["", "../lib/memguard", "../lib"];
/// Name of the interposer's file.
pub const FILE_NAME: &str = "libmemguard.so";

/// Finds the interposer by the rule above.
///
/// # Errors
/// [`SpawnError::BadLibrary`] or [`SpawnError::NoLibrary`], naming the places.
pub fn find() -> Result<PathBuf, SpawnError> {
    if let Some(named) = std::env::var_os(LIBRARY_VARIABLE).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        return readable(&path).map_err(|source| SpawnError::BadLibrary { path, source });
    }
    let executable = fs::canonicalize("/proc/self/exe")?;
    beside(executable.parent().unwrap_or(Path::new("/")))
}

fn beside(folder: &Path) -> Result<PathBuf, SpawnError> {
    let candidates = PLACES.map(|place| folder.join(place).join(FILE_NAME));
    let found = candidates.iter().find_map(|candidate| readable(candidate).ok());
    found.ok_or_else(|| {
        let (first, parent) = (folder.display(), folder.parent().unwrap_or(folder).display());
        SpawnError::NoLibrary { looked_in: format!("{first}, {parent}/lib/memguard, {parent}/lib") }
    })
}

/// The loader skips a library it cannot read with no more than a warning, so this is checked here.
fn readable(path: &Path) -> io::Result<PathBuf> {
    if File::open(path)?.metadata()?.is_file() {
        fs::canonicalize(path)
    } else {
        Err(io::Error::from_raw_os_error(libc::EISDIR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a moved installation works. Method: `bin` and `lib/memguard` in a fresh folder.
    #[test]
    fn a_relocated_installation_is_found() {
        let prefix = tempfile::tempdir().expect("a temporary folder");
        let bin = prefix.path().join("bin");
        let lib = prefix.path().join("lib/memguard");
        fs::create_dir_all(&bin).expect("created");
        fs::create_dir_all(&lib).expect("created");
        let message = beside(&bin).expect_err("nothing there yet").to_string();
        assert!(message.contains("lib/memguard") && message.contains("MEMGUARD_LIB"), "{message}");
        fs::write(lib.join(FILE_NAME), "").expect("written");
        let found = beside(&bin).expect("found");
        assert_eq!(found, fs::canonicalize(lib.join(FILE_NAME)).expect("exists"));
    }
}
