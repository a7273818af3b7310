//! Test kit, recordings: what a watched process wrote to its segment. In: a segment file, copied, so that a collector at
//! work is not disturbed. Out: sampled objects, stacks, counters.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memguard_segment::{
    AtomicU64, Class, Descriptor, FRAME_UNKNOWN_MODULE, Frame, HeaderWord, Object, Record, Segment, StackEnd,
    State,
};
use memguard_symbolize::{Frame as Named, ModuleRef, Symbolizer, SymbolizerOptions};

/// A copy of one segment.
pub struct Recording {
    words: Vec<AtomicU64>,
}

impl Recording {
    /// Copies a segment; `None` if no process has taken it, it is just being made, or it is gone.
    pub fn copy(path: &Path) -> Option<Self> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            read => read.expect("a readable segment"),
        };
        let word = |bytes: &[u8]| AtomicU64::new(u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        let recording = Self { words: bytes.chunks_exact(8).map(word).collect() };
        let is_taken = |segment: Segment<'_>| segment.state() != State::Reserved;
        Segment::open(&recording.words).is_ok_and(is_taken).then_some(recording)
    }

    /// Every recording of a session, by file name.
    pub fn all(session: &Path) -> Vec<Self> {
        let entries = fs::read_dir(session).expect("a session").map(|entry| entry.expect("readable").path());
        let mut paths: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|e| e == "segment")).collect();
        paths.sort();
        paths.iter().filter_map(|path| Self::copy(path)).collect()
    }

    /// The segment itself.
    pub fn segment(&self) -> Segment<'_> {
        Segment::open(&self.words).expect("a whole segment")
    }

    /// Sampled objects that are alive.
    pub fn live(&self) -> Vec<Record> {
        let mut live = Vec::new();
        self.segment().live().for_each(|record| live.push(record));
        live
    }

    /// Open descriptors by number, as the hooks booked them.
    pub fn descriptors(&self) -> BTreeMap<u32, Descriptor> {
        let table = self.segment().descriptors();
        (0..table.extent()).filter_map(|number| Some((number, table.get(number)?))).collect()
    }

    /// Everything else that has a handle: timers, threads, children, mappings, registrations.
    pub fn objects(&self) -> Vec<Object> {
        let mut objects = Vec::new();
        self.segment().objects().for_each(|object| objects.push(object));
        objects
    }

    /// Samples taken so far.
    pub fn samples(&self) -> u64 {
        self.segment().get(HeaderWord::Samples)
    }

    /// The program's file.
    pub fn exe(&self) -> PathBuf {
        let mut text = [0; 4096];
        let n = self.segment().exe(&mut text);
        PathBuf::from(OsStr::from_bytes(&text[..n]))
    }

    /// Every stack with its births, its end and what is made there: sampled blocks, or anything else.
    pub fn stacks(&self) -> Vec<(u32, u64, Option<StackEnd>, Class)> {
        let segment = self.segment();
        let stacks = segment.stacks().expect("a stack table");
        let of = |stack: u32| {
            let births = segment.totals().get(stack).filter(|totals| totals.births != 0)?.births;
            let shape = stacks.shape(stack);
            let class = shape.and_then(|shape| shape.class).unwrap_or(Class::Heap);
            Some((stack, births, shape.and_then(|shape| shape.end), class))
        };
        (0..stacks.capacity()).filter_map(of).collect()
    }

    /// The frames of a stack, innermost first.
    pub fn frames(&self, stack: u32) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.segment().stacks().expect("a stack table").for_each_frame(stack, |frame| frames.push(frame));
        frames
    }

    /// Where a frame lies, for the symbolizer.
    pub fn module(&self, frame: Frame) -> Option<ModuleRef> {
        let index = Some(frame.module()).filter(|index| *index != FRAME_UNKNOWN_MODULE)?;
        let module = self.segment().modules().get(index)?;
        Some(ModuleRef {
            path: PathBuf::from(OsStr::from_bytes(module.path())),
            build_id: Some(module.build_id().to_vec()).filter(|id| !id.is_empty()),
        })
    }
}

/// Names functions, with a memory.
pub struct Names {
    symbolizer: Symbolizer,
    known: HashMap<(ModuleRef, u64), String>,
}

impl Default for Names {
    fn default() -> Self {
        Self { symbolizer: Symbolizer::new(SymbolizerOptions::default()), known: HashMap::new() }
    }
}

impl Names {
    /// The function a frame lies in, from the symbol tables.
    pub fn function(&mut self, recording: &Recording, frame: Frame) -> String {
        let Some(module) = recording.module(frame) else { return "?".to_owned() };
        let key = (module, frame.address());
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        let name = self.symbolizer.resolve_function_only(&key.0, key.1, true).function;
        self.known.insert(key, name.clone());
        name
    }

    /// The innermost function at a frame with its line, from the debug information.
    pub fn place(&mut self, recording: &Recording, frame: Frame) -> Option<Named> {
        let module = recording.module(frame)?;
        self.symbolizer.resolve(&module, frame.address(), true).into_iter().next()
    }
}
