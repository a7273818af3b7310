//! Segment: the modules (program and libraries) that frames refer to. Recorded while the process lives,
//! so that a report can name functions after it is gone. Entries are never reused: a closed library's
//! frames keep their meaning, and the same library opened again at the same place is the same entry.
//! In: the interposer when it first walks through a module. Out: the collector, for symbols.

use crate::Words;
use crate::primitive::Ordering;
use crate::text;

/// Longest build-id kept, in bytes (a SHA-1 has 20, a SHA-256 has 32).
pub const BUILD_ID_BYTES_MAX: usize = 32;
/// Longest path kept, in bytes.
pub const PATH_BYTES_MAX: usize = (MODULE_WORDS - PATH - 1) * 8;

// state, bias, start, end, build-id (length + 4 words), path (length + bytes)
const STATE: usize = 0;
const BIAS: usize = 1;
const START: usize = 2;
const END: usize = 3;
const BUILD_ID: usize = 4;
const PATH: usize = 9;
/// Words of one module.
pub(crate) const MODULE_WORDS: usize = 64;

const FREE: u64 = 0;
const BUSY: u64 = 1;
const READY: u64 = 2;

/// What the process knows about one of its modules.
#[derive(Debug, Clone, Copy)]
pub struct ModuleInfo<'a> {
    /// Address in memory minus address in the file's own address space.
    pub bias: u64,
    /// First mapped address.
    pub start: u64,
    /// One past the last mapped address.
    pub end: u64,
    /// GNU build-id, empty if it has none.
    pub build_id: &'a [u8],
    /// Path as the loader knows it.
    pub path: &'a [u8],
}

/// The reader's copy of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// See [`ModuleInfo::bias`].
    pub bias: u64,
    /// See [`ModuleInfo::start`].
    pub start: u64,
    /// See [`ModuleInfo::end`].
    pub end: u64,
    build_id: [u8; BUILD_ID_BYTES_MAX],
    build_id_bytes: usize,
    path: [u8; PATH_BYTES_MAX],
    path_bytes: usize,
}

impl Module {
    /// GNU build-id, empty if there is none.
    pub fn build_id(&self) -> &[u8] {
        &self.build_id[..self.build_id_bytes]
    }

    /// Path as the loader knew it.
    pub fn path(&self) -> &[u8] {
        &self.path[..self.path_bytes]
    }
}

/// The table: slots are claimed in order and never given back.
#[derive(Debug, Clone, Copy)]
pub struct ModuleTable<'a> {
    words: Words<'a>,
}

impl<'a> ModuleTable<'a> {
    pub(crate) fn new(words: Words<'a>) -> Self {
        Self { words }
    }

    fn entry(&self, index: usize) -> Option<Words<'a>> {
        self.words.chunks_exact(MODULE_WORDS).nth(index)
    }

    /// Records a module and returns its index, or `None` if the table is full. A module that is recorded already has
    /// its index (but two threads that record it for the first time at the same moment get one each).
    pub fn add(&self, info: &ModuleInfo<'_>) -> Option<u16> {
        for (index, entry) in self.words.chunks_exact(MODULE_WORDS).enumerate() {
            let state = entry.get(STATE)?;
            // Matched by the release store below.
            match state.load(Ordering::Acquire) {
                FREE => {}
                READY if is_same(entry, info) => return u16::try_from(index).ok(),
                _ => continue,
            }
            if state.compare_exchange(FREE, BUSY, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                continue;
            }
            entry.get(BIAS)?.store(info.bias, Ordering::Relaxed);
            entry.get(START)?.store(info.start, Ordering::Relaxed);
            entry.get(END)?.store(info.end, Ordering::Relaxed);
            text::store(entry.get(BUILD_ID..PATH)?, info.build_id);
            text::store(entry.get(PATH..)?, info.path);
            // Matched by the acquire loads in `get` and above.
            state.store(READY, Ordering::Release);
            return u16::try_from(index).ok();
        }
        None
    }

    /// Copies one module out, or `None` if there is none of that index.
    pub fn get(&self, index: u16) -> Option<Module> {
        let entry = self.entry(usize::from(index))?;
        // Matched by the release store in `add`.
        if entry[STATE].load(Ordering::Acquire) != READY {
            return None;
        }
        let mut module = Module {
            bias: entry[BIAS].load(Ordering::Relaxed),
            start: entry[START].load(Ordering::Relaxed),
            end: entry[END].load(Ordering::Relaxed),
            build_id: [0; BUILD_ID_BYTES_MAX],
            build_id_bytes: 0,
            path: [0; PATH_BYTES_MAX],
            path_bytes: 0,
        };
        module.build_id_bytes = text::load(&entry[BUILD_ID..PATH], &mut module.build_id);
        module.path_bytes = text::load(&entry[PATH..], &mut module.path);
        Some(module)
    }
}

fn is_same(entry: Words<'_>, info: &ModuleInfo<'_>) -> bool {
    let word = |i: usize| entry.get(i).map_or(0, |w| w.load(Ordering::Relaxed));
    let part = |range: core::ops::Range<usize>| entry.get(range).unwrap_or_default();
    (word(BIAS), word(START), word(END)) == (info.bias, info.start, info.end)
        && text::equals(part(BUILD_ID..PATH), info.build_id)
        && text::equals(part(PATH..MODULE_WORDS), info.path)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::AtomicU64;
    use std::vec::Vec;

    const LIBRARY: ModuleInfo<'_> = ModuleInfo {
        bias: 0x1000,
        start: 0x1000,
        end: 0x3000,
        build_id: &[7; 20],
        path: b"/usr/lib/libplugin.so",
    };

    fn words(modules: usize) -> Vec<AtomicU64> {
        (0..modules * MODULE_WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn a_library_opened_again_is_no_news() {
        let w = words(2);
        let table = ModuleTable::new(&w);
        assert_eq!(table.add(&LIBRARY), Some(0));
        assert_eq!(table.add(&LIBRARY), Some(0));
        assert_eq!(
            table.add(&ModuleInfo { build_id: &[8; 20], ..LIBRARY }),
            Some(1),
            "another file of that name"
        );
        assert_eq!(
            table.add(&ModuleInfo { bias: 0x9000, ..LIBRARY }),
            None,
            "another place, but the table is full"
        );
        assert_eq!(table.add(&LIBRARY), Some(0));
    }

    #[test]
    fn texts_that_begin_alike_are_told_apart() {
        let w = words(8);
        let table = ModuleTable::new(&w);
        let long = [b'x'; PATH_BYTES_MAX + 100];
        let paths: [&[u8]; 5] = [b"", b"/lib", b"/lib/a.so", b"/lib/a.so\0", &long];
        for (i, path) in paths.into_iter().enumerate() {
            let info = ModuleInfo { path, ..LIBRARY };
            assert_eq!(table.add(&info), u16::try_from(i).ok());
            assert_eq!(table.add(&info), u16::try_from(i).ok());
            assert_eq!(table.get(i as u16).unwrap().path(), &path[..path.len().min(PATH_BYTES_MAX)]);
        }
    }
}
