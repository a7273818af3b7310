//! Launcher, sessions: the folder that holds them, and whether it is safe to write there.
//! In: the folder chosen, the environment. Out: a [`Place`] to create sessions in or read them from.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::SessionError;
use crate::config::reason;

/// The folder of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
}

const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

impl Place {
    /// The folder by the rule: the choice (`--dir`, `MEMGUARD_DIR`, the file's `dir`), `$XDG_STATE_HOME/memguard`, `~/.local/state/memguard`,
    /// `/tmp/memguard-UID`. Nothing is created.
    ///
    /// # Errors
    /// If the working directory, needed for a relative choice, is gone.
    pub fn find(choice: Option<&Path>) -> Result<Self, SessionError> {
        let path = match choice {
            Some(chosen) => chosen.to_owned(),
            None => by_environment(|name| std::env::var_os(name)),
        };
        // Absolute, because the program may change its directory before it opens anything.
        match std::path::absolute(&path) {
            Ok(path) => Ok(Self { path }),
            Err(source) => Err(SessionError::Unreadable { path, source }),
        }
    }

    /// The folder's path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, for the user alone, if it is not there, and checks that nobody else can tamper with
    /// what is written to it.
    ///
    /// # Errors
    /// [`SessionError::BadFolder`] with what is wrong, [`SessionError::Unwritable`].
    pub fn prepare(&self) -> Result<(), SessionError> {
        let bad = |why: &str| SessionError::BadFolder { path: self.path.clone(), why: why.to_owned() };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| bad(&reason(&error)))?;
        let metadata = fs::symlink_metadata(&self.path).map_err(|error| bad(&reason(&error)))?;
        let target = fs::metadata(&self.path).map_err(|error| bad(&reason(&error)))?;
        let shared = is_shared(self.path.parent()).map_err(|error| bad(&reason(&error)))?;
        objection(&metadata, &target, shared, geteuid().as_raw()).map_or(Ok(()), |why| Err(bad(why)))
    }
}

/// Whether others may create names beside it, as in `/tmp`.
fn is_shared(parent: Option<&Path>) -> io::Result<bool> {
    let Some(parent) = parent else { return Ok(false) };
    Ok(fs::metadata(parent)?.mode() & 0o002 != 0)
}

/// What speaks against a folder: `own` is itself, `target` what it leads to.
fn objection(own: &Metadata, target: &Metadata, shared: bool, user: u32) -> Option<&'static str> {
    if target.mode() & STICKY != 0 && target.mode() & WRITABLE_BY_OTHERS != 0 {
        return Some("it is shared by all users, name a folder inside it");
    }
    if shared && own.is_symlink() {
        return Some("it is a symbolic link in a folder shared by all users");
    }
    if shared && target.mode() & WRITABLE_BY_OTHERS != 0 {
        return Some("others can write to it");
    }
    // Root's folders are taken where no other user could have put them: volumes of containers are like that.
    if target.uid() != user && (shared || target.uid() != 0) {
        return Some("it belongs to another user");
    }
    None
}

fn by_environment(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(state) = folder("XDG_STATE_HOME") {
        return state.join("memguard");
    }
    // Daemons have a home that does not exist, such as /nonexistent; it is not ours to create.
    if let Some(home) = folder("HOME").filter(|home| home.is_dir()) {
        return home.join(".local/state/memguard");
    }
    PathBuf::from(format!("/tmp/memguard-{}", geteuid()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_folder_follows_the_environment() {
        let state = by_environment(|name| (name == "XDG_STATE_HOME").then(|| "/s".into()));
        assert_eq!(state, Path::new("/s/memguard"));
        let home = by_environment(|name| (name == "HOME").then(|| "/".into()));
        assert_eq!(home, Path::new("/.local/state/memguard"));
        let neither = by_environment(|name| Some(if name == "HOME" { "/nonexistent" } else { "rel" }.into()));
        assert_eq!(neither, PathBuf::from(format!("/tmp/memguard-{}", geteuid())));
    }

    /// Goal: nobody else can have laid the folder out for us. Method: a folder that stands for `/tmp`.
    #[test]
    fn folders_others_can_touch_are_refused() {
        let shared = tempfile::tempdir().expect("a temporary folder");
        let set_mode =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        set_mode(shared.path(), 0o1777);
        let prepare = |name: &str| Place { path: shared.path().join(name) }.prepare();

        prepare("mine").expect("made");
        let mode = fs::metadata(shared.path().join("mine")).expect("there").mode();
        assert_eq!(mode & 0o777, 0o700);

        set_mode(&shared.path().join("mine"), 0o777);
        assert!(prepare("mine").expect_err("refused").to_string().contains("others can write"));
        set_mode(&shared.path().join("mine"), 0o700);
        symlink(shared.path().join("mine"), shared.path().join("link")).expect("linked");
        assert!(prepare("link").expect_err("refused").to_string().contains("symbolic link"));
        assert!(prepare("").expect_err("refused").to_string().contains("shared by all users"));
    }

    #[test]
    fn another_users_folder_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let metadata = fs::metadata(folder.path()).expect("there");
        let other = metadata.uid() + 1;
        if metadata.uid() != 0 {
            assert!(objection(&metadata, &metadata, false, other).is_some());
        }
        assert_eq!(objection(&metadata, &metadata, true, other), Some("it belongs to another user"));
        assert_eq!(objection(&metadata, &metadata, true, metadata.uid()), None);
    }
}
