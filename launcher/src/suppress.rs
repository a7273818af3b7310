//! Launcher, `memguard suppress`: a suppression for a finding that somebody has looked at. In: a session, a finding's id, a reason,
//! a file. Out: the file with one more suppression at its end, replaced as a whole.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use memguard_report::append_suppression;

use crate::args;
use crate::collect;
use crate::config::reason;
use crate::rules;
use crate::session::Store;
use crate::show;
use crate::watch::unix_time_s;

/// Appends the suppression.
///
/// # Errors
/// If there is no such session or finding, or the file is in another format, damaged, or not writable. It is left as it was then.
pub fn suppress(store: &Store, asked: &args::Suppress) -> Result<()> {
    let session = collect::recover(store.open(asked.session())?)?;
    let report = show::read(&session)?;
    let finding = show::finding_named(&report, asked.finding())?;
    let path = destination(&asked.output)?;
    let text = if path.exists() { rules::read_text(&path)? } else { String::new() };
    let file = asked.output.display().to_string();
    let expires = asked.expires.as_deref();
    let longer = append_suppression(&text, &file, finding, &asked.reason, expires, unix_time_s())?;
    replace(&path, &longer).with_context(|| format!("cannot write {file}"))?;
    writeln!(
        std::io::stdout(),
        "{} at {} is suppressed by {file}; use it with --suppressions {file}",
        finding.kind,
        finding.location
    )?;
    Ok(())
}

/// Where the file really lies: a link is followed, not replaced.
fn destination(path: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => bail!("cannot look at {}: {}", path.display(), reason(&error)),
        Ok(_) => {
            let target = fs::canonicalize(path);
            let target = target.with_context(|| format!("{} leads nowhere", path.display()))?;
            if !target.is_file() {
                bail!("{} is no file", path.display());
            }
            Ok(target)
        }
    }
}

/// A reader sees the old file or the new one, whole; rights stay as they were.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}.new", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}
