//! Sampling, draws: exponential gaps between sampled bytes.
//! In: a thread's [`Rng`] and the mean interval. Out: the gap to count down; the probability to store.

/// Largest gap handed out. An exponential gap drawn from 53 random bits never exceeds 36.8 intervals, so
/// this binds only for intervals above 7 TiB: the law of the gaps is not truncated in practice (a clamp at
/// 20 intervals, which other profilers use, would be harmless too: it changes one gap in 5e8).
/// It exists so that a countdown in a signed 64-bit counter cannot overflow.
pub const GAP_BYTES_MAX: u64 = 1 << 48;

/// Random state of one thread: one word, any seed is good (`SplitMix64`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// Starts a stream. Seeds are scrambled, so consecutive seeds give unrelated streams.
    pub const fn from_seed(seed: u64) -> Self {
        Self(mix(seed ^ 0x5851_F42D_4C95_7F2D))
    }

    /// Next 64 random bits.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in (0, 1], in steps of 2^-53: never zero, so its logarithm is finite.
    #[inline]
    pub const fn next_unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

/// Finaliser of `SplitMix64`: every input bit reaches every output bit.
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Bytes up to and including the next sampled byte: `ceil(-ln(U) * interval)`, at least 1.
///
/// An allocation of `s` bytes is sampled iff the remaining gap is `<= s`; otherwise the gap shrinks by `s`.
/// Rounding up makes this exact for whole bytes: `P(ceil(X) <= s) = P(X <= s) = 1 - e^(-s/R)`.
/// An interval of 0 means "record everything" and always gives 0.
#[inline]
pub fn next_gap_bytes(rng: &mut Rng, interval_bytes: u64) -> u64 {
    if interval_bytes == 0 {
        return 0;
    }
    let gap = libm::ceil(-libm::log(rng.next_unit()) * interval_bytes as f64);
    // The cast saturates; U = 1 gives a gap of 0, which would mean "the byte before the next one".
    (gap as u64).clamp(1, GAP_BYTES_MAX)
}

/// Probability that an allocation of `size_bytes` is sampled at this mean interval; 1 when the interval is 0.
/// Accurate for sizes far below the interval, where `1 - exp(-x)` would lose its digits.
/// A size of 0 has probability 0: such an allocation is never sampled (unless everything is recorded).
#[inline]
pub fn inclusion_probability(size_bytes: u64, interval_bytes: u64) -> f64 {
    if interval_bytes == 0 {
        return 1.0;
    }
    -libm::expm1(-(size_bytes as f64 / interval_bytes as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: pin the stream, so that a recorded session replays. Method: fixed seed, literal expectations.
    #[test]
    fn draws_are_pinned() {
        let mut rng = Rng::from_seed(42);
        let gaps: Vec<u64> = (0..4).map(|_| next_gap_bytes(&mut rng, 524_288)).collect();
        assert_eq!(gaps, PINNED);
    }
    const PINNED: [u64; 4] = [1_297_744, 271_837, 259_368, 522_516];

    /// Goal: interval 0 records everything. Method: gap 0 is `<=` any size, also 0.
    #[test]
    fn interval_zero_records_everything() {
        assert_eq!(next_gap_bytes(&mut Rng::from_seed(1), 0), 0);
        assert_eq!(inclusion_probability(0, 0).to_bits(), 1.0_f64.to_bits());
    }

    /// Goal: gaps stay in range at the edges. Method: intervals of one byte and of 2^63.
    #[test]
    fn gaps_are_bounded() {
        let mut rng = Rng::from_seed(7);
        for _ in 0..10_000 {
            assert!(next_gap_bytes(&mut rng, 1) >= 1);
            assert!((1..=GAP_BYTES_MAX).contains(&next_gap_bytes(&mut rng, 1 << 63)));
        }
    }

    /// Goal: tiny sizes keep their digits. Method: series expansion of `1 - e^-x`.
    #[test]
    fn probability_of_tiny_sizes() {
        let x = 1.0 / (1_u64 << 40) as f64;
        assert!((inclusion_probability(1, 1 << 40) / (x - x * x / 2.0) - 1.0).abs() < 1e-15);
        assert!((inclusion_probability(1 << 30, 1024) - 1.0).abs() < 1e-15);
    }

    /// Goal: the countdown samples a size with exactly the stated probability, whatever came before.
    /// Method: count down over a mix of sizes; compare each size's share with its probability (4 sigma).
    #[test]
    fn countdown_matches_probability() {
        let interval = 4096;
        let sizes = [16_u64, 700, 4096, 20_000];
        let mut rng = Rng::from_seed(3);
        let mut gap = next_gap_bytes(&mut rng, interval);
        let mut hits = [0_u32; 4];
        let rounds = 200_000;
        for _ in 0..rounds {
            for (size, hit) in sizes.iter().zip(&mut hits) {
                if gap <= *size {
                    *hit += 1;
                    gap = next_gap_bytes(&mut rng, interval);
                } else {
                    gap -= size;
                }
            }
        }
        for (size, hit) in sizes.iter().zip(hits) {
            let p = inclusion_probability(*size, interval);
            let sigma = (p * (1.0 - p) / f64::from(rounds)).sqrt();
            assert!((f64::from(hit) / f64::from(rounds) - p).abs() < 4.0 * sigma + 1e-9, "size {size}");
        }
    }
}
