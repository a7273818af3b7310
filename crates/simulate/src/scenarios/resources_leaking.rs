//! Scenarios, leaks of everything beside the heap, one or more for each kind. In: the mode. Out: programs in virtual time.

use crate::draws::{FOREVER, exponential};
use crate::mode::Mode;
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use crate::world::{Thing, World, thing};
use memguard_detect::Kind;
use memguard_model::{Class, Origin};
use memguard_sampling::Rng;

/// Makes a world of a mode that runs for so many seconds.
pub type MakeWorld = fn(&mut Rng, &Mode, f64) -> World;

/// A leak, with the time by which it must be found.
#[derive(Debug, Clone, Copy)]
pub struct Leak {
    /// Its name in the table.
    pub name: &'static str,
    /// What it must be called.
    pub kind: Kind,
    /// Units by which it must be shown; 0: as plain growth.
    pub by: f64,
    /// Units for which it is watched.
    pub units: f64,
    /// Confidence that it must reach.
    pub reaches: f64,
    /// Makes it.
    pub make: MakeWorld,
}

impl Leak {
    /// The same as a scenario.
    pub fn scenario(&self) -> Scenario {
        let name = format!("resources: {}", self.name);
        let truth = Truth::Leak(vec![crate::judge::kind_name(self.kind)]);
        let make = Make::Held(self.make);
        // What no hook saw is at no place, libraries are the process's.
        let nowhere = ["files, not seen by a hook", "libraries loaded without end"].contains(&self.name);
        let sites: &[u32] = if nowhere { &[0] } else { &[1] };
        Scenario::new(name, "resources", Modes::Both, Horizon::Units(self.units), truth, make).at(sites)
    }
}

/// Things that are made at the mode's pace and kept.
fn steady(rng: &mut Rng, mode: &Mode, end_s: f64, make: impl Fn(f64) -> Thing) -> World {
    let mut world = World::default();
    world.poisson(rng, (0.0, end_s), mode.leaks / mode.unit_s, |_, at| make(at));
    world
}

/// Fifty times as many at the same place that are closed within a fiftieth of a unit.
fn with_churn(rng: &mut Rng, mode: &Mode, end_s: f64, mut world: World, class: Class) -> World {
    let per_s = 50.0 / mode.unit_s;
    world.poisson(rng, (0.0, end_s), per_s, |rng, at| Thing {
        dies_s: at + exponential(rng, mode.unit_s / 50.0),
        ..thing(class, at)
    });
    world
}

/// Every unit one, evenly.
fn one_a_unit(mode: &Mode, end_s: f64, make: impl Fn(f64) -> Thing) -> World {
    let many = (end_s / mode.unit_s).ceil() as u32;
    World {
        things: (0..many).map(|i| make((f64::from(i) + 0.3) * mode.unit_s)).collect(),
        ..World::default()
    }
}

macro_rules! grows {
    ($name:literal, $kind:ident, $class:ident) => {
        Leak {
            name: $name,
            kind: Kind::$kind,
            by: 0.0,
            units: 10.0,
            reaches: 0.6,
            make: |rng, mode, end_s| steady(rng, mode, end_s, |at| thing(Class::$class, at)),
        }
    };
}

fn state(name: &'static str, kind: Kind, by: f64, reaches: f64, make: MakeWorld) -> Leak {
    Leak { name, kind, by, units: 10.0, reaches, make }
}

/// Every leak.
pub fn all() -> Vec<Leak> {
    let mut all = plain();
    all.extend(handles());
    all.extend(kernel_states());
    all.extend(others());
    all
}

