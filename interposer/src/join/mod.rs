//! Interposer: the way into a session of a process that was given none (`LD_PRELOAD` alone). In: the environment at
//! start, a process that is worth watching. Out: the session's directory, from a collector that is started for the
//! question, finds the session that is under way or begins one, and answers on a shared page.
//!
//! ```text
//! not asked ──the process is a second old──> asked ──the page is filled──> known, or never
//! ```
//!
//! The program never waits for the answer (unless everything is to be recorded), has no new descriptor, no new child
//! that its `wait` would see, and no changed environment.

mod environment;
mod launch;

use crate::mapping;
use crate::private_stack;
use crate::session;
use crate::sys;
use crate::{clock, proc_self};
use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use memguard_segment::AtomicU64 as Word;
use memguard_segment::request::{self, Answer, Request};

/// A collector that has not answered by then never will.
const PATIENCE_NS: u64 = 10_000_000_000;
/// How long the start of a process waits whose every allocation is to be recorded.
const WAIT_MS_MAX: u32 = 5_000;
const PATH_MAX: usize = 4096;

/// The page with question and answer; null before it was asked.
static PAGE: AtomicPtr<Word> = AtomicPtr::new(core::ptr::null_mut());
static ASKED_NS: AtomicU64 = AtomicU64::new(0);

/// What asking has led to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The session is known; [`session::settings`] has its settings.
    Known,
    /// Not yet.
    Later,
    /// There will be none.
    Never,
}

/// From the constructor: whether this process may ask later. Copies what the collector needs of the environment, which
/// the program may change afterwards.
pub fn prepare() -> bool {
    // SAFETY: takes a number. A program with more rights than its user starts nothing on that user's behalf.
    let is_secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    !is_secure && launch::IS_POSSIBLE && launch::note_library() && environment::note()
}

/// Whether the environment asks for every allocation from the first one on.
pub fn wants_everything() -> bool {
    environment::wants_everything()
}

/// Asks, or looks whether there is an answer. The caller holds the right to attach; never from a signal handler that
/// interrupted another call of this.
pub fn step() -> Step {
    // What it stays at if the stack is in use.
    let mut step = Step::Later;
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        if !private_stack::start() {
            return Step::Never;
        }
        private_stack::run(|| step = ask().map_or(Step::Never, |()| Step::Later));
    } else {
        private_stack::run(|| step = look(page));
    }
    step
}

/// The same until there is an answer, for some seconds at most.
pub fn wait() -> Step {
    for _ in 0..WAIT_MS_MAX {
        match step() {
            Step::Later => sys::sleep_ms(1),
            answered => return answered,
        }
    }
    Step::Never
}

fn ask() -> Option<()> {
    let mut exe = [0; PATH_MAX];
    let n = proc_self::exe(&mut exe);
    let collectors = launch::Collectors::beside_library()?;
    // The commands of MemGuard itself are not to be watched.
    if collectors.contains(exe.get(..n)?) {
        return None;
    }
    let file = sys::File::in_memory(c"memguard-request", request::WORDS * 8)?;
    let words = mapping::words(&file, request::WORDS * 8)?;
    Request::format(words, sys::call(libc::SYS_getpid, [0; 6]) as u64)?;
    launch::launch(&collectors, environment::noted(), file.fd())?;
    ASKED_NS.store(clock::coarse_ns(), Ordering::Relaxed);
    PAGE.store(words.as_ptr().cast_mut(), Ordering::Release);
    Some(())
}

fn look(page: *mut Word) -> Step {
    // SAFETY: the page that `ask` mapped, for good; atomics.
    let words = unsafe { core::slice::from_raw_parts(page.cast_const(), request::WORDS) };
    let mut text = [0; request::TEXT_BYTES_MAX + 1];
    let Some(request) = Request::open(words) else { return Step::Never };
    let answer = request.look(text.get_mut(..request::TEXT_BYTES_MAX).unwrap_or_default());
    match answer {
        Answer::Found(_) => {
            let directory = CStr::from_bytes_until_nul(&text).unwrap_or_default();
            if session::adopt(directory) { Step::Known } else { Step::Never }
        }
        Answer::Refused(n) => {
            say(text.get(..n).unwrap_or_default());
            Step::Never
        }
        Answer::Pending
            if clock::coarse_ns().saturating_sub(ASKED_NS.load(Ordering::Relaxed)) < PATIENCE_NS =>
        {
            Step::Later
        }
        Answer::Pending => Step::Never,
    }
}

/// The one line that a wrong configuration is worth.
fn say(line: &[u8]) {
    if !line.is_empty() {
        sys::call(libc::SYS_write, [2, line.as_ptr() as usize, line.len(), 0, 0, 0]);
    }
}
