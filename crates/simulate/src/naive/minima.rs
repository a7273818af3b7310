//! Simulate, naive rules: rising minima. In: levels. Out: whether the lowest rises from third to third.

/// Whether each third's lowest level is above that of the third before it.
pub fn rise(held: &[f64]) -> bool {
    let third = held.len() / 3;
    let lowest = |part: &[f64]| part.iter().copied().fold(f64::INFINITY, f64::min);
    let (first, rest) = held.split_at(third);
    let (second, last) = rest.split_at(third);
    third >= 2 && lowest(first) < lowest(second) && lowest(second) < lowest(last)
}
