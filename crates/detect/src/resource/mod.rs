//! Detect, resources: everything that a process holds beside sampled memory, judged by class and place.
//! In: `memguard_model::Resources`. Out: [`Suspicion`]s, one at most per subject and look.
//!
//! What is asked of a class stands in `class_rules.rs`, what the kernel's word weighs in `state_rules.rs`, and
//! how all of it becomes a confidence in `score.rs`.

mod class_rules;
mod counted;
mod judged;
mod limit;
mod place;
mod score;
mod state_rules;

use crate::config::DetectConfig;
use crate::detector::{Detector, Suspicion};
use crate::finding::Pattern;
use class_rules::ClassRule;
use memguard_model::{Class, ProcessModel, Resources};
use place::PlaceView;

macro_rules! detectors {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, Default)]
            pub struct $name;

            impl Detector for $name {
                fn examine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<Suspicion> {
                    examine(model.resources(), config, Pattern::$name)
                }
                fn looked_at_ns(&self, model: &ProcessModel) -> Option<u64> {
                    looked_at_ns(model.resources())
                }
            }
        )*
    };
}

detectors! {
    /// Descriptors that are never closed.
    Handles;
    /// Timers that are never deleted or never read.
    Timers;
    /// Threads that are never joined, or of which there are more and more.
    Threads;
    /// Registrations at epoll, inotify and of callbacks that accumulate.
    Listeners;
    /// Children that nobody waits for.
    Processes;
    /// Mappings that stay, libraries that are loaded without end.
    Mappings;
}

fn examine(resources: &Resources, config: &DetectConfig, pattern: Pattern) -> Vec<Suspicion> {
    let Some(now_ns) = looked_at_ns(resources) else { return Vec::new() };
    let mut said = Vec::new();
    for place in resources.places() {
        let Some(rule) = ClassRule::of(place.class()).filter(|rule| rule.pattern() == pattern) else {
            continue;
        };
        if place.class() == Class::Callback {
            said.extend(counted::callbacks(place, rule, config, now_ns));
        } else {
            said.extend(PlaceView::new(place, rule, config, now_ns).suspicion(config));
        }
    }
    match pattern {
        Pattern::Handles => said.extend(limit::limit_near(resources, config, now_ns)),
        Pattern::Mappings => said.extend(counted::modules(resources, config, now_ns)),
        _ => {}
    }
    said
}

/// The time as of which the list of holdings is true: the last look, if nothing has moved since they were listed.
fn looked_at_ns(resources: &Resources) -> Option<u64> {
    let listed_ns = resources.listed_at_ns()?;
    let last = resources.history().points().last()?;
    let then = |value: fn(&memguard_model::ResourcePoint) -> u64| {
        resources.history().value_at(listed_ns, |point| value(point) as f64)
    };
    let same = then(|point| point.descriptors) == Some(last.descriptors as f64)
        && then(|point| point.threads) == Some(last.threads as f64);
    Some(if same { last.at_ns.max(listed_ns) } else { listed_ns })
}
