//! Launcher, errors: what is told to the user, in one line, and the exit code that goes with it.
//! In: the typed errors of the parts, as the cause in an [`anyhow::Error`]. Out: a line on stderr, a code.

use std::process::ExitCode;

use crate::config::reason;
use crate::spawn::SpawnError;

/// `run` could not start the program.
pub const EXIT_RUN: u8 = 125;
/// Any other command failed.
pub const EXIT_OTHER: u8 = 2;
/// `--fail-on-leak` met a finding and the program itself succeeded.
pub const EXIT_LEAK: u8 = 23;

/// Prints the error and gives the exit code of `run`.
pub fn run_failed(error: &anyhow::Error) -> ExitCode {
    say(&chain(error));
    ExitCode::from(error.downcast_ref::<SpawnError>().map_or(EXIT_RUN, SpawnError::exit_code))
}

/// Prints the error and gives the exit code of every other command.
pub fn command_failed(error: &anyhow::Error) -> ExitCode {
    say(&chain(error));
    ExitCode::from(EXIT_OTHER)
}

/// The error with its causes, without those that it tells in its own words already.
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let words = cause.downcast_ref::<std::io::Error>().map_or_else(|| cause.to_string(), reason);
        if !text.contains(&words) {
            text += if text.is_empty() { "" } else { ": " };
            text += &words;
        }
    }
    text
}

/// One line on stderr, whatever the message contains: paths and arguments may hold line ends and escape
/// sequences. A closed stderr is no reason to fail.
pub fn say(message: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all((line(message) + "\n").as_bytes());
}

/// The line without its end.
pub fn line(message: &str) -> String {
    format!("memguard: {}", one_line(message))
}

fn one_line(message: &str) -> String {
    let escaped =
        message.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_break_the_line() {
        assert_eq!(one_line("a\nb\x1b[31m"), "a\\nb\\u{1b}[31m");
    }
}
