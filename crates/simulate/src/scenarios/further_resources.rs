//! Scenarios, further ones beside the heap: pools, caches, daily connections, and leaks that are slow, late, or rare.
//! In: mode and length. Out: programs in virtual time.

use super::further_healthy::day_wave;
use super::resources_leaking::MakeWorld;
use super::{DAY_S, HOUR_S, LOST};
use crate::draws::{FOREVER, exponential, normal};
use crate::mode::Mode;
use crate::program::Program;
use crate::scenario::{Horizon, Make, Modes, Scenario, Truth};
use crate::world::{Thing, World, thing};
use memguard_model::Class;
use memguard_sampling::Rng;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let mut all = healthy();
    all.extend(leaking());
    all.push(object_and_stream());
    all
}

/// Names of scenarios beside the heap all begin so.
fn named(name: &str) -> String {
    format!("resources: {name}")
}

/// Things that are made `a_unit` times a unit and live so many seconds.
fn churn(rng: &mut Rng, end_s: f64, per_s: f64, class: Class, life: impl Fn(&mut Rng) -> f64) -> World {
    let mut world = World::default();
    world.poisson(rng, (0.0, end_s), per_s, |rng, at| Thing { dies_s: at + life(rng), ..thing(class, at) });
    world
}

fn healthy() -> Vec<Scenario> {
    let of = |name: &str, family, modes, horizon, make: MakeWorld| {
        Scenario::new(named(name), family, modes, horizon, Truth::Healthy, Make::Held(make))
    };
    let units = Horizon::Units;
    vec![
        of("pool that grows to its peak", "pool peak", Modes::Both, units(60.0), |rng, mode, end_s| {
            let mut world = World::default();
            for step in 0..600 {
                let at = end_s * f64::from(step) / 600.0;
                let wave = (std::f64::consts::TAU * at / (20.0 * mode.unit_s)).sin();
                let load = (20.0 + 10.0 * wave + 2.0 * normal(rng)) as usize;
                while world.things.len() < load {
                    world.things.push(thing(Class::Socket, at));
                }
            }
            world
        }),
        of(
            "connections of hours under a daily load; 30 days",
            "long connections",
            Modes::Guard,
            Horizon::Seconds(30.0 * DAY_S),
            |rng, _, end_s| {
                let mut world = World::default();
                world.poisson(rng, (0.0, end_s), 6.0 / HOUR_S, |rng, at| {
                    let life =
                        if rng.next_unit() < day_wave(at) { exponential(rng, 8.0 * HOUR_S) } else { 60.0 };
                    Thing {
                        dies_s: at + life,
                        use_every_s: 600.0,
                        used_until_s: at + life,
                        ..thing(Class::Accepted, at)
                    }
                });
                world
            },
        ),
        of("cache of 200 files, full after 40 %", "file cache", Modes::Both, units(50.0), |rng, _, end_s| {
            let mut world = churn(rng, end_s, 500.0 / end_s, Class::File, |_| FOREVER);
            let births: Vec<f64> = world.things.iter().map(|thing| thing.at_s).collect();
            for (thing, successor) in world.things.iter_mut().zip(births.iter().skip(200)) {
                thing.dies_s = *successor;
            }
            world
        }),
        of(
            "watches on folders as they are met",
            "watches at first use",
            Modes::Both,
            units(60.0),
            |rng, mode, end_s| {
                let mut world = World::default();
                for folder in 1..=60 {
                    let at = exponential(rng, f64::from(folder) * mode.unit_s / 2.0);
                    if at < end_s {
                        world.things.push(thing(Class::InotifyWatch, at));
                    }
                }
                world
            },
        ),
        of(
            "plugins loaded when first used",
            "plugins at first use",
            Modes::Both,
            units(40.0),
            |rng, mode, _| World {
                libraries_s: (1..=14)
                    .map(|plugin| (exponential(rng, 0.6 * f64::from(plugin) * mode.unit_s), FOREVER))
                    .collect(),
                ..World::default()
            },
        ),
        of("children reaped every half unit", "reaper", Modes::Both, units(30.0), |rng, mode, end_s| {
            let half = 0.5 * mode.unit_s;
            let mut world = World::default();
            world.poisson(rng, (0.0, end_s), 10.0 / mode.unit_s, |rng, at| {
                let ended = at + exponential(rng, 0.1 * half);
                Thing { state_s: ended, dies_s: (ended / half).ceil() * half, ..thing(Class::Child, at) }
            });
            world
        }),
        of(
            "time-outs of sessions, deleted when they end",
            "session timers",
            Modes::Both,
            units(40.0),
            |rng, mode, end_s| {
                churn(rng, end_s, 8.0 / mode.unit_s, Class::PosixTimer, |rng| {
                    exponential(rng, 1.5 * mode.unit_s)
                })
            },
        ),
    ]
}

