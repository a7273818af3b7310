//! Segment: short byte strings packed into words (paths, command lines, build-ids).
//! First word: the length in bytes; then the bytes, little endian, eight to a word.

use crate::Words;
use crate::primitive::Ordering;

/// Stores as much of `text` as fits and returns the number of bytes stored. The length is written last.
pub(crate) fn store(words: Words<'_>, text: &[u8]) -> usize {
    let Some((length, body)) = words.split_first() else { return 0 };
    let stored = text.len().min(body.len() * 8);
    for (word, chunk) in body.iter().zip(text.get(..stored).unwrap_or_default().chunks(8)) {
        word.store(pack(chunk), Ordering::Relaxed);
    }
    length.store(stored as u64, Ordering::Release);
    stored
}

/// Copies the text into `out` and returns its length in bytes; a length beyond the words is cut to them.
pub(crate) fn load(words: Words<'_>, out: &mut [u8]) -> usize {
    let Some((length, body)) = words.split_first() else { return 0 };
    let claimed = usize::try_from(length.load(Ordering::Acquire)).unwrap_or(usize::MAX);
    let length = claimed.min(body.len() * 8).min(out.len());
    for (word, chunk) in body.iter().zip(out[..length].chunks_mut(8)) {
        let bytes = word.load(Ordering::Relaxed).to_le_bytes();
        let n = chunk.len();
        chunk.copy_from_slice(&bytes[..n]);
    }
    length
}

/// Whether storing `text` would change nothing.
pub(crate) fn equals(words: Words<'_>, text: &[u8]) -> bool {
    let Some((length, body)) = words.split_first() else { return text.is_empty() };
    let stored = text.len().min(body.len() * 8);
    let chunks = text.get(..stored).unwrap_or_default().chunks(8);
    length.load(Ordering::Acquire) == stored as u64
        && body.iter().zip(chunks).all(|(word, chunk)| word.load(Ordering::Relaxed) == pack(chunk))
}

/// Up to eight bytes as a word, little endian, the rest zero.
fn pack(chunk: &[u8]) -> u64 {
    let mut bytes = [0u8; 8];
    for (to, from) in bytes.iter_mut().zip(chunk) {
        *to = *from;
    }
    u64::from_le_bytes(bytes)
}
