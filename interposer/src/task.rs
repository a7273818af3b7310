//! Interposer: which kernel task a `pthread_t` is. In: the handle that `pthread_create` gave. Out: the kernel's id.
//!
//! libc keeps the id in the thread's control block, to which the handle points, at a place that no header names. It is
//! found once, in the block of the thread that makes another first. The kernel writes it there before `pthread_create`
//! returns, and clears it when the thread ends.

use crate::sys;
use crate::thread;
use core::sync::atomic::{AtomicU64, Ordering};

/// Where in the control block the id is looked for, in bytes. Before it are pointers, behind it are buffers.
const FROM: u64 = 0x100;
const TO: u64 = 0x480;
const WORDS: usize = ((TO - FROM) / 4) as usize;
/// Where the id was found, or one of the two below.
static OFFSET: AtomicU64 = AtomicU64::new(UNKNOWN);
const UNKNOWN: u64 = 0;
const NOWHERE: u64 = u64::MAX;

/// The place. Looked for when the first thread is made: most processes never make one.
fn offset() -> Option<u64> {
    let mut offset = OFFSET.load(Ordering::Relaxed);
    if offset == UNKNOWN {
        // Threads that come here at the same time find the same.
        offset = find().unwrap_or(NOWHERE);
        OFFSET.store(offset, Ordering::Relaxed);
    }
    (offset != NOWHERE).then_some(offset)
}

/// Looks for the calling thread's id in its own block.
fn find() -> Option<u64> {
    let id = sys::call(libc::SYS_gettid, [0; 6]) as u32;
    let mut block = [0; WORDS * 4];
    if sys::copy_checked(thread::control_block() + FROM, &mut block) != block.len() {
        return None;
    }
    let words = block.as_chunks::<4>().0;
    let at = words.iter().position(|word| u32::from_ne_bytes(*word) == id)?;
    Some(FROM + 4 * at as u64)
}

/// The kernel's id of a thread; 0 if it has ended, `None` if that cannot be told.
pub fn id(handle: u64) -> Option<u32> {
    if handle == 0 {
        return None;
    }
    read(handle.wrapping_add(offset()?))
}

/// Whether a task of this process has this id.
pub fn is_alive(id: u32) -> bool {
    let pid = sys::call(libc::SYS_getpid, [0; 6]) as usize;
    sys::call(libc::SYS_tgkill, [pid, id as usize, 0, 0, 0, 0]) == 0
}

fn read(address: u64) -> Option<u32> {
    // Checked: a thread that detached itself may be gone, its block unmapped.
    let mut word = [0; 4];
    (sys::copy_checked(address, &mut word) == word.len()).then(|| u32::from_ne_bytes(word))
}
