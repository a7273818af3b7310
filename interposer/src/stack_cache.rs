//! Interposer: stacks seen before, so that most are recognised without being walked. In: registers at a hook. Out: the
//! number of the stack, if every return address on it still stands where it stood.
//!
//! A place that opens a thousand descriptors a second does so with the same few stacks at the same depths. An entry keeps
//! where each return address of such a stack was read. If the innermost address and the stack pointer are the same, and
//! each of those words still holds its address, then it is the same stack: a frame cannot differ without its return
//! address, or the place of it, being another (where functions with `alloca` leave all words of an older stack in place, it is
//! taken for that one). Reading a word is ten times cheaper than unwinding a frame.
//!
//! Two places for each, a flag per entry: who finds it set looks elsewhere. What an entry is found by includes the callers'
//! addresses, read where they probably stand ([`frame_sizes`]): a wrong guess finds another entry, and the stack is walked.
//!
//! To many an allocation there is one way only. Where a thread has found the same entry a few times in a row, one of its
//! [`Hints`] takes it there at once, and the callers are not read.

use crate::hash::hash;
use crate::hints::{Hint, Hints};
use crate::{frame_sizes, loader, writers};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};
use memguard_segment::{Class, StackEnd, Writers};
use memguard_unwind::Registers;

const ENTRIES: usize = 512;
/// Bits of a class.
const CLASS_BITS: u32 = 8;
/// How many callers tell stacks apart that end at the same place.
const CALLERS: usize = 3;
/// Deeper stacks are walked each time.
const FRAMES_MAX: usize = 64;

/// Which stack is asked for.
pub struct Question {
    /// Where the walk starts.
    pub registers: Registers,
    /// End of the part of the thread's own stack that is known to be mapped; 0 if it is another stack.
    pub stack_end: u64,
    /// What is made there.
    pub class: Class,
}

/// What is known of it.
#[derive(Clone, Copy)]
pub struct Answer {
    /// Its number in the segment.
    pub stack: u32,
    /// How its walk ended.
    pub end: StackEnd,
}

/// What is looked at first comes first, on one cache line with the flag before it.
#[repr(C)]
struct Entry {
    ip: u64,
    sp: u64,
    /// Of [`now`], with the class: what was kept before is of another life.
    life: u64,
    /// None if nothing is kept. All zeros then, so that the table takes no room in the library's file.
    answer: Option<Answer>,
    /// How far above `sp` the last of them ends, in bytes.
    reach_bytes: u32,
    /// How many return addresses were read from the stack, and those.
    count: usize,
    kept: [Kept; FRAMES_MAX],
}

#[derive(Clone, Copy)]
struct Kept {
    address: u64,
    /// How far above `sp` it lies, in bytes.
    offset: u32,
}

#[repr(C, align(64))]
struct Slot {
    busy: AtomicBool,
    entry: UnsafeCell<Entry>,
}

// SAFETY: `entry` is touched only by whoever set `busy`.
unsafe impl Sync for Slot {}

static CACHE: [Slot; ENTRIES] = [const {
    Slot {
        busy: AtomicBool::new(false),
        entry: UnsafeCell::new(Entry {
            ip: 0,
            sp: 0,
            life: 0,
            answer: None,
            reach_bytes: 0,
            count: 0,
            kept: [Kept { address: 0, offset: 0 }; FRAMES_MAX],
        }),
    }
}; ENTRIES];

/// How often a stack has displaced another.
static TURNS: AtomicU64 = AtomicU64::new(0);
/// How often everything was forgotten.
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

/// For a fork child: the numbers are those of the parent's segment. A flag that a thread of the parent held stays set.
pub fn forget() {
    FORGOTTEN.fetch_add(1, Ordering::Relaxed);
}

/// Changes when numbers or modules may mean something else.
fn now(class: Class) -> u64 {
    FORGOTTEN.load(Ordering::Relaxed) << 40
        | (loader::closings() & 0xFFFF_FFFF) << CLASS_BITS
        | u64::from(class.code())
}

/// The first of the two places where a stack may be kept, the other one is beside it: by the innermost address, the stack
/// pointer, and those who probably called.
#[inline]
fn place(question: &Question) -> u16 {
    let Registers { mut ip, mut sp, .. } = question.registers;
    let mut key = innermost(question);
    for _ in 0..CALLERS {
        let Some(bytes) = frame_sizes::of(ip) else { break };
        let Some(caller) = word(sp, bytes, question.stack_end) else { break };
        (ip, sp) = (caller, sp.wrapping_add(u64::from(bytes) + 8));
        key = key.rotate_left(20) ^ ip;
    }
    (hash(key) >> (u64::BITS - u16::BITS)) as u16
}

/// What is known without a look at the stack.
fn innermost(question: &Question) -> u64 {
    let Registers { ip, sp, .. } = question.registers;
    ip ^ sp.rotate_left(24) ^ u64::from(question.class.code())
}

fn with<T>(place: u16, f: impl FnOnce(&mut Entry) -> Option<T>) -> Option<T> {
    let slot = CACHE.get(usize::from(place) % ENTRIES)?;
    let is_taken = match writers::now() {
        // A handler that comes in between has given the entry back when it is over.
        Writers::One => {
            let is_taken = slot.busy.load(Ordering::Relaxed);
            slot.busy.store(true, Ordering::Relaxed);
            compiler_fence(Ordering::Acquire);
            is_taken
        }
        Writers::Many => slot.busy.swap(true, Ordering::Acquire),
    };
    if is_taken {
        return None;
    }
    // SAFETY: `busy` was false and is ours now.
    let result = f(unsafe { &mut *slot.entry.get() });
    slot.busy.store(false, Ordering::Release);
    result
}

