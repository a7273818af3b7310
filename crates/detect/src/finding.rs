//! Detect, output side: a verdict about one site of one process, with its evidence.
//! In: built by the detectors. Out: given to `report`, which adds symbols and cost.

use memguard_model::{SiteId, StackId};
use serde::{Deserialize, Serialize};

/// The family of resource misuse (DESIGN section 6); what configuration switches on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// Memory that is never given back.
    Leaks,
    /// Memory that is still known, in something that grows without bound.
    Caches,
    /// Descriptors that are never closed.
    Handles,
    /// Timers that are never deleted, or that nobody listens to.
    Timers,
    /// Threads that are never joined, or of which there are more and more.
    Threads,
    /// Registrations that are never taken back.
    Listeners,
    /// Children that are never waited for.
    Processes,
    /// Mappings and libraries that stay.
    Mappings,
}

/// The finer kind within a [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Live heap bytes of a site grow steadily and nothing born there after start-up is ever freed.
    HeapGrowth,
    /// Nothing in the process's memory points at the objects any more.
    HeapUnreachable,
    /// Most objects of a place are freed, some never: a path that forgets them.
    HeapErrorPath,
    /// What a library's function handed out is never given back to the library. Detectors see growth of the heap; a
    /// fingerprint tells whose function it was.
    ApiResultNotFreed,
    /// The program still knows the objects, adds to them and takes none out.
    CacheUnbounded,
    /// One object is made larger and larger.
    ContainerGrowing,
    /// Objects are freed in the order in which they came, but more slowly than others come.
    QueueBacklog,
    /// Files of a place stay open.
    FileNotClosed,
    /// Most files of a place are closed soon, some never: a path that forgets them.
    FileErrorPath,
    /// `FILE*` streams stay open.
    StreamNotClosed,
    /// Directories stay open.
    DirNotClosed,
    /// Streams of `popen` stay open.
    PopenNotClosed,
    /// Ends of pipes stay open.
    PipeEndNotClosed,
    /// Sockets stay open.
    SocketNotClosed,
    /// The peer has closed, only our `close` is missing.
    SocketCloseWait,
    /// Connections that carry no data any more stay open.
    SocketIdle,
    /// Duplicates of descriptors stay open.
    DupNotClosed,
    /// Eventfds stay open.
    EventfdNotClosed,
    /// Memory files stay open.
    MemfdNotClosed,
    /// Descriptors that came over a unix socket stay open.
    FdReceivedNotClosed,
    /// Other descriptors (epoll, inotify, signalfd, pidfd …) stay open.
    DescriptorNotClosed,
    /// Open descriptors come near the limit of the process.
    FdLimitNear,
    /// Timerfds stay open.
    TimerfdNotClosed,
    /// A timer goes on expiring and nobody reads it.
    TimerfdUnread,
    /// POSIX timers are never deleted.
    PosixTimerNotDeleted,
    /// Threads have ended and nobody joins them.
    ThreadNotJoined,
    /// There are more and more living threads.
    ThreadGrowth,
    /// Registrations at epoll instances accumulate.
    EpollRegistrationsGrowing,
    /// Watches of inotify accumulate.
    InotifyWatchesGrowing,
    /// Functions to be called at exit or fork are registered again and again.
    CallbackRegistrationsGrowing,
    /// Children have ended and nobody waits for them.
    ZombieNotReaped,
    /// Mappings are never unmapped.
    MmapNotUnmapped,
    /// More and more libraries are loaded.
    DlopenGrowth,
}

impl Kind {
    /// The family it belongs to.
    pub const fn pattern(self) -> Pattern {
        match self {
            Self::HeapGrowth | Self::HeapUnreachable | Self::HeapErrorPath | Self::ApiResultNotFreed => {
                Pattern::Leaks
            }
            Self::CacheUnbounded | Self::ContainerGrowing | Self::QueueBacklog => Pattern::Caches,
            Self::FileNotClosed
            | Self::FileErrorPath
            | Self::StreamNotClosed
            | Self::DirNotClosed
            | Self::PopenNotClosed
            | Self::PipeEndNotClosed
            | Self::SocketNotClosed
            | Self::SocketCloseWait
            | Self::SocketIdle
            | Self::DupNotClosed
            | Self::EventfdNotClosed
            | Self::MemfdNotClosed
            | Self::FdReceivedNotClosed
            | Self::DescriptorNotClosed
            | Self::FdLimitNear => Pattern::Handles,
            Self::TimerfdNotClosed | Self::TimerfdUnread | Self::PosixTimerNotDeleted => Pattern::Timers,
            Self::ThreadNotJoined | Self::ThreadGrowth => Pattern::Threads,
            Self::EpollRegistrationsGrowing
            | Self::InotifyWatchesGrowing
            | Self::CallbackRegistrationsGrowing => Pattern::Listeners,
            Self::ZombieNotReaped => Pattern::Processes,
            Self::MmapNotUnmapped | Self::DlopenGrowth => Pattern::Mappings,
        }
    }

    /// What stands for it in a finding's identity. What is found out about the same memory on the way (whether it is still
    /// pointed at, through which library's door it came) makes no other finding of it.
    #[must_use]
    pub const fn identity(self) -> Self {
        match self {
            Self::HeapUnreachable
            | Self::HeapErrorPath
            | Self::ApiResultNotFreed
            | Self::CacheUnbounded
            | Self::ContainerGrowing
            | Self::QueueBacklog => Self::HeapGrowth,
            other => other,
        }
    }

    /// How much it says: of several kinds at one place the one that says most is told.
    pub(crate) const fn strength(self) -> u8 {
        match self {
            Self::SocketCloseWait | Self::TimerfdUnread | Self::ThreadNotJoined | Self::ZombieNotReaped => 3,
            Self::FileErrorPath | Self::SocketIdle => 2,
            _ => 1,
        }
    }
}

/// One observed fact that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// What was observed, in words a reader understands.
    pub what: String,
    /// Its value with unit.
    pub value: String,
}

/// A verdict about one site of one process.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Family.
    pub pattern: Pattern,
    /// Kind within the family.
    pub kind: Kind,
    /// The place.
    pub site: SiteId,
    /// The stack with the largest share of what is held.
    pub stack: StackId,
    /// Unbiased estimate of the bytes leaked by now.
    pub size_bytes: f64,
    /// 95 % interval of `size_bytes`.
    pub size_bytes_interval: (f64, f64),
    /// Unbiased estimate of the objects leaked by now.
    pub count: f64,
    /// Growth of bytes per hour.
    pub growth_bytes_per_hour: f64,
    /// Growth of objects per hour.
    pub growth_per_hour: f64,
    /// Probability that this is a leak, 0 to 1.
    pub confidence: f64,
    /// One sentence: what is seen.
    pub detail: String,
    /// What to do about it.
    pub suggested_fix: String,
    /// First look at which the finding was suspected, ns on the process clock.
    pub first_seen_ns: u64,
    /// Last look at which it held.
    pub last_seen_ns: u64,
    /// The facts.
    pub evidence: Vec<Evidence>,
}
