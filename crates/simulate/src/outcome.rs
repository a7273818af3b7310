//! Simulate, outcomes: what looking at a program from begin to end yielded.
//! In: the findings of each look. Out: highest, last and first, over all and by place.

use memguard_detect::{Finding, Kind, SHOWN, Score};
use memguard_model::SiteId;
use std::collections::BTreeMap;

/// What was said of one place.
#[derive(Debug, Clone, Default)]
pub struct SiteSeen {
    /// Confidence at the last look.
    pub last: f64,
    /// The score behind it, and what it rests on.
    pub score: Option<Score>,
    /// Highest confidence ever.
    pub ever: f64,
    /// First time at 0.5 or more.
    pub first_shown_s: Option<f64>,
    /// Kinds shown at the last look.
    pub kinds: Vec<Kind>,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Highest confidence of any finding at the last look.
    pub last: f64,
    /// Highest confidence of any finding, ever.
    pub ever: f64,
    /// First time any was at 0.5 or more.
    pub first_shown_s: Option<f64>,
    /// Findings of the last look.
    pub findings: Vec<Finding>,
    /// First time each kind was at 0.5 or more.
    pub shown_s: BTreeMap<Kind, f64>,
    /// Highest confidence of each kind.
    pub best: BTreeMap<Kind, f64>,
    /// How often a place that was shown under one kind came to be shown under another.
    pub changes: u32,
    /// The finding that was highest, when it was.
    pub worst: Option<Finding>,
    /// The same by place.
    pub sites: BTreeMap<u32, SiteSeen>,
    /// Kind under which a place, or the process, was last shown.
    names: BTreeMap<(SiteId, &'static str), Kind>,
}

impl Outcome {
    /// Takes in the scores of the last look: the highest of each place.
    pub(crate) fn add_scores(&mut self, scores: Vec<Score>) {
        for score in scores {
            let site = self.sites.entry(score.site.0).or_default();
            if site.score.is_none_or(|own| own.value < score.value) {
                site.score = Some(score);
            }
        }
    }

    /// Takes in the findings of one look.
    pub(crate) fn add(&mut self, findings: Vec<Finding>, now_s: f64) {
        self.last = 0.0;
        for site in self.sites.values_mut() {
            site.last = 0.0;
            site.kinds.clear();
        }
        for finding in &findings {
            let site = self.sites.entry(finding.site.0).or_default();
            site.last = site.last.max(finding.confidence);
            site.ever = site.ever.max(finding.confidence);
            self.last = self.last.max(finding.confidence);
            if finding.confidence > self.ever {
                self.ever = finding.confidence;
                self.worst = Some(finding.clone());
            }
            let best = self.best.entry(finding.kind).or_default();
            *best = best.max(finding.confidence);
            if finding.confidence >= SHOWN {
                site.kinds.push(finding.kind);
                site.first_shown_s.get_or_insert(now_s);
                self.first_shown_s.get_or_insert(now_s);
                self.shown_s.entry(finding.kind).or_insert(now_s);
                let subject = if finding.kind == Kind::FdLimitNear { "process" } else { "place" };
                let before = self.names.insert((finding.site, subject), finding.kind);
                self.changes += u32::from(before.is_some_and(|kind| kind != finding.kind));
            }
        }
        self.findings = findings;
    }
}
