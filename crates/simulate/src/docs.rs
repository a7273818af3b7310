//! Simulate, documents: puts the tables between two lines of a Markdown file, and the plot beside it.
//! In: the file's path, the tables. Out: rewritten files.

use crate::errors::SimulateError;
use crate::plot::reliability_svg;
use crate::table::{Table, render_markdown};
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- tables of make simulate -->";
const END: &str = "<!-- end of tables -->";
/// The plot's name, beside the document.
const PLOT: &str = "reliability.svg";

/// Rewrites what is between the two lines, and the plot.
///
/// # Errors
/// If the file cannot be read or written, or has no such lines.
pub fn update(path: &Path, table: &Table) -> Result<(), SimulateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SimulateError::File { path, source }
    };
    let text = fs::read_to_string(path).map_err(failed(path))?;
    let text = with_tables(&text, &render_markdown(table)).ok_or_else(|| SimulateError::NoMarkers {
        path: path.to_owned(),
        begin: BEGIN,
        end: END,
    })?;
    let plot: PathBuf = path.with_file_name(PLOT);
    fs::write(&plot, reliability_svg(table.calibrations())).map_err(failed(&plot))?;
    fs::write(path, text).map_err(failed(path))
}

/// Whether a file can be updated; asked before hours of simulation.
///
/// # Errors
/// As [`update`].
pub fn check(path: &Path) -> Result<(), SimulateError> {
    let text =
        fs::read_to_string(path).map_err(|source| SimulateError::File { path: path.to_owned(), source })?;
    let fits = with_tables(&text, "").is_some();
    fits.then_some(()).ok_or_else(|| SimulateError::NoMarkers {
        path: path.to_owned(),
        begin: BEGIN,
        end: END,
    })
}

fn with_tables(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: only what is between the lines changes, however often. Method: twice.
    #[test]
    fn the_rest_stays() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = with_tables(&text, "new\n").expect("markers");
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(with_tables(&once, "new\n").expect("markers"), once);
        assert_eq!(with_tables("no markers", "new"), None);
    }
}
