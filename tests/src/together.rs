//! Test kit, many cases at once: programs that mostly sleep are watched side by side. In: cases and a check. Out: one line
//! for each, and one failure that names all that failed.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Checks every case, so many at a time, and gives what the checks gave in the order of the cases.
///
/// # Panics
/// If any check failed or panicked; all others are made nevertheless.
pub fn together<C: Display + Sync, T: Send>(
    at_once: usize,
    cases: &[C],
    check: impl Fn(&C) -> Result<T, String> + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once.min(cases.len()) {
            scope.spawn(|| {
                while let Some((index, case)) = take(&next, cases) {
                    let checked = catch_unwind(AssertUnwindSafe(|| check(case)));
                    let result = checked.unwrap_or_else(|panic| Err(words(panic.as_ref())));
                    results.lock().expect("no panic under the lock").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no panic under the lock");
    results.sort_by_key(|(index, _)| *index);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (index, result) in results {
        match result {
            Ok(value) => good.push(value),
            Err(why) => bad.push(format!("{}: {why}", cases[index])),
        }
    }
    assert!(bad.is_empty(), "{} of {} failed\n  {}", bad.len(), cases.len(), bad.join("\n  "));
    good
}

fn take<'a, C>(next: &AtomicUsize, cases: &'a [C]) -> Option<(usize, &'a C)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    cases.get(index).map(|case| (index, case))
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked").to_owned()
}

/// Checks that something holds.
///
/// # Errors
/// With the explanation if it does not.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
