//! Launcher, watch: the CPU time that costs are compared with. In: the costs of all processes, and what the kernel has summed up of those
//! that have ended. Out: one sum of CPU time, and what watching took of it.

use super::costs::{Costs, Taken};

/// What watching took, and of how much.
#[derive(Debug, Default)]
pub struct Base {
    /// CPU time of the programs, in ns.
    pub cpu_ns: u64,
    /// What watching took of it.
    pub taken: Taken,
}

impl Base {
    /// Everything that was started, if the kernel's sum has it; else the processes whose CPU time is known. Of the others nothing is
    /// counted then, as there is nothing to compare with.
    pub fn of<'a>(costs: impl Iterator<Item = &'a Costs> + Clone, tree_ns: u64) -> Self {
        let compared = costs.clone().filter(|costs| costs.is_compared());
        let compared_ns = compared.clone().map(Costs::cpu_ns).sum();
        if tree_ns > compared_ns {
            return Self { cpu_ns: tree_ns, taken: costs.map(|costs| &costs.taken_at_last).sum() };
        }
        Self { cpu_ns: compared_ns, taken: compared.map(|costs| &costs.taken).sum() }
    }
}

/// CPU time of everything that was started, as far as the kernel tells, in ns: what the living have used, and their children that they
/// have waited for; and what ours have that have ended, with theirs, `ended_ns`. What a process had used before it was watched does not
/// count; it may be in its parent's sum by now.
pub fn tree_ns<'a>(
    living: impl Iterator<Item = &'a Costs>,
    all: impl Iterator<Item = &'a Costs>,
    ended_ns: u64,
) -> u64 {
    let living_ns: u64 = living.map(|costs| costs.cpu.total_ns()).sum();
    let before_ns = all.map(|costs| costs.before.total_ns()).sum();
    ended_ns + living_ns.saturating_sub(before_ns)
}

#[cfg(test)]
mod tests {
    use super::super::costs::CpuTime;
    use super::*;

    fn used(own_ns: u64, children_ns: u64) -> Costs {
        let mut costs = Costs::default();
        costs.cpu = CpuTime { own_ns, children_ns };
        costs
    }

    fn forked(mut costs: Costs, known: u64, at_last: u64) -> Costs {
        costs.taken.forks = known;
        costs.taken_at_last.forks = at_last;
        costs
    }

    /// Goal: children that nobody watched count as soon as one that lives has waited for them, and when everything is over. Method: a
    /// parent that lives with children, then has ended.
    #[test]
    fn the_unwatched_count() {
        let parent = used(10, 500);
        assert_eq!(tree_ns([parent].iter(), [parent].iter(), 0), 510);
        assert_eq!(tree_ns([].iter(), [parent].iter(), 520), 520);
    }

    /// Goal: the past of what is watched from outside does not count, wherever the kernel counts it. Method: a parent and its worker that
    /// ran for long; then the worker has ended, and its parent has waited for it.
    #[test]
    fn the_past_does_not_count() {
        let old = |own_ns, children_ns, mut now: Costs| {
            now.before = CpuTime { own_ns, children_ns };
            now
        };
        let (parent, worker) = (old(1000, 50, used(1010, 50)), old(300, 0, used(304, 0)));
        assert_eq!(tree_ns([parent, worker].iter(), [parent, worker].iter(), 0), 14);
        let parent = old(1000, 50, used(1012, 50 + 306));
        assert_eq!(tree_ns([parent].iter(), [parent, worker].iter(), 0), 18);
    }

    /// Goal: what is counted was taken of what it is compared with. Method: a process whose CPU time is known up to its last look and one of which it
    /// never was, with and without a sum that has both.
    #[test]
    fn nothing_is_compared_with_what_it_is_not_of() {
        let costs = [forked(used(100, 0), 2, 3), forked(used(0, 0), 0, 7)];
        let base = Base::of(costs.iter(), 0);
        assert_eq!((base.cpu_ns, base.taken.forks), (100, 2));
        let base = Base::of(costs.iter(), 400);
        assert_eq!((base.cpu_ns, base.taken.forks), (400, 10));
    }
}
