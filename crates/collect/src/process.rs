//! Collect, one process: reads its segment. In: a segment file. Out: readings, stacks, modules, losses.

use crate::file::SharedFile;
use crate::live::LiveObjects;
use crate::memory::Memory;
use memguard_model::{
    HoldingTotals, LIFETIME_BUCKETS, LifetimeHistogram, LiveSample, Reading, StackId, StackTotals,
};
use memguard_segment::{Class, HeaderWord, Invalid, Layout, Loss, Module, Next, Segment, StackEnd, State};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a writer may leave its event unfinished before its slot is taken away.
const UNFINISHED_MAX: Duration = Duration::from_secs(1);
/// The table is scanned at least this often, to be sure.
const SCAN_INTERVAL_MAX: Duration = Duration::from_mins(1);
/// Scanning takes at most one part in this many of the time.
const SCAN_SHARE: u32 = 100;

/// Why a segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened or mapped.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not a segment of ours, or damaged.
    #[error("{0}")]
    Invalid(#[from] Invalid),
}

impl OpenError {
    /// Whether there is nothing to read, and never was: its process ended while it made the segment.
    pub const fn is_unfinished(&self) -> bool {
        matches!(self, Self::Invalid(Invalid::Unfinished))
    }
}

/// The frames of a stack, innermost first, as module index and address in the module's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFrames {
    /// `(module, address)`; the module is [`memguard_segment::FRAME_UNKNOWN_MODULE`] for an absolute address.
    pub frames: Vec<(u16, u64)>,
    /// How the walk ended; `None` if the frames were not recorded.
    pub end: Option<StackEnd>,
}

/// How well the stacks of a process's samples came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StackStatistics {
    /// Samples taken.
    pub samples: u64,
    /// Walked to the thread's start.
    pub complete: u64,
    /// Cut at the frame limit.
    pub truncated: u64,
    /// Ended at something that could not be unwound.
    pub incomplete: u64,
    /// Not walked at all.
    pub missing: u64,
}

/// Time that a process spent in hooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HookTimes {
    /// In sampling the heap, which a longer interval makes less, in ns.
    pub heap_ns: u64,
    /// In booking resources, all of which are booked, in ns.
    pub resources_ns: u64,
}

impl HookTimes {
    /// Both.
    pub fn total_ns(&self) -> u64 {
        self.heap_ns.saturating_add(self.resources_ns)
    }
}

/// Reads one process's segment, again and again.
#[derive(Debug)]
pub struct ProcessReader {
    memory: Memory,
    layout: Layout,
    live: LiveObjects,
    /// Loss counters that mean "the ring is not the whole story" at the last scan.
    losses_at_scan: u64,
    /// The same when the ring was last emptied.
    losses_at_drain: u64,
    must_scan: bool,
    scanned: Option<Instant>,
    scan_cost: Duration,
    unfinished_since: Option<Instant>,
    corrupt_events: u64,
    holding_totals: Vec<HoldingTotals>,
    /// The stacks that there were when the table was last looked through, and how full it was.
    stacks: Vec<u32>,
    stacks_fill: Option<u64>,
    /// Name of the session's directory.
    session: Option<String>,
}

