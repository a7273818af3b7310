//! Simulate, a month in virtual time: what a model and its verdicts hold does not grow with the length of the run.
//!
//! Method: a server with many places, a daily wave of load, a deploy a day that brings new places, an interval that the
//! governor changes, files that come and go, and a worker process an hour. A look every half hour (every `LOOK_S` seconds;
//! `LOOK_S=1 cargo test --release -p memguard-simulate --test month` is what a collector does). What is held is measured by the
//! length of its description in words, which names every number in it.

use memguard_detect::{DetectConfig, Verdicts};
use memguard_model::{
    Class, Condition, HISTORY_POINTS, Holding, HoldingTotals, LIFETIME_BUCKETS, LiveSample, Origin,
    ProcessModel, Reading, ResourceReading, SiteId, StackId, StackTotals,
};
use memguard_sampling::{Rng, inclusion_probability};
use std::sync::Arc;

const DAY_S: u64 = 86_400;
const SECOND_NS: u64 = 1_000_000_000;
const INTERVAL_BYTES: u64 = 524_288;
/// Places at the beginning; each deploy replaces some.
const PLACES: u32 = 150;
const PLACES_A_DEPLOY: u32 = 10;
/// Samples of one place a second, on average over a day.
const BIRTHS_PER_S: f64 = 0.002;
/// Files open at a time; one is opened at every look.
const FILES_MAX: usize = 40;

/// One process and what is known of it.
struct Watched {
    rng: Rng,
    model: ProcessModel,
    verdicts: Verdicts,
    totals: Vec<StackTotals>,
    live: Vec<(u64, LiveSample)>,
    files: Vec<Holding>,
    files_opened: u64,
    next_address: u64,
    findings: usize,
}

impl Watched {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::from_seed(seed),
            model: ProcessModel::new(),
            verdicts: Verdicts::new(DetectConfig::guard()),
            totals: Vec::new(),
            live: Vec::new(),
            files: Vec::new(),
            files_opened: 0,
            next_address: 0,
            findings: 0,
        }
    }

    /// Lets `span_s` pass until `now_s`, with some places at work, and looks.
    fn look(&mut self, now_s: u64, span_s: u64, places: std::ops::Range<u32>) {
        let wave = 1.0 - 0.8 * (std::f64::consts::TAU * now_s as f64 / DAY_S as f64).cos();
        // Busy hours are thinned.
        let interval_bytes = if wave > 1.5 { 4 * INTERVAL_BYTES } else { INTERVAL_BYTES };
        let weight = interval_bytes as f64 / INTERVAL_BYTES as f64;
        for place in places {
            let mean = BIRTHS_PER_S * wave * span_s as f64 / weight;
            let births = mean.floor() as u64 + u64::from(self.rng.next_unit() < mean.fract());
            for _ in 0..births {
                self.birth(place, now_s, span_s, interval_bytes);
            }
        }
        let now_ns = now_s * SECOND_NS;
        let (dead, live) = std::mem::take(&mut self.live).into_iter().partition(|(dies, _)| *dies <= now_s);
        self.live = live;
        for (_, sample) in dead as Vec<(u64, LiveSample)> {
            let totals = self.totals_of(sample.stack);
            totals.deaths += 1;
            totals.died_count += 1.0 / sample.inclusion_probability;
            totals.died_bytes += sample.size_bytes as f64 / sample.inclusion_probability;
        }
        self.model.absorb_cpu(now_ns / 5);
        self.model.absorb_sample_interval(now_ns, interval_bytes);
        let reading = Reading {
            at_ns: now_ns,
            totals: self.totals.clone(),
            live: Some(self.live.iter().map(|(_, sample)| *sample).collect()),
            rss_bytes: Some(1 << 30),
        };
        self.model.absorb(&reading, &|stack| SiteId(stack.0));
        self.files(now_ns);
        self.findings = self.verdicts.look(&self.model).len();
    }

    fn birth(&mut self, place: u32, now_s: u64, span_s: u64, interval_bytes: u64) {
        self.next_address += 16;
        let born_s = now_s - self.rng.next_u64() % span_s.max(1);
        let life_s = (-7200.0 * self.rng.next_unit().ln()) as u64;
        let p = inclusion_probability(4096, interval_bytes);
        let sample = LiveSample {
            address: self.next_address,
            size_bytes: 4096,
            born_ns: born_s * SECOND_NS,
            inclusion_probability: p,
            stack: StackId(place),
        };
        self.live.push((born_s + life_s, sample));
        let totals = self.totals_of(StackId(place));
        totals.births += 1;
        totals.born_count += 1.0 / p;
        totals.born_bytes += 4096.0 / p;
    }

    fn totals_of(&mut self, stack: StackId) -> &mut StackTotals {
        let index = self.totals.iter().position(|totals| totals.stack == stack).unwrap_or_else(|| {
            self.totals.push(StackTotals::none(stack));
            self.totals.len() - 1
        });
        &mut self.totals[index]
    }

    fn files(&mut self, now_ns: u64) {
        if self.files.len() == FILES_MAX {
            let index = (self.rng.next_u64() % FILES_MAX as u64) as usize;
            self.files.remove(index);
        }
        self.files_opened += 1;
        self.files.push(Holding {
            id: self.files_opened,
            class: Class::File,
            origin: Origin::Hooked,
            stack: StackId(1),
            born_ns: now_ns,
            size_bytes: 0,
            condition: Condition::Ordinary,
            used_ns: None,
            name: Arc::from("/data/file"),
        });
        let reading = ResourceReading {
            at_ns: now_ns,
            totals: vec![HoldingTotals {
                class: Class::File,
                stack: StackId(1),
                births: self.files_opened,
                deaths: self.files_opened - self.files.len() as u64,
                lifetimes: [0; LIFETIME_BUCKETS],
            }],
            holdings: Some(self.files.clone()),
            descriptors: self.files.len() as u64,
            descriptors_max: Some(1024),
            threads: 8,
            modules: Some(20),
        };
        self.model.absorb_resources(&reading, &|stack| SiteId(stack.0));
    }

    /// What the model holds, in letters.
    fn held(&self) -> usize {
        format!("{:?}", self.model).len()
    }
}

