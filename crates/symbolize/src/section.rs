//! Symbolize: the bytes of one ELF section, read in pieces when first touched.
//! In: a [`Source`] and a range of it, perhaps compressed. Out: slices for [`crate::reader::SectionReader`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::source::Source;

/// Bytes read at once. Small enough that visiting every unit header of a huge file holds little.
const CHUNK_BYTES: usize = 16 * 1024;

/// Longest section that is read: the table of its pieces takes 24 bytes for each.
const LEN_MAX: u64 = 16 << 30;

/// Numbers every byte of every section ever opened, so that an offset id names one section only.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One section's bytes.
#[derive(Debug)]
pub struct Section {
    bytes: Bytes,
    len: usize,
    id: u64,
}

#[derive(Debug)]
enum Bytes {
    /// Read chunk by chunk; a chunk that could not be read stays empty.
    Paged { source: Arc<Source>, offset: u64, chunks: Box<[OnceLock<Box<[u8]>>]> },
    /// Held entirely: a section that was compressed, or an empty one.
    Whole(Box<[u8]>),
}

impl Section {
    /// The section at `offset` of `source`, nothing read yet. `None` if it does not lie within the file.
    pub fn paged(source: Arc<Source>, offset: u64, len: u64) -> Option<Self> {
        if offset.checked_add(len)? > source.len() || len > LEN_MAX {
            return None;
        }
        let len = usize::try_from(len).ok()?;
        let chunks: Box<[_]> = (0..len.div_ceil(CHUNK_BYTES)).map(|_| OnceLock::new()).collect();
        source.hold(size_of_val(&*chunks) as u64);
        Some(Self::new(Bytes::Paged { source, offset, chunks }, len))
    }

    /// A section whose bytes are at hand.
    pub fn whole(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self::new(Bytes::Whole(bytes.into_boxed_slice()), len)
    }

    fn new(bytes: Bytes, len: usize) -> Self {
        Self { bytes, len, id: NEXT_ID.fetch_add(len as u64 + 1, Ordering::Relaxed) }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of the section's first byte among all bytes of all sections.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The bytes from `offset` up to the end of the piece that holds it. `None` past the end of the section
    /// or when the file could not be read; never an empty slice.
    pub fn tail(&self, offset: usize) -> Option<&[u8]> {
        if offset >= self.len {
            return None;
        }
        let tail = match &self.bytes {
            Bytes::Whole(bytes) => bytes.get(offset..),
            Bytes::Paged { source, offset: base, chunks } => {
                let index = offset / CHUNK_BYTES;
                let chunk = chunks.get(index)?.get_or_init(|| {
                    let start = index * CHUNK_BYTES;
                    let len = CHUNK_BYTES.min(self.len - start) as u64;
                    let bytes = source.read(base + start as u64, len).unwrap_or_default();
                    source.hold(bytes.len() as u64);
                    bytes.into_boxed_slice()
                });
                chunk.get(offset % CHUNK_BYTES..)
            }
        };
        tail.filter(|bytes| !bytes.is_empty())
    }

    /// The bytes of `start..end`, if all of it can be read.
    pub fn copy(&self, start: usize, end: usize) -> Option<Vec<u8>> {
        if start > end || end > self.len {
            return None;
        }
        let mut bytes = Vec::with_capacity(end - start);
        while start + bytes.len() < end {
            let tail = self.tail(start + bytes.len())?;
            let want = end - start - bytes.len();
            bytes.extend_from_slice(tail.get(..want).unwrap_or(tail));
        }
        Some(bytes)
    }

    /// Like [`Section::copy`], but what is read is not kept: for tables that are read once.
    pub fn read_once(&self, start: usize, end: usize) -> Option<Vec<u8>> {
        if start > end || end > self.len {
            return None;
        }
        match &self.bytes {
            Bytes::Whole(bytes) => Some(bytes.get(start..end)?.to_vec()),
            Bytes::Paged { source, offset, .. } => {
                source.read(offset.checked_add(start as u64)?, (end - start) as u64)
            }
        }
    }

    /// The zero-terminated string at `offset`, at most `len_max` bytes of it, invalid UTF-8 replaced.
    pub fn string(&self, offset: usize, len_max: usize) -> Option<String> {
        let mut bytes = Vec::new();
        while bytes.len() < len_max {
            let tail = self.tail(offset.checked_add(bytes.len())?)?;
            let tail = tail.get(..len_max - bytes.len()).unwrap_or(tail);
            if let Some(end) = tail.iter().position(|byte| *byte == 0) {
                bytes.extend_from_slice(&tail[..end]);
                break;
            }
            bytes.extend_from_slice(tail);
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
