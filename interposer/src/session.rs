//! Interposer: the session that this process belongs to. In: the environment at start, the session's control page. Out: its
//! settings, a segment for this process, and a word in the page: what our start took, or why there is no segment.

use crate::{clock, mapping, sys};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU64, Ordering};
use memguard_segment::control::{self, Control, Refusal, Settings};
use memguard_segment::{Layout, Segment};

const PATH_MAX: usize = 4096;
/// Environment variable with the session directory.
const SESSION_VARIABLE: &CStr = c"MEMGUARD_SESSION";

/// Until the session is known: what guard mode does by default.
const INTERVAL_BYTES_DEFAULT: u64 = 512 << 10;

struct Place<T>(UnsafeCell<MaybeUninit<T>>);
// SAFETY: written by the one thread that is in the constructor or holds the right to attach; read by others afterwards.
unsafe impl<T> Sync for Place<T> {}

static SETTINGS: Place<Settings> = Place(UnsafeCell::new(MaybeUninit::uninit()));
/// The session directory, NUL-terminated.
static DIRECTORY: Place<[u8; PATH_MAX]> = Place(UnsafeCell::new(MaybeUninit::zeroed()));
/// Mean bytes between samples, before there is a segment that says so.
static INTERVAL_BYTES: AtomicU64 = AtomicU64::new(INTERVAL_BYTES_DEFAULT);

/// CPU time that our start took in a process that was given no session, in ns: for the one that it may get.
static STARTED_IN_NS: AtomicU64 = AtomicU64::new(0);

/// What the environment says of a session.
pub enum Given {
    /// Nothing.
    Nothing,
    /// One that cannot be used.
    Unusable,
    /// One that this process belongs to.
    Session {
        /// Whether this process takes the reserved segment or must record from its first byte on.
        attaches_at_once: bool,
    },
}

/// Takes the session directory from the environment and the settings from its control page, and leaves there what our start has taken,
/// which began when the calling thread had used so much CPU time. In the constructor.
pub fn open(began_cpu_ns: u64) -> Given {
    let took_ns = || clock::thread_cpu_ns().saturating_sub(began_cpu_ns);
    // SAFETY: the constructor runs before the program can change its environment from another thread.
    let value = unsafe { libc::getenv(SESSION_VARIABLE.as_ptr()) };
    if value.is_null() {
        STARTED_IN_NS.store(took_ns(), Ordering::Relaxed);
        return Given::Nothing;
    }
    // SAFETY: getenv gives a NUL-terminated string.
    match learn(unsafe { CStr::from_ptr(value) }, took_ns) {
        Some(is_first) => Given::Session { attaches_at_once: sample_interval_bytes() == 0 || is_first },
        None => Given::Unusable,
    }
}

/// Makes this session's directory ours; false if there is no control page of this version. By the thread that holds the right to
/// attach.
pub fn adopt(directory: &CStr) -> bool {
    learn(directory, || STARTED_IN_NS.load(Ordering::Relaxed)).is_some()
}

/// Takes directory and settings from a session, and adds what our start took; whether its reserved segment is still free.
fn learn(directory: &CStr, took_ns: impl FnOnce() -> u64) -> Option<bool> {
    let directory = directory.to_bytes_with_nul();
    // SAFETY: one writer at a time, and nobody reads before it is done, see `Place`.
    let place = unsafe { (*DIRECTORY.0.get()).assume_init_mut() };
    // Room for the longest file name behind it.
    let into = place.get_mut(..directory.len()).filter(|into| into.len() < PATH_MAX - 64)?;
    into.copy_from_slice(directory);
    let read = |control: &Control<'static>| {
        let found = (control.settings()?, control.first_is_taken());
        control.add_starting_ns(took_ns());
        Some(found)
    };
    let (settings, first_is_taken) = with_control(read).flatten()?;
    INTERVAL_BYTES.store(settings.sample_interval_bytes, Ordering::Relaxed);
    // SAFETY: as above.
    unsafe { (*SETTINGS.0.get()).write(settings) };
    Some(!first_is_taken)
}

