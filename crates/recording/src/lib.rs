//! Recording: everything that a model takes in, as differences from look to look, in a file; and the same verdicts from it.
//! In: readings, as they are absorbed; a file. Out: a file; models and findings in virtual time.
//!
//! A recording is gzip over JSON, one [`Line`] each: a header, then places as they are met, then steps, one for each look.
//! `zcat` shows it.
#![forbid(unsafe_code)]

mod difference;
mod error;
mod header;
mod line;
mod reader;
mod replay;
mod rows;
mod writer;

pub use error::RecordingError;
pub use header::{Header, VERSION};
pub use line::{Line, Step};
pub use reader::{End, Reader};
pub use replay::{Replay, Seen};
pub use writer::{BYTES_MAX, Writer};
