//! Detect, dossiers: what successive looks said about one subject, growth and kernel state together.
//! In: [`Suspicion`]s and misses. Out: one [`Finding`].

use crate::case::Case;
use crate::confidence::{Basis, Score, confidence};
use crate::config::DetectConfig;
use crate::detector::{Subject, Suspicion};
use crate::finding::Finding;
use crate::survivors::born_between;
use crate::thinning::{Tally, Thinning, mean_size_bytes};
use memguard_model::{Class, LiveSample};

/// Everything about one subject.
#[derive(Debug, Clone)]
pub(crate) struct Dossier {
    first_seen_ns: u64,
    last_seen_ns: u64,
    /// What is told: the last look's words, or for a while those of one that said more.
    pub last: Suspicion,
    told_at_ns: u64,
    growth: Option<Case>,
}

impl Dossier {
    /// Opens one, if the suspicion is worth following.
    pub fn open(suspicion: Suspicion, now_ns: u64) -> Option<Self> {
        let growth = suspicion.growing.clone().and_then(|growing| Case::open(growing, now_ns));
        (growth.is_some() || suspicion.at_once > 0.0).then_some(Self {
            first_seen_ns: now_ns,
            last_seen_ns: now_ns,
            last: suspicion,
            told_at_ns: now_ns,
            growth,
        })
    }

    /// Another look that suspects it; `heap` are the live samples, and how they were drawn, where the suspicion has no births of
    /// its own.
    /// Returns whether to go on.
    pub fn add(
        &mut self,
        mut suspicion: Suspicion,
        heap: Option<(&[LiveSample], Thinning<'_>)>,
        config: &DetectConfig,
        now_ns: u64,
    ) -> bool {
        self.last_seen_ns = now_ns;
        match (&mut self.growth, suspicion.growing.take()) {
            (Some(case), Some(growing)) => {
                let births = growing.births_ns.clone();
                let born = |from_ns: u64, to_ns: u64| match heap {
                    Some((live, thinning)) => {
                        let born = born_between(live, from_ns, to_ns);
                        thinning.tally(born, from_ns, to_ns, mean_size_bytes(live))
                    }
                    None => {
                        Tally::of(births.iter().filter(|at| (from_ns..to_ns).contains(*at)).count() as f64)
                    }
                };
                if case.support(growing, &born, config, now_ns) {
                    self.growth = None;
                }
            }
            (None, Some(growing)) => self.growth = Case::open(growing, now_ns),
            (Some(_), None) => self.miss_growth(config, now_ns),
            (None, None) => {}
        }
        self.tell(suspicion, config, now_ns);
        self.growth.is_some() || self.last.at_once > 0.0
    }

    /// A look that does not suspect it. Returns whether to go on.
    pub fn miss(&mut self, config: &DetectConfig, now_ns: u64) -> bool {
        self.last.at_once = 0.0;
        self.miss_growth(config, now_ns);
        self.growth.is_some()
    }

    fn miss_growth(&mut self, config: &DetectConfig, now_ns: u64) {
        if self.growth.as_mut().is_some_and(|case| case.miss(config, now_ns)) {
            self.growth = None;
        }
    }

    /// A kind that says less does not at once take the place of one that says more: the report would flicker.
    fn tell(&mut self, suspicion: Suspicion, config: &DetectConfig, now_ns: u64) {
        let recent = ((now_ns - self.told_at_ns) as f64) < config.handles_max_age_s * 1e9;
        if suspicion.kind.strength() < self.last.kind.strength() && recent {
            self.last.at_once = 0.0;
        } else {
            self.last = suspicion;
            self.told_at_ns = now_ns;
        }
    }

    /// What the rules say of it at this time.
    pub fn score(&self, now_ns: u64) -> Score {
        let said = &self.last;
        let growth = self.growth.as_ref().map_or(0.0, |case| case.confidence(now_ns));
        let is_heap = matches!(said.subject, Subject::Place(Class::Heap, _));
        let basis = Basis::of(said.kind, is_heap, said.at_once >= growth);
        Score { site: said.site, basis, value: growth.max(said.at_once) }
    }

    /// What holds at this time.
    pub fn finding(&self, now_ns: u64) -> Finding {
        let said = &self.last;
        let score = self.score(now_ns);
        Finding {
            pattern: said.kind.pattern(),
            kind: said.kind,
            site: said.site,
            stack: said.stack,
            size_bytes: said.bytes.value,
            size_bytes_interval: (said.bytes.low, said.bytes.high),
            count: said.count.value,
            growth_bytes_per_hour: 3600.0 * said.bytes_per_s,
            growth_per_hour: 3600.0 * said.count_per_s,
            confidence: confidence(score.basis, score.value),
            detail: said.detail.clone(),
            suggested_fix: said.suggested_fix.clone(),
            first_seen_ns: self.first_seen_ns,
            last_seen_ns: self.last_seen_ns,
            evidence: said.evidence.clone(),
        }
    }
}