/// Goal: after a month a model holds no more than after some days, and no case is left open.
#[test]
fn a_month_costs_no_more_than_a_week() {
    let look_s: u64 = std::env::var("LOOK_S").ok().and_then(|text| text.parse().ok()).unwrap_or(1800);
    let mut server = Watched::new(1);
    let mut worker = Watched::new(2);
    let (mut worker_began_s, mut workers_peak) = (0, 0);
    let mut days: Vec<(usize, usize, usize)> = Vec::new();
    for now_s in (look_s..=30 * DAY_S).step_by(usize::try_from(look_s).expect("a step")) {
        // The first deploys change what there is; later ones change the same places again.
        let deploy = u32::try_from(now_s / DAY_S).expect("a day").min(3) * PLACES_A_DEPLOY;
        server.look(now_s, look_s, deploy..deploy + PLACES);
        worker.look(now_s - worker_began_s, look_s, 0..20);
        if now_s - worker_began_s >= 3600 {
            workers_peak = workers_peak.max(worker.held());
            (worker, worker_began_s) = (Watched::new(now_s), now_s);
        }
        if now_s.is_multiple_of(DAY_S) {
            days.push((server.held(), server.live.len(), server.verdicts.followed()));
        }
    }
    println!("day: letters held, live samples, cases: {days:?}; a worker at most {workers_peak}");
    let at = |from: usize, to: usize| days[from..to].iter().map(|day| day.0).max().expect("days");
    // Numbers get longer by a digit now and then.
    assert!(at(20, 30) as f64 <= 1.15 * at(6, 10) as f64, "{days:?}");
    assert!(days.iter().all(|day| day.2 <= 2 * (PLACES + 3 * PLACES_A_DEPLOY) as usize), "{days:?}");
    assert!(server.findings <= server.verdicts.followed());
    for site in server.model.sites() {
        assert!(site.history().points().len() <= HISTORY_POINTS);
    }
}
