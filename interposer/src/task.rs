//! Interposer: which kernel task a `pthread_t` is. In: the handle that `pthread_create` gave. Out: the kernel's id.
//!
//! libc keeps the id in the thread's control block, to which the handle points, at a place that no header names. It is
//! found once, in the first thread, whose id is the process's. The kernel writes it there before `pthread_create`
//! returns, and clears it when the thread ends.

use crate::sys;
use crate::thread;
use core::sync::atomic::{AtomicU64, Ordering};

/// Where in the control block the id is looked for, in bytes. Before it are pointers, behind it are buffers.
const FROM: u64 = 0x100;
const TO: u64 = 0x480;
/// Where the id was found; 0 if it was not.
static OFFSET: AtomicU64 = AtomicU64::new(0);

/// Finds the place, in the constructor.
pub fn learn() {
    let id = sys::call(libc::SYS_gettid, [0; 6]);
    if id != sys::call(libc::SYS_getpid, [0; 6]) {
        return;
    }
    let block = thread::control_block();
    let mut offset = FROM;
    while block != 0 && offset < TO {
        if read(block + offset).is_some_and(|word| word == id as u32) {
            OFFSET.store(offset, Ordering::Relaxed);
            return;
        }
        offset += 4;
    }
}

/// The kernel's id of a thread; 0 if it has ended, `None` if that cannot be told.
pub fn id(handle: u64) -> Option<u32> {
    let offset = OFFSET.load(Ordering::Relaxed);
    if offset == 0 || handle == 0 {
        return None;
    }
    read(handle.wrapping_add(offset))
}

/// Whether a task of this process has this id.
pub fn is_alive(id: u32) -> bool {
    let pid = sys::call(libc::SYS_getpid, [0; 6]) as usize;
    sys::call(libc::SYS_tgkill, [pid, id as usize, 0, 0, 0, 0]) == 0
}

fn read(address: u64) -> Option<u32> {
    // A thread that detached itself may be gone, its block unmapped.
    if !sys::page_is_readable(address & !4095) {
        return None;
    }
    let mut word = [0; 4];
    (sys::copy_checked(address, &mut word) == word.len()).then(|| u32::from_ne_bytes(word))
}
