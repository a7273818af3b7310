//! Collect, one session's directory: its control page, the reserved segment, and the segments that processes add.

use crate::file::SharedFile;
use memguard_segment::control::{self, Control, Refusal, Settings};
use memguard_segment::{Layout, Segment};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// Makes the control page and the segment for the first process. Everything a watched process needs is reserved
/// here, so that a full disk is known before the program starts.
pub fn prepare(directory: &Path, settings: &Settings) -> io::Result<SessionFiles> {
    let layout = Layout::new(settings.first)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "capacities out of range"))?;
    let first = SharedFile::create(&directory.join(control::FIRST_SEGMENT_NAME), layout.bytes())?;
    Segment::format(first.words(), &layout).ok_or(io::ErrorKind::InvalidInput)?;
    // Last: an interposer that finds a control page finds everything else.
    let page = SharedFile::create(&directory.join(control::FILE_NAME), control::WORDS * 8)?;
    Control::format(page.words(), settings).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(SessionFiles { directory: directory.to_owned(), control: Some(page), seen: HashSet::new() })
}

/// The files of a session as they come.
#[derive(Debug)]
pub struct SessionFiles {
    directory: PathBuf,
    control: Option<SharedFile>,
    seen: HashSet<PathBuf>,
}

impl SessionFiles {
    /// The files of a session that someone else made.
    pub fn open(directory: &Path) -> Self {
        let control = SharedFile::open(&directory.join(control::FILE_NAME)).ok();
        Self { directory: directory.to_owned(), control, seen: HashSet::new() }
    }

    /// Segment files that were not there at the last call, by name. A directory that cannot be read (removed, say)
    /// has no new ones.
    pub fn new_segments(&mut self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let mut fresh: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with(control::SEGMENT_SUFFIX))
            .filter(|path| !self.seen.contains(path))
            .collect();
        fresh.sort();
        self.seen.extend(fresh.iter().cloned());
        fresh
    }

    /// Removes the session's segments and control page. Processes that still run go on writing to what they have
    /// mapped; nobody reads it any more. What is gone already is no error.
    pub fn remove(&self) {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(control::SEGMENT_SUFFIX) || name == control::FILE_NAME {
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    /// How many processes could not be watched, by reason; only reasons that occurred.
    pub fn refused(&self) -> Vec<(u64, &'static str)> {
        let page = self.control.as_ref().and_then(|page| Control::open(page.words()));
        page.map_or_else(Vec::new, |page| {
            let count = |(refusal, why): &(Refusal, &'static str)| (page.refused(*refusal), *why);
            Refusal::ALL.iter().map(count).filter(|(n, _)| *n != 0).collect()
        })
    }
}
