//! Launcher, doctor: the machine's architecture.

use super::super::Patient;
use super::super::answer::Answer;

/// Where the hooks have entry points in assembly.
pub fn architecture(_: &Patient) -> Option<Answer> {
    let own = std::env::consts::ARCH;
    Some(match own {
        "x86_64" | "aarch64" => Answer::ok(own),
        _ => Answer::warn(format!("{own} is not tested"), "try it out on something that may fail first"),
    })
}
