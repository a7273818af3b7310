//! Interposer: from the library's start to the end of the process. In: the loader's call of our constructor, the first
//! sample of a process, a fork. Out: whether this process is watched, and its [`Attached`] state.
//!
//! ```text
//! Early ──constructor──> Off          (no session, or anything wrong)
//!                  └───> Attachable ──first sample──> Attached ──fork──> Attachable (in the child)
//! ```
//!
//! The session's first process attaches at once, to the segment that the launcher reserved for it; so does every
//! process in a session that records everything. Others make their own segment when their first sample is due, so a
//! short-lived process pays nothing.

use crate::mapping;
use crate::private_stack;
use crate::sys;
use crate::{clock, filter, heap, loader, proc_self, real, thread};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use memguard_segment::control::{self, Control, Refusal, Settings};
use memguard_segment::{FRAME_UNKNOWN_MODULE, HeaderWord, Layout, Loss, ModuleInfo, Segment, State};
use memguard_unwind::{ModuleSet, Pool};

/// Everything the slow path needs once the process is watched.
pub struct Attached {
    /// The process's shared memory.
    pub segment: Segment<'static>,
    /// Its modules.
    pub modules: ModuleSet,
    /// Working memories for walks.
    pub pool: Pool,
    /// Seed of the threads' random numbers.
    pub seed: u64,
    origin_ns: u64,
}

impl Attached {
    /// Time on the process clock.
    pub fn now_ns(&self) -> u64 {
        clock::monotonic_ns().saturating_sub(self.origin_ns)
    }
}

