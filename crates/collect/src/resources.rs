//! Collect, resources: one process's holdings at one look. In: its segment's tables and the kernel's lists. Out: a
//! [`ResourceReading`].
//!
//! Cheap questions on every look (how many descriptors and threads; did the hooks count anything new), lists only when an
//! answer has changed or the last list is old. What is dear (registrations, mappings, details) has a slower pace.

use crate::descriptors::{self, Descriptors};
use crate::kernel::{Freshness, Kernel, Sockets};
use crate::objects::{self, Objects};
use crate::process::ProcessReader;
use crate::redaction::Redaction;
use crate::registrations::Registrations;
use crate::unbooked::Unbooked;
use memguard_inspect::{self as inspect, DescriptorLister, SocketTable, Stat};
use memguard_model::{Class, Holding, ResourceReading, StackId};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Where a process has more descriptors, what the known ones refer to is read again in turn, so many a look.
const TARGETS_MAX: usize = 512;

/// A process that has used no processor and moved nothing for so long is quiet…
const QUIET_AFTER_NS: u64 = 20_000_000_000;
/// …and what has a slow pace has one so many times slower.
const QUIET_TIMES: u64 = 3;

/// How often what is asked.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A list is made at least so often, whether or not anything seems to have moved, in ns.
    pub list_ns: u64,
    /// Details, registrations, mappings and children are read so often, in ns.
    pub slow_ns: u64,
    /// Libraries are counted so often, in ns.
    pub modules_ns: u64,
    /// A look at all mappings is followed by so many times its cost in rest.
    pub rest_share: u64,
    /// How fresh the kernel's table of sockets is to be.
    pub sockets: Freshness,
}

impl Pace {
    /// For services, where verdicts take a minute.
    pub const GUARD: Self = Self {
        list_ns: 5_000_000_000,
        slow_ns: 2_000_000_000,
        modules_ns: 15_000_000_000,
        rest_share: 100,
        sockets: Freshness {
            refresh: Duration::from_secs(1),
            rest_share: 1000,
            age_max: Duration::from_secs(30),
        },
    };

    /// For tests, where they take seconds.
    pub const AUDIT: Self = Self {
        list_ns: 200_000_000,
        slow_ns: 200_000_000,
        modules_ns: 500_000_000,
        rest_share: 10,
        sockets: Freshness {
            refresh: Duration::from_millis(40),
            rest_share: 50,
            age_max: Duration::from_secs(10),
        },
    };

    /// The same, with sockets known well enough to tell what has not been used for so long.
    #[must_use]
    pub fn for_ages_of(self, age_max: Duration) -> Self {
        let sockets = Freshness { age_max: self.sockets.age_max.min(age_max / 2), ..self.sockets };
        Self { sockets, ..self }
    }
}

/// Reads the resources of one process, again and again.
#[derive(Debug)]
pub struct ResourceReader {
    pace: Pace,
    redaction: Redaction,
    lister: DescriptorLister,
    descriptors: Descriptors,
    objects: Objects,
    registrations: Registrations,
    unbooked: Unbooked,
    /// Of stacks that made callbacks: whether a library was being loaded.
    loading: HashMap<StackId, bool>,
    moved: Option<Moved>,
    /// Since when nothing has moved and no processor was used.
    quiet_since_ns: u64,
    listed_ns: Option<u64>,
    slow_ns: Option<u64>,
    modules_ns: Option<u64>,
    limit: Option<u64>,
}

/// The answers to the cheap questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moved {
    cpu_ns: u64,
    descriptors: u64,
    threads: u64,
    born: u64,
    died: u64,
}

/// How much a list is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// What became of the sockets: no hook was called and no number has come or gone, so numbers mean what they meant. What was
    /// opened past the hooks under a number that was just closed is met by the next slow list.
    Same,
    /// What the numbers refer to as well.
    Moved,
    /// Everything.
    Slow,
}

fn is_due(last_ns: Option<u64>, pace_ns: u64, at_ns: u64) -> bool {
    // A tenth of slack: polls are never exactly on time.
    last_ns.is_none_or(|last_ns| at_ns.saturating_sub(last_ns) >= pace_ns - pace_ns / 10)
}

impl ResourceReader {
    /// Whether names are left out.
    pub fn redacts(&self) -> bool {
        matches!(self.redaction, Redaction::On)
    }

    /// For a process of which nothing is known yet.
    pub fn new(pace: Pace, redaction: Redaction) -> Self {
        Self {
            pace,
            redaction,
            lister: DescriptorLister::default(),
            descriptors: Descriptors::default(),
            objects: Objects::default(),
            registrations: Registrations::default(),
            unbooked: Unbooked::default(),
            loading: HashMap::new(),
            moved: None,
            quiet_since_ns: 0,
            listed_ns: None,
            slow_ns: None,
            modules_ns: None,
            limit: None,
        }
    }

    /// Lets go of everything that was known: the process has ended.
    pub fn forget(&mut self) {
        *self = Self::new(self.pace, self.redaction);
    }

    /// Descriptors that another process closed in this one's name.
    pub fn disputed(&self) -> u64 {
        self.descriptors.disputed()
    }