/// No session yet, but every allocation is wanted.
pub fn record_everything() {
    INTERVAL_BYTES.store(0, Ordering::Relaxed);
}

/// Mean bytes between samples; 0 records everything.
pub fn sample_interval_bytes() -> u64 {
    INTERVAL_BYTES.load(Ordering::Relaxed)
}

/// What the session wants. Only once it is known.
pub fn settings() -> Settings {
    // SAFETY: written by `learn`, which every way to here has gone through.
    unsafe { *(*SETTINGS.0.get()).assume_init_ref() }
}

/// A path in the session directory: the directory, a slash, and `parts`.
fn session_path<'a>(parts: &[&[u8]], out: &'a mut [u8; PATH_MAX]) -> Option<&'a CStr> {
    // SAFETY: written by `open`, read-only since.
    let directory = unsafe { (*DIRECTORY.0.get()).assume_init_ref() };
    let directory = CStr::from_bytes_until_nul(directory).ok()?.to_bytes();
    let mut at = 0;
    for part in [directory, b"/"].iter().chain(parts).chain(&[&b"\0"[..]]) {
        out.get_mut(at..at + part.len())?.copy_from_slice(part);
        at += part.len();
    }
    CStr::from_bytes_until_nul(out.get(..at)?).ok()
}

/// Maps the control page for as long as `f` takes.
fn with_control<T>(f: impl FnOnce(&Control<'static>) -> T) -> Option<T> {
    let mut path = [0; PATH_MAX];
    let path = session_path(&[control::FILE_NAME.as_bytes()], &mut path)?;
    let words = mapping::existing(path, control::WORDS * 8)?;
    let result = Control::open(words).map(|control| f(&control));
    sys::unmap(words.as_ptr() as usize, control::WORDS * 8);
    result
}

/// Tells the session why this process goes unwatched.
pub fn refuse(refusal: Refusal) {
    with_control(|control| control.refuse(refusal));
}

/// The segment that the launcher made for the session's first process.
pub fn reserved_segment() -> Option<Segment<'static>> {
    if !with_control(memguard_segment::control::Control::take_first)? {
        return None;
    }
    let layout = Layout::new(settings().first)?;
    let mut path = [0; PATH_MAX];
    let path = session_path(&[control::FIRST_SEGMENT_NAME.as_bytes()], &mut path)?;
    let segment = Segment::open(mapping::existing(path, layout.bytes())?).ok()?;
    segment.claim().then_some(segment)
}

/// A segment of this process's own, named after its pid and the time.
pub fn own_segment(now_ns: u64) -> Result<Segment<'static>, Refusal> {
    let layout = Layout::new(settings().others).ok_or(Refusal::CannotCreate)?;
    let pid = sys::call(libc::SYS_getpid, [0; 6]) as u64;
    let (mut digits, mut more) = ([0u8; 20], [0u8; 20]);
    let name =
        [decimal(pid, &mut digits), b"-", decimal(now_ns, &mut more), control::SEGMENT_SUFFIX.as_bytes()];
    let mut path = [0; PATH_MAX];
    let path = session_path(&name, &mut path).ok_or(Refusal::CannotCreate)?;
    if !with_control(|control| control.may_make(layout.bytes())).ok_or(Refusal::CannotCreate)? {
        return Err(Refusal::Crowd);
    }
    let words = mapping::fresh(path, layout.bytes())?;
    let segment = Segment::format(words, &layout).ok_or(Refusal::CannotMap)?;
    segment.claim();
    Ok(segment)
}

/// A number in decimal digits, without the formatting machinery.
fn decimal(mut number: u64, out: &mut [u8; 20]) -> &[u8] {
    let mut at = out.len();
    loop {
        at -= 1;
        if let Some(digit) = out.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.get(at..).unwrap_or_default()
}
