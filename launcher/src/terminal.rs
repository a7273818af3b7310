//! Launcher, terminal: how wide it is and whether it shows colours. In: environment and the terminal. Out: numbers for
//! the renderers.

/// Width assumed where it cannot be found out.
const COLUMNS_DEFAULT: usize = 100;
/// Wider lines are hard to read.
const COLUMNS_MAX: usize = 140;

/// Whether to write colours to a stream that is or is not a terminal. `NO_COLOR` (any value) says no.
pub fn colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Width of the terminal in characters.
pub fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    told.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .unwrap_or(COLUMNS_DEFAULT)
        .min(COLUMNS_MAX)
}
