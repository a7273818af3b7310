//! Segment, the request page: how a process that was given no session asks for one.
//! In: a page shared by the process and a collector that it had started; the process writes who it is. Out: the
//! session's directory, or one line to say why there is none.
//!
//! The process never waits for the answer; it looks whenever it has reason to.

use crate::Words;
use crate::primitive::Ordering;
use crate::text;

/// Words of the page.
pub const WORDS: usize = 512;
/// The descriptor at which the collector finds the page's file.
pub const DESCRIPTOR: i32 = 3;
/// First word: `MGREQEST`.
const MAGIC: u64 = u64::from_le_bytes(*b"MGREQEST");

const VERSION: usize = 1;
const PID: usize = 2;
const STATE: usize = 3;
const TEXT: usize = 4;

const PENDING: u64 = 0;
const FOUND: u64 = 1;
const REFUSED: u64 = 2;

/// Longest answer in bytes.
pub const TEXT_BYTES_MAX: usize = (WORDS - TEXT - 1) * 8;

/// What the collector has said, with the length of the text that was copied out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// The directory of the session.
    Found(usize),
    /// There is no session, and why; the text is empty if that has been said before.
    Refused(usize),
}

/// The page over mapped words.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    words: Words<'a>,
}

impl<'a> Request<'a> {
    /// Writes a fresh question; `None` if there are too few words.
    pub fn format(words: Words<'a>, pid: u64) -> Option<Self> {
        let request = Self { words: words.get(..WORDS)? };
        request.store(VERSION, crate::VERSION);
        request.store(PID, pid);
        request.store(STATE, PENDING);
        request.store(0, MAGIC);
        Some(request)
    }

    /// Recognises a question of this version.
    pub fn open(words: Words<'a>) -> Option<Self> {
        let request = Self { words: words.get(..WORDS)? };
        (request.load(0) == MAGIC && request.load(VERSION) == crate::VERSION).then_some(request)
    }

    /// Who asks.
    pub fn pid(&self) -> u64 {
        self.load(PID)
    }

    /// Answers with a session's directory; false if the path is too long.
    pub fn found(&self, directory: &[u8]) -> bool {
        self.answer(directory, FOUND)
    }

    /// Answers that there is none; what does not fit of the reason is cut.
    pub fn refused(&self, why: &[u8]) {
        self.answer(why.get(..why.len().min(TEXT_BYTES_MAX)).unwrap_or_default(), REFUSED);
    }

    fn answer(&self, words: &[u8], state: u64) -> bool {
        let fits = words.len() <= TEXT_BYTES_MAX;
        if fits {
            text::store(self.words.get(TEXT..).unwrap_or_default(), words);
            self.store(STATE, state);
        }
        fits
    }

    /// The answer, its text copied into `out`.
    pub fn look(&self, out: &mut [u8]) -> Answer {
        let mut copy = || text::load(self.words.get(TEXT..).unwrap_or_default(), out);
        match self.load(STATE) {
            FOUND => Answer::Found(copy()),
            REFUSED => Answer::Refused(copy()),
            _ => Answer::Pending,
        }
    }

    fn load(&self, word: usize) -> u64 {
        self.words.get(word).map_or(0, |w| w.load(Ordering::Acquire))
    }

    fn store(&self, word: usize, value: u64) {
        if let Some(w) = self.words.get(word) {
            w.store(value, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::AtomicU64;
    use std::vec::Vec;

    #[test]
    fn an_answer_arrives() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        assert!(Request::open(&words).is_none());
        Request::format(&words, 42).unwrap();
        let (mut out, asked) = ([0; TEXT_BYTES_MAX], Request::open(&words).unwrap());
        assert_eq!((asked.pid(), asked.look(&mut out)), (42, Answer::Pending));
        assert!(!asked.found(&[b'a'; TEXT_BYTES_MAX + 1]), "a path is not cut");
        assert_eq!(asked.look(&mut out), Answer::Pending);
        assert!(asked.found(b"/run/x"));
        assert_eq!(asked.look(&mut out), Answer::Found(6));
        assert_eq!(&out[..6], b"/run/x");
        asked.refused(&[b'w'; TEXT_BYTES_MAX + 1]);
        assert_eq!(asked.look(&mut out), Answer::Refused(TEXT_BYTES_MAX));
    }
}
