//! Model, traced objects: which sampled objects something in the process's memory still points at, over successive looks.
//! In: what looks through the memory found. Out: how many objects of a place were forgotten, for good.
//!
//! One look proves nothing: a pointer may have been in a register, or on its way from one place to another. An object
//! counts as lost when two looks, apart in time, have both found nothing, and as long as no later one finds something.

use crate::reading::LiveSample;
use std::collections::BTreeMap;

/// One object, as one look through memory found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// Birth on the process clock, in ns.
    pub born_ns: u64,
    /// Its address.
    pub address: u64,
    /// Whether something points at it.
    pub is_referenced: bool,
}

/// What is known of the objects of one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traced {
    /// By birth and address: the look since which every look has found nothing that points at it, and the last one; equal
    /// where that was one look. `None`: the last look found something.
    marks: BTreeMap<(u64, u64), Option<(u64, u64)>>,
}

/// Objects of a place that were looked at often enough to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub judged: usize,
    /// Of those, the ones that nothing has pointed at for two looks and more.
    pub lost: usize,
}

impl Traced {
    /// Takes in what one look found.
    pub(crate) fn add(&mut self, at_ns: u64, trace: Trace) {
        let mark = self.marks.entry((trace.born_ns, trace.address)).or_default();
        *mark = match *mark {
            _ if trace.is_referenced => None,
            Some((since_ns, _)) => Some((since_ns, at_ns)),
            None => Some((at_ns, at_ns)),
        };
    }

    /// Forgets what does not live any more.
    pub(crate) fn keep(&mut self, live: &[LiveSample]) {
        if self.marks.is_empty() {
            return;
        }
        // In order of birth and address.
        let lives = |key: &(u64, u64)| live.binary_search_by_key(key, |s| (s.born_ns, s.address)).is_ok();
        self.marks.retain(|key, _| lives(key));
    }

    fn verdict(&self, sample: &LiveSample) -> Option<bool> {
        match self.marks.get(&(sample.born_ns, sample.address))? {
            None => Some(false),
            Some((since_ns, last_ns)) => (last_ns > since_ns).then_some(true),
        }
    }

    /// Whether there are objects of which one look alone has said that nothing points at them.
    pub fn is_unsure(&self) -> bool {
        self.marks.values().flatten().any(|(since_ns, last_ns)| since_ns == last_ns)
    }

    /// Counts some of the place's objects.
    pub fn tally<'a>(&self, samples: impl IntoIterator<Item = &'a LiveSample>) -> Tally {
        let mut tally = Tally::default();
        for is_lost in samples.into_iter().filter_map(|sample| self.verdict(sample)) {
            tally.judged += 1;
            tally.lost += usize::from(is_lost);
        }
        tally
    }

    /// Whether an object is lost, as far as is known.
    pub fn is_lost(&self, sample: &LiveSample) -> bool {
        self.verdict(sample) == Some(true)
    }

    /// How many objects are marked in any way.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether none has been looked at.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::StackId;

    fn sample(address: u64) -> LiveSample {
        LiveSample { address, size_bytes: 8, born_ns: 1, inclusion_probability: 1.0, stack: StackId(1) }
    }

    #[test]
    fn lost_is_what_two_looks_found_nothing_at() {
        let mut traced = Traced::default();
        let see = |traced: &mut Traced, at_ns, address, is_referenced| {
            traced.add(at_ns, Trace { born_ns: 1, address, is_referenced });
        };
        let all = [sample(1), sample(2), sample(3), sample(4)];
        see(&mut traced, 10, 1, false);
        see(&mut traced, 10, 2, true);
        see(&mut traced, 10, 3, false);
        assert_eq!(traced.tally(&all), Tally { judged: 1, lost: 0 });
        see(&mut traced, 20, 1, false);
        see(&mut traced, 20, 2, false);
        see(&mut traced, 20, 3, true);
        assert_eq!(traced.tally(&all), Tally { judged: 2, lost: 1 });
        assert!(traced.is_lost(&all[0]) && !traced.is_lost(&all[3]));
        // A pointer turned up after all.
        see(&mut traced, 30, 1, true);
        see(&mut traced, 30, 2, false);
        assert_eq!(traced.tally(&all), Tally { judged: 3, lost: 1 });
        traced.keep(&all[1..2]);
        assert_eq!(traced.len(), 1);
    }
}
