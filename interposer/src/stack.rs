//! Interposer: from the hook's registers to a stack's number in the segment. In: stack and frame pointer at the hook's
//! entry. Out: the number under which the segment knows the stack; the unknown stack if anything is in the way.

use crate::lifecycle::Attached;
use crate::loader::DynamicLoader;
use crate::stack_cache::{self, Answer, Question};
use crate::sys::{self, SignalsBlocked};
use crate::thread::{self, Thread};
use crate::writers;
use memguard_segment::{Class, FRAME_UNKNOWN_MODULE, Frame, HeaderWord, Loss, STACK_UNKNOWN, StackEnd};
use memguard_unwind::{Registers, StackMemory, Walk, WalkEnd, walk};

const PAGE: u64 = 4096;
/// How many pages of a thread's stack are probed at once when its extent becomes known.
const EXTEND_PAGES_MAX: u64 = 256;
/// A stack pointer farther below the thread's control block than this is on another stack.
const STACK_BYTES_MAX: u64 = 64 << 20;

/// Where a hook was called from.
#[derive(Clone, Copy)]
pub struct Here {
    /// Stack pointer at the hook's entry, pointing at the return address; 0 where the hook has no assembly entry.
    pub sp: u64,
    /// The caller's frame pointer register.
    pub fp: u64,
}

impl Here {
    /// Of a hook without an assembly entry: the walk starts in our own code and drops those frames.
    pub const INSIDE: Self = Self { sp: 0, fp: 0 };

    /// As the assembly entry of a hook gives it; without such entries the stack pointer is merely one nearby.
    pub const fn at_entry(sp: u64, fp: u64) -> Self {
        if cfg!(all(not(feature = "portable"), target_arch = "x86_64")) {
            Self { sp, fp }
        } else {
            Self::INSIDE
        }
    }

    /// The caller's registers, right after the hook will have returned.
    fn caller(self) -> Option<Registers> {
        if self.sp == 0 {
            return None;
        }
        let return_address: *const u64 = core::ptr::with_exposed_provenance(self.sp as usize);
        // SAFETY: the hook passes its stack pointer, where the call put the return address.
        Some(Registers { ip: unsafe { return_address.read() }, sp: self.sp.wrapping_add(8), fp: self.fp })
    }
}

/// The registers of the function that this is called in.
#[allow(clippy::inline_always)] // its registers are to be those of the function it is called in
#[inline(always)]
fn registers_here() -> Registers {
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
    let Some(ours) = attached.modules.fixed_at(ours_first as *const () as u64) else { return 0 };
    frames.iter().take_while(|address| (ours.start..ours.end).contains(*address)).count()
}

/// The number of the calling stack, at whose end something of this class is made.
#[inline(never)]
pub fn number(attached: &Attached, thread: &mut Thread, here: Here, class: Class) -> u32 {
    let registers = here.caller().unwrap_or_else(registers_here);
    learn_extent(thread, registers.sp);
    let known = if thread.stack_start <= registers.sp && registers.sp < thread.stack_end {
        thread.stack_end
    } else {
        0
    };
    let question = Question { registers, stack_end: known, class };
    let recognised = stack_cache::look_up(&question, &mut thread.hints);
    let answer = recognised.or_else(|| walked(attached, thread, here, &question));
    let Some(Answer { stack, end }) = answer else { return STACK_UNKNOWN };
    // The report says how many samples have which kind of stack; other objects are not samples.
    if class == Class::Heap {
        let losses = attached.segment.losses();
        match end {
            StackEnd::Complete => attached.segment.add_by(writers::now(), HeaderWord::StacksComplete, 1),
            StackEnd::Truncated => losses.count(Loss::StackTruncated),
            StackEnd::Incomplete => losses.count(Loss::StackIncomplete),
        }
    }
    stack
}

