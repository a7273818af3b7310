//! Simulate, modes: the two ways in which a process is watched, with the scale of time that fits each.
//! In: nothing. Out: configuration of the detectors, pace of looks, unit of time.

use memguard_detect::DetectConfig;

/// Looks at one run, at most: a collector looks every second, a virtual run of a month would have 2.6 million looks.
const LOOKS_MAX: f64 = 400.0;

/// How a process is watched.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// `guard` or `aggressive`.
    pub name: &'static str,
    /// Configuration of the detectors.
    pub config: DetectConfig,
    /// Time between two looks of a collector, in seconds.
    pub poll_s: f64,
    /// One unit of time, in seconds: the youngest age at which a handle is suspect.
    pub unit_s: f64,
    /// Leaked things in a unit: one in 10 s in guard mode, one in 100 ms in aggressive mode.
    pub leaks: f64,
    /// Units by which plain growth of things must be found.
    pub growth_by: f64,
    /// Size of the objects of patterns that are made of samples: one in eight is drawn, or each.
    pub object_bytes: u64,
}

impl Mode {
    /// A service in production.
    pub const fn guard() -> Self {
        Self {
            name: "guard",
            config: DetectConfig::guard(),
            poll_s: 1.0,
            unit_s: 60.0,
            leaks: 6.0,
            growth_by: 5.0,
            object_bytes: 65_536,
        }
    }

    /// A test run.
    pub const fn aggressive() -> Self {
        Self {
            name: "aggressive",
            config: DetectConfig::aggressive(),
            poll_s: 0.1,
            unit_s: 2.0,
            leaks: 20.0,
            growth_by: 3.0,
            object_bytes: 512,
        }
    }

    /// Time between two looks at a run of this length, in seconds.
    pub fn look_s(&self, end_s: f64) -> f64 {
        self.poll_s.max(end_s / LOOKS_MAX)
    }
}
