//! Report: findings that were shown and do not hold any more.
//! In: the session's last report, the one of now. Out: the latter with each finding's highest confidence and the list of what was
//! withdrawn. The list is part of the document, so it outlasts the collector that made it.

use crate::document::{Report, ReportFinding, Withdrawn};
use crate::thresholds::MIN_CONFIDENCE_DEFAULT;

/// So many of the newest are kept.
const WITHDRAWN_MAX: usize = 64;

/// Carries over from `previous` what `now` cannot know.
pub fn follow(previous: &Report, now: &mut Report) {
    for finding in &mut now.findings {
        let before = previous.findings.iter().find(|before| before.id == finding.id);
        let highest = before.map_or(0.0, |before| before.confidence_max.max(before.confidence));
        finding.confidence_max = highest.max(finding.confidence);
    }
    let gone = previous.findings.iter().filter(|before| shown(before.confidence) && !is_shown(now, before));
    // A process that is left out of the report takes its findings along: nothing speaks against them.
    let gone =
        gone.filter(|before| now.processes.iter().any(|process| before.processes.contains(&process.pid)));
    let fresh: Vec<Withdrawn> = gone
        .map(|before| Withdrawn {
            id: before.id.clone(),
            pattern: before.pattern.clone(),
            kind: before.kind.clone(),
            location: before.location.clone(),
            confidence_max: before.confidence_max.max(before.confidence),
            first_seen: before.first_seen,
            withdrawn_at: now.created_at,
            why: Some(why(before, now)),
        })
        .collect();
    let still = previous.withdrawn.iter().filter(|entry| {
        !now.findings.iter().any(|finding| finding.id == entry.id && shown(finding.confidence))
    });
    now.withdrawn = fresh.into_iter().chain(still.cloned()).take(WITHDRAWN_MAX).collect();
}

fn shown(confidence: f64) -> bool {
    confidence >= MIN_CONFIDENCE_DEFAULT
}

fn is_shown(now: &Report, before: &ReportFinding) -> bool {
    now.findings.iter().any(|finding| finding.id == before.id && shown(finding.confidence))
}

/// What is known of the reason. That a finding is gone altogether says that its growth has ended or that most of it was given
/// back; which of the two, nobody has noted.
fn why(before: &ReportFinding, now: &Report) -> String {
    if let Some(weaker) = now.findings.iter().find(|finding| finding.id == before.id) {
        return format!("its confidence fell to {:.2}", weaker.confidence);
    }
    let instead = now.findings.iter().find(|finding| {
        finding.pattern == before.pattern && finding.location == before.location && shown(finding.confidence)
    });
    match instead {
        Some(other) => format!("the same place is told of as {} now", other.kind),
        None => "its growth has ended, or what it held was given back".to_owned(),
    }
}
