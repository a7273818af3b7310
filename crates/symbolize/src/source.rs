//! Symbolize: a file read by position.
//! In: a path, or bytes that were packed inside another file. Out: bytes on demand, never mapped: a file
//! that shrinks while it is read gives an error where a mapping would give a SIGBUS, and the collector must
//! survive everything it looks at.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An open regular file or an unpacked one, with the number of its bytes that are held in memory.
#[derive(Debug)]
pub struct Source {
    origin: Origin,
    path: PathBuf,
    len: u64,
    held_bytes: AtomicU64,
}

#[derive(Debug)]
enum Origin {
    /// With the time of its last modification when it was opened: seconds, nanoseconds.
    File(File, (i64, i64)),
    Memory(Box<[u8]>),
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
            origin: Origin::File(file, (metadata.mtime(), metadata.mtime_nsec())),
            path: path.to_owned(),
            len: metadata.len(),
            held_bytes: AtomicU64::new(0),
        })
    }

    /// A file that was unpacked from another one, which was opened at `path`.
    pub fn unpacked(bytes: Vec<u8>, path: &Path) -> Self {
        let len = bytes.len() as u64;
        let origin = Origin::Memory(bytes.into_boxed_slice());
        Self { origin, path: path.to_owned(), len, held_bytes: AtomicU64::new(len) }
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
        let Origin::File(file, modified) = &self.origin else { return false };
        file.metadata()
            .map_or(true, |now| now.len() != self.len || (now.mtime(), now.mtime_nsec()) != *modified)
    }

    /// Reads `len` bytes at `offset`. Refuses ranges outside the file before it reserves memory for them.
    pub fn read(&self, offset: u64, len: u64) -> Option<Vec<u8>> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        match &self.origin {
            Origin::File(file, _) => {
                let mut bytes = vec![0; usize::try_from(len).ok()?];
                file.read_exact_at(&mut bytes, offset).ok()?;
                Some(bytes)
            }
            Origin::Memory(bytes) => {
                let start = usize::try_from(offset).ok()?;
                Some(bytes.get(start..start + usize::try_from(len).ok()?)?.to_vec())
            }
        }
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

/// A reading position in a source: what the header parser asks for.
pub struct Cursor<'a> {
    source: &'a Source,
    offset: u64,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub fn new(source: &'a Source) -> Self {
        Self { source, offset: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.source.len.saturating_sub(self.offset);
        let len = left.min(buf.len() as u64);
        let bytes = self.source.read(self.offset, len).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        self.offset += len;
        Ok(bytes.len())
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(distance) => self.source.len.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.offset.checked_add_signed(distance),
        };
        self.offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}
