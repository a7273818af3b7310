//! Report, rendering: text for a person at three in the morning: the verdict first, then what to do.
//! In: a document, the width of the terminal. Out: text.

mod costs;
mod finding;
mod headline;
mod known;
mod process;
mod stack;
mod style;
mod words;

pub(crate) use style::{BAD, GOOD};
pub use style::{PLAIN, QUIET, STRONG};
pub(crate) use words::{certainties, certainty, expired, reached, set_aside, verdict, watched};

use crate::document::Report;
use crate::filter::fresh;
use crate::paragraph::Page;

/// How the text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Width in characters; at least 40 are used.
    pub columns: usize,
    /// Whether to write ANSI colours.
    pub colour: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { columns: 80, colour: false }
    }
}

/// The whole report.
pub fn render_text(report: &Report, options: TextOptions) -> String {
    let mut page = Page::new(options.columns, options.colour);
    headline::render(&mut page, report);
    for (index, found) in fresh(report).enumerate() {
        page.gap();
        finding::render(&mut page, report, index + 1, found);
    }
    known::render(&mut page, report);
    page.gap();
    process::render(&mut page, report);
    page.gap();
    costs::render(&mut page, report);
    page.into_text()
}
