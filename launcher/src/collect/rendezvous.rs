//! Launcher, collect: where processes of one service find their common session. In: a process. Out: the session that is
//! under way for it, or the right to begin one.
//!
//! A service is a control group in a PID namespace: a container, a unit of systemd, a login. Its file in the folder of the
//! sessions names the session; whoever watches holds a lock on it, which the system releases with its holder's death.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};

const PREFIX: &str = ".service-";
/// How long another process may take from its lock to the name of its session.
const NAMING_TRIES: u32 = 500;
const NAMING_PAUSE: Duration = Duration::from_millis(10);

/// What was found.
pub enum Entry {
    /// A session that is being watched: its directory.
    Taken(PathBuf),
    /// The right to watch.
    Free(Rendezvous),
}

/// The right to watch the processes of one service.
pub struct Rendezvous {
    path: PathBuf,
    file: Flock<File>,
}

/// What the processes of one service have in common, as a file name's part.
pub fn key(pid: i32) -> String {
    let mut hasher = DefaultHasher::new();
    let namespace = fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap_or_default();
    let group = fs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    namespace.as_os_str().as_bytes().hash(&mut hasher);
    group.hash(&mut hasher);
    fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The key that a rendezvous file is named after.
pub fn key_of_file(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned())
}

impl Rendezvous {
    /// Asks for the session of a service in this folder.
    ///
    /// # Errors
    /// If the folder cannot be written to, or whoever has the right names no session for seconds.
    pub fn enter(folder: &Path, key: &str) -> io::Result<Entry> {
        let path = folder.join(format!("{PREFIX}{key}"));
        for _ in 0..NAMING_TRIES {
            let mut file = options().open(&path)?;
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Entry::Free(Self { path, file })),
                Err((file, Errno::EWOULDBLOCK)) => file,
                Err((_, error)) => return Err(error.into()),
            };
            if let Some(session_dir) = session_in(&mut file)? {
                return Ok(Entry::Taken(session_dir));
            }
            std::thread::sleep(NAMING_PAUSE);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the service's collector does not name its session"))
    }

    /// The session that was named last.
    pub fn session(&self) -> Option<PathBuf> {
        session_in(&mut self.file.try_clone().ok()?).ok()?
    }

    /// Names the session for whoever asks from now on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn name(&self, session_dir: &Path) -> io::Result<()> {
        write(&mut self.file.try_clone()?, Some(session_dir))?;
        // The right passes on to the process that will watch.
        fcntl(&*self.file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Names another session, or none, in the name of who holds the right.
///
/// # Errors
/// If the file cannot be written.
pub fn set_session(path: &Path, session_dir: Option<&Path>) -> io::Result<()> {
    write(&mut options().open(path)?, session_dir)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options
}

fn session_in(file: &mut File) -> io::Result<Option<PathBuf>> {
    const PATH_BYTES_MAX: u64 = 4096;
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(PATH_BYTES_MAX).read_to_end(&mut bytes)?;
    // A name that is being written has no end yet.
    let name = bytes.strip_suffix(b"\n").filter(|name| !name.is_empty());
    Ok(name.map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name))))
}

fn write(file: &mut File, session_dir: Option<&Path>) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    match session_dir {
        Some(dir) => file.write_all(&[dir.as_os_str().as_bytes(), b"\n"].concat()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_sent_to_the_firsts_session() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = key(std::process::id() as i32);
        let Ok(Entry::Free(first)) = Rendezvous::enter(folder.path(), &key) else { panic!("nobody else") };
        assert_eq!(first.session(), None);
        first.name(Path::new("/s/1")).expect("written");
        let Ok(Entry::Taken(dir)) = Rendezvous::enter(folder.path(), &key) else { panic!("taken") };
        assert_eq!(dir, Path::new("/s/1"));
        assert_eq!(key_of_file(first.path()).as_deref(), Some(key.as_str()));
        assert!(matches!(Rendezvous::enter(folder.path(), "other"), Ok(Entry::Free(_))));
        set_session(first.path(), None).expect("written");
        assert_eq!(first.session(), None);
        drop(first);
        assert!(matches!(Rendezvous::enter(folder.path(), &key), Ok(Entry::Free(_))));
    }
}
