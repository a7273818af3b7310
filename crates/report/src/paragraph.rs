//! Report: text of limited width, with colour if wanted.
//! In: words. Out: lines. Whatever comes from a watched program is freed of control characters, so that a
//! function's name cannot steer the terminal.

use std::fmt::Write;

use anstyle::Style;

/// Narrowest page that is laid out for; a narrower terminal wraps by itself.
const COLUMNS_MIN: usize = 40;

/// A page being written.
pub struct Page {
    text: String,
    columns: usize,
    colour: bool,
}

impl Page {
    /// An empty page.
    pub fn new(columns: usize, colour: bool) -> Self {
        Self { text: String::new(), columns: columns.max(COLUMNS_MIN), colour }
    }

    /// Width in characters.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Everything written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// One line of pieces, not wrapped; what does not fit is cut, the last character an ellipsis.
    pub fn line(&mut self, pieces: &[(Style, &str)]) {
        let mut room = self.columns;
        for (style, text) in pieces {
            let text = elided(&clean(text), room);
            room -= text.chars().count();
            self.piece(*style, &text);
        }
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        self.text.push('\n');
    }

    /// `text` wrapped; the first line begins with `label`, all are indented by its width.
    pub fn paragraph(&mut self, label: &str, label_style: Style, style: Style, text: &str) {
        let indent = label.chars().count();
        let width = self.columns.saturating_sub(indent).max(COLUMNS_MIN / 2);
        for (index, line) in wrapped(&clean(text), width).iter().enumerate() {
            if index == 0 {
                self.piece(label_style, label);
            } else {
                self.text.extend(std::iter::repeat_n(' ', indent));
            }
            self.piece(style, line);
            self.text.push('\n');
        }
    }

    fn piece(&mut self, style: Style, text: &str) {
        if self.colour && style != Style::new() && !text.trim().is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{style}{text}{style:#}");
        } else {
            self.text.push_str(text);
        }
    }
}

/// `text` in at most `width` characters, its end replaced by an ellipsis.
pub fn elided(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        short.push('…');
    }
    short
}

/// `text` in at most `width` characters, its beginning replaced by an ellipsis: for paths.
pub fn elided_left(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().skip(length + 1 - width.max(1)).collect();
    format!("…{kept}")
}

fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut word = word;
        let mut length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        // A word longer than the line is broken: losing its end would be worse.
        while length > width {
            let end = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
            if let Some(line) = lines.last_mut() {
                line.push_str(&word[..end]);
            }
            lines.push(String::new());
            word = &word[end..];
            length -= width;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no line is longer than asked for, no character lost.
    #[test]
    fn wrapping_keeps_everything() {
        let text = "close() the socket when read() returns 0, averyveryverylongwordindeed, then go on";
        for width in 5..60 {
            let lines = wrapped(text, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:?}");
            let joined: String = lines.concat();
            let bare = |text: &str| text.chars().filter(|character| *character != ' ').collect::<String>();
            assert_eq!(bare(&joined), bare(text), "{width}");
        }
    }

    /// Goal: a hostile name cannot reach the terminal, long ones are cut.
    #[test]
    fn lines_are_safe() {
        let mut page = Page::new(40, false);
        page.line(&[(Style::new(), "evil\u{1b}[2Jname"), (Style::new(), &"x".repeat(100))]);
        let text = page.into_text();
        assert!(text.starts_with("evil?[2Jname"));
        assert_eq!(text.trim_end().chars().count(), 40);
        assert_eq!(elided_left("/very/long/path.c", 8), "…/path.c");
    }
}
