//! Damage: files of a session are not what they were. Whoever reads them says so in one line, and lives.
//!
//! * `reports`: a report is asked of a damaged session
//! * `segments`: segments are garbage, from the start or all of a sudden

mod reports;
mod segments;

/// Bytes without sense, the same for the same seed.
fn garbage(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(bytes).collect()
}
