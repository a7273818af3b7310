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
    Ok(SessionFiles::over(directory, Some(page)))
}

/// The folder is listed at least at every so manieth call: a process that has said that it is going to make a segment may
/// have been held up.
const LISTED_ONE_IN: u32 = 8;

/// The files of a session as they come.
#[derive(Debug)]
pub struct SessionFiles {
    directory: PathBuf,
    control: Option<SharedFile>,
    seen: HashSet<PathBuf>,
    /// Calls until it is listed whether or not a segment was made.
    rest: u32,
}

impl SessionFiles {
    /// The files of a session that someone else made.
    pub fn open(directory: &Path) -> Self {
        let control = SharedFile::open(&directory.join(control::FILE_NAME)).ok();
        Self::over(directory, control)
    }

    fn over(directory: &Path, control: Option<SharedFile>) -> Self {
        Self { directory: directory.to_owned(), control, seen: HashSet::new(), rest: 0 }
    }

    /// Segment files that were not there at the last call, by name. A directory that cannot be read (removed, say)
    /// has no new ones. While no process makes one, only now and then; `is_last`: in any case.
    pub fn new_segments(&mut self, is_last: bool) -> Vec<PathBuf> {
        match self.control().map(|page| page.lists_segments()) {
            Some(0) if self.rest > 0 && !is_last => {
                self.rest -= 1;
                return Vec::new();
            }
            // Once more at the next call: it may not be there yet.
            Some(1..) | None => self.rest = 0,
            Some(0) => self.rest = LISTED_ONE_IN - 1,
        }
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let there: HashSet<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with(control::SEGMENT_SUFFIX))
            .collect();
        let mut fresh: Vec<PathBuf> = there.difference(&self.seen).cloned().collect();
        // The first process's before those of the others.
        fresh.sort_by_key(|path| (!path.ends_with(control::FIRST_SEGMENT_NAME), path.clone()));
        // What has been removed need not be remembered: as many files may come and go as there are processes.
        self.seen = there;
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

    fn control(&self) -> Option<Control<'_>> {
        Control::open(self.control.as_ref()?.words())
    }

    /// CPU time that the interposers' own start has taken in all of the session's processes so far, in ns.
    pub fn starting_ns(&self) -> u64 {
        self.control().map_or(0, |page| page.starting_ns())
    }

    /// How many processes could not be watched, by reason; only reasons that occurred.
    pub fn refused(&self) -> Vec<(u64, &'static str)> {
        self.control().map_or_else(Vec::new, |page| {
            let count = |(refusal, why): &(Refusal, &'static str)| (page.refused(*refusal), *why);
            Refusal::ALL.iter().map(count).filter(|(n, _)| *n != 0).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: files that come and go leave nothing behind. Method: a thousand, each removed once it was seen; one stays.
    #[test]
    fn remembers_only_what_is_there() {
        let directory = std::env::temp_dir().join(format!("memguard-seen-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut files = SessionFiles::open(&directory);
        std::fs::write(directory.join("stays.segment"), "").unwrap();
        assert_eq!(files.new_segments(false).len(), 1);
        for number in 0..1000 {
            let path = directory.join(format!("{number}.segment"));
            std::fs::write(&path, "").unwrap();
            assert_eq!(
                files.new_segments(false),
                std::slice::from_ref(&path),
                "new ones are told once, old ones not again"
            );
            std::fs::remove_file(&path).unwrap();
        }
        assert!(files.new_segments(false).is_empty());
        assert_eq!(files.seen.len(), 1);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    /// Goal: a segment is seen at once if its process has said that it makes one, before or after it is there, and soon if it has
    /// not. Method: a session whose folder gets files with and without a word.
    #[test]
    fn lists_when_there_is_something_to_list() {
        let directory = std::env::temp_dir().join(format!("memguard-listed-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let capacities =
            memguard_segment::Capacities { live_buckets: 16, ..memguard_segment::Capacities::GUARD };
        let settings = Settings { sample_interval_bytes: 0, first: capacities, others: capacities };
        let mut files = prepare(&directory, &settings).unwrap();
        assert_eq!(files.new_segments(false), [directory.join(control::FIRST_SEGMENT_NAME)]);
        let make = |name: &str| std::fs::write(directory.join(name), "").unwrap();
        assert!(files.control().unwrap().may_make(1));
        assert!(files.new_segments(false).is_empty());
        make("late.segment");
        assert_eq!(files.new_segments(false), [directory.join("late.segment")]);
        assert!(files.control().unwrap().may_make(1));
        make("early.segment");
        assert_eq!(files.new_segments(false), [directory.join("early.segment")]);
        assert!(files.new_segments(false).is_empty());
        make("silent.segment");
        assert!((1..LISTED_ONE_IN).all(|_| files.new_segments(false).is_empty()));
        assert_eq!(files.new_segments(false), [directory.join("silent.segment")]);
        make("last.segment");
        assert_eq!(files.new_segments(true), [directory.join("last.segment")]);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
