//! Report, text: the few styles it uses.
//! In: nothing. Out: constants.

use anstyle::{AnsiColor, Color, Style};

/// Running text.
pub const PLAIN: Style = Style::new();
/// What the eye should find.
pub const STRONG: Style = Style::new().bold();
/// What may be skipped.
pub const QUIET: Style = Style::new().dimmed();
/// Bad news.
pub const BAD: Style = Style::new().bold().fg_color(Some(Color::Ansi(AnsiColor::Red)));
/// Good news.
pub const GOOD: Style = Style::new().bold().fg_color(Some(Color::Ansi(AnsiColor::Green)));