fn leaking() -> Vec<Scenario> {
    let of = |name: &str, family, modes, horizon, kind: &str, make: MakeWorld| {
        Scenario::new(named(name), family, modes, horizon, Truth::leak(&[kind]), Make::Held(make))
    };
    let units = Horizon::Units;
    vec![
        of(
            "ten files a day; 30 days",
            "slow descriptors",
            Modes::Guard,
            Horizon::Seconds(30.0 * DAY_S),
            "file-error-path",
            |rng, mode, end_s| {
                let mut world =
                    churn(rng, end_s, 10.0 / HOUR_S, Class::File, |rng| exponential(rng, mode.unit_s));
                world.poisson(rng, (0.0, end_s), 10.0 / DAY_S, |_, at| thing(Class::File, at));
                world
            },
        ),
        of(
            "three sockets by an hourly job; 48 h",
            "cron descriptors",
            Modes::Guard,
            Horizon::Seconds(2.0 * DAY_S),
            "socket-not-closed",
            |rng, _, _| {
                let mut world = World::default();
                for hour in 0..48 {
                    for _ in 0..3 {
                        let at = (f64::from(hour) + 0.1) * HOUR_S + 30.0 * rng.next_unit();
                        world.things.push(thing(Class::Socket, at));
                    }
                }
                world
            },
        ),
        of(
            "a thread hangs now and then, beside many",
            "stuck threads",
            Modes::Both,
            units(30.0),
            "thread-growth",
            |rng, mode, end_s| {
                let mut world = churn(rng, end_s, 30.0 / mode.unit_s, Class::Thread, |rng| {
                    exponential(rng, 0.1 * mode.unit_s)
                });
                world.poisson(rng, (0.0, end_s), 2.0 / mode.unit_s, |_, at| thing(Class::Thread, at));
                world
            },
        ),
        of(
            "sockets, from 70 % on",
            "late descriptors",
            Modes::Both,
            units(40.0),
            "socket-not-closed",
            |rng, mode, end_s| {
                let mut world = churn(rng, end_s, 20.0 / mode.unit_s, Class::Socket, |rng| {
                    exponential(rng, 0.1 * mode.unit_s)
                });
                world.poisson(rng, (0.7 * end_s, end_s), mode.leaks / mode.unit_s, |_, at| {
                    thing(Class::Socket, at)
                });
                world
            },
        ),
        of(
            "one in 20 accepted stays after an error",
            "socket error path",
            Modes::Both,
            units(20.0),
            "socket-not-closed",
            |rng, mode, end_s| {
                churn(rng, end_s, 60.0 / mode.unit_s, Class::Accepted, |rng| {
                    if rng.next_unit() < 0.05 { FOREVER } else { exponential(rng, 0.2 * mode.unit_s) }
                })
            },
        ),
        of(
            "mappings beside a ring of mappings",
            "mapping in a ring",
            Modes::Both,
            units(30.0),
            "mmap-not-unmapped",
            |rng, mode, end_s| {
                let mut world = churn(rng, end_s, 20.0 / mode.unit_s, Class::Mapping, |_| 0.4 * mode.unit_s);
                world.poisson(rng, (0.0, end_s), 3.0 / mode.unit_s, |_, at| thing(Class::Mapping, at));
                world
            },
        ),
    ]
}

/// A structure with a stream in it, never closed and never freed.
fn object_and_stream() -> Scenario {
    let make = |rng: &mut Rng, mode: &Mode, end_s: f64| {
        let mut world = World::default();
        world.poisson(rng, (0.0, end_s), 2.0 * mode.leaks / mode.unit_s, |_, at| Thing {
            site: 2,
            ..thing(Class::Stream, at)
        });
        let mut program = Program { thin: true, ..Program::default() };
        for thing in &world.things {
            program.add(1, thing.at_s, FOREVER, 100_000);
        }
        Program { world, ..program.lose(1) }
    };
    let truth = Truth::leak(&["stream-not-closed", LOST[0], LOST[1]]);
    let name = named("structure with a stream in it");
    Scenario::new(name, "object and stream", Modes::Both, Horizon::Units(30.0), truth, Make::Heap(make))
        .at(&[1, 2])
}
