//! Launcher, doctor: whether stacks of the command will have functions, files and lines.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use memguard_symbolize::{SymbolizerOptions, debug_file_of};

use super::super::Patient;
use super::super::answer::Answer;

/// Where Debian's package manager lists the files of packages.
const PACKAGE_LISTS: &str = "/var/lib/dpkg/info";

/// In the file itself, or in a separate one.
pub fn found(patient: &Patient) -> Option<Answer> {
    let candidate = patient.candidate.as_ref()?;
    let image = candidate.image.as_ref().filter(|image| image.foreign.is_none())?;
    if image.has_debug_info {
        return Some(Answer::ok("in the program itself"));
    }
    if let Some(file) = debug_file_of(&candidate.path, &SymbolizerOptions::default().debug_dirs) {
        return Some(Answer::ok(file.display().to_string()));
    }
    let names = if image.has_symbols {
        "functions are named, files and lines are not"
    } else {
        "only exported functions are named"
    };
    let hex = |id: &Vec<u8>| {
        id.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let id = image.build_id.as_ref().map(hex);
    let remedy = match (package_of(&candidate.path), id) {
        (Some(package), _) => {
            format!("install the debug symbols of the package {package} (on Debian {package}-dbgsym)")
        }
        (None, Some(id)) => {
            format!("build it with -g, or put the debug file of build-id {id} below /usr/lib/debug/.build-id")
        }
        (None, None) => "build it with -g, and with -Wl,--build-id if debug files are kept apart".to_owned(),
    };
    Some(Answer::warn(format!("no debug information: {names}"), remedy))
}

/// The package that a file came with.
fn package_of(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    // Where /bin is a link to /usr/bin, packages may list either.
    let other = path.strip_prefix("/usr").unwrap_or(path);
    let lists = fs::read_dir(PACKAGE_LISTS).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut lists = lists.filter(|list| list.extension().is_some_and(|extension| extension == "list"));
    let holds = |list: &std::path::PathBuf| {
        fs::read_to_string(list).is_ok_and(|text| text.lines().any(|line| line == path || line == other))
    };
    let list = lists.find(holds)?;
    let name = list.file_stem()?.to_str()?;
    Some(name.split(':').next().unwrap_or(name).to_owned())
}
