//! Detect, verdicts: suspect, then confirm, over successive looks.
//! In: the model after each look. Out: the [`Finding`]s that hold now.

use crate::case::Case;
use crate::config::DetectConfig;
use crate::detector::{Detector, Suspicion};
use crate::finding::{Finding, Kind};
use crate::heap_growth::HeapGrowth;
use memguard_model::{ProcessModel, SiteId};
use std::collections::BTreeMap;

/// Follows all suspicions of one process.
pub struct Verdicts {
    config: DetectConfig,
    detectors: Vec<Box<dyn Detector + Send>>,
    cases: BTreeMap<(SiteId, Kind), Case>,
    now_ns: u64,
}

impl Verdicts {
    /// With all detectors.
    pub fn new(config: DetectConfig) -> Self {
        Self::with_detectors(config, vec![Box::new(HeapGrowth)])
    }

    /// With chosen detectors.
    pub fn with_detectors(config: DetectConfig, detectors: Vec<Box<dyn Detector + Send>>) -> Self {
        Self { config, detectors, cases: BTreeMap::new(), now_ns: 0 }
    }

    /// Judges the model as it is after a look; call it after every look. Gives what holds now, most
    /// confident first; suspicions that are not confirmed are among it, with a confidence below 0.5.
    pub fn look(&mut self, model: &ProcessModel) -> Vec<Finding> {
        let Some(now_ns) = model.live_at_ns() else { return Vec::new() };
        if now_ns <= self.now_ns {
            // No new scan of the live table: nothing to judge anew.
            return self.findings();
        }
        self.now_ns = now_ns;
        let mut said: BTreeMap<(SiteId, Kind), Suspicion> = BTreeMap::new();
        for detector in &self.detectors {
            for suspicion in detector.examine(model, &self.config) {
                said.insert((suspicion.site, suspicion.kind), suspicion);
            }
        }
        let config = self.config;
        self.cases.retain(|key, case| match (said.remove(key), model.site(key.0)) {
            (Some(suspicion), Some(site)) => !case.support(suspicion, site, &config, now_ns),
            (_, site) => !case.miss(site, &config, now_ns),
        });
        for (key, suspicion) in said {
            if let Some(case) = Case::open(suspicion, now_ns) {
                self.cases.insert(key, case);
            }
        }
        self.findings()
    }

    /// What held at the last look, most confident first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.cases.values().map(|case| self.finding(case)).collect();
        findings.sort_by(|a, b| {
            b.confidence.total_cmp(&a.confidence).then(b.size_bytes.total_cmp(&a.size_bytes))
        });
        findings
    }

    fn finding(&self, case: &Case) -> Finding {
        let said = &case.last;
        Finding {
            pattern: said.pattern,
            kind: said.kind,
            site: said.site,
            stack: said.stack,
            size_bytes: said.bytes.value,
            size_bytes_interval: (said.bytes.low, said.bytes.high),
            count: said.count.value,
            growth_bytes_per_hour: 3600.0 * said.bytes_per_s,
            growth_per_hour: 3600.0 * said.count_per_s,
            confidence: case.confidence(&self.config, self.now_ns),
            detail: said.detail.clone(),
            suggested_fix: said.suggested_fix.clone(),
            first_seen_ns: case.first_seen_ns,
            last_seen_ns: case.last_seen_ns,
            evidence: said.evidence.clone(),
        }
    }
}
