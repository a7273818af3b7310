//! Interposer: from the hook's registers to a stack's number in the segment. In: stack and frame pointer at the hook's
//! entry. Out: the number under which the segment knows the stack; the unknown stack if anything is in the way.

use crate::lifecycle::Attached;
use crate::loader::DynamicLoader;
use crate::parachute;
use crate::sys;
use crate::thread::{self, Thread};
use memguard_segment::{FRAME_UNKNOWN_MODULE, Frame, HeaderWord, Loss, STACK_UNKNOWN, StackEnd};
use memguard_unwind::{Registers, StackMemory, Walk, WalkEnd, walk};

const PAGE: u64 = 4096;
/// How many pages of a thread's stack are probed at once when its extent becomes known.
const EXTEND_PAGES_MAX: u64 = 256;
/// A stack pointer farther below the thread's control block than this is on another stack.
const STACK_BYTES_MAX: u64 = 64 << 20;

#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
fn caller(sp: u64, fp: u64) -> Registers {
    let return_address: *const u64 = core::ptr::with_exposed_provenance(sp as usize);
    // SAFETY: the hook passes its stack pointer, where the call put the return address.
    Registers { ip: unsafe { return_address.read() }, sp: sp.wrapping_add(8), fp }
}

/// Without assembly entry points the walk starts here, in our own code; [`ours_first`] drops those frames.
#[cfg(not(all(not(feature = "portable"), target_arch = "x86_64")))]
#[allow(clippy::inline_always)] // its registers are to be those of the function it is called in
#[inline(always)]
fn caller(_sp: u64, _fp: u64) -> Registers {
    let (ip, sp, fp): (u64, u64, u64);
    // SAFETY: copies three registers.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) ip, out(reg) sp, out(reg) fp,
            options(nomem, nostack, preserves_flags));
    }
    // SAFETY: copies three registers.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("adr {}, .", "mov {}, sp", "mov {}, x29", out(reg) ip, out(reg) sp, out(reg) fp,
            options(nomem, nostack, preserves_flags));
    }
    Registers { ip, sp, fp }
}

/// How many of the innermost frames are our own.
fn ours_first(attached: &Attached, frames: &[u64]) -> usize {
    if cfg!(all(not(feature = "portable"), target_arch = "x86_64")) {
        return 0;
    }
    let Some(ours) = attached.modules.fixed_at(ours_first as *const () as u64) else { return 0 };
    frames.iter().take_while(|address| (ours.start..ours.end).contains(*address)).count()
}

/// The number of the calling stack.
#[inline(never)]
pub fn number(attached: &Attached, thread: &mut Thread, sp: u64, fp: u64) -> u32 {
    let losses = attached.segment.losses();
    let Some(mut scratch) = attached.pool.lease(thread.number as usize) else {
        losses.count(Loss::UnwinderBusy);
        return STACK_UNKNOWN;
    };
    let registers = caller(sp, fp);
    learn_extent(thread, registers.sp);
    let known = thread.stack_start.max(registers.sp & !7)..thread.stack_end;
    let known =
        if thread.stack_start <= registers.sp && registers.sp < thread.stack_end { known } else { 0..0 };
    // SAFETY: the range lies in the calling thread's own stack, above its stack pointer (see `learn_extent`), and
    // the probe asks the kernel.
    let mut memory = unsafe { StackMemory::new(known.start, known.end, sys::page_is_readable) };
    let mut walked = Walk { frames: 0, end: WalkEnd::Incomplete, hash: 0 };
    parachute::guard(|| {
        walked = walk(registers, &mut memory, &attached.modules, &DynamicLoader, &mut scratch);
    });
    if walked.frames == 0 {
        losses.count(Loss::StackIncomplete);
        return STACK_UNKNOWN;
    }
    let end = match walked.end {
        WalkEnd::Complete => {
            attached.segment.add(HeaderWord::StacksComplete, 1);
            StackEnd::Complete
        }
        WalkEnd::Truncated => {
            losses.count(Loss::StackTruncated);
            StackEnd::Truncated
        }
        WalkEnd::Incomplete => {
            losses.count(Loss::StackIncomplete);
            StackEnd::Incomplete
        }
    };
    let frames = scratch.frames.get(..walked.frames).unwrap_or_default();
    let frames = frames.get(ours_first(attached, frames)..).unwrap_or_default();
    let Some(stacks) = attached.segment.stacks() else { return STACK_UNKNOWN };
    let encode = |i: usize| {
        let address = frames.get(i).copied().unwrap_or(0);
        // A return address may be the first byte behind a module; the call before it is inside.
        attached
            .modules
            .at(address.wrapping_sub(1))
            .map_or(Frame::new(FRAME_UNKNOWN_MODULE, address), |module| {
                Frame::new(module.number, address.wrapping_sub(module.bias))
            })
    };
    if let Ok(inserted) = stacks.insert(walked.hash, frames.len(), end, encode) {
        if !inserted.frames_stored {
            losses.count(Loss::FrameArenaFull);
        }
        inserted.stack
    } else {
        losses.count(Loss::StackTableFull);
        STACK_UNKNOWN
    }
}

/// Finds out how much of the memory around `sp` belongs to this thread's own stack, a step at a time. glibc puts a
/// thread's control block at the upper end of its stack's mapping; the first thread's stack ends at
/// `__libc_stack_end`. If every page from here to there can be read, it is one mapping: the stack; below it lies a
/// guard page, so another stack never joins on. Where none of this holds the stack stays unknown, and reads are
/// checked page by page.
fn learn_extent(thread: &mut Thread, sp: u64) {
    if thread.stack_start <= sp && sp < thread.stack_end {
        return;
    }
    let end = if thread.stack_end != 0 { thread.stack_end } else { stack_end(sp) };
    if end <= sp || end - sp > STACK_BYTES_MAX {
        return;
    }
    let from = sp & !(PAGE - 1);
    let to = if thread.stack_end != 0 { thread.stack_start } else { end };
    if to < from || (to - from) / PAGE > EXTEND_PAGES_MAX {
        return;
    }
    let mut page = from;
    while page < to {
        if !sys::page_is_readable(page) {
            return;
        }
        page += PAGE;
    }
    thread.stack_start = from;
    thread.stack_end = end;
}

fn stack_end(sp: u64) -> u64 {
    let pointer = thread::thread_pointer() & !7;
    if sp < pointer && pointer - sp <= STACK_BYTES_MAX {
        return pointer;
    }
    crate::lifecycle::first_stack_end() & !7
}
