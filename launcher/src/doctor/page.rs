//! Launcher, doctor: the answers as text and as JSON (`memguard.doctor/1`).

use std::ffi::OsString;
use std::fmt::Write;

use serde_json::json;

use super::answer::{Extent, Line, State};

/// Name and version of the JSON form.
const SCHEMA: &str = "memguard.doctor/1";

/// One line for each check, its remedy below it, the verdict last.
pub fn text(command: &[OsString], extent: Extent, lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
    let mut page = String::new();
    for Line { name, answer } in lines {
        let state = match answer.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{state:<4}  {name:<width$}  {}", one_line(&answer.found));
        if let Some(remedy) = &answer.remedy {
            let _ = writeln!(page, "      {:<width$}  -> {}", "", one_line(remedy));
        }
    }
    let _ = writeln!(page, "{}", verdict(command, extent));
    page
}

fn verdict(command: &[OsString], extent: Extent) -> String {
    let who = command.first().map_or_else(
        || "a program that is linked with glibc".to_owned(),
        |word| one_line(&word.to_string_lossy()),
    );
    match extent {
        Extent::Full => format!("{who} can be watched in full"),
        Extent::Part => format!("{who} can be watched in part"),
        Extent::None => format!("{who} cannot be watched"),
    }
}

/// Names of files may hold anything.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same for programs.
pub fn json(command: &[OsString], extent: Extent, lines: &[Line]) -> String {
    let checks: Vec<_> = lines
        .iter()
        .map(|Line { name, answer }| {
            json!({ "name": name, "state": answer.state, "found": answer.found, "remedy": answer.remedy })
        })
        .collect();
    let command: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let document = json!({ "schema": SCHEMA, "command": command, "watched": extent, "checks": checks });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::super::answer::Answer;
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let lines = [
            Line { name: "one", answer: Answer::ok("as it should be") },
            Line { name: "longer", answer: Answer::none("not there\n", "put it there") },
        ];
        let command = ["./prog".into(), "-x".into()];
        let expected = "ok    one     as it should be\nfail  longer  not there \n              -> put it there\n\
                        ./prog cannot be watched\n";
        assert_eq!(text(&command, Extent::None, &lines), expected);
        let value: serde_json::Value =
            serde_json::from_str(&json(&command, Extent::None, &lines)).expect("JSON");
        assert_eq!(value["schema"], SCHEMA);
        assert_eq!(value["watched"], "none");
        assert_eq!(value["checks"][1]["state"], "fail");
        assert_eq!(value["checks"][0]["remedy"], serde_json::Value::Null);
    }
}
