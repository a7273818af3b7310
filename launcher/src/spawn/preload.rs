//! Launcher, spawn: the value of `LD_PRELOAD`.
//! In: our libraries' paths, the value there was. Out: the new value, ours in front.

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::SpawnError;

/// Options of `AddressSanitizer`'s runtime.
pub const ASAN_OPTIONS: &str = "ASAN_OPTIONS";
const ANY_ORDER: &str = "verify_asan_link_order";

/// Options under which the runtime does not end a child of the program's because it is not the first library. What was
/// there stays.
pub fn asan_options(before: Option<&OsStr>) -> OsString {
    let mut value = before.unwrap_or_default().to_owned();
    if !value.to_string_lossy().contains(ANY_ORDER) {
        if !value.is_empty() {
            value.push(":");
        }
        value.push(ANY_ORDER);
        value.push("=0");
    }
    value
}

/// Puts the interposer and the libraries beside it in front of what is already preloaded and keeps the rest as it is.
pub fn value(
    library: &Path,
    beside: &[PathBuf],
    session_dir: &Path,
    before: Option<&OsStr>,
) -> Result<OsString, SpawnError> {
    let mut value = preloadable(library, session_dir)?.into_os_string();
    for library in beside {
        value.push(":");
        value.push(preloadable(library, session_dir)?);
    }
    if let Some(before) = before.filter(|before| !before.is_empty()) {
        value.push(":");
        value.push(before);
    }
    Ok(value)
}

/// The loader splits at spaces and colons and expands `$ORIGIN` and its like, with no way to quote. A path
/// with one of these is reached through a link in the session's directory, which lives as long as its program.
fn preloadable(library: &Path, session_dir: &Path) -> Result<PathBuf, SpawnError> {
    let special = |path: &Path| path.as_os_str().as_bytes().iter().any(|byte| b" :$\t\n".contains(byte));
    if !special(library) {
        return Ok(library.to_owned());
    }
    let link = session_dir.join(library.file_name().unwrap_or_default());
    if special(&link) {
        return Err(SpawnError::NotPreloadable { path: library.to_owned() });
    }
    match symlink(library, &link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(link),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_preloaded_stays_behind_us() {
        let (library, dir) = (Path::new("/opt/lib/libmemguard.so"), Path::new("/nowhere"));
        assert_eq!(value(library, &[], dir, None).expect("plain"), library.as_os_str());
        let beside = [PathBuf::from("/opt/lib/libmemguard_operators.so")];
        let all = value(library, &beside, dir, Some(OsStr::new("/a.so /b.so:c.so"))).expect("plain");
        assert_eq!(all, "/opt/lib/libmemguard.so:/opt/lib/libmemguard_operators.so:/a.so /b.so:c.so");
    }

    #[test]
    fn sanitizer_options_keep_what_there_was() {
        assert_eq!(asan_options(None), "verify_asan_link_order=0");
        let both = asan_options(Some(OsStr::new("detect_leaks=0")));
        assert_eq!(both, "detect_leaks=0:verify_asan_link_order=0");
        let own = OsStr::new("verify_asan_link_order=1");
        assert_eq!(asan_options(Some(own)), own);
    }

    #[test]
    fn a_path_that_the_loader_would_split_goes_through_a_link() {
        let session = tempfile::tempdir().expect("a temporary folder");
        for library in
            ["/opt/my lib/libmemguard.so", "/opt/my:lib/libmemguard.so", "/opt/$LIB/libmemguard.so"]
        {
            let link = value(Path::new(library), &[], session.path(), None).expect("linked");
            assert_eq!(std::fs::read_link(&link).expect("a link"), Path::new(library));
            std::fs::remove_file(link).expect("removed");
        }
        let refused =
            value(Path::new("/a b/x.so"), &[], Path::new("/c d"), None).expect_err("refused").to_string();
        assert!(refused.contains("--dir"), "{refused}");
    }
}