fn plain() -> Vec<Leak> {
    vec![
        grows!("files", FileNotClosed, File),
        grows!("streams", StreamNotClosed, Stream),
        grows!("directories", DirNotClosed, Directory),
        grows!("popen", PopenNotClosed, Popen),
        grows!("pipe ends", PipeEndNotClosed, Pipe),
        grows!("sockets, use unknown", SocketNotClosed, Socket),
        grows!("accepted sockets, use unknown", SocketNotClosed, Accepted),
        grows!("duplicates", DupNotClosed, Duplicate),
        grows!("eventfds", EventfdNotClosed, Eventfd),
        grows!("memory files", MemfdNotClosed, Memfd),
        grows!("received descriptors", FdReceivedNotClosed, Received),
        grows!("epoll instances", DescriptorNotClosed, Epoll),
        grows!("inotify instances", DescriptorNotClosed, Inotify),
        grows!("signalfds", DescriptorNotClosed, Signalfd),
        grows!("pidfds", DescriptorNotClosed, OtherDescriptor),
        grows!("timerfds", TimerfdNotClosed, Timerfd),
        grows!("POSIX timers", PosixTimerNotDeleted, PosixTimer),
        grows!("living threads", ThreadGrowth, Thread),
        grows!("epoll registrations", EpollRegistrationsGrowing, EpollRegistration),
        grows!("inotify watches", InotifyWatchesGrowing, InotifyWatch),
        grows!("mappings of 64 KiB", MmapNotUnmapped, Mapping),
    ]
}

fn handles() -> Vec<Leak> {
    vec![
        Leak {
            name: "files, error path: 6 a unit beside 50 closed",
            kind: Kind::FileErrorPath,
            by: 5.0,
            units: 12.0,
            reaches: 0.7,
            make: |rng, mode, end_s| {
                let mut world = World::default();
                world.poisson(rng, (0.0, end_s), 6.0 / mode.unit_s, |_, at| thing(Class::File, at));
                with_churn(rng, mode, end_s, world, Class::File)
            },
        },
        Leak {
            name: "streams, error path: 1 a unit beside 50 closed",
            kind: Kind::FileErrorPath,
            by: 10.0,
            units: 16.0,
            reaches: 0.5,
            make: |rng, mode, end_s| {
                let world = one_a_unit(mode, end_s, |at| thing(Class::Stream, at));
                with_churn(rng, mode, end_s, world, Class::Stream)
            },
        },
        Leak {
            name: "files, one a unit, evenly",
            kind: Kind::FileNotClosed,
            by: 18.0,
            units: 24.0,
            reaches: 0.5,
            make: |_, mode, end_s| one_a_unit(mode, end_s, |at| thing(Class::File, at)),
        },
        Leak {
            name: "files, at the mode's pace, evenly",
            kind: Kind::FileNotClosed,
            by: 0.0,
            units: 10.0,
            reaches: 0.7,
            make: |_, mode, end_s| {
                let step_s = mode.unit_s / mode.leaks;
                let many = (end_s / step_s) as u32;
                let at = |i: u32| (f64::from(i) + 0.5) * step_s;
                World { things: (0..many).map(|i| thing(Class::File, at(i))).collect(), ..World::default() }
            },
        },
        Leak {
            name: "files, not seen by a hook",
            kind: Kind::FileNotClosed,
            by: 6.0,
            units: 10.0,
            reaches: 0.5,
            make: |rng, mode, end_s| {
                steady(rng, mode, end_s, |at| Thing { origin: Origin::Unhooked, ..thing(Class::File, at) })
            },
        },
        Leak {
            name: "connections without data",
            kind: Kind::SocketIdle,
            by: 9.0,
            units: 14.0,
            reaches: 0.6,
            make: |rng, mode, end_s| {
                let unit_s = mode.unit_s;
                steady(rng, mode, end_s, |at| Thing {
                    use_every_s: 0.02 * unit_s,
                    used_until_s: at + 0.2 * unit_s,
                    ..thing(Class::Accepted, at)
                })
            },
        },
    ]
}

