//! Interposer: from a key to a place in one of our small tables. In: addresses, alone or mixed. Out: a hash.

/// Multiplicative hashing by the golden ratio (D. Knuth, The Art of Computer Programming, volume 3, 6.4). The upper bits are the
/// good ones.
#[inline]
pub const fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
