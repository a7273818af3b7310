//! Interposer: from the library's start to the end of the process. In: the loader's call of our constructor, the first
//! sample of a process, a fork. Out: whether this process is watched, and its [`Attached`] state.
//!
//! ```text
//! Early ──constructor──> Off          (a stranger, or anything wrong)
//!                  └───> Attachable ──first sample──> Attached ──fork──> Attachable (in the child)
//! ```
//!
//! A process that was given no session asks for one when it would attach, and attaches when it has the answer.
//!
//! A session's first process attaches at once, to the segment that the launcher reserved for it; so does every
//! process in a session that records everything. Others make their own segment when a sample is due and they are a second
//! old, so a short-lived process pays nothing.

use crate::book::Books;
use crate::join::{self, Step};
use crate::private_stack::{self, WalkStacks};
use crate::sys;
use crate::thread;
use crate::timing::{self, Timed};
use crate::{clock, filter, heap, loader, passing, proc_self, real, session, strangers, writers};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use memguard_segment::control::Refusal;
use memguard_segment::{FRAME_UNKNOWN_MODULE, HeaderWord, Layout, Loss, ModuleInfo, Segment, State, Writers};
use memguard_unwind::{ModuleSet, Pool, WALKERS_MAX};

/// So many births of a thread in one tick of the coarse clock have different times; all of them are within 66 us.
const BIRTHS_TOLD_APART: u32 = 1 << 16;

/// Everything the slow path needs once the process is watched.
pub struct Attached {
    /// The process's shared memory.
    pub segment: Segment<'static>,
    /// Its modules.
    pub modules: ModuleSet,
    /// Working memories for walks.
    pub pool: Pool,
    /// Their stacks.
    pub walk_stacks: WalkStacks,
    /// Whether every allocation is recorded, none is sampled.
    pub records_everything: bool,
    /// The books.
    pub books: Books,
    origin_ns: u64,
    /// What reading the clock takes, in ns.
    pub clock_ns: u64,
}

impl Attached {
    /// Time on the process clock.
    pub fn now_ns(&self) -> u64 {
        self.since_start_ns(clock::monotonic_ns())
    }

    /// A time of the monotonic clock on the process clock.
    pub fn since_start_ns(&self, monotonic_ns: u64) -> u64 {
        monotonic_ns.saturating_sub(self.origin_ns)
    }

    /// Working memories for as many walks as can be under way at once, if several threads walk by now.
    pub fn expect_walks(&self) {
        if self.pool.count() == WALKERS_MAX || writers::now() == Writers::One {
            return;
        }
        self.modules.unless_admitting(|| {
            if heap::has_room(WALKERS_MAX * WALKER_BYTES) {
                private_stack::run_deep(|| self.pool.fill(WALKERS_MAX));
            }
        });
    }

    /// Time on the process clock, some milliseconds old at most, for what lives long enough.
    pub fn about_now_ns(&self) -> u64 {
        clock::coarse_ns().saturating_sub(self.origin_ns)
    }

    /// Time of a death on the process clock. Where everything is recorded, reading the exact time would be a third of the
    /// cost, and detectors ask for milliseconds.
    pub fn death_ns(&self) -> u64 {
        if self.records_everything { self.about_now_ns() } else { self.now_ns() }
    }

    /// Time of a birth where everything is recorded. With the address it tells objects apart, so those of one tick are
    /// numbered.
    pub fn birth_ns(&self, bookings: u32) -> u64 {
        self.about_now_ns() + u64::from(bookings % BIRTHS_TOLD_APART)
    }
}

/// Where this process stands.
#[derive(Clone, Copy)]
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
#[unsafe(link_section = ".data")]
static STANDING: AtomicU32 = AtomicU32::new(EARLY);

