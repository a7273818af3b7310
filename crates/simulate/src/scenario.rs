//! Simulate, scenarios: a named way in which programs behave, with the truth about it.
//! In: written down in [`crate::scenarios`]. Out: [`Run`]s, one for each mode.

use crate::mode::Mode;
use crate::program::Program;
use crate::world::World;
use memguard_sampling::Rng;

/// What is true of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// Nothing leaks.
    Healthy,
    /// It leaks; any of these kinds is the right name. Some of them no detector can tell yet.
    Leak(Vec<String>),
    /// No one can say: it counts neither for nor against.
    Ambiguous,
}

impl Truth {
    /// It leaks, and is rightly called any of these.
    pub fn leak(kinds: &[&str]) -> Self {
        Self::Leak(kinds.iter().map(|kind| (*kind).to_owned()).collect())
    }
}

/// Whether rules may be fitted to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// Rules were made with it in sight.
    Fit,
    /// Rules are only measured by it.
    Test,
}

/// In which modes it makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// Production.
    Guard,
    /// Tests.
    Aggressive,
    /// Both, in units of time of the mode.
    Both,
}

/// How long it is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Horizon {
    /// Seconds.
    Seconds(f64),
    /// Units of the mode: a minute in guard mode, two seconds in aggressive mode.
    Units(f64),
}

/// Makes a program of a mode that runs for so many seconds.
#[derive(Debug, Clone, Copy)]
pub enum Make {
    /// Objects, and perhaps more.
    Heap(fn(&mut Rng, &Mode, f64) -> Program),
    /// What is held beside memory alone.
    Held(fn(&mut Rng, &Mode, f64) -> World),
}

/// A named way to behave.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name in tables.
    pub name: String,
    /// What it is an instance of.
    pub family: &'static str,
    /// In which modes it makes sense.
    pub modes: Modes,
    /// How long it is watched.
    pub horizon: Horizon,
    /// What is true of it.
    pub truth: Truth,
    /// Places at which it leaks; everything at other places is healthy.
    pub leaking_sites: &'static [u32],
    /// Whether rules may be fitted to its family.
    pub split: Split,
    /// Makes it.
    pub make: Make,
}

/// A scenario in one mode.
#[derive(Debug, Clone)]
pub struct Run {
    /// What is run.
    pub scenario: Scenario,
    /// How it is watched.
    pub mode: Mode,
}

impl Scenario {
    /// A scenario that leaks at place 1, if it leaks.
    pub fn new(
        name: impl Into<String>,
        family: &'static str,
        modes: Modes,
        horizon: Horizon,
        truth: Truth,
        make: Make,
    ) -> Self {
        let name = name.into();
        let split = crate::scenarios::split_of(family);
        Self { name, family, modes, horizon, truth, leaking_sites: &[1], split, make }
    }

    /// The same, with other places that leak.
    #[must_use]
    pub fn at(mut self, sites: &'static [u32]) -> Self {
        self.leaking_sites = sites;
        self
    }

    /// One run for each of its modes.
    pub fn runs(&self) -> Vec<Run> {
        let modes: &[Mode] = match self.modes {
            Modes::Guard => &[Mode::guard()],
            Modes::Aggressive => &[Mode::aggressive()],
            Modes::Both => &[Mode::guard(), Mode::aggressive()],
        };
        modes.iter().map(|mode| Run { scenario: self.clone(), mode: *mode }).collect()
    }
}

impl Run {
    /// How long it is watched, in seconds.
    pub fn end_s(&self) -> f64 {
        match self.scenario.horizon {
            Horizon::Seconds(seconds) => seconds,
            Horizon::Units(units) => units * self.mode.unit_s,
        }
    }

    /// The program of one seed.
    pub fn program(&self, rng: &mut Rng) -> Program {
        match self.scenario.make {
            Make::Heap(make) => make(rng, &self.mode, self.end_s()),
            Make::Held(make) => make(rng, &self.mode, self.end_s()).into(),
        }
    }
}
