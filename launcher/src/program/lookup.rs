//! Launcher, program: which file a command executes in the end. In: the command's words, `PATH`, `#!` lines. Out: the file that the
//! kernel loads.
//!
//! The search is that of `execvp`: a name with a slash is a path, a file that is neither a program nor a script is run by
//! `/bin/sh`. `#!` lines are followed as the kernel does, and through `env`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::Environment;

/// `#!` lines that lead to `#!` lines; the kernel gives up at four.
const SCRIPTS_MAX: usize = 5;
/// The kernel reads no more of a `#!` line.
const LINE_BYTES_MAX: u64 = 256;
/// Where programs are sought if `PATH` is not set.
const PATH_DEFAULT: &str = "/bin:/usr/bin";
const ELF_MAGIC: &[u8] = b"\x7fELF";
const SHELL: &str = "/bin/sh";

/// The file that is loaded for a command, links followed; `None` if there is none that can be executed.
pub fn executed(command: &[OsString], environment: &Environment) -> Option<PathBuf> {
    let mut path = found(command.first()?, environment)?;
    for _ in 0..SCRIPTS_MAX {
        match interpreter(&path, environment) {
            Interpreter::None => return fs::canonicalize(path).ok(),
            Interpreter::Script(next) => path = next?,
        }
    }
    None
}

/// `service`, or `service (run by python3.11)`.
pub fn called(command: &[OsString], executed: &Path) -> String {
    let base = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (name, by) = (command.first().map_or_else(String::new, |word| base(Path::new(word))), base(executed));
    let linked = |place: &Path| fs::canonicalize(place.join(&name)).is_ok_and(|path| path == executed);
    // The same under another name: a link.
    let is_same = name == by
        || executed.parent().is_some_and(linked)
        || ["/bin", "/usr/bin"].iter().any(|at| linked(Path::new(at)));
    if is_same { name } else { format!("{name} (run by {by})") }
}

enum Interpreter {
    /// It is loaded itself.
    None,
    /// It is a script, and this runs it, if it is there.
    Script(Option<PathBuf>),
}

fn found(name: &OsStr, environment: &Environment) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|path| is_executable(path));
    }
    let places = environment.get("PATH").unwrap_or(OsStr::new(PATH_DEFAULT));
    std::env::split_paths(places).map(|place| place.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) && access(path, AccessFlags::X_OK).is_ok()
}

fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LINE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn interpreter(path: &Path, environment: &Environment) -> Interpreter {
    // What may be executed and not read is a program: a script has to be read.
    let Some(bytes) = beginning(path) else { return Interpreter::None };
    if bytes.starts_with(ELF_MAGIC) {
        return Interpreter::None;
    }
    let Some(line) = bytes.strip_prefix(b"#!") else {
        return Interpreter::Script(found(OsStr::new(SHELL), environment));
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return Interpreter::Script(None) };
    let first = Path::new(OsStr::from_bytes(first));
    let next = if first.file_name() == Some(OsStr::new("env")) {
        let is_name = |word: &&[u8]| !word.starts_with(b"-") && !word.contains(&b'=');
        words.find(is_name).and_then(|name| found(OsString::from_vec(name.to_vec()).as_os_str(), environment))
    } else {
        Some(first.to_owned()).filter(|path| is_executable(path))
    };
    Interpreter::Script(next)
}