/// The number under which things of this class are booked whose stack is not known.
pub fn unknown(attached: &Attached, class: Class) -> u32 {
    let no_frames = |_| Frame::new(FRAME_UNKNOWN_MODULE, 0);
    let stacks = attached.segment.stacks();
    let inserted = stacks.map(|stacks| stacks.insert(0, class, 0, StackEnd::Incomplete, no_frames));
    inserted.and_then(Result::ok).map_or(STACK_UNKNOWN, |inserted| inserted.stack)
}

/// Walks the stack and finds its number.
fn walked(attached: &Attached, thread: &Thread, here: Here, question: &Question) -> Option<Answer> {
    let losses = attached.segment.losses();
    // A handler that leaves by longjmp would never give the working memory back, nor stop being a user of a module.
    let _blocked = SignalsBlocked::new();
    // A child of vfork is another process in its parent's memory.
    if thread.vforks == 0 {
        attached.expect_walks();
    }
    let Some(mut scratch) = attached.pool.lease(thread.number as usize) else {
        losses.count(Loss::UnwinderBusy);
        return None;
    };
    let registers = question.registers;
    let known = if question.stack_end == 0 { 0..0 } else { registers.sp & !7..question.stack_end };
    let mut walked = Walk { frames: 0, end: WalkEnd::Incomplete, hash: 0 };
    let number = scratch.number();
    let walking = || {
        // SAFETY: the range lies in the calling thread's own stack, above its stack pointer (see `learn_extent`), and
        // pages are copied by the kernel. Here, not outside: it holds a page.
        let mut memory = unsafe { StackMemory::new(known.start, known.end, sys::copy_page) };
        walked = walk(registers, &mut memory, &attached.modules, &DynamicLoader, &mut scratch);
    };
    // SAFETY: the working memory is held, signals are blocked.
    unsafe { attached.walk_stacks.run(number, walking) };
    if walked.frames == 0 {
        losses.count(Loss::StackIncomplete);
        return None;
    }
    let end = match walked.end {
        WalkEnd::Complete => StackEnd::Complete,
        WalkEnd::Truncated => StackEnd::Truncated,
        WalkEnd::Incomplete => StackEnd::Incomplete,
    };
    let frames = scratch.frames.get(..walked.frames).unwrap_or_default();
    let ours = if here.sp == 0 { ours_first(attached, frames) } else { 0 };
    let theirs = frames.get(ours..).unwrap_or_default();
    let stacks = attached.segment.stacks()?;
    let encode = |i: usize| {
        let address = theirs.get(i).copied().unwrap_or(0);
        // A return address may be the first byte behind a module; the call before it is inside.
        attached
            .modules
            .at(address.wrapping_sub(1))
            .map_or(Frame::new(FRAME_UNKNOWN_MODULE, address), |module| {
                Frame::new(module.number, address.wrapping_sub(module.bias))
            })
    };
    let Ok(inserted) = stacks.insert(walked.hash, question.class, theirs.len(), end, encode) else {
        losses.count(Loss::StackTableFull);
        return None;
    };
    if !inserted.frames_stored {
        losses.count(Loss::FrameArenaFull);
    }
    let answer = Answer { stack: inserted.stack, end };
    let slots = scratch.slots.get(..walked.frames).unwrap_or_default();
    stack_cache::keep(question, frames, slots, answer);
    Some(answer)
}

/// Finds out how much of the memory around `sp` belongs to this thread's own stack, a step at a time. glibc puts a
/// thread's control block at the upper end of its stack's mapping; the first thread's stack ends at
/// `__libc_stack_end`. If every page from here to there can be read, it is one mapping: the stack; below it lies a
/// guard page, so another stack never joins on. Where none of this holds the stack stays unknown, and reads are
/// copied page by page.
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
    if let Some(end) = crate::lifecycle::first_stack_end() {
        return end & !7;
    }
    let pointer = thread::thread_pointer() & !7;
    if sp < pointer && pointer - sp <= STACK_BYTES_MAX { pointer } else { 0 }
}
