//! Inspect, references: which block of glibc's allocator an address lies in. In: the bytes of an area, in order. Out: the
//! block's bounds, or nothing where the area is not laid out like a heap of glibc's.
//!
//! Such a heap is a row of chunks, each of which begins with its size (`struct malloc_chunk` in its `malloc.c`; the lowest
//! three bits are flags): whoever knows the first can walk to all others. Where the first one lies in an arena's heap depends
//! on glibc's version, so some places are tried: a wrong one does not lead from chunk to chunk exactly to the end.

use std::ops::ControlFlow;

use super::Unscanned;
use super::areas::{Area, Copies};

/// Header of a chunk: size of the one before, own size.
const HEADER_BYTES: u64 = 16;
const ALIGN_BYTES: u64 = 16;
const SIZE_MIN_BYTES: u64 = 32;
const FLAGS: u64 = 7;
const IS_MMAPPED: u64 = 2;
const PAGE_BYTES: u64 = 4096;
/// An arena's heap begins with its descriptions (`heap_info`, `malloc_state`), which are no longer than this.
const PREFACE_BYTES_MAX: u64 = 0xC00;
/// What a heap may grow by while it is looked at.
const GROWN_BYTES_MAX: u64 = 64 << 20;
/// How often a heap that changes meanwhile is walked.
const TRIES: usize = 3;

/// Bounds of a block as the program sees it.
pub(super) type Bounds = (u64, u64);

/// The blocks that some addresses of one area lie in; `wanted` in ascending order. Nothing for those behind the place from
/// which on the area is no heap of glibc's.
pub(super) fn blocks_at(
    copies: &mut Copies,
    area: &Area,
    wanted: &[u64],
) -> Result<Vec<Option<Bounds>>, Unscanned> {
    for _ in 0..TRIES {
        let mut walk = Walk::new(area, wanted);
        copies.each(area, |at, bytes| walk.see(at, bytes))?;
        if let Some(found) = walk.finish() {
            return Ok(found);
        }
    }
    Ok(vec![None; wanted.len()])
}

/// One way through an area, from a place where a chunk may begin.
struct Path {
    next: u64,
    /// Chunks passed.
    length: u64,
    found: Vec<Option<Bounds>>,
    /// How many of the wanted addresses lie before `next`.
    passed: usize,
}

/// A walk along all ways that are still possible.
struct Walk<'a> {
    area: &'a Area,
    wanted: &'a [u64],
    paths: Vec<Path>,
    begun: bool,
    /// Where the bytes seen so far end; a hole in them ends every way that needs it.
    seen_to: u64,
}

impl<'a> Walk<'a> {
    fn new(area: &'a Area, wanted: &'a [u64]) -> Self {
        Self { area, wanted, paths: Vec::new(), begun: false, seen_to: area.start }
    }

    fn begin(&mut self, bytes: &[u8]) {
        self.begun = true;
        let starts = (0..PREFACE_BYTES_MAX).step_by(ALIGN_BYTES as usize);
        let is_plausible = |offset: &u64| {
            word(bytes, offset + 8).is_some_and(|size| self.size_at(self.area.start + offset, size).is_some())
        };
        self.paths = starts
            .filter(is_plausible)
            .map(|offset| Path {
                next: self.area.start + offset,
                length: 0,
                found: vec![None; self.wanted.len()],
                passed: self.wanted.partition_point(|at| *at < self.area.start + offset),
            })
            .collect();
    }

    /// The size of a chunk, if it can be one. The last one may end farther out, at a page, if the heap has grown since its
    /// area was listed; then it is cut.
    fn size_at(&self, at: u64, word: u64) -> Option<u64> {
        let size = word & !FLAGS;
        let left = self.area.end - at;
        if size > left {
            let has_grown = size - left <= GROWN_BYTES_MAX && (at + size).is_multiple_of(PAGE_BYTES);
            return (has_grown && word & IS_MMAPPED == 0).then_some(left);
        }
        let fits = size >= SIZE_MIN_BYTES;
        let aligned = if word & IS_MMAPPED != 0 {
            at.is_multiple_of(PAGE_BYTES) && size.is_multiple_of(PAGE_BYTES)
        } else {
            size.is_multiple_of(ALIGN_BYTES)
        };
        (fits && aligned).then_some(size)
    }

    fn see(&mut self, at: u64, bytes: &[u8]) -> ControlFlow<()> {
        if !self.begun {
            if at != self.area.start {
                return ControlFlow::Break(());
            }
            self.begin(bytes);
        }
        let end = at + bytes.len() as u64;
        self.seen_to = end;
        let mut paths = std::mem::take(&mut self.paths);
        paths.retain_mut(|path| {
            // What was never touched holds no header.
            while path.next < end && path.next + HEADER_BYTES <= end {
                if path.next < at {
                    return false;
                }
                let header = word(bytes, path.next - at + 8);
                let Some(size) = header.and_then(|header| self.size_at(path.next, header)) else {
                    return false;
                };
                self.pass(path, size, header.unwrap_or(0));
            }
            true
        });
        self.paths = paths;
        if self.paths.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Goes on to the next chunk and notes what lies in this one. A block of the program's goes on into the next chunk's
    /// first word, unless it has a mapping for itself.
    fn pass(&self, path: &mut Path, size: u64, header: u64) {
        let tail = if header & IS_MMAPPED != 0 { 0 } else { 8 };
        let bounds = (path.next + HEADER_BYTES, path.next + size + tail);
        while let Some(wanted) = self.wanted.get(path.passed).filter(|wanted| **wanted < bounds.1) {
            if let Some(found) = path.found.get_mut(path.passed) {
                *found = (*wanted >= bounds.0).then_some(bounds);
            }
            path.passed += 1;
        }
        path.next += size;
        path.length += 1;
    }

    /// What the longest way that came to the end found. `None` if none did: the area is no heap, or changed meanwhile.
    fn finish(self) -> Option<Vec<Option<Bounds>>> {
        let arrived = self.paths.into_iter().filter(|path| path.next == self.area.end);
        arrived.max_by_key(|path| path.length).map(|path| path.found)
    }
}

fn word(bytes: &[u8], offset: u64) -> Option<u64> {
    let bytes = bytes.get(offset as usize..)?.get(..8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
