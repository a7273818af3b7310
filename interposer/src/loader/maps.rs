//! Interposer, loader: `/proc/self/maps`. In: an address. Out: the path of the file mapped there, and the module's range where
//! the dynamic loader cannot be asked without its lock.

use crate::sys::File;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use memguard_unwind::Identity;

/// The one read buffer: too large for a small stack. Whoever finds it in use goes without an answer.
static BUFFER: Buffer = Buffer { busy: AtomicBool::new(false), bytes: UnsafeCell::new([0; 4608]) };

struct Buffer {
    busy: AtomicBool,
    bytes: UnsafeCell<[u8; 4608]>,
}

// SAFETY: `bytes` is reached only through the one `Taken` that `busy` admits.
unsafe impl Sync for Buffer {}

struct Taken(&'static Buffer);

impl Buffer {
    fn take(&'static self) -> Option<Taken> {
        // Made only where the flag was ours to take: dropping another one would take it from its owner.
        if self.busy.swap(true, Ordering::Acquire) { None } else { Some(Taken(self)) }
    }
}

impl Taken {
    fn bytes(&mut self) -> &mut [u8; 4608] {
        // SAFETY: see `Buffer`.
        unsafe { &mut *self.0.bytes.get() }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// For a fork child, whose other threads do not exist any more.
pub fn reset() {
    BUFFER.busy.store(false, Ordering::Relaxed);
}

/// One line: address range, offset in the file, path.
struct Line<'a> {
    start: u64,
    end: u64,
    path: &'a [u8],
}

fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|c| c.is_ascii_hexdigit()).count();
    let value = text.get(..digits)?.iter().fold(0u64, |value, c| {
        let digit = (*c as char).to_digit(16).unwrap_or(0);
        value.wrapping_mul(16).wrapping_add(u64::from(digit))
    });
    (digits > 0).then_some((value, text.get(digits..)?))
}

fn parse(line: &[u8]) -> Option<Line<'_>> {
    let (start, rest) = hex(line)?;
    let (end, rest) = hex(rest.strip_prefix(b"-")?)?;
    let path = rest.iter().position(|c| *c == b'/').and_then(|at| rest.get(at..)).unwrap_or_default();
    Some(Line { start, end, path })
}

/// Calls `visit` with every line until it returns true. No allocation; lines longer than the buffer are cut.
fn scan(mut visit: impl FnMut(&Line<'_>) -> bool) {
    let Ok(file) = File::open(c"/proc/self/maps", libc::O_RDONLY, 0) else { return };
    let Some(mut buffer) = BUFFER.take() else { return };
    let buffer = buffer.bytes();
    let (mut offset, mut kept) = (0u64, 0usize);
    loop {
        let Some(room) = buffer.get_mut(kept..) else { return };
        let n = file.read_at_most(room, offset);
        if n == 0 {
            return;
        }
        offset += n as u64;
        let filled = kept + n;
        let mut from = 0;
        while let Some(text) = buffer.get(from..filled) {
            let Some(length) = text.iter().position(|c| *c == b'\n') else { break };
            if text.get(..length).and_then(parse).is_some_and(|line| visit(&line)) {
                return;
            }
            from += length + 1;
        }
        let rest = from.min(filled);
        kept = filled - rest;
        for i in 0..kept {
            let byte = buffer.get(rest + i).copied().unwrap_or(0);
            if let Some(to) = buffer.get_mut(i) {
                *to = byte;
            }
        }
        if kept == buffer.len() {
            kept = 0;
        }
    }
}

/// The path of the file mapped at an address.
pub fn path_at(address: u64, out: &mut [u8]) -> &[u8] {
    let mut length = 0;
    scan(|line| {
        let here = line.start <= address && address < line.end;
        if here {
            length = line.path.len().min(out.len());
            for (to, from) in out.iter_mut().zip(line.path) {
                *to = *from;
            }
        }
        here
    });
    out.get(..length).unwrap_or_default()
}

/// The module at an address: the run of mappings of one file around it.
pub fn identify(address: u64, closings: u64) -> Option<Identity> {
    let mut path = [0u8; 512];
    let mut path_bytes = 0;
    let (mut start, mut end, mut found) = (0, 0, false);
    scan(|line| {
        let same = path.get(..path_bytes) == Some(line.path) && !line.path.is_empty();
        if !same || line.path.is_empty() {
            if found {
                return true;
            }
            start = line.start;
            path_bytes = line.path.len();
            match path.get_mut(..path_bytes) {
                Some(into) => into.copy_from_slice(line.path),
                None => path_bytes = 0,
            }
        }
        end = line.end;
        found |= path_bytes != 0 && line.start <= address && address < line.end;
        false
    });
    found.then_some(Identity { start, end, stamp: closings })
}