fn kernel_states() -> Vec<Leak> {
    vec![
        state("CLOSE_WAIT, one accepted", Kind::SocketCloseWait, 4.0, 0.6, |_, mode, _| World {
            things: vec![Thing { state_s: 3.0 * mode.unit_s, ..thing(Class::Accepted, 2.0 * mode.unit_s) }],
            ..World::default()
        }),
        state("CLOSE_WAIT, two a unit", Kind::SocketCloseWait, 1.8, 0.95, |_, mode, end_s| {
            let unit_s = mode.unit_s;
            let things = (0..2 * (end_s / unit_s) as u32).map(|i| {
                let at = (0.2 + f64::from(i) / 2.0) * unit_s;
                Thing { state_s: at + 0.5 * unit_s, ..thing(Class::Accepted, at) }
            });
            World { things: things.collect(), ..World::default() }
        }),
        state(
            "CLOSE_WAIT beside healthy connections",
            Kind::SocketCloseWait,
            6.0,
            0.9,
            |rng, mode, end_s| {
                let unit_s = mode.unit_s;
                let world = steady(rng, mode, end_s, |at| Thing {
                    state_s: at + 0.1 * unit_s,
                    use_every_s: 0.05 * unit_s,
                    used_until_s: at + 0.1 * unit_s,
                    ..thing(Class::Accepted, at)
                });
                with_churn(rng, mode, end_s, world, Class::Accepted)
            },
        ),
        Leak {
            name: "limit of 256: 20 a unit",
            kind: Kind::FdLimitNear,
            by: 5.0,
            units: 10.0,
            reaches: 0.7,
            make: |rng, mode, end_s| {
                let mut world = World { descriptors_max: Some(256), ..World::default() };
                world.poisson(rng, (0.0, end_s), 20.0 / mode.unit_s, |_, at| thing(Class::File, at));
                world
            },
        },
        Leak {
            name: "limit of 256, reached within a quarter unit",
            kind: Kind::FdLimitNear,
            by: 2.5,
            units: 5.0,
            reaches: 0.9,
            make: |rng, mode, _| {
                let mut world = World { descriptors_max: Some(256), ..World::default() };
                world.poisson(rng, (2.0 * mode.unit_s, 2.25 * mode.unit_s), 1200.0 / mode.unit_s, |_, at| {
                    thing(Class::File, at)
                });
                world.things.truncate(253);
                world
            },
        },
    ]
}

fn others() -> Vec<Leak> {
    vec![
        state("timer that nobody reads", Kind::TimerfdUnread, 3.2, 0.8, |_, mode, _| World {
            things: vec![Thing {
                state_s: 1.8 * mode.unit_s,
                interval_s: 0.1 * mode.unit_s,
                ..thing(Class::Timerfd, mode.unit_s)
            }],
            ..World::default()
        }),
        state("threads that end and are not joined", Kind::ThreadNotJoined, 3.0, 0.95, |rng, mode, end_s| {
            let unit_s = mode.unit_s;
            steady(rng, mode, end_s, |at| Thing { state_s: at + 0.05 * unit_s, ..thing(Class::Thread, at) })
        }),
        state("detached threads that never end", Kind::ThreadGrowth, 5.0, 0.6, |rng, mode, end_s| {
            steady(rng, mode, end_s, |at| Thing { detached: true, ..thing(Class::Thread, at) })
        }),
        state("children that are not waited for", Kind::ZombieNotReaped, 3.0, 0.95, |rng, mode, end_s| {
            let unit_s = mode.unit_s;
            steady(rng, mode, end_s, |at| Thing { state_s: at + 0.1 * unit_s, ..thing(Class::Child, at) })
        }),
        state(
            "registrations without a descriptor",
            Kind::EpollRegistrationsGrowing,
            2.0,
            0.9,
            |rng, mode, end_s| {
                let unit_s = mode.unit_s;
                steady(rng, mode, end_s, |at| Thing {
                    state_s: at + 0.1 * unit_s,
                    ..thing(Class::EpollRegistration, at)
                })
            },
        ),
        state(
            "callbacks registered by every request",
            Kind::CallbackRegistrationsGrowing,
            5.0,
            0.6,
            |rng, mode, end_s| {
                let calls = steady(rng, mode, end_s, |at| thing(Class::File, at));
                World { callbacks_s: calls.things.iter().map(|t| t.at_s).collect(), ..World::default() }
            },
        ),
        state("libraries loaded without end", Kind::DlopenGrowth, 5.0, 0.6, |rng, mode, end_s| {
            let loads = steady(rng, mode, end_s, |at| thing(Class::File, at));
            let libraries_s = loads.things.iter().map(|t| (t.at_s, FOREVER)).collect();
            World { libraries_s, ..World::default() }
        }),
    ]
}
