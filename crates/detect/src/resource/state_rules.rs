//! Detect, resources: what the kernel may say of a holding, and how much that weighs.
//! In: a holding. Out: since when it has been so, how long that must last, how sure so many of them make.

use crate::finding::Kind;
use memguard_model::{Condition, Holding};

/// One condition that is a sign of its own.
pub(super) struct StateRule {
    /// What it is a sign of.
    pub kind: Kind,
    /// Since when a holding has been so, in ns on the process clock.
    pub since_ns: fn(&Holding) -> Option<u64>,
    /// What those are, in plural.
    pub phrase: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// How long it must have lasted, in multiples of the lifetime that 99 % of the place's ended stayed below…
    pub lifetimes: f64,
    /// …but no more than so many times the configured age.
    pub ages_max: f64,
    /// Whether that age counts from birth instead of from the look that showed the condition.
    pub from_birth: bool,
    /// Confidence from one, two, three, four, five and more of them.
    pub ladder: [f64; 5],
    /// Whether those born at about the same time say no more than a suspicion: they may be joined, or reaped, together.
    pub burst_is_batch: bool,
}

/// Only our `close` is missing.
pub(super) const CLOSE_WAIT: StateRule = StateRule {
    kind: Kind::SocketCloseWait,
    since_ns: |holding| match holding.condition {
        // Who still sends uses the half that is open.
        Condition::CloseWait { since_ns } => Some(since_ns.max(holding.used_ns.unwrap_or(0))),
        _ => None,
    },
    phrase: "sockets in CLOSE_WAIT",
    fix: "close() the socket when read() returns 0: the peer has hung up and waits for it",
    lifetimes: 10.0,
    ages_max: f64::INFINITY,
    from_birth: false,
    ladder: [0.6, 0.75, 0.9, 0.9, 0.95],
    burst_is_batch: false,
};

/// A timer for nobody.
pub(super) const UNREAD: StateRule = StateRule {
    kind: Kind::TimerfdUnread,
    since_ns: |holding| match holding.condition {
        // A slow timer is not unread before it has had the time to be read: its first ticks do not count.
        Condition::Unread { since_ns, ticks, interval_ns } if interval_ns > 0 && ticks > 0 => {
            Some(since_ns.max(holding.used_ns.unwrap_or(0)).saturating_add(2 * interval_ns))
        }
        _ => None,
    },
    phrase: "timers whose expirations nobody reads",
    fix: "read() the timerfd when it expires, or disarm and close() it when its user is gone",
    lifetimes: 0.0,
    ages_max: 1.0,
    from_birth: false,
    ladder: [0.8, 0.9, 0.9, 0.9, 0.95],
    burst_is_batch: false,
};

/// A thread that waits to be joined.
pub(super) const ENDED_THREAD: StateRule = StateRule {
    kind: Kind::ThreadNotJoined,
    since_ns: ended,
    phrase: "threads that ended and were not joined",
    fix: "pthread_detach() the thread, or pthread_join() it: until then its stack stays",
    lifetimes: 2.0,
    ages_max: 10.0,
    from_birth: true,
    ladder: [0.4, 0.6, 0.95, 0.95, 0.95],
    burst_is_batch: true,
};

/// A child that waits to be waited for.
pub(super) const ENDED_CHILD: StateRule = StateRule {
    kind: Kind::ZombieNotReaped,
    since_ns: ended,
    phrase: "children that ended and were not waited for",
    fix: "waitpid() for every child (a SIGCHLD handler in a loop), or set SIGCHLD to SIG_IGN",
    lifetimes: 2.0,
    ages_max: 10.0,
    from_birth: true,
    ladder: [0.4, 0.6, 0.75, 0.95, 0.95],
    burst_is_batch: true,
};

/// A registration without a descriptor.
pub(super) const ORPHANED: StateRule = StateRule {
    kind: Kind::EpollRegistrationsGrowing,
    since_ns: |holding| match holding.condition {
        Condition::Orphaned { since_ns } => Some(since_ns),
        _ => None,
    },
    phrase: "epoll registrations whose descriptor was closed while a duplicate stayed open",
    fix: "EPOLL_CTL_DEL before close(), or close every duplicate, in child processes too",
    lifetimes: 0.0,
    ages_max: 1.0,
    from_birth: false,
    ladder: [0.6, 0.75, 0.9, 0.9, 0.95],
    burst_is_batch: false,
};

fn ended(holding: &Holding) -> Option<u64> {
    match holding.condition {
        Condition::Ended { since_ns } => Some(since_ns),
        _ => None,
    }
}

/// How the births of some holdings lie in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Births {
    /// Births that are apart from each other.
    pub groups: usize,
    /// From the first to the last, in seconds.
    pub span_s: f64,
    /// The first, in seconds on the process clock.
    pub first_s: f64,
}

impl Births {
    /// Of holdings in order of birth; those closer than a fortieth of the configured age are one group.
    pub fn of(holdings: &[&Holding], max_age_s: f64) -> Self {
        let apart_ns = (max_age_s * 1e9 / 40.0) as u64;
        let steps = holdings.windows(2).filter(|pair| pair[1].born_ns - pair[0].born_ns > apart_ns).count();
        let first_ns = holdings.first().map_or(0, |holding| holding.born_ns);
        let last_ns = holdings.last().map_or(0, |holding| holding.born_ns);
        Self {
            groups: steps + usize::from(!holdings.is_empty()),
            span_s: (last_ns - first_ns) as f64 / 1e9,
            first_s: first_ns as f64 / 1e9,
        }
    }

    /// Whether all came at about the same time.
    pub fn burst(&self, max_age_s: f64) -> bool {
        self.span_s < max_age_s / 4.0
    }
}
