//! Model, history: a bounded series of points that thins with age.
//! In: points in order of time. Out: the points, and values interpolated between them.

/// Points a [`History`] keeps.
pub const HISTORY_POINTS: usize = 64;

/// Something observed at a time.
pub trait Point: Clone {
    /// When, on the process clock.
    fn at_ns(&self) -> u64;
    /// Whether nothing happened between the two: the later may then stand for both.
    fn same_as(&self, other: &Self) -> bool;
}

/// A series of at most [`HISTORY_POINTS`] points.
///
/// * Points are in strict order of time; the first and the last are always kept.
/// * When full, the point is dropped whose neighbours are closest together relative to their age, so recent
///   times are dense, old times sparse, and no gap exceeds a few percent of the whole run.
/// * A stretch in which nothing happened costs two points.
#[derive(Debug, Clone, PartialEq)]
pub struct History<P> {
    points: Vec<P>,
}

impl<P> Default for History<P> {
    fn default() -> Self {
        Self { points: Vec::new() }
    }
}

impl<P: Point> History<P> {
    /// Appends a point; one that is not later than the last replaces it.
    pub fn push(&mut self, point: P) {
        while self.points.last().is_some_and(|last| last.at_ns() >= point.at_ns()) {
            self.points.pop();
        }
        if let [.., before, last] = self.points.as_mut_slice()
            && before.same_as(last)
            && last.same_as(&point)
        {
            *last = point;
            return;
        }
        // One more than is kept: a vector that doubles would take twice the space for good.
        if self.points.len() == HISTORY_POINTS {
            self.points.reserve_exact(1);
        }
        self.points.push(point);
        if self.points.len() > HISTORY_POINTS {
            self.thin();
        }
    }

    /// All points, oldest first.
    pub fn points(&self) -> &[P] {
        &self.points
    }

    /// The value at a time, linear between the points around it, held constant outside of them.
    pub fn value_at(&self, at_ns: u64, value: impl Fn(&P) -> f64) -> Option<f64> {
        let next = self.points.partition_point(|point| point.at_ns() < at_ns);
        let after = self.points.get(next);
        let before = next.checked_sub(1).and_then(|index| self.points.get(index));
        match (before, after) {
            (Some(before), Some(after)) => {
                let span = (after.at_ns() - before.at_ns()) as f64;
                let share = (at_ns - before.at_ns()) as f64 / span;
                Some(value(before) + share * (value(after) - value(before)))
            }
            (Some(only), None) | (None, Some(only)) => Some(value(only)),
            (None, None) => None,
        }
    }

    fn thin(&mut self) {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else { return };
        let now = last.at_ns();
        // The floor keeps the resolution of old times at a fixed share of the run.
        let floor = (now - first.at_ns()) as f64 / 16.0;
        let cheapest = self
            .points
            .windows(3)
            .enumerate()
            .map(|(index, three)| {
                let gap = (three[2].at_ns() - three[0].at_ns()) as f64;
                let age = (now - three[1].at_ns()) as f64;
                (index + 1, gap / (age + floor + 1.0))
            })
            .min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((index, _)) = cheapest {
            self.points.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone)]
    struct At(u64, u64);
    impl Point for At {
        fn at_ns(&self) -> u64 {
            self.0
        }
        fn same_as(&self, other: &Self) -> bool {
            self.1 == other.1
        }
    }

    /// Goal: bounded, ends kept, dense at the young end. Method: 100 000 points.
    #[test]
    fn thins_with_age() {
        let mut history = History::default();
        for at in 0..100_000 {
            history.push(At(at, at));
        }
        let times: Vec<u64> = history.points().iter().map(|p| p.0).collect();
        assert_eq!(times.len(), HISTORY_POINTS);
        assert_eq!((times[0], times[HISTORY_POINTS - 1]), (0, 99_999));
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[HISTORY_POINTS - 2] < 1000, "{gaps:?}");
        assert!(gaps.iter().max() < Some(&15_000), "{gaps:?}");
    }

    /// Goal: idle stretches cost two points and interpolate flat. Method: a step, idleness, a step.
    #[test]
    fn idle_is_cheap() {
        let mut history = History::default();
        for at in 0..1000 {
            history.push(At(at, u64::from(at > 0) + u64::from(at > 900)));
        }
        assert_eq!(history.points().len(), 5);
        assert!((history.value_at(500, |p| p.1 as f64).unwrap_or(0.0) - 1.0).abs() < 1e-9);
    }
}
