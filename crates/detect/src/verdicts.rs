//! Detect, verdicts: suspect, then confirm, over successive looks.
//! In: the model after each look. Out: the [`Finding`]s that hold now.

use crate::confidence::Score;
use crate::config::DetectConfig;
use crate::detector::{Detector, Subject, Suspicion};
use crate::dossier::Dossier;
use crate::finding::{Finding, Pattern};
use crate::fragmentation::Fragmentation;
use crate::heap_growth::HeapGrowth;
use crate::resource::{Handles, Listeners, Mappings, Processes, Threads, Timers};
use crate::thinning::Thinning;
use crate::tracing::{Wanted, wanted};
use memguard_model::{Class, LiveSample, ProcessModel, Site, SiteId};
use std::collections::{BTreeMap, BTreeSet};

/// Follows all suspicions of one process.
pub struct Verdicts {
    config: DetectConfig,
    detectors: Vec<Judge>,
    hidden: Vec<Pattern>,
    now_ns: u64,
}

/// A detector with what it has found so far. Heap and resources are looked at at different times, so each has its own
/// last look.
struct Judge {
    detector: Box<dyn Detector + Send>,
    dossiers: BTreeMap<Subject, Dossier>,
    looked_at_ns: u64,
}

impl Verdicts {
    /// With all detectors.
    pub fn new(config: DetectConfig) -> Self {
        Self::chosen(config, &|_| true)
    }

    /// With the detectors of the patterns that are switched on, by name.
    pub fn chosen(config: DetectConfig, is_on: &dyn Fn(&str) -> bool) -> Self {
        let all: [(&str, Box<dyn Detector + Send>); 7] = [
            ("handles", Box::new(Handles)),
            ("timers", Box::new(Timers)),
            ("threads", Box::new(Threads)),
            ("listeners", Box::new(Listeners)),
            ("processes", Box::new(Processes)),
            ("mappings", Box::new(Mappings)),
            ("fragmentation", Box::new(Fragmentation)),
        ];
        let mut chosen: Vec<_> =
            all.into_iter().filter(|(name, _)| is_on(name)).map(|(_, detector)| detector).collect();
        // One detector for both: which of the two it is turns out on the way.
        let of_heap = [("leaks", Pattern::Leaks), ("caches", Pattern::Caches)];
        if of_heap.iter().any(|(name, _)| is_on(name)) {
            chosen.insert(0, Box::new(HeapGrowth));
        }
        let off = of_heap.iter().filter(|(name, _)| !is_on(name)).map(|(_, pattern)| *pattern);
        Self::with_detectors(config, chosen).without(off.collect())
    }

    /// With chosen detectors.
    pub fn with_detectors(config: DetectConfig, detectors: Vec<Box<dyn Detector + Send>>) -> Self {
        let judge = |detector| Judge { detector, dossiers: BTreeMap::new(), looked_at_ns: 0 };
        Self { config, detectors: detectors.into_iter().map(judge).collect(), hidden: Vec::new(), now_ns: 0 }
    }

    /// Leaves findings of these patterns out.
    fn without(self, hidden: Vec<Pattern>) -> Self {
        Self { hidden, ..self }
    }

    /// Judges the model as it is after a look; call it after every look. Gives what holds now, most
    /// confident first; suspicions that are not confirmed are among it, with a confidence below 0.5.
    pub fn look(&mut self, model: &ProcessModel) -> Vec<Finding> {
        for judge in &mut self.detectors {
            judge.look(model, &self.config);
            self.now_ns = self.now_ns.max(judge.looked_at_ns);
        }
        self.findings()
    }

    /// How many subjects are being followed, whether or not they are worth a finding yet.
    pub fn followed(&self) -> usize {
        self.detectors.iter().map(|judge| judge.dossiers.len()).sum()
    }

    /// Objects of the heap about which it would help to know whether anything in the process's memory points at them; none
    /// as long as nothing is suspected and no routine look is due. The answer goes to [`ProcessModel::absorb_traces`].
    pub fn to_trace(&self, model: &ProcessModel) -> Vec<Wanted> {
        let subjects = self.detectors.iter().flat_map(|judge| judge.dossiers.keys());
        let mut suspects: BTreeSet<SiteId> = subjects
            .filter_map(|subject| match subject {
                Subject::Place(Class::Heap, site) => Some(*site),
                _ => None,
            })
            .collect();
        suspects.extend(self.detectors.iter().flat_map(|judge| judge.detector.routine(model, &self.config)));
        wanted(model, &suspects, &self.config)
    }

    /// The scores behind the findings of the last look, in no order: what calibration is fitted to.
    pub fn scores(&self) -> Vec<Score> {
        let scores = |judge: &Judge| -> Vec<Score> {
            judge.dossiers.values().map(|dossier| dossier.score(judge.looked_at_ns)).collect()
        };
        self.detectors.iter().flat_map(scores).collect()
    }

    /// What held at the last look, most confident first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.detectors.iter().flat_map(Judge::findings).collect();
        findings.retain(|finding| !self.hidden.contains(&finding.pattern));
        findings.sort_by(|a, b| {
            b.confidence
                .total_cmp(&a.confidence)
                .then(b.size_bytes.total_cmp(&a.size_bytes))
                .then(b.count.total_cmp(&a.count))
        });
        findings
    }
}

impl Judge {
    fn look(&mut self, model: &ProcessModel, config: &DetectConfig) {
        // Without a new look of its own there is nothing to judge anew.
        let Some(now_ns) = self.detector.looked_at_ns(model).filter(|at| *at > self.looked_at_ns) else {
            return;
        };
        self.looked_at_ns = now_ns;
        let said = self.detector.examine(model, config).into_iter();
        let mut said: BTreeMap<Subject, Suspicion> = said.map(|s| (s.subject, s)).collect();
        self.dossiers.retain(|subject, dossier| match said.remove(subject) {
            Some(suspicion) => {
                let thinning = Thinning::of(model, config.sample_interval_bytes);
                let heap = heap_births(model, *subject).map(|live| (live, thinning));
                dossier.add(suspicion, heap, config, now_ns)
            }
            None => !has_gone(model, *subject, &dossier.last) && dossier.miss(config, now_ns),
        });
        for (subject, suspicion) in said {
            self.dossiers.extend(Dossier::open(suspicion, now_ns).map(|dossier| (subject, dossier)));
        }
    }

    fn findings(&self) -> impl Iterator<Item = Finding> {
        self.dossiers.values().map(|dossier| dossier.finding(self.looked_at_ns))
    }
}

/// The live samples of a heap subject; resources carry their births with them.
fn heap_births(model: &ProcessModel, subject: Subject) -> Option<&[LiveSample]> {
    match subject {
        Subject::Place(Class::Heap, site) => Some(model.site(site)?.live()),
        _ => None,
    }
}

/// Whether a place of the heap holds less than half of what it was said to hold.
pub fn is_mostly_gone(model: &ProcessModel, site: SiteId, said_bytes: f64) -> bool {
    model.site(site).map_or(0.0, Site::held_bytes) < 0.5 * said_bytes
}

/// Whether most of what was called leaked has been given back after all.
fn has_gone(model: &ProcessModel, subject: Subject, last: &Suspicion) -> bool {
    match subject {
        Subject::Place(Class::Heap, site) => is_mostly_gone(model, site, last.bytes.value),
        Subject::Place(Class::Callback | Class::Module, _) | Subject::Process(_) => false,
        Subject::Place(class, site) => {
            let held = model.resources().place(class, site).map_or(0, |place| place.holdings().len());
            (held as f64) < 0.5 * last.count.value
        }
    }
}
