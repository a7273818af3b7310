//! Launcher, doctor: the command's file.

use std::path::Path;

use super::super::Patient;
use super::super::answer::Answer;

/// Whether it can be executed, and what is executed in the end.
pub fn found(patient: &Patient) -> Option<Answer> {
    let name = patient.command.first()?;
    let shown = name.to_string_lossy();
    Some(match &patient.candidate {
        None => Answer::none(
            format!("{shown} is not there, is not executable, or its interpreter is missing"),
            "check the name, PATH and the file's mode",
        ),
        Some(candidate) if candidate.path.file_name() == Path::new(name).file_name() => {
            Answer::ok(candidate.path.display().to_string())
        }
        Some(candidate) => Answer::ok(format!("{shown} is executed as {}", candidate.path.display())),
    })
}
