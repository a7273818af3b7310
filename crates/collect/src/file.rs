//! Collect, files: maps a session's files as shared atomic words, and makes them.

use memguard_segment::Words;
use memmap2::{Advice, MmapMut, MmapOptions};
use nix::fcntl::posix_fallocate;
use nix::sys::resource::{Resource, getrlimit};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file mapped shared.
#[derive(Debug)]
pub struct SharedFile {
    map: MmapMut,
}

impl SharedFile {
    /// Maps an existing file, for reading and writing. Symbolic links are not followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NOFOLLOW).open(path)?;
        Self::map(&file)
    }

    /// Whether the file size limit (`ulimit -f`) allows a file this long; beyond it a write ends the process with SIGXFSZ.
    fn is_allowed(bytes: usize) -> io::Result<()> {
        match getrlimit(Resource::RLIMIT_FSIZE) {
            Ok((soft, _)) if soft < bytes as u64 => Err(io::ErrorKind::FileTooLarge.into()),
            _ => Ok(()),
        }
    }

    /// Makes a file of `bytes` zeros with all its blocks reserved, so that no later write to it can fail, and maps it.
    pub fn create(path: &Path, bytes: usize) -> io::Result<Self> {
        Self::is_allowed(bytes)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        posix_fallocate(&file, 0, bytes as i64)
            .map_err(io::Error::from)
            .and_then(|()| Self::map(&file))
            .inspect_err(|_| {
                // Nothing half-made is left behind; the error that is reported is the first.
                let _ = std::fs::remove_file(path);
            })
    }

    /// Maps an open file.
    ///
    /// # Errors
    /// What the system says.
    pub fn map(file: &File) -> io::Result<Self> {
        // SAFETY: the mapping is used as atomic words only (`words`), for which concurrent writers are allowed. A
        // process that truncates the file under us could end us with SIGBUS; the directory is ours alone (0700).
        let map = unsafe { MmapOptions::new().map_mut(file)? };
        // No page's neighbours are read along: the tables are used all over. An advice; nothing is lost where it is refused.
        let _ = map.advise(Advice::Random);
        Ok(Self { map })
    }

    /// How much of the file is in memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        const PAGE: usize = 4096;
        let mut pages = vec![0u8; self.map.len().div_ceil(PAGE)];
        let start = self.map.as_ptr().cast_mut().cast();
        // SAFETY: the range is our mapping; the vector has a byte for each of its pages.
        let answer = unsafe { nix::libc::mincore(start, self.map.len(), pages.as_mut_ptr()) };
        let resident = pages.iter().filter(|page| **page & 1 != 0).count();
        if answer == 0 { (resident * PAGE) as u64 } else { 0 }
    }

    /// The file as atomic words.
    pub fn words(&self) -> Words<'_> {
        let (start, bytes) = (self.map.as_ptr(), self.map.len());
        // SAFETY: a page-aligned shared mapping of `bytes` bytes that lives as long as `self`; every access to it in
        // this program is through these atomics.
        unsafe { std::slice::from_raw_parts(start.cast(), bytes / 8) }
    }
}