    /// One look at a living process, after [`ProcessReader::read`]. `start_of` names the function at an address.
    pub fn read(
        &mut self,
        process: &ProcessReader,
        stat: &Stat,
        kernel: &mut Kernel,
        start_of: &mut dyn FnMut(u64) -> Option<String>,
    ) -> Option<ResourceReading> {
        let (pid, threads) = (stat.identity.pid, stat.threads);
        let at_ns = inspect::monotonic_ns().saturating_sub(process.origin_ns());
        let mut totals = process.holding_totals().to_vec();
        // A library that is being loaded registers callbacks, and takes them back when it is closed.
        let loading = &mut self.loading;
        totals.retain(|totals| {
            let is_loading = || process.passes_through(totals.stack, &|file| file.starts_with("ld-linux"));
            totals.class != Class::Callback || !*loading.entry(totals.stack).or_insert_with(is_loading)
        });
        let sum = |of: fn(&memguard_model::HoldingTotals) -> u64| totals.iter().map(of).sum();
        let moved = Moved {
            cpu_ns: stat.cpu_ns,
            descriptors: inspect::descriptor_count(pid)?,
            threads,
            born: sum(|totals| totals.births),
            died: sum(|totals| totals.deaths),
        };
        let before = self.moved.replace(moved);
        if before != Some(moved) {
            self.quiet_since_ns = at_ns;
        }
        let is_quiet = at_ns.saturating_sub(self.quiet_since_ns) >= QUIET_AFTER_NS;
        let slow_ns = self.pace.slow_ns * if is_quiet { QUIET_TIMES } else { 1 };
        let is_slow = is_due(self.slow_ns, slow_ns, at_ns);
        // To use a processor alone is no sign of anything.
        let has_moved = before.map(|before| Moved { cpu_ns: moved.cpu_ns, ..before }) != Some(moved);
        // Sockets change their state without anything else moving.
        let may_move = is_slow || has_moved || !is_quiet && self.descriptors.has_sockets();
        let holdings = if may_move || is_due(self.listed_ns, self.pace.list_ns, at_ns) {
            self.listed_ns = Some(at_ns);
            if is_slow {
                self.slow_ns = Some(at_ns);
                self.limit = inspect::open_files_limit(pid);
            }
            let depth = match (is_slow, has_moved) {
                (true, _) => Depth::Slow,
                (false, true) => Depth::Moved,
                (false, false) => Depth::Same,
            };
            Some(self.list(process, pid, at_ns, depth, kernel, start_of)?)
        } else {
            None
        };
        let modules = is_due(self.modules_ns, self.pace.modules_ns, at_ns).then(|| {
            self.modules_ns = Some(at_ns);
            inspect::loaded_modules(pid).map_or(0, |modules| modules.len() as u64)
        });
        Some(ResourceReading {
            at_ns,
            totals,
            holdings,
            descriptors: moved.descriptors,
            descriptors_max: self.limit,
            threads,
            modules: modules.filter(|modules| *modules != 0),
        })
    }

    fn list(
        &mut self,
        process: &ProcessReader,
        pid: i32,
        at_ns: u64,
        depth: Depth,
        kernel: &mut Kernel,
        start_of: &mut dyn FnMut(u64) -> Option<String>,
    ) -> Option<Vec<Holding>> {
        let is_slow = depth == Depth::Slow;
        let targets = if depth == Depth::Same { 0 } else { TARGETS_MAX };
        let segment = process.segment();
        // What is booked now was made before the kernel's lists of threads and children below.
        let booked = objects::View::copy(&segment.objects());
        let has = |class| booked.iter().any(|object| object.class == Some(class));
        let threads = has(Class::Thread).then(|| inspect::thread_ids(pid)).flatten();
        let threads = threads.map(|threads| threads.into_iter().collect::<BTreeSet<_>>());
        let children = (is_slow || has(Class::Child)).then(|| inspect::children(pid));
        let mapped = (is_slow && has(Class::Mapping)).then(|| inspect::mapped_ranges(pid)).flatten();
        // Descriptors the other way round: what the kernel listed was opened before the table is read.
        self.lister.refresh_some(pid, targets)?;
        let none = SocketTable::default();
        let sockets = if self.descriptors.has_sockets() {
            kernel.sockets(pid, &self.pace.sockets)
        } else {
            Sockets { table: &none, age: Duration::ZERO }
        };
        let sockets_age_ns = u64::try_from(sockets.age.as_nanos()).unwrap_or(u64::MAX);
        let redaction = self.redaction;
        let view = descriptors::View {
            table: segment.descriptors(),
            listed: self.lister.list(),
            listed_at_ns: at_ns,
            pid,
            sockets: sockets.table,
            sockets_at_ns: at_ns.saturating_sub(sockets_age_ns),
            with_details: is_slow,
            redaction,
        };
        let mut held = self.descriptors.join(&view);
        if is_slow {
            self.registrations.list(pid, at_ns, &self.descriptors, &booked);
        }
        held.extend(self.registrations.held().cloned());
        let view = objects::View { booked, at_ns, pid, threads, children, mapped, redaction };
        held.extend(self.objects.join(&view, start_of));
        if process.is_outside() {
            held.extend(self.unbooked.list(pid, at_ns, redaction));
        }
        Some(held)
    }
}