/// One page that reads zero in a fork child (`MADV_WIPEONFORK`), whichever system call made the child.
#[unsafe(link_section = ".data")]
static ALIVE: AtomicPtr<u64> = AtomicPtr::new(core::ptr::null_mut());
#[unsafe(link_section = ".data")]
static FIRST_STACK_END: AtomicU64 = AtomicU64::new(0);
#[unsafe(link_section = ".data")]
static FIRST_THREAD_POINTER: AtomicU64 = AtomicU64::new(0);
/// Whether this process has a session to ask for.
#[unsafe(link_section = ".data")]
static JOINS: AtomicBool = AtomicBool::new(false);
/// When this process began, on the coarse clock.
#[unsafe(link_section = ".data")]
static BEGAN_NS: AtomicU64 = AtomicU64::new(0);

struct Place<T>(UnsafeCell<MaybeUninit<T>>);
// SAFETY: written in state EARLY or ATTACHING by the one thread that holds it; read-only in ATTACHED.
unsafe impl<T> Sync for Place<T> {}

static ATTACHED_STATE: Place<Attached> = Place(UnsafeCell::new(MaybeUninit::uninit()));

/// Longest program path and command line that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// What a working memory may take of our heap at most, with room to spare.
const WALKER_BYTES: usize = 64 << 10;
/// A process that is so old when a sample is due is worth a segment. Leaks of younger ones end with them.
const YOUNG_NS: u64 = 1_000_000_000;

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = start;

/// The loader calls this once, before the program's own start.
extern "C" fn start() {
    real::resolve();
    let began_cpu_ns = clock::thread_cpu_ns().saturating_sub(real::resolved_in_ns());
    let end: *const u64 = real::optional(c"__libc_stack_end").cast();
    if !end.is_null() {
        // SAFETY: a variable of ld.so's, set before any constructor runs.
        FIRST_STACK_END.store(unsafe { end.read() }, Ordering::Relaxed);
        FIRST_THREAD_POINTER.store(thread::thread_pointer(), Ordering::Relaxed);
    }
    if STANDING.load(Ordering::Relaxed) != EARLY {
        return;
    }
    BEGAN_NS.store(clock::coarse_ns(), Ordering::Relaxed);
    writers::learn();
    let given = given_to_us(began_cpu_ns);
    if !matches!(given, session::Given::Unusable) {
        loader::note_fixed();
    }
    let (standing, attaches_at_once) = match given {
        session::Given::Session { attaches_at_once } => (ATTACHABLE, attaches_at_once),
        session::Given::Nothing if join::prepare() => {
            JOINS.store(true, Ordering::Relaxed);
            if join::wants_everything() {
                session::record_everything();
            }
            (ATTACHABLE, join::wants_everything())
        }
        session::Given::Nothing | session::Given::Unusable => (OFF, false),
    };
    STANDING.store(standing, Ordering::Release);
    // What this thread counted down so far was before anyone listened.
    // SAFETY: the calling thread's own block.
    unsafe { (*thread::current()).countdown = 0 };
    if attaches_at_once && has_session(join::wait) {
        attach();
    }
}

/// The session; unusable where another tool has replaced the allocator. Our start began when this thread had used so much CPU time.
fn given_to_us(began_cpu_ns: u64) -> session::Given {
    let given = session::open(began_cpu_ns);
    if !strangers::are_here() {
        return given;
    }
    if matches!(given, session::Given::Session { .. }) {
        session::refuse(Refusal::Stranger);
    }
    session::Given::Unusable
}

/// Whether the constructor has run.
#[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
pub fn has_started() -> bool {
    STANDING.load(Ordering::Relaxed) != EARLY
}

/// Upper end of the calling thread's stack, if it is the first one.
pub fn first_stack_end() -> Option<u64> {
    let is_first = thread::thread_pointer() == FIRST_THREAD_POINTER.load(Ordering::Relaxed);
    is_first.then(|| FIRST_STACK_END.load(Ordering::Relaxed))
}

