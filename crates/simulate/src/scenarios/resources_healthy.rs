//! Scenarios, near misses beside the heap: programs that look for a while as if they leaked, one or more for each kind. In: the mode. Out: programs
//! in virtual time, none of which may be shown at any look.

use super::resources_leaking::MakeWorld;
use crate::draws::exponential;
use crate::mode::Mode;
use crate::world::{Thing, World, thing};
use memguard_model::{Class, Origin};
use memguard_sampling::Rng;

/// Things that are made at a pace and live as long as `life` says, in units of the mode.
fn churn(
    rng: &mut Rng,
    mode: &Mode,
    end_s: f64,
    a_unit: f64,
    life: fn(&mut Rng) -> f64,
    class: Class,
) -> World {
    let mut world = World::default();
    world.poisson(rng, (0.0, end_s), a_unit / mode.unit_s, |rng, at| Thing {
        dies_s: at + life(rng) * mode.unit_s,
        ..thing(class, at)
    });
    world
}

/// Things that are made at once, at so many units, and kept.
fn at_once(mode: &Mode, at_units: f64, many: u32, make: impl Fn(f64) -> Thing) -> World {
    let at = |i: u32| (at_units + f64::from(i) * 0.001) * mode.unit_s;
    World { things: (0..many).map(|i| make(at(i))).collect(), ..World::default() }
}

/// A cache that keeps the newest `room` and closes the oldest.
fn fifo(rng: &mut Rng, mode: &Mode, end_s: f64, a_unit: f64, room: usize, class: Class) -> World {
    let mut world = World::default();
    world.poisson(rng, (0.0, end_s), a_unit / mode.unit_s, |_, at| thing(class, at));
    let births: Vec<f64> = world.things.iter().map(|thing| thing.at_s).collect();
    for (thing, successor) in world.things.iter_mut().zip(births.iter().skip(room)) {
        thing.dies_s = *successor;
    }
    world
}

/// Every near miss: its name, the units it is watched for, how it is made.
pub fn all() -> Vec<(&'static str, f64, MakeWorld)> {
    let mut all = kept();
    all.extend(moving());
    all.extend(states());
    all.extend(numbers());
    all
}

/// What is opened once and stays.
fn kept() -> Vec<(&'static str, f64, MakeWorld)> {
    vec![
        ("pool of 50 connections at start", 20.0, |_, mode, _| {
            at_once(mode, 0.1, 50, |at| thing(Class::Socket, at))
        }),
        ("pool of 50 files in mid-run", 20.0, |_, mode, _| {
            at_once(mode, 9.0, 50, |at| thing(Class::File, at))
        }),
        ("epoll instance of each of 16 threads", 20.0, |_, mode, _| {
            at_once(mode, 0.05, 16, |at| thing(Class::Epoll, at))
        }),
        ("listening sockets, one a unit", 20.0, |_, mode, end_s| {
            let many = (end_s / mode.unit_s) as u32;
            let at = |i: u32| (f64::from(i) + 0.5) * mode.unit_s;
            let listener = |i| Thing { listening: true, ..thing(Class::Socket, at(i)) };
            World { things: (0..many).map(listener).collect(), ..World::default() }
        }),
        ("inherited descriptors", 20.0, |_, mode, _| {
            at_once(mode, 0.0, 40, |at| Thing { origin: Origin::Inherited, ..thing(Class::File, at) })
        }),
        ("warm-up that dies away", 40.0, |rng, mode, end_s| {
            let mut world = World::default();
            let mut at = 0.0;
            while at < end_s {
                at += exponential(rng, mode.unit_s / 20.0 * (2.0 * at / mode.unit_s).exp());
                world.things.push(thing(Class::File, at));
            }
            world.things.retain(|thing| thing.at_s < end_s);
            world
        }),
        ("pool of threads that grows to 32 at once", 20.0, |_, mode, _| {
            at_once(mode, 3.0, 32, |at| thing(Class::Thread, at))
        }),
        ("arenas, 12 at start", 20.0, |_, mode, _| at_once(mode, 0.2, 12, |at| thing(Class::Mapping, at))),
    ]
}