impl ProcessReader {
    /// Opens a segment file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = SharedFile::open(path)?;
        let layout = *Segment::open(file.words())?.layout();
        let folder = path.parent().and_then(Path::file_name);
        let session = folder.map(|name| name.to_string_lossy().into_owned());
        Ok(Self { session, ..Self::of(Memory::Shared(file), layout) })
    }

    /// Over tables that are known to be in order.
    pub(crate) fn of(memory: Memory, layout: Layout) -> Self {
        Self {
            memory,
            layout,
            live: LiveObjects::default(),
            losses_at_scan: 0,
            losses_at_drain: 0,
            must_scan: true,
            scanned: None,
            scan_cost: Duration::ZERO,
            unfinished_since: None,
            corrupt_events: 0,
            holding_totals: Vec::new(),
            stacks: Vec::new(),
            stacks_fill: None,
            session: None,
        }
    }

    /// Whether the process has no hooks: its tables are empty and stay so.
    pub fn is_outside(&self) -> bool {
        matches!(self.memory, Memory::Own(_))
    }

    pub(crate) fn segment(&self) -> Segment<'_> {
        Segment::with_layout(self.memory.words(), &self.layout)
    }

    /// Whether a process has taken the segment and filled its header.
    pub fn is_active(&self) -> bool {
        matches!(self.segment().state(), State::Active | State::Ended)
    }

    /// Process id as the process sees itself.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.segment().get(HeaderWord::Pid)).unwrap_or(0)
    }

    /// Its parent's process id when it attached.
    pub fn parent_pid(&self) -> i32 {
        i32::try_from(self.segment().get(HeaderWord::ParentPid)).unwrap_or(0)
    }

    /// When it attached, seconds since 1970.
    pub fn started_at(&self) -> f64 {
        self.segment().get(HeaderWord::OriginRealtimeNs) as f64 / 1e9
    }

    /// Zero of the process clock on `CLOCK_MONOTONIC`, in ns.
    pub fn origin_ns(&self) -> u64 {
        self.segment().get(HeaderWord::OriginMonotonicNs)
    }

    /// Path of the program file.
    pub fn exe(&self) -> String {
        let mut text = [0; 4096];
        let n = self.segment().exe(&mut text);
        String::from_utf8_lossy(&text[..n]).into_owned()
    }

    /// The command line, word by word; cut where there was no room for more.
    pub fn command(&self) -> Vec<String> {
        let mut text = [0; 4096];
        let n = self.segment().command(&mut text);
        let bytes = text.get(..n).unwrap_or_default();
        let words = bytes.strip_suffix(b"\0").unwrap_or(bytes).split(|byte| *byte == 0);
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// The wait status of a child, if the process has waited for it.
    pub fn fate(&self, pid: u32) -> Option<u32> {
        self.segment().fates().of(pid)
    }

    /// The same for all that are kept: process id and wait status.
    pub fn fates(&self) -> impl Iterator<Item = (u32, u32)> {
        self.segment().fates().all()
    }

    /// Time spent in hooks so far.
    pub fn hook_times(&self) -> HookTimes {
        HookTimes {
            heap_ns: self.segment().get(HeaderWord::HookNs),
            resources_ns: self.segment().get(HeaderWord::ResourceHookNs),
        }
    }

    /// Calls that changed a block's size, estimated; each counts as a birth and a death in the totals.
    pub fn resizes(&self) -> u64 {
        self.segment().get(HeaderWord::Resizes)
    }

    /// What a hook of the heap adds to a call that it only passes on, in a loop of nothing else, in ns.
    pub fn passing_ns(&self) -> f64 {
        self.segment().get(HeaderWord::PassingPs) as f64 / 1000.0
    }

    /// Children that it has made by copying itself.
    pub fn forks(&self) -> u64 {
        self.segment().get(HeaderWord::Forks)
    }

    /// CPU time that attaching took, in ns.
    pub fn attach_ns(&self) -> u64 {
        self.segment().get(HeaderWord::AttachNs)
    }

    /// Mean bytes between samples now.
    pub fn sample_interval_bytes(&self) -> u64 {
        self.segment().get(HeaderWord::SampleIntervalBytes)
    }

    /// Asks the process to sample at another interval from each thread's next sample on.
    pub fn set_sample_interval_bytes(&self, bytes: u64) {
        self.segment().set(HeaderWord::SampleIntervalBytes, bytes);
    }

    /// Bytes of the tables that are in memory; the rest was never touched.
    pub fn resident_bytes(&self) -> u64 {
        self.memory.resident_bytes()
    }

    /// Every cause of loss with its count, zeros included.
    pub fn losses(&self) -> Vec<(&'static str, u64)> {
        let losses = self.segment().losses();
        let mut all: Vec<_> = Loss::ALL.iter().map(|(loss, name)| (*name, losses.get(*loss))).collect();
        all.push(("event_corrupt", self.corrupt_events));
        all
    }

    /// How the stacks came out.
    pub fn stack_statistics(&self) -> StackStatistics {
        let segment = self.segment();
        let losses = segment.losses();
        let (complete, truncated, incomplete) = (
            segment.get(HeaderWord::StacksComplete),
            losses.get(Loss::StackTruncated),
            losses.get(Loss::StackIncomplete),
        );
        let samples = segment.get(HeaderWord::Samples);
        let missing = samples.saturating_sub(complete).saturating_sub(truncated).saturating_sub(incomplete);
        StackStatistics { samples, complete, truncated, incomplete, missing }
    }

    /// The frames of a stack.
    pub fn stack(&self, stack: StackId) -> StackFrames {
        let mut frames = Vec::new();
        let mut end = None;
        if let Some(stacks) = self.segment().stacks() {
            end = stacks.shape(stack.0).and_then(|shape| shape.end);
            stacks.for_each_frame(stack.0, |frame| frames.push((frame.module(), frame.address())));
        }
        StackFrames { frames, end }
    }

    /// Whether a stack passes through a module whose file has such a name.
    pub fn passes_through(&self, stack: StackId, is_such: &dyn Fn(&str) -> bool) -> bool {
        let is_called = |module: u16| {
            self.module(module).is_some_and(|module| {
                let path = String::from_utf8_lossy(module.path());
                path.rsplit('/').next().is_some_and(is_such)
            })
        };
        let modules: std::collections::BTreeSet<u16> =
            self.stack(stack).frames.iter().map(|(module, _)| *module).collect();
        modules.into_iter().any(is_called)
    }

    /// The module at an address of the process, and the address in the module's file.
    pub fn locate(&self, address: u64) -> Option<(u16, u64)> {
        let modules = self.segment().modules();
        let all = (0..u16::try_from(self.layout.capacities.modules).unwrap_or(u16::MAX)).map_while(|index| {
            let module = modules.get(index)?;
            Some((index, module))
        });
        // A later module may lie where one was that is closed.
        let holding = all.filter(|(_, module)| (module.start..module.end).contains(&address));
        holding.last().map(|(index, module)| (index, address.wrapping_sub(module.bias)))
    }

    /// A module that frames refer to.
    pub fn module(&self, index: u16) -> Option<Module> {
        self.segment().modules().get(index)
    }

    /// Looks at the process. `now_ns` is `CLOCK_MONOTONIC`; `is_over` says that the process has ended, so nothing is
    /// under way any more and everything is read to the end.
    pub fn read(&mut self, now_ns: u64, is_over: bool) -> Reading {
        // What the ring has is of no use while the table is to be read anyway, and it is not yet time for that. A program that
        // fills it faster than it is emptied then does not pay for putting events there, nor we for taking them.
        if self.may_scan(is_over) || !self.must_scan {
            // Events that the scan will make up for need only be taken out.
            self.must_scan |= self.lost() != self.losses_at_scan;
            let lost = self.drain(is_over);
            self.must_scan |= lost != self.losses_at_scan;
            self.losses_at_drain = lost;
        }
        let scanned = self.scan_if_due(is_over);
        let live = (scanned || !self.must_scan).then(|| self.live.all());
        self.list_stacks(is_over);
        let (totals, holding_totals) = self.totals();
        self.holding_totals = holding_totals;
        Reading { at_ns: now_ns.saturating_sub(self.origin_ns()), totals, live, rss_bytes: None }
    }

    /// Totals of what is not heap, as of the last [`ProcessReader::read`].
    pub fn holding_totals(&self) -> &[HoldingTotals] {
        &self.holding_totals
    }

    /// Takes what the ring has; returns the count of all events that never came through it.
    fn drain(&mut self, is_over: bool) -> u64 {
        let segment = Segment::with_layout(self.memory.words(), &self.layout);
        let ring = segment.ring();
        let mut abandoned = 0;
        // Bounded: a process that writes faster than we read must not keep us here.
        for _ in 0..2 * ring.capacity() {
            match ring.pop() {
                Next::Event(event) => {
                    if !self.must_scan {
                        self.live.apply(&event);
                    }
                    self.unfinished_since = None;
                }
                Next::Corrupt => {
                    self.corrupt_events += 1;
                    self.unfinished_since = None;
                }
                Next::Empty => break,
                Next::Unfinished => {
                    let since = *self.unfinished_since.get_or_insert_with(Instant::now);
                    if !is_over && since.elapsed() < UNFINISHED_MAX {
                        break;
                    }
                    ring.abandon();
                    abandoned += 1;
                    self.unfinished_since = None;
                }
            }
        }
        self.corrupt_events += abandoned;
        self.lost()
    }

    /// How many events never came through the ring.
    fn lost(&self) -> u64 {
        let losses = self.segment().losses();
        losses.get(Loss::RingFull) + losses.get(Loss::EventAbandoned) + self.corrupt_events
    }

    /// Whether a scan now would not be too much work.
    fn may_scan(&self, is_over: bool) -> bool {
        is_over || self.scanned.is_none_or(|at| at.elapsed() >= self.scan_cost * SCAN_SHARE)
    }

    /// Reads the live table if the copy is not to be trusted, unless that was just done at some expense.
    fn scan_if_due(&mut self, is_over: bool) -> bool {
        let due = self.must_scan || self.scanned.is_none_or(|at| at.elapsed() > SCAN_INTERVAL_MAX);
        if !(is_over || due && self.may_scan(is_over)) {
            return false;
        }
        let started_ns = memguard_inspect::thread_cpu_ns();
        let segment = Segment::with_layout(self.memory.words(), &self.layout);
        self.live.scan(&segment.live());
        self.scanned = Some(Instant::now());
        self.scan_cost = memguard_inspect::thread_cpu_since(started_ns);
        self.losses_at_scan = self.losses_at_drain;
        self.must_scan = false;
        true
    }

    /// Looks through the table of stacks, most of which is empty, if any has come.
    fn list_stacks(&mut self, is_over: bool) {
        let Some(table) = self.segment().stacks() else { return };
        let fill = table.fill();
        if is_over || fill.is_none() || fill != self.stacks_fill {
            let stacks = (1..table.capacity()).filter(|stack| table.exists(*stack)).collect();
            (self.stacks, self.stacks_fill) = (stacks, fill);
        }
    }

    /// Totals of every stack that allocated or made something, in one pass: of the heap, and of everything else.
    fn totals(&self) -> (Vec<StackTotals>, Vec<HoldingTotals>) {
        let (mut heap, mut others) = (Vec::new(), Vec::new());
        let segment = self.segment();
        let (Some(stacks), totals) = (segment.stacks(), segment.totals()) else { return (heap, others) };
        for stack in std::iter::once(0).chain(self.stacks.iter().copied()) {
            let Some(t) = totals.get(stack).filter(|t| t.births != 0) else { continue };
            let mut lifetimes: LifetimeHistogram = [0; LIFETIME_BUCKETS];
            for (to, from) in lifetimes.iter_mut().zip(t.lifetimes) {
                *to = u32::try_from(from).unwrap_or(u32::MAX);
            }
            // The unknown stack is the heap's alone. A class that is not written yet will be on the next look.
            let class =
                if stack == 0 { Some(Class::Heap) } else { stacks.shape(stack).and_then(|s| s.class) };
            match class {
                Some(Class::Heap) => heap.push(StackTotals {
                    stack: StackId(stack),
                    births: t.births,
                    deaths: t.deaths,
                    born_count: t.born_count,
                    died_count: t.died_count,
                    born_bytes: t.born_bytes,
                    died_bytes: t.died_bytes,
                    lifetimes,
                }),
                Some(class) => others.push(HoldingTotals {
                    class,
                    stack: StackId(stack),
                    births: t.births,
                    deaths: t.deaths,
                    lifetimes,
                }),
                None => {}
            }
        }
        (heap, others)
    }

    /// The sampled live blocks, as of the last [`ProcessReader::read`].
    pub(crate) fn live_samples(&self) -> Vec<LiveSample> {
        self.live.all()
    }

    /// Name of the session's directory.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Number of live objects in the copy.
    pub fn live_objects(&self) -> usize {
        self.live.len()
    }
}