/// Recognises a stack. The hints are the calling thread's.
#[inline]
pub fn look_up(question: &Question, hints: &mut Hints) -> Option<Answer> {
    if question.stack_end == 0 {
        return None;
    }
    let hint = hints.of(hash(innermost(question)))?;
    if let Some(place) = hint.place() {
        let answer = kept_at(place, question);
        if answer.is_some() {
            return answer;
        }
        hint.forget();
    }
    look_by_callers(question, hint)
}

/// Recognises a stack by its callers, and tells the hint where.
#[inline(never)]
fn look_by_callers(question: &Question, hint: &mut Hint) -> Option<Answer> {
    let mut place = place(question);
    let answer = kept_at(place, question).or_else(|| {
        place ^= 1;
        kept_at(place, question)
    })?;
    hint.learn(place);
    Some(answer)
}

/// What is kept at a place, if it is the stack that is asked for.
#[inline]
fn kept_at(place: u16, question: &Question) -> Option<Answer> {
    with(place, |entry| entry.answers(question))
}

impl Entry {
    /// Its answer, if it is about the stack that is asked for.
    fn answers(&self, question: &Question) -> Option<Answer> {
        let Registers { ip, sp, .. } = question.registers;
        let answer = self.answer?;
        if (self.ip, self.sp, self.life) != (ip, sp, now(question.class)) {
            return None;
        }
        if sp.wrapping_add(u64::from(self.reach_bytes)) > question.stack_end {
            return None;
        }
        let kept = self.kept.get(..self.count)?;
        // SAFETY: `keep` found the same distance from the same stack pointer aligned, and none ends beyond `reach_bytes`, which
        // lies within the known stack now.
        kept.iter().all(|kept| unsafe { read(sp, kept.offset) } == kept.address).then_some(answer)
    }

    /// Whether it is of no use any more.
    fn is_free(&self, class: Class) -> bool {
        self.answer.is_none() || self.life >> CLASS_BITS != now(class) >> CLASS_BITS
    }
}

/// Keeps a stack that was walked: its frames, innermost first, and where each was read.
pub fn keep(question: &Question, frames: &[u64], slots: &[u64], answer: Answer) {
    let Registers { ip, sp, .. } = question.registers;
    if question.stack_end == 0 || frames.is_empty() || frames.len() > FRAMES_MAX {
        return;
    }
    learn_sizes(sp, frames, slots);
    let one = place(question);
    let other = one ^ 1;
    let is_free = |place| with(place, |entry| entry.is_free(question.class).then_some(())).is_some();
    let place = if is_free(one) {
        one
    } else if is_free(other) {
        other
    } else {
        // Either may be the one that is asked for more.
        one ^ (TURNS.fetch_add(1, Ordering::Relaxed) & 1) as u16
    };
    with(place, |entry| {
        entry.answer = None;
        (entry.reach_bytes, entry.count) = (0, frames.len() - 1);
        // The first frame is the register's.
        for ((address, slot), kept) in frames.iter().zip(slots).skip(1).zip(&mut entry.kept) {
            let offset = u32::try_from(slot.wrapping_sub(sp)).ok()?;
            // What came from a register or from a signal's frame is not found again on the stack.
            if *slot == 0 || word(sp, offset, question.stack_end) != Some(*address) {
                return None;
            }
            *kept = Kept { address: *address, offset };
            entry.reach_bytes = entry.reach_bytes.max(offset.saturating_add(8));
        }
        (entry.ip, entry.sp, entry.life) = (ip, sp, now(question.class));
        entry.answer = Some(answer);
        Some(())
    });
}

/// The sizes of the frames whose callers will be guessed.
fn learn_sizes(sp: u64, frames: &[u64], slots: &[u64]) {
    let mut behind = sp;
    for (address, slot) in frames.iter().zip(slots.iter().skip(1)).take(CALLERS) {
        if *slot == 0 {
            return;
        }
        frame_sizes::learn(*address, slot.wrapping_sub(behind));
        behind = slot.wrapping_add(8);
    }
}

/// The word so far above the stack pointer, if that is within the known stack.
fn word(sp: u64, offset: u32, stack_end: u64) -> Option<u64> {
    let at = sp.wrapping_add(u64::from(offset));
    if at & 7 != 0 || at.wrapping_add(8) > stack_end {
        return None;
    }
    // SAFETY: aligned, above the stack pointer and below the known stack's end.
    Some(unsafe { read(sp, offset) })
}

/// Reads a word of the stack. A handler's frame may change it meanwhile: volatile.
///
/// # Safety
/// It is aligned, lies above the stack pointer and ends below the end of the calling thread's own stack as far as that is known
/// to be mapped (see `learn_extent`).
#[inline]
unsafe fn read(sp: u64, offset: u32) -> u64 {
    let at = sp.wrapping_add(u64::from(offset)) as usize;
    // SAFETY: the caller's promise.
    unsafe { core::ptr::read_volatile(core::ptr::with_exposed_provenance(at)) }
}