/// What comes and goes.
fn moving() -> Vec<(&'static str, f64, MakeWorld)> {
    vec![
        ("files of requests", 20.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 100.0, |rng| exponential(rng, 0.02), Class::File)
        }),
        ("streams with long tails", 30.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 40.0, |rng| exponential(rng, 0.05) * exponential(rng, 1.0), Class::Stream)
        }),
        ("cache of 30 files, oldest closed", 30.0, |rng, mode, end_s| {
            fifo(rng, mode, end_s, 30.0, 30, Class::File)
        }),
        ("log rotation, one at a time", 40.0, |_, mode, end_s| {
            let many = (end_s / (3.0 * mode.unit_s)) as u32;
            let at = |i: u32| 3.0 * f64::from(i) * mode.unit_s + 0.1;
            let log = |i| Thing { dies_s: at(i + 1), ..thing(Class::Stream, at(i)) };
            World { things: (0..many).map(log).collect(), ..World::default() }
        }),
        ("keep-alive connections, closed after 3 units", 30.0, |rng, mode, end_s| {
            let unit_s = mode.unit_s;
            let mut world = churn(rng, mode, end_s, 20.0, |_| 3.0, Class::Accepted);
            for connection in &mut world.things {
                connection.use_every_s = 0.05 * unit_s;
                connection.used_until_s = connection.at_s + 0.3 * unit_s;
            }
            world
        }),
        ("connections of clients that stay for long", 40.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 10.0, |rng| exponential(rng, 2.0), Class::Accepted)
        }),
        ("workers with pipes, restarted every 5 units", 40.0, |_, mode, end_s| {
            let mut world = World::default();
            for round in 0..(end_s / (5.0 * mode.unit_s)) as u32 {
                let from_s = 5.0 * f64::from(round) * mode.unit_s;
                let ends = (0..16).map(|i| Thing {
                    dies_s: from_s + 5.0 * mode.unit_s,
                    ..thing(Class::Pipe, from_s + 0.001 * f64::from(i))
                });
                world.things.extend(ends);
            }
            world
        }),
        ("detached threads of requests", 20.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 60.0, |rng| exponential(rng, 0.05), Class::Thread)
        }),
        ("registrations that come and go", 20.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 60.0, |rng| exponential(rng, 0.2), Class::EpollRegistration)
        }),
        ("watches that come and go", 20.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 30.0, |rng| exponential(rng, 0.2), Class::InotifyWatch)
        }),
        ("timers made and deleted", 20.0, |rng, mode, end_s| {
            churn(rng, mode, end_s, 30.0, |rng| exponential(rng, 0.3), Class::PosixTimer)
        }),
        ("ring of 8 mappings", 30.0, |rng, mode, end_s| fifo(rng, mode, end_s, 20.0, 8, Class::Mapping)),
        ("descriptors not seen by a hook that go", 20.0, |rng, mode, end_s| {
            let mut world = churn(rng, mode, end_s, 30.0, |rng| exponential(rng, 0.3), Class::File);
            world.things.iter_mut().for_each(|thing| thing.origin = Origin::Unhooked);
            world
        }),
    ]
}

/// What the kernel says of things that will be taken care of.
fn states() -> Vec<(&'static str, f64, MakeWorld)> {
    vec![
        ("CLOSE_WAIT, closed a fifth of a unit later", 20.0, |rng, mode, end_s| {
            let unit_s = mode.unit_s;
            let mut world = churn(rng, mode, end_s, 30.0, |_| 0.4, Class::Accepted);
            for connection in &mut world.things {
                connection.state_s = connection.at_s + 0.2 * unit_s;
            }
            world
        }),
        ("CLOSE_WAIT in a pool made at start", 20.0, |_, mode, _| {
            let state_s = 5.0 * mode.unit_s;
            at_once(mode, 0.1, 8, |at| Thing { state_s, ..thing(Class::Socket, at) })
        }),
        ("timer read late, but read", 20.0, |_, mode, end_s| {
            // A timer read every half unit: the collector sees ticks that go back, which ends their being unread.
            let half_s = 0.5 * mode.unit_s;
            let rounds = (end_s / half_s) as u32;
            let round = |i: u32| Thing {
                state_s: f64::from(i) * half_s + 0.1 * half_s,
                dies_s: f64::from(i + 1) * half_s,
                interval_s: 0.1 * half_s,
                ..thing(Class::Timerfd, f64::from(i) * half_s)
            };
            World { things: (0..rounds).map(round).collect(), ..World::default() }
        }),
        ("one-shot timers that fired", 20.0, |_, mode, _| {
            let state_s = 2.0 * mode.unit_s;
            at_once(mode, 0.2, 3, |at| Thing { state_s, ..thing(Class::Timerfd, at) })
        }),
        ("batch of threads joined at the end", 12.0, |_, mode, end_s| {
            let unit_s = mode.unit_s;
            at_once(mode, 1.0, 24, |at| Thing {
                state_s: 2.0 * unit_s,
                dies_s: end_s - unit_s,
                ..thing(Class::Thread, at)
            })
        }),
        ("one child that is reaped late", 20.0, |_, mode, end_s| {
            let many = (end_s / (4.0 * mode.unit_s)) as u32;
            let at = |i: u32| 4.0 * f64::from(i) * mode.unit_s + 0.1;
            let child = |i| Thing { state_s: at(i) + 0.1, dies_s: at(i + 1), ..thing(Class::Child, at(i)) };
            World { things: (0..many).map(child).collect(), ..World::default() }
        }),
    ]
}

/// What is known by its number alone.
fn numbers() -> Vec<(&'static str, f64, MakeWorld)> {
    vec![
        ("callbacks registered at start", 20.0, |_, mode, _| World {
            callbacks_s: (0..40).map(|i| 0.001 * f64::from(i) * mode.unit_s).collect(),
            ..World::default()
        }),
        ("plugins loaded at start", 20.0, |_, mode, _| World {
            libraries_s: (0..12).map(|i| (0.01 * f64::from(i) * mode.unit_s, f64::INFINITY)).collect(),
            ..World::default()
        }),
        ("plugin loaded and unloaded", 20.0, |_, mode, end_s| {
            let many = (2.0 * end_s / mode.unit_s) as u32;
            let at = |i: u32| 0.5 * f64::from(i) * mode.unit_s;
            let load = |i| (at(i), at(i) + 0.3 * mode.unit_s);
            World { libraries_s: (0..many).map(load).collect(), ..World::default() }
        }),
        ("half of a limit of 256 in steady use", 20.0, |rng, mode, end_s| {
            let mut world = churn(rng, mode, end_s, 400.0, |rng| exponential(rng, 0.3), Class::Accepted);
            world.descriptors_max = Some(256);
            world
        }),
    ]
}