/// Where this process stands now; notices that it is a fork child.
#[allow(clippy::inline_always)] // two loads; what is not usual is elsewhere
#[inline(always)]
pub fn standing() -> Standing {
    match STANDING.load(Ordering::Acquire) {
        ATTACHED => attached_or_forked(),
        ATTACHABLE => Standing::Attachable,
        ATTACHING | EARLY => Standing::Early,
        _ => Standing::Off,
    }
}

/// In state ATTACHED: whether this is still the same process.
#[allow(clippy::inline_always)] // as above
#[inline(always)]
fn attached_or_forked() -> Standing {
    let alive = ALIVE.load(Ordering::Relaxed);
    // SAFETY: the page is mapped before ATTACHED is set, and stays.
    if unsafe { alive.read_volatile() } == 0 {
        return after_fork();
    }
    // SAFETY: complete since ATTACHED was set.
    Standing::Attached(unsafe { (*ATTACHED_STATE.0.get()).assume_init_ref() })
}

/// The same as [`standing`] for work that is timed now and then, with its beginning: before anything else is
/// touched, as waiting for what has lain unused is most of what it takes.
#[inline]
pub fn standing_for_work() -> (Standing, Option<Timed>) {
    if STANDING.load(Ordering::Acquire) != ATTACHED {
        return (standing(), None);
    }
    // The thread's storage may not have been set up any sooner.
    // SAFETY: the calling thread's own block; no reference to it is held.
    let timed = timing::start_now_and_then(unsafe { &mut *thread::current() });
    (attached_or_forked(), timed)
}

/// The process as it is watched, or is from now on if it is old enough: for a sample that is due, or a resource that was
/// just made. A short-lived process (a connection's backend, a command of a script) never pays for a segment, unless
/// everything is to be recorded.
pub fn attached_when_grown(standing: Standing) -> Option<&'static Attached> {
    match standing {
        Standing::Attached(attached) => Some(attached),
        Standing::Attachable => {
            let age_ns = clock::coarse_ns().saturating_sub(BEGAN_NS.load(Ordering::Relaxed));
            let is_due = age_ns >= YOUNG_NS || session::sample_interval_bytes() == 0;
            (is_due && has_session(join::step)).then(attach).flatten()
        }
        _ => None,
    }
}

/// Whether this process has still to ask for a session.
pub fn has_to_ask() -> bool {
    JOINS.load(Ordering::Acquire)
}

/// The session is about to be out of reach: becomes watched now or never.
pub fn attach_while_allowed() {
    if matches!(standing(), Standing::Attachable) && !has_to_ask() {
        attach();
    }
}

/// Whether the session is known, if need be after a step towards one.
fn has_session(step: fn() -> Step) -> bool {
    !has_to_ask() || joined(step)
}

/// Takes a step towards a session; whether one is known now. One thread at a time; the others go on unwatched.
fn joined(step: fn() -> Step) -> bool {
    // A child of vfork would ask in the name of its parent, whose memory this is.
    // SAFETY: the calling thread's own block.
    if unsafe { (*thread::current()).vforks } != 0
        || STANDING.compare_exchange(ATTACHABLE, ATTACHING, Ordering::AcqRel, Ordering::Relaxed).is_err()
    {
        return false;
    }
    let (is_known, standing) = match step() {
        Step::Known => (true, ATTACHABLE),
        Step::Later => (false, ATTACHABLE),
        Step::Never => (false, OFF),
    };
    if is_known {
        JOINS.store(false, Ordering::Release);
    }
    STANDING.store(standing, Ordering::Release);
    is_known
}

