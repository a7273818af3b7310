//! Fuzz, collect: the first page of the bytes is a segment file that the collector opens; the rest is what a process
//! scribbles over it between the collector's looks.

use memguard_collect::ProcessReader;
use memguard_model::StackId;
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of the file at most; a scribble is two bytes of offset and eight that are written there.
const FILE_BYTES: usize = 4096;
const SCRIBBLE_BYTES: usize = 10;

/// A file that is used again for every input.
struct Scratch {
    path: PathBuf,
    file: File,
}

impl Scratch {
    fn new() -> Self {
        let name = format!("memguard-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        Self { path, file }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that is left behind does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The target.
pub fn run(data: &[u8]) {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
    }
    SCRATCH.with_borrow(|scratch| run_with(scratch, data));
}

fn run_with(scratch: &Scratch, data: &[u8]) {
    let (segment, scribbles) = data.split_at(data.len().min(FILE_BYTES));
    scratch.file.set_len(segment.len() as u64).unwrap();
    scratch.file.write_all_at(segment, 0).unwrap();
    let Ok(mut reader) = ProcessReader::open(&scratch.path) else { return };
    let mut now_ns = 2_000_000_000;
    look(&mut reader, now_ns, false);
    for scribble in scribbles.chunks_exact(SCRIBBLE_BYTES).take(64) {
        // Within the file: one that grows or shrinks under a mapping is another matter.
        let offset = usize::from(u16::from_le_bytes([scribble[0], scribble[1]])) % (segment.len() - 7);
        scratch.file.write_all_at(&scribble[2..], offset as u64).unwrap();
        now_ns += 1_000_000_000;
        look(&mut reader, now_ns, false);
    }
    look(&mut reader, now_ns, true);
    assert!(reader.live_objects() <= FILE_BYTES / 8);
}

fn look(reader: &mut ProcessReader, now_ns: u64, is_over: bool) {
    let reading = reader.read(now_ns, is_over);
    assert!(!is_over || reading.live.is_some(), "everything is read in the end");
    for sample in reading.live.iter().flatten() {
        assert!(sample.inclusion_probability > 0.0 && sample.inclusion_probability <= 1.0);
        let _ = reader.stack(sample.stack);
    }
    for totals in &reading.totals {
        assert!(totals.born_count.is_finite() && totals.died_bytes.is_finite());
        assert!(reader.stack(totals.stack).frames.len() <= FILE_BYTES / 8);
    }
    for index in [0, 1, u16::MAX] {
        let _ = reader.module(index);
    }
    let _ = reader.stack(StackId(u32::MAX));
    let _ = (reader.losses(), reader.stack_statistics(), reader.exe(), reader.pid(), reader.parent_pid());
    let _ = (reader.is_active(), reader.started_at(), reader.origin_ns(), reader.hook_times());
    reader.set_sample_interval_bytes(reader.sample_interval_bytes());
}
