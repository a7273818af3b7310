//! Segment: what an object is, by the door it came through. One table: adding a resource begins with a row here.
//! In: the hook that made the object. Out: stored with its stack and its entry; told apart by collector and detectors.

/// How objects of a class are kept in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Sampled blocks of memory, in the live table.
    Heap,
    /// Descriptors, in the descriptor table, by number.
    Descriptor,
    /// Other objects with a handle, in the object table.
    Object,
    /// What is never taken back, as totals of its stack alone.
    Counted,
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal, $family:ident;)*) => {
        /// What an object is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Class {
            $($(#[$doc])* $name = $code,)*
        }

        impl Class {
            /// Every class.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The class of this code.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its name in words, singular.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// How its objects are kept.
            pub const fn family(self) -> Family {
                match self {
                    $(Self::$name => Family::$family,)*
                }
            }
        }
    };
}

classes! {
    /// A sampled block.
    Heap = 0, "block", Heap;
    /// `open` and its kin.
    File = 1, "file", Descriptor;
    /// `fopen` and its kin; a descriptor that `fdopen` took over.
    Stream = 2, "stream", Descriptor;
    /// `opendir`; a descriptor that `fdopendir` took over; an `open` of a directory.
    Directory = 3, "directory", Descriptor;
    /// `popen`.
    Popen = 4, "popen stream", Descriptor;
    /// One end made by `pipe`.
    Pipe = 5, "pipe end", Descriptor;
    /// `socket`, `socketpair`.
    Socket = 6, "socket", Descriptor;
    /// `accept`.
    Accepted = 7, "accepted socket", Descriptor;
    /// `dup`, `dup2`, `dup3`, `fcntl(F_DUPFD)`.
    Duplicate = 8, "duplicate descriptor", Descriptor;
    /// `eventfd`.
    Eventfd = 9, "eventfd", Descriptor;
    /// `memfd_create`, `shm_open`.
    Memfd = 10, "memory file", Descriptor;
    /// Came over a unix socket (`SCM_RIGHTS`).
    Received = 11, "received descriptor", Descriptor;
    /// `timerfd_create`.
    Timerfd = 12, "timerfd", Descriptor;
    /// `epoll_create`.
    Epoll = 13, "epoll instance", Descriptor;
    /// `inotify_init`.
    Inotify = 14, "inotify instance", Descriptor;
    /// `signalfd`.
    Signalfd = 15, "signalfd", Descriptor;
    /// `pidfd_open`, `mq_open`, `posix_openpt`, `fanotify_init`, and what the kernel calls otherwise.
    OtherDescriptor = 16, "descriptor", Descriptor;
    /// `timer_create`.
    PosixTimer = 17, "POSIX timer", Object;
    /// `pthread_create`, `thrd_create`.
    Thread = 18, "thread", Object;
    /// `fork`, `vfork`, `posix_spawn`.
    Child = 19, "child process", Object;
    /// `mmap`.
    Mapping = 20, "mapping", Object;
    /// `epoll_ctl(EPOLL_CTL_ADD)`.
    EpollRegistration = 21, "epoll registration", Object;
    /// `inotify_add_watch`.
    InotifyWatch = 22, "inotify watch", Object;
    /// `atexit`, `on_exit`, `pthread_atfork`.
    Callback = 23, "callback registration", Counted;
    /// `dlopen`, known by what is mapped.
    Module = 24, "loaded library", Counted;
}

impl Class {
    /// Its code.
    pub const fn code(self) -> u8 {
        self as u8
    }
}