/// Where this process stands.
pub enum Standing {
    /// The constructor has not run yet.
    Early,
    /// Not watched.
    Off,
    /// To be attached when a sample is due.
    Attachable,
    /// Watched.
    Attached(&'static Attached),
}

const EARLY: u32 = 0;
const OFF: u32 = 1;
const ATTACHABLE: u32 = 2;
const ATTACHING: u32 = 3;
const ATTACHED: u32 = 4;
static STANDING: AtomicU32 = AtomicU32::new(EARLY);

/// One page that reads zero in a fork child (`MADV_WIPEONFORK`), whichever system call made the child.
static ALIVE: AtomicPtr<u64> = AtomicPtr::new(core::ptr::null_mut());
static FIRST_STACK_END: AtomicU64 = AtomicU64::new(0);

struct Place<T>(UnsafeCell<MaybeUninit<T>>);
// SAFETY: written in state EARLY or ATTACHING by the one thread that holds it; read-only in ATTACHED.
unsafe impl<T> Sync for Place<T> {}

static ATTACHED_STATE: Place<Attached> = Place(UnsafeCell::new(MaybeUninit::uninit()));
static SETTINGS: Place<Settings> = Place(UnsafeCell::new(MaybeUninit::uninit()));

const PATH_MAX: usize = 4096;
/// The session directory, NUL-terminated, as found in the environment at start.
static SESSION: Place<[u8; PATH_MAX]> = Place(UnsafeCell::new(MaybeUninit::zeroed()));

/// Environment variable with the session directory.
const SESSION_VARIABLE: &CStr = c"MEMGUARD_SESSION";
/// How many walks can be under way at once.
const WALKERS: usize = 8;

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = start;

/// The loader calls this once, before the program's own start.
extern "C" fn start() {
    real::resolve();
    let end: *const u64 = real::optional(c"__libc_stack_end").cast();
    if !end.is_null() {
        // SAFETY: a variable of ld.so's, set before any constructor runs.
        FIRST_STACK_END.store(unsafe { end.read() }, Ordering::Relaxed);
    }
    if STANDING.load(Ordering::Relaxed) != EARLY {
        return;
    }
    let session = open_session();
    let standing = if session.is_some() { ATTACHABLE } else { OFF };
    if session.is_some() {
        loader::note_fixed();
    }
    STANDING.store(standing, Ordering::Release);
    // What this thread counted down so far was before anyone listened.
    // SAFETY: the calling thread's own block.
    unsafe { (*thread::current()).countdown = 0 };
    if session.is_some_and(|session| session.attaches_at_once) {
        attach();
    }
}

/// Whether the constructor has run.
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
pub fn has_started() -> bool {
    STANDING.load(Ordering::Relaxed) != EARLY
}

/// Upper end of the first thread's stack.
pub fn first_stack_end() -> u64 {
    FIRST_STACK_END.load(Ordering::Relaxed)
}

/// Where this process stands now; notices that it is a fork child.
pub fn standing() -> Standing {
    match STANDING.load(Ordering::Acquire) {
        ATTACHED => {
            let alive = ALIVE.load(Ordering::Relaxed);
            // SAFETY: the page is mapped before ATTACHED is set, and stays.
            if unsafe { alive.read_volatile() } == 0 {
                return after_fork();
            }
            // SAFETY: complete since ATTACHED was set.
            Standing::Attached(unsafe { (*ATTACHED_STATE.0.get()).assume_init_ref() })
        }
        ATTACHABLE => Standing::Attachable,
        ATTACHING | EARLY => Standing::Early,
        _ => Standing::Off,
    }
}

/// In a fork child: forget the parent's objects; attach anew when a sample is due. The parent's segment is not
/// touched, its mapping just stays.
fn after_fork() -> Standing {
    if STANDING.compare_exchange(ATTACHED, ATTACHING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Standing::Early;
    }
    filter::clear();
    real::keep_bootstrap_marked();
    private_stack::reset();
    heap::reset();
    loader::reset();
    // SAFETY: the state of ATTACHED; this thread holds ATTACHING.
    let attached = unsafe { (*ATTACHED_STATE.0.get()).assume_init_ref() };
    attached.pool.reset();
    attached.modules.reset();
    STANDING.store(ATTACHABLE, Ordering::Release);
    Standing::Attachable
}

/// Enters a module into the segment's table while attaching, and later for dynamic ones; its number.
pub fn add_module(info: &ModuleInfo<'_>) -> u16 {
    // SAFETY: called from `attach` (which wrote the segment just before) and from walks (ATTACHED).
    let attached = unsafe { (*ATTACHED_STATE.0.get()).assume_init_ref() };
    attached.segment.modules().add(info).unwrap_or_else(|| {
        attached.segment.losses().count(Loss::ModuleTableFull);
        FRAME_UNKNOWN_MODULE
    })
}

/// A session found at start.
struct FoundSession {
    /// Whether this process takes the reserved segment or must record from its first byte on.
    attaches_at_once: bool,
}

/// Takes the session directory from the environment and the settings from its control page.
fn open_session() -> Option<FoundSession> {
    // SAFETY: the constructor runs before the program can change its environment from another thread.
    let value = unsafe { libc::getenv(SESSION_VARIABLE.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: getenv gives a NUL-terminated string.
    let directory = unsafe { CStr::from_ptr(value) }.to_bytes_with_nul();
    // SAFETY: only the constructor writes.
    let place = unsafe { (*SESSION.0.get()).assume_init_mut() };
    // Room for the longest file name behind it.
    let into = place.get_mut(..directory.len()).filter(|into| into.len() < PATH_MAX - 64)?;
    into.copy_from_slice(directory);
    let (settings, first_is_taken) =
        with_control(|control| Some((control.settings()?, control.first_is_taken()))).flatten()?;
    // SAFETY: only the constructor writes.
    unsafe { (*SETTINGS.0.get()).write(settings) };
    Some(FoundSession { attaches_at_once: settings.sample_interval_bytes == 0 || !first_is_taken })
}

fn settings() -> Settings {
    // SAFETY: written by `open_session` before anything but EARLY or OFF was set.
    unsafe { *(*SETTINGS.0.get()).assume_init_ref() }
}

/// A path in the session directory: the directory, a slash, and `parts`.
fn session_path<'a>(parts: &[&[u8]], out: &'a mut [u8; PATH_MAX]) -> Option<&'a CStr> {
    // SAFETY: written by `open_session`, read-only since.
    let directory = unsafe { (*SESSION.0.get()).assume_init_ref() };
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

fn refuse(refusal: Refusal) {
    with_control(|control| control.refuse(refusal));
}

/// Becomes a watched process. `None` if that failed, or another thread is about it.
pub fn attach() -> Option<&'static Attached> {
    STANDING.compare_exchange(ATTACHABLE, ATTACHING, Ordering::AcqRel, Ordering::Relaxed).ok()?;
    let mut done = false;
    if private_stack::start() {
        private_stack::run(|| done = attach_alone().is_some());
    } else {
        refuse(Refusal::CannotMap);
    }
    STANDING.store(if done { ATTACHED } else { OFF }, Ordering::Release);
    match standing() {
        Standing::Attached(attached) => Some(attached),
        _ => None,
    }
}

fn attach_alone() -> Option<()> {
    if !leaves_address_space() || !heap::start() || !keep_alive_page() {
        refuse(Refusal::CannotMap);
        return None;
    }
    let origin_ns = clock::monotonic_ns();
    let segment = match reserved_segment() {
        Some(segment) => segment,
        None => own_segment(origin_ns).map_err(refuse).ok()?,
    };
    let pid = sys::call(libc::SYS_getpid, [0; 6]) as u64;
    segment.set(HeaderWord::Pid, pid);
    segment.set(HeaderWord::ParentPid, sys::call(libc::SYS_getppid, [0; 6]) as u64);
    segment.set(HeaderWord::OriginMonotonicNs, origin_ns);
    segment.set(HeaderWord::OriginRealtimeNs, clock::realtime_ns());
    segment.set(HeaderWord::SampleIntervalBytes, settings().sample_interval_bytes);
    let mut text = [0u8; PATH_MAX];
    let n = proc_self::exe(&mut text);
    segment.set_exe(text.get(..n).unwrap_or_default());
    let n = proc_self::read(c"/proc/self/cmdline", &mut text);
    segment.set_command(text.get(..n).unwrap_or_default());

    let seed = origin_ns ^ pid.rotate_left(40);
    let state = Attached { segment, modules: ModuleSet::new(), pool: Pool::new(), seed, origin_ns };
    // SAFETY: this thread holds ATTACHING; nobody reads until ATTACHED is set. What a fork child overwrites here
    // leaks its parent's working memories, which is bounded by the depth of forks.
    let attached = unsafe { (*ATTACHED_STATE.0.get()).write(state) };
    attached.modules.seal(loader::fixed());
    attached.pool.fill(WALKERS);
    segment.set(HeaderWord::State, State::Active as u64);
    Some(())
}

/// Whether the program keeps most of what its address space limit leaves it: otherwise its own allocations would fail
/// because of us.
fn leaves_address_space() -> bool {
    const PARTS: u64 = 4;
    let Some(limit) = sys::limit(libc::RLIMIT_AS as usize) else { return true };
    let mut text = [0u8; 64];
    let n = proc_self::read(c"/proc/self/statm", &mut text);
    let digits = text.get(..n).unwrap_or_default().iter().take_while(|c| c.is_ascii_digit());
    let pages = digits.fold(0u64, |pages, c| pages.wrapping_mul(10).wrapping_add(u64::from(c - b'0')));
    let layout = Layout::new(settings().first).map_or(0, |layout| layout.bytes());
    limit.saturating_sub(pages.saturating_mul(4096)) >= PARTS * (layout + heap::BYTES) as u64
}

/// Maps the page that fork children find wiped, or writes it anew in such a child.
fn keep_alive_page() -> bool {
    let mut page = ALIVE.load(Ordering::Relaxed);
    if page.is_null() {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let Some(fresh) = sys::map(4096, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) else {
            return false;
        };
        if !sys::advise(fresh, 4096, libc::MADV_WIPEONFORK) {
            return false;
        }
        page = fresh.cast();
        ALIVE.store(page, Ordering::Relaxed);
    }
    // SAFETY: our own mapped page.
    unsafe { page.write_volatile(1) };
    true
}

/// The segment that the launcher made for the session's first process.
fn reserved_segment() -> Option<Segment<'static>> {
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
fn own_segment(now_ns: u64) -> Result<Segment<'static>, Refusal> {
    let layout = Layout::new(settings().others).ok_or(Refusal::CannotCreate)?;
    let pid = sys::call(libc::SYS_getpid, [0; 6]) as u64;
    let (mut digits, mut more) = ([0u8; 20], [0u8; 20]);
    let name =
        [decimal(pid, &mut digits), b"-", decimal(now_ns, &mut more), control::SEGMENT_SUFFIX.as_bytes()];
    let mut path = [0; PATH_MAX];
    let path = session_path(&name, &mut path).ok_or(Refusal::CannotCreate)?;
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
