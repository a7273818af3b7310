//! Report, rendering: JSON for machines.
//! In: a document. Out: indented text with the fields in their fixed order, ending in a newline.

use crate::document::Report;

/// The document as it is stored.
pub fn render_json(report: &Report) -> String {
    // A struct of strings, numbers and lists always serialises: numbers that are not finite become null.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
