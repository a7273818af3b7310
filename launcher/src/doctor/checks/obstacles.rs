//! Launcher, doctor: what stands in the way of hooks in the command, one check for each cause.

use super::super::Patient;
use super::super::answer::{Answer, State};
use crate::program::{Obstacle, Way};

/// The answer for obstacles of one kind, and what to say if there are none.
fn answer(patient: &Patient, is_kind: fn(&Obstacle) -> bool, fine: &str) -> Option<Answer> {
    let candidate = patient.candidate.as_ref()?;
    let Some(obstacle) = candidate.obstacles.iter().find(|obstacle| is_kind(obstacle)) else {
        return Some(Answer::ok(fine));
    };
    let state = if obstacle.way() == Way::Resources { State::Warn } else { State::Fail };
    let effect = if state == State::Fail { "; it is watched from outside" } else { "" };
    Some(Answer::part(state, format!("{}{effect}", obstacle.why()), obstacle.remedy()))
}

/// Another architecture.
pub fn machine(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Foreign(_)), "this one")
}

/// Static linking.
pub fn linking(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Static | Obstacle::StaticGo), "dynamic")
}

/// musl.
pub fn c_library(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Musl), "not musl")
}

/// Go.
pub fn runtime(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Go | Obstacle::StaticGo), "not Go")
}

/// Setuid, setgid, capabilities.
pub fn privileges(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Privileged(_)), "it gains none")
}

/// Sanitizers.
pub fn sanitizer(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Sanitizer(_)), "none")
}

/// Valgrind and preloaded profilers.
pub fn profilers(patient: &Patient) -> Option<Answer> {
    answer(patient, |obstacle| matches!(obstacle, Obstacle::Profiler(_) | Obstacle::Valgrind(_)), "none")
}

/// An allocator in the program itself.
pub fn allocator(patient: &Patient) -> Option<Answer> {
    answer(
        patient,
        |obstacle| matches!(obstacle, Obstacle::Allocator(..)),
        "the C library's, or a shared one",
    )
}
