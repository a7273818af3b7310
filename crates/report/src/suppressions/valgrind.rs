//! Report, suppressions: Valgrind's format, as far as it is about leaks of memory.
//! In: the text of a file, blocks in braces. Out: rules from the blocks of `Memcheck:Leak`; those of other tools and of other
//! errors are passed over, as Valgrind does.
//!
//! Frames are matched from the innermost on, that of the allocator included. What the frames of a report do not tell is the
//! module's folder (`obj:` is compared by the last part of the path) and a function's linker name (`fun:_Z…` is translated).

use memguard_symbolize::demangle;

use super::error::SuppressionError;
use super::glob::Glob;
use super::rule::{Leaks, Rule, Step, Test};

/// Valgrind itself takes no more lines of a call chain.
const STEPS_MAX: usize = 24;
/// The words of `match-leak-kinds`.
const LEAK_KINDS: [&str; 6] = ["definite", "indirect", "possible", "reachable", "all", "none"];

pub fn parse(text: &str, file: &str) -> Result<Vec<Rule>, SuppressionError> {
    let mut rules = Vec::new();
    let said = text.lines().map(str::trim);
    let mut lines = (1..).zip(said).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    while let Some((number, line)) = lines.next() {
        if line != "{" {
            let message = format!("found '{line}', expected {{, which begins a suppression");
            return Err(SuppressionError::syntax(file, number, message));
        }
        let mut block = Vec::new();
        loop {
            match lines.next() {
                Some((_, "}")) => break,
                Some(line) => block.push(line),
                None => {
                    let message = "the suppression that begins here has no } at its end";
                    return Err(SuppressionError::syntax(file, number, message));
                }
            }
        }
        rules.extend(rule(&block, file, number)?);
    }
    Ok(rules)
}

/// One block; `None` if it is about something else than leaks.
fn rule(block: &[(usize, &str)], file: &str, first: usize) -> Result<Option<Rule>, SuppressionError> {
    let [(_, name), (kind_line, kind), chain @ ..] = block else {
        let message = "expected a name and then a kind such as Memcheck:Leak between the braces";
        return Err(SuppressionError::syntax(file, first, message));
    };
    let Some((tools, error)) = kind.split_once(':') else {
        let message = format!("found '{kind}', expected TOOL:KIND such as Memcheck:Leak");
        return Err(SuppressionError::syntax(file, *kind_line, message));
    };
    if !tools.split(',').any(|tool| tool.trim() == "Memcheck") || error.trim() != "Leak" {
        return Ok(None);
    }
    let mut leaks = Leaks::ALL;
    let mut steps = Vec::new();
    for (at, (number, line)) in chain.iter().enumerate() {
        if let (0, Some(kinds)) = (at, line.strip_prefix("match-leak-kinds:")) {
            leaks = leak_kinds(kinds, file, *number)?;
            continue;
        }
        steps.push(step(line, file, *number)?);
    }
    if steps.len() > STEPS_MAX {
        let message = format!("more than {STEPS_MAX} lines of calls");
        return Err(SuppressionError::syntax(file, first, message));
    }
    if steps.iter().all(|step| *step == Step::Any) {
        let message = "expected at least one line fun:, obj: or src:, as it would suppress everything";
        return Err(SuppressionError::syntax(file, first, message));
    }
    Ok(Some(Rule::of_tool(name, file, first, Test::Chain { leaks, steps })))
}

fn leak_kinds(text: &str, file: &str, line: usize) -> Result<Leaks, SuppressionError> {
    let mut leaks = Leaks::NONE;
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "all" => leaks = Leaks::ALL,
            "definite" | "indirect" => leaks.lost = true,
            "possible" | "reachable" => leaks.reachable = true,
            "none" => {}
            _ => {
                let message = format!("match-leak-kinds: found '{word}', expected {}", LEAK_KINDS.join(", "));
                return Err(SuppressionError::syntax(file, line, message));
            }
        }
    }
    Ok(leaks)
}

fn step(line: &str, file: &str, number: usize) -> Result<Step, SuppressionError> {
    if line == "..." {
        return Ok(Step::Any);
    }
    let (what, pattern) = line.split_once(':').unwrap_or((line, ""));
    match what {
        _ if pattern.is_empty() => {}
        "fun" => return Ok(Step::Function(functions(pattern))),
        "obj" => return Ok(Step::Module(module(pattern))),
        "src" => {
            let (name, line) = match pattern.rsplit_once(':') {
                Some((name, digits)) => match digits.parse() {
                    Ok(line) => (name, Some(line)),
                    Err(_) => (pattern, None),
                },
                None => (pattern, None),
            };
            return Ok(Step::Source(Glob::valgrind(name), line));
        }
        _ => {}
    }
    let message = format!("found '{line}', expected fun:NAME, obj:FILE, src:FILE:LINE or ...");
    Err(SuppressionError::syntax(file, number, message))
}

/// Valgrind compares names as linkers know them, reports have them as people read them.
fn functions(pattern: &str) -> Vec<Glob> {
    let mut globs = vec![Glob::valgrind(pattern)];
    let known = pattern.split(['*', '?']).next().unwrap_or_default();
    // What was cut off after the name are mostly its parameters, which readable names leave out.
    for candidate in [known.to_owned(), format!("{known}v"), format!("{known}Ev")] {
        let name = demangle(&candidate);
        if known.starts_with("_Z") && name != candidate {
            globs.push(Glob::own(&Glob::quoted(&name)));
            break;
        }
    }
    globs
}

/// The last part of a path. One that says nothing there (`/opt/vendor/*`) is about folders alone, which are not known: it
/// matches nothing, rather than everything.
fn module(pattern: &str) -> Option<Glob> {
    let last = pattern.rsplit('/').next().unwrap_or(pattern);
    let (last, whole) = (Glob::valgrind(last), Glob::valgrind(pattern));
    let says_nothing = |glob: &Glob| !glob.has_letters();
    (!says_nothing(&last) || says_nothing(&whole) || pattern == "*/*").then_some(last)
}
