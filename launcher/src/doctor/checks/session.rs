//! Launcher, doctor: the folder of the sessions.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytesize::ByteSize;
use memguard_segment::{Capacities, Layout};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

use super::super::Patient;
use super::super::answer::Answer;

/// The folder itself if it is there, else what it would be made in.
pub fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

/// Whether sessions can be kept there, and nobody else can read them.
pub fn folder(patient: &Patient) -> Option<Answer> {
    const REMEDY: &str = "choose another folder with --dir or MEMGUARD_DIR";
    let path = patient.place.path();
    let shown = path.display();
    let near = nearest(path);
    if access(near, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return Some(Answer::none(format!("{} cannot be written to", near.display()), REMEDY));
    }
    if near != path {
        return Some(Answer::ok(format!("{shown} will be made")));
    }
    // It is there, so this only looks.
    if let Err(error) = patient.place.prepare() {
        return Some(Answer::none(error.to_string(), REMEDY));
    }
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.mode() & 0o777);
    // Nothing for group and others.
    Some(if mode.trailing_zeros() >= 6 {
        Answer::ok(shown.to_string())
    } else {
        Answer::warn(
            format!(
                "{shown} has mode {mode:o}: others can list the sessions, which are for their owner alone"
            ),
            format!("chmod 700 {shown}"),
        )
    })
}

/// What the first process of a session needs, in bytes.
pub fn needed_bytes() -> u64 {
    Layout::new(Capacities::GUARD).map_or(0, |layout| layout.bytes() as u64)
}

/// Whether a session fits.
pub fn space(patient: &Patient) -> Option<Answer> {
    let near = nearest(patient.place.path());
    let mount = statvfs(near).ok()?;
    let free = mount.blocks_available() * mount.fragment_size();
    let needed = needed_bytes();
    let words = format!(
        "{} free, {} for each watched process",
        ByteSize::b(free).display().iec(),
        ByteSize::b(needed).display().iec()
    );
    Some(match free {
        free if free < 2 * needed => Answer::none(words, "free space or choose another folder with --dir"),
        free if free < 16 * needed => {
            Answer::warn(words, "free space, or programs with many processes go unwatched")
        }
        _ => Answer::ok(words),
    })
}
