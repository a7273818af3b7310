//! Symbolize: how the DWARF parser reads a [`Section`].
//! In: a section read in pieces. Out: `gimli::Reader`, without ever holding the section as a whole.
//!
//! No method panics: the offsets come from files that nobody vouches for.

use std::borrow::Cow;
use std::sync::Arc;

use gimli::{Error, ReaderOffsetId, Result};

use crate::section::Section;

/// A range of a section, shared and cheap to clone.
#[derive(Debug, Clone)]
pub struct SectionReader {
    section: Arc<Section>,
    start: usize,
    end: usize,
}

impl SectionReader {
    /// All of `section`.
    pub fn new(section: Arc<Section>) -> Self {
        let end = section.len();
        Self { section, start: 0, end }
    }

    fn id_at(&self, offset: usize) -> ReaderOffsetId {
        ReaderOffsetId(self.section.id() + offset as u64)
    }

    fn too_short(&self) -> Error {
        Error::UnexpectedEof(self.id_at(self.start))
    }

    /// The bytes at the front that lie in one piece.
    fn front(&self) -> Result<&[u8]> {
        let tail = self.section.tail(self.start).ok_or(Error::Io)?;
        Ok(tail.get(..self.end - self.start).unwrap_or(tail))
    }
}

impl gimli::Reader for SectionReader {
    type Endian = gimli::NativeEndian;
    type Offset = usize;

    fn endian(&self) -> Self::Endian {
        gimli::NativeEndian
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn empty(&mut self) {
        self.end = self.start;
    }

    fn truncate(&mut self, len: usize) -> Result<()> {
        if len > self.len() {
            return Err(self.too_short());
        }
        self.end = self.start + len;
        Ok(())
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.start.saturating_sub(base.start)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        self.id_at(self.start)
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        let offset = usize::try_from(id.0.checked_sub(self.section.id())?).ok()?;
        (self.start..=self.end).contains(&offset).then(|| offset - self.start)
    }

    fn find(&self, byte: u8) -> Result<usize> {
        let mut rest = self.clone();
        while rest.start < rest.end {
            let front = rest.front()?;
            if let Some(at) = front.iter().position(|candidate| *candidate == byte) {
                return Ok(rest.start + at - self.start);
            }
            rest.start += front.len();
        }
        Err(self.too_short())
    }

    fn skip(&mut self, len: usize) -> Result<()> {
        if len > self.len() {
            return Err(self.too_short());
        }
        self.start += len;
        Ok(())
    }

    fn split(&mut self, len: usize) -> Result<Self> {
        if len > self.len() {
            return Err(self.too_short());
        }
        let head = Self { section: Arc::clone(&self.section), start: self.start, end: self.start + len };
        self.start += len;
        Ok(head)
    }

    fn to_slice(&self) -> Result<Cow<'_, [u8]>> {
        if self.start == self.end {
            return Ok(Cow::Borrowed(&[]));
        }
        let front = self.front()?;
        if front.len() == self.end - self.start {
            return Ok(Cow::Borrowed(front));
        }
        self.section.copy(self.start, self.end).map(Cow::Owned).ok_or(Error::Io)
    }

    fn to_string(&self) -> Result<Cow<'_, str>> {
        match self.to_slice()? {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Error::BadUtf8),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Error::BadUtf8),
        }
    }

    fn to_string_lossy(&self) -> Result<Cow<'_, str>> {
        Ok(match self.to_slice()? {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    fn read_slice(&mut self, buf: &mut [u8]) -> Result<()> {
        if buf.len() > self.len() {
            return Err(self.too_short());
        }
        let mut filled = 0;
        while let Some(space) = buf.get_mut(filled..).filter(|space| !space.is_empty()) {
            let front = self.front()?;
            let len = space.len().min(front.len());
            space[..len].copy_from_slice(&front[..len]);
            filled += len;
            self.start += len;
        }
        Ok(())
    }

    fn read_u8(&mut self) -> Result<u8> {
        if self.start == self.end {
            return Err(self.too_short());
        }
        let byte = *self.front()?.first().ok_or(Error::Io)?;
        self.start += 1;
        Ok(byte)
    }
}