/// In a fork child: forget the parent's objects; attach anew when a sample is due. The parent's segment is not
/// touched, its mapping just stays.
#[cold]
#[inline(never)]
fn after_fork() -> Standing {
    if STANDING.compare_exchange(ATTACHED, ATTACHING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return Standing::Early;
    }
    BEGAN_NS.store(clock::coarse_ns(), Ordering::Relaxed);
    // SAFETY: the calling thread's own block. Whoever called vfork was the parent.
    unsafe { (*thread::current()).vforks = 0 };
    crate::stack_cache::forget();
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

/// Becomes a watched process. `None` if that failed, or another thread is about it.
pub fn attach() -> Option<&'static Attached> {
    // A child of vfork would put its own number into the books of its parent, whose memory this is.
    // SAFETY: the calling thread's own block.
    if unsafe { (*thread::current()).vforks } != 0 {
        return None;
    }
    STANDING.compare_exchange(ATTACHABLE, ATTACHING, Ordering::AcqRel, Ordering::Relaxed).ok()?;
    let began_cpu_ns = clock::thread_cpu_ns();
    let mut done = false;
    if private_stack::start() {
        private_stack::run_deep(|| done = attach_alone(began_cpu_ns).is_some());
    } else {
        session::refuse(Refusal::CannotMap);
    }
    STANDING.store(if done { ATTACHED } else { OFF }, Ordering::Release);
    match standing() {
        Standing::Attached(attached) => Some(attached),
        _ => None,
    }
}

/// `began_cpu_ns`: CPU time of this thread when attaching began.
fn attach_alone(began_cpu_ns: u64) -> Option<()> {
    let own_memory = leaves_address_space().then(heap::start).flatten().filter(|_| keep_alive_page());
    let Some(own_memory) = own_memory else {
        session::refuse(Refusal::CannotMap);
        return None;
    };
    let origin_ns = clock::monotonic_ns();
    let segment = match session::reserved_segment() {
        Some(segment) => segment,
        None => session::own_segment(origin_ns).map_err(session::refuse).ok()?,
    };
    let pid = sys::call(libc::SYS_getpid, [0; 6]) as u64;
    segment.set(HeaderWord::Pid, pid);
    segment.set(HeaderWord::ParentPid, sys::call(libc::SYS_getppid, [0; 6]) as u64);
    segment.set(HeaderWord::OriginMonotonicNs, origin_ns);
    segment.set(HeaderWord::OriginRealtimeNs, clock::realtime_ns());
    segment.set(HeaderWord::SampleIntervalBytes, session::settings().sample_interval_bytes);
    segment.set(HeaderWord::OwnMemory, own_memory as u64);
    segment.set(HeaderWord::OwnMemoryBytes, heap::BYTES as u64);
    let mut text = [0u8; TEXT_BYTES_MAX];
    let n = proc_self::exe(&mut text);
    segment.set_exe(text.get(..n).unwrap_or_default());
    let n = proc_self::read(c"/proc/self/cmdline", &mut text);
    segment.set_command(text.get(..n).unwrap_or_default());

    let walk_stacks = WalkStacks::map(WALKERS_MAX).or_else(|| {
        session::refuse(Refusal::CannotMap);
        None
    })?;
    let records_everything = session::settings().sample_interval_bytes == 0;
    let state = Attached {
        books: Books::of(&segment, !records_everything),
        segment,
        modules: ModuleSet::new(),
        pool: Pool::new(),
        walk_stacks,
        records_everything,
        origin_ns,
        clock_ns: clock::cost_ns(),
    };
    // SAFETY: this thread holds ATTACHING; nobody reads until ATTACHED is set. What a fork child overwrites here
    // leaks its parent's working memories, which is bounded by the depth of forks.
    let attached = unsafe { (*ATTACHED_STATE.0.get()).write(state) };
    attached.modules.seal(loader::fixed());
    // Where several threads walk, the first walk makes the others.
    attached.pool.fill(1);
    if real::operators_pass_unseen() {
        segment.losses().count(Loss::OperatorsUnseen);
    }
    passing::measure(attached);
    segment.set(HeaderWord::AttachNs, clock::thread_cpu_ns().saturating_sub(began_cpu_ns));
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
    let layout = Layout::new(session::settings().first).map_or(0, |layout| layout.bytes());
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
