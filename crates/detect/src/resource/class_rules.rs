//! Detect, resources: what is asked of each class. One table: a further resource is a row here and a test pair.
//! In: a class. Out: its kinds, words and advice.

use super::state_rules::{CLOSE_WAIT, ENDED_CHILD, ENDED_THREAD, ORPHANED, StateRule, UNREAD};
use crate::finding::{Kind, Pattern};
use memguard_model::Class;

/// A row.
pub(super) struct ClassRule {
    /// Of which things it speaks.
    pub class: Class,
    /// Kind when they accumulate; `None` where only the kernel's word counts.
    pub growth: Option<Kind>,
    /// Kind when most are given back soon and some never.
    pub error_path: Option<Kind>,
    /// Kind when the kernel tells that those that accumulate are not used any more.
    pub idle: Option<Kind>,
    /// What the kernel may say.
    pub state: Option<&'static StateRule>,
    /// The things, in plural.
    pub noun: &'static str,
    /// What was done here, and never done after it.
    pub verbs: (&'static str, &'static str),
    /// What to do about it.
    pub fix: &'static str,
    /// Fewest overdue ones, whatever the configuration says.
    pub samples_min: usize,
}

impl ClassRule {
    /// The rule of a class; blocks of memory have none.
    pub fn of(class: Class) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.class == class)
    }

    /// The family under which it is switched on and off.
    pub fn pattern(&self) -> Pattern {
        match (self.growth, self.state) {
            (Some(kind), _) => kind.pattern(),
            (None, Some(state)) => state.kind.pattern(),
            (None, None) => Pattern::Handles,
        }
    }
}

const fn row(class: Class, growth: Kind, noun: &'static str, fix: &'static str) -> ClassRule {
    ClassRule {
        class,
        growth: Some(growth),
        error_path: None,
        idle: None,
        state: None,
        noun,
        verbs: ("opened", "closed"),
        fix,
        samples_min: 0,
    }
}

const SOCKET_FIX: &str = "close() the socket when the conversation is over, on the error paths too; give idle \
                          connections a time-out";

const RULES: [ClassRule; 24] = [
    ClassRule {
        error_path: Some(Kind::FileErrorPath),
        ..row(Class::File, Kind::FileNotClosed, "files", "close() the file on every path, early returns included")
    },
    ClassRule {
        error_path: Some(Kind::FileErrorPath),
        ..row(Class::Stream, Kind::StreamNotClosed, "streams", "fclose() on every path, early returns included")
    },
    row(Class::Directory, Kind::DirNotClosed, "directories", "closedir() on every path, early returns included"),
    row(Class::Popen, Kind::PopenNotClosed, "popen streams", "pclose() each of them: fclose() leaves a zombie"),
    row(
        Class::Pipe,
        Kind::PipeEndNotClosed,
        "pipe ends",
        "close() both ends, in the parent the one that the child uses right after fork()",
    ),
    ClassRule {
        idle: Some(Kind::SocketIdle),
        state: Some(&CLOSE_WAIT),
        ..row(Class::Socket, Kind::SocketNotClosed, "sockets", SOCKET_FIX)
    },
    ClassRule {
        idle: Some(Kind::SocketIdle),
        state: Some(&CLOSE_WAIT),
        verbs: ("accepted", "closed"),
        ..row(Class::Accepted, Kind::SocketNotClosed, "accepted sockets", SOCKET_FIX)
    },
    row(
        Class::Duplicate,
        Kind::DupNotClosed,
        "duplicate descriptors",
        "close() the duplicate as well as the original",
    ),
    row(Class::Eventfd, Kind::EventfdNotClosed, "eventfds", "close() the eventfd with the object it belongs to"),
    row(
        Class::Memfd,
        Kind::MemfdNotClosed,
        "memory files",
        "close() the descriptor once it is mapped or passed on; a mapping does not need it",
    ),
    row(
        Class::Received,
        Kind::FdReceivedNotClosed,
        "descriptors received over a socket",
        "close() every descriptor that recvmsg() delivers, unexpected ones too",
    ),
    row(
        Class::Timerfd,
        Kind::TimerfdNotClosed,
        "timerfds",
        "close() the timerfd when its work is done or cancelled",
    )
    .with_state(&UNREAD),
    row(
        Class::Epoll,
        Kind::DescriptorNotClosed,
        "epoll instances",
        "close() the epoll instance when its loop ends",
    ),
    row(
        Class::Inotify,
        Kind::DescriptorNotClosed,
        "inotify instances",
        "keep one inotify instance and add watches to it, or close() it",
    ),
    row(Class::Signalfd, Kind::DescriptorNotClosed, "signalfds", "close() it, or pass it to signalfd() again"),
    row(Class::OtherDescriptor, Kind::DescriptorNotClosed, "descriptors", "close() the descriptor on every path"),
    ClassRule {
        verbs: ("created", "deleted"),
        ..row(
            Class::PosixTimer,
            Kind::PosixTimerNotDeleted,
            "POSIX timers",
            "timer_delete() a timer that has done its work; disarming keeps it",
        )
    },
    ClassRule {
        verbs: ("started", "seen to end"),
        ..row(
            Class::Thread,
            Kind::ThreadGrowth,
            "threads",
            "bound the number of threads with a pool, and give each a way to end",
        )
    }
    .with_state(&ENDED_THREAD),
    ClassRule {
        growth: None,
        verbs: ("started", "waited for"),
        ..row(Class::Child, Kind::ZombieNotReaped, "children", ENDED_CHILD.fix)
    }
    .with_state(&ENDED_CHILD),
    ClassRule {
        verbs: ("made", "unmapped"),
        samples_min: 6,
        ..row(
            Class::Mapping,
            Kind::MmapNotUnmapped,
            "mappings",
            "munmap() the mapping when it is done with, with the length it was made with",
        )
    },
    ClassRule {
        verbs: ("added", "removed"),
        ..row(
            Class::EpollRegistration,
            Kind::EpollRegistrationsGrowing,
            "epoll registrations",
            "EPOLL_CTL_DEL what is not waited for any more, or close its descriptor and every duplicate of it",
        )
    }
    .with_state(&ORPHANED),
    ClassRule {
        verbs: ("added", "removed"),
        ..row(
            Class::InotifyWatch,
            Kind::InotifyWatchesGrowing,
            "inotify watches",
            "inotify_rm_watch() what is not watched any more",
        )
    },
    ClassRule {
        verbs: ("registered", "taken back"),
        samples_min: 6,
        ..row(
            Class::Callback,
            Kind::CallbackRegistrationsGrowing,
            "callbacks",
            "register the callback once, not on every call: it can never be taken back",
        )
    },
    ClassRule {
        verbs: ("loaded", "unloaded"),
        samples_min: 6,
        ..row(
            Class::Module,
            Kind::DlopenGrowth,
            "libraries",
            "dlclose() what dlopen() loaded, or load each library once under the same path",
        )
    },
];

impl ClassRule {
    const fn with_state(mut self, state: &'static StateRule) -> Self {
        self.state = Some(state);
        self
    }
}
