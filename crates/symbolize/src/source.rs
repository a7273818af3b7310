//! Symbolize: a file read by position.
//! In: a path. Out: bytes on demand, never mapped: a file that shrinks while it is read gives an error
//! where a mapping would give a SIGBUS, and the collector must survive everything it looks at.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An open regular file, with the number of its bytes that are held in memory.
#[derive(Debug)]
pub struct Source {
    file: File,
    path: PathBuf,
    len: u64,
    modified: (i64, i64),
    held_bytes: AtomicU64,
}

impl Source {
    /// Opens `path` if it is a regular file. The check comes first: opening a device or a FIFO can block
    /// or have effects.
    pub fn open(path: &Path) -> Option<Self> {
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        Some(Self {
            file,
            path: path.to_owned(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            held_bytes: AtomicU64::new(0),
        })
    }

    /// The open file, for header parsing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file's content was changed in place since it was opened.
    pub fn changed(&self) -> bool {
        self.file
            .metadata()
            .map_or(true, |now| now.len() != self.len || (now.mtime(), now.mtime_nsec()) != self.modified)
    }

    /// Reads `len` bytes at `offset`. Refuses ranges outside the file before it reserves memory for them.
    pub fn read(&self, offset: u64, len: u64) -> Option<Vec<u8>> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    }

    /// Books `bytes` as held in memory on behalf of this file.
    pub fn hold(&self, bytes: u64) {
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes held in memory on behalf of this file.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }
}
