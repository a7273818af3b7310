//! Collect, live objects: a copy of a process's live table that ring events keep up to date.
//! In: events in order, and now and then a scan of the table. Out: the objects.
//!
//! An object is its address and its birth: events that come late, twice or in a row with a scan that already knew
//! their outcome change nothing.

use memguard_model::{LiveSample, StackId};
use memguard_segment::{Event, EventKind, LiveTable, Record};
use std::collections::HashMap;

/// The copy.
#[derive(Debug, Default)]
pub struct LiveObjects {
    objects: HashMap<u64, LiveSample>,
    /// Births of objects whose death came first (the two were pushed by different threads at nearly the same time).
    died_early: Vec<(u64, u64)>,
}

const DIED_EARLY_MAX: usize = 1024;

impl LiveObjects {
    /// Applies one event.
    pub fn apply(&mut self, event: &Event) {
        let key = (event.address, event.born_ns);
        match event.kind {
            EventKind::Birth => {
                if let Some(at) = self.died_early.iter().position(|k| *k == key) {
                    self.died_early.swap_remove(at);
                    return;
                }
                if let Some(sample) =
                    sample(event.address, event.size_bytes, event.born_ns, event.stack, event.p)
                {
                    // A younger object at the address means that this event is old news.
                    let slot = self.objects.entry(event.address).or_insert(sample);
                    if slot.born_ns < sample.born_ns {
                        *slot = sample;
                    }
                }
            }
            EventKind::Death => match self.objects.get(&event.address) {
                Some(object) if object.born_ns == event.born_ns => {
                    self.objects.remove(&event.address);
                }
                Some(object) if object.born_ns > event.born_ns => {}
                _ => {
                    if self.died_early.len() < DIED_EARLY_MAX {
                        self.died_early.push(key);
                    }
                }
            },
        }
    }

    /// Takes the table's word for it.
    pub fn scan(&mut self, table: &LiveTable<'_>) {
        self.objects.clear();
        self.died_early.clear();
        table.for_each(|Record { address, size_bytes, born_ns, stack, p }| {
            if let Some(sample) = sample(address, size_bytes, born_ns, stack, p) {
                self.objects.insert(address, sample);
            }
        });
    }

    /// All objects.
    pub fn all(&self) -> Vec<LiveSample> {
        self.objects.values().copied().collect()
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }
}

/// `None` for what no interposer writes.
fn sample(address: u64, size_bytes: u64, born_ns: u64, stack: u32, p: f32) -> Option<LiveSample> {
    let sane = p > 0.0 && p <= 1.0 && size_bytes < 1 << 56;
    sane.then_some(LiveSample {
        address,
        size_bytes,
        born_ns,
        inclusion_probability: f64::from(p),
        stack: StackId(stack),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, address: u64, born_ns: u64) -> Event {
        Event { kind, stack: 1, address, size_bytes: 10, born_ns, at_ns: born_ns, p: 1.0 }
    }

    #[test]
    fn a_death_ends_its_own_birth_only() {
        let mut live = LiveObjects::default();
        live.apply(&event(EventKind::Birth, 16, 5));
        live.apply(&event(EventKind::Death, 16, 4));
        assert_eq!(live.len(), 1, "the death of an older object at the address is old news");
        live.apply(&event(EventKind::Death, 16, 5));
        assert_eq!(live.len(), 0);
    }

    #[test]
    fn a_death_that_overtakes_its_birth_still_counts() {
        let mut live = LiveObjects::default();
        live.apply(&event(EventKind::Death, 16, 5));
        live.apply(&event(EventKind::Birth, 16, 5));
        assert_eq!(live.len(), 0);
        live.apply(&event(EventKind::Birth, 16, 6));
        assert_eq!(live.len(), 1);
    }

    #[test]
    fn an_old_birth_does_not_replace_a_younger_object() {
        let mut live = LiveObjects::default();
        live.apply(&event(EventKind::Birth, 16, 9));
        live.apply(&event(EventKind::Birth, 16, 5));
        assert_eq!(live.all()[0].born_ns, 9);
    }

    #[test]
    fn nonsense_is_left_out() {
        let mut live = LiveObjects::default();
        for p in [0.0, -1.0, 2.0, f32::NAN, f32::INFINITY] {
            live.apply(&Event { p, ..event(EventKind::Birth, 16, 5) });
        }
        assert_eq!(live.len(), 0);
    }
}
