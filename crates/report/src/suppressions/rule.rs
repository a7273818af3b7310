//! Report, suppressions: one rule, whichever format it was written in.
//! In: a finding of a document. Out: whether the rule is about it.

use super::glob::Glob;
use crate::document::{FrameRole, ReportFinding, StackFrame};
use crate::location::base_name;
use memguard_symbolize::without_suffix;

/// One suppression.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: String,
    /// `file:line`, where it begins.
    pub source: String,
    pub reason: Option<String>,
    /// Its last day as it was written, and the end of that day in seconds since 1970.
    pub expires: Option<(String, f64)>,
    pub test: Test,
}

/// What a finding must be like.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Ours: everything that is given holds.
    All(Criteria),
    /// `LeakSanitizer`'s: function, module or source file of any frame.
    AnyFrame(Glob),
    /// Valgrind's: the call chain from the innermost frame on.
    Chain { leaks: Leaks, steps: Vec<Step> },
}

/// What our own format can ask for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Criteria {
    pub id: Option<Glob>,
    pub pattern: Option<Glob>,
    pub kind: Option<Glob>,
    pub function: Option<Glob>,
    pub module: Option<Glob>,
    pub file: Option<Glob>,
    pub stack: Vec<Step>,
}

/// One place in a chain of calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Any number of frames.
    Any,
    /// A frame whose function has one of these names.
    Function(Vec<Glob>),
    /// A frame of this module; none where it can match nothing.
    Module(Option<Glob>),
    /// A frame in this source file, at this line.
    Source(Glob, Option<u32>),
}

/// Which leaks Valgrind's rules are about, as far as a finding tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaks {
    /// Nothing points to them any more.
    pub lost: bool,
    /// Something does, or may.
    pub reachable: bool,
}

impl Leaks {
    pub const ALL: Self = Self { lost: true, reachable: true };
    pub const NONE: Self = Self { lost: false, reachable: false };

    /// Of growth it is not known whether it is reachable: a rule about either is about it.
    fn cover(self, finding: &ReportFinding) -> bool {
        if finding.kind == "heap-unreachable" { self.lost } else { self.lost || self.reachable }
    }
}

impl Rule {
    /// A rule of another tool, which has no reason and no last day.
    pub fn of_tool(name: &str, file: &str, line: usize, test: Test) -> Self {
        Self { name: name.to_owned(), source: format!("{file}:{line}"), reason: None, expires: None, test }
    }

    pub fn has_expired(&self, now_s: f64) -> bool {
        self.expires.as_ref().is_some_and(|(_, end_s)| now_s >= *end_s)
    }

    pub fn matches(&self, finding: &ReportFinding) -> bool {
        match &self.test {
            Test::All(criteria) => criteria.hold(finding),
            Test::AnyFrame(glob) => {
                is_memory(finding) && finding.stack.iter().any(|frame| is_in(frame, glob))
            }
            Test::Chain { leaks, steps } => {
                is_memory(finding) && leaks.cover(finding) && follows_as_valgrind(steps, &finding.stack)
            }
        }
    }
}

/// Both other tools speak of the heap alone; a descriptor that leaks in the same place was not meant.
fn is_memory(finding: &ReportFinding) -> bool {
    matches!(finding.pattern.as_str(), "leaks" | "caches" | "cycles")
}

fn is_in(frame: &StackFrame, glob: &Glob) -> bool {
    let file = frame.file.as_deref().unwrap_or_default();
    [frame.function.as_str(), frame.module.as_str(), file]
        .iter()
        .any(|name| !name.is_empty() && glob.matches(name))
}

/// Valgrind's innermost frame is the function of its own that stands for `malloc`, or for `operator new`. Our stacks begin at
/// `malloc`'s caller, which is `operator new` or the program.
fn follows_as_valgrind(steps: &[Step], stack: &[StackFrame]) -> bool {
    let allocators = stack.iter().take_while(|frame| frame.role == FrameRole::Allocator).count();
    let is_operator = |frame: &StackFrame| frame.function.starts_with("operator new");
    if let Some(at) = stack.iter().take(allocators).position(is_operator) {
        let frames: Vec<&StackFrame> = stack.iter().skip(at).collect();
        return follows(steps, &frames);
    }
    let callers: Vec<&StackFrame> =
        stack.iter().skip_while(|frame| FAMILY.contains(&frame.function.as_str())).collect();
    FAMILY.iter().any(|function| {
        let innermost = StackFrame {
            function: (*function).to_owned(),
            file: None,
            line: None,
            module: VALGRINDS_MODULE.to_owned(),
            inlined: false,
            role: FrameRole::Allocator,
        };
        let mut frames = vec![&innermost];
        frames.extend(&callers);
        follows(steps, &frames)
    })
}

/// What the innermost frame may be: which of them was called, nobody has noted.
const FAMILY: [&str; 9] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
    "valloc",
    "pvalloc",
];

/// Where Valgrind's functions of these names lie.
const VALGRINDS_MODULE: &str = "vgpreload_memcheck-amd64-linux.so";

/// Whether the steps lead along the innermost frames; what lies further out does not matter.
fn follows(steps: &[Step], frames: &[&StackFrame]) -> bool {
    // From each step it is known at which frames it can stand; a set of places instead of recursion bounds the time.
    let mut places = vec![false; frames.len() + 1];
    if let Some(first) = places.first_mut() {
        *first = true;
    }
    for step in steps {
        let mut next = vec![false; frames.len() + 1];
        let mut any = false;
        for (at, place) in places.iter().enumerate() {
            any |= *place;
            match step {
                Step::Any => next[at] = any,
                _ if *place && frames.get(at).is_some_and(|frame| step.is(frame)) => next[at + 1] = true,
                _ => {}
            }
        }
        places = next;
    }
    places.contains(&true)
}

impl Step {
    fn is(&self, frame: &StackFrame) -> bool {
        match self {
            Self::Any => true,
            Self::Function(globs) => {
                let name = without_suffix(&frame.function);
                globs.iter().any(|glob| glob.matches(name) || glob.matches(&frame.function))
            }
            Self::Module(glob) => glob.as_ref().is_some_and(|glob| glob.matches(&frame.module)),
            Self::Source(glob, line) => {
                let named = |file: &str| glob.matches(base_name(file));
                frame.file.as_deref().is_some_and(named) && line.is_none_or(|line| frame.line == Some(line))
            }
        }
    }
}

impl Criteria {
    fn hold(&self, finding: &ReportFinding) -> bool {
        let is = |glob: &Option<Glob>, name: &str| glob.as_ref().is_none_or(|glob| glob.matches(name));
        let any = |glob: &Option<Glob>, named: &dyn Fn(&Glob, &StackFrame) -> bool| {
            glob.as_ref().is_none_or(|glob| finding.stack.iter().any(|frame| named(glob, frame)))
        };
        is(&self.id, &finding.id)
            && is(&self.pattern, &finding.pattern)
            && is(&self.kind, &finding.kind)
            && any(&self.function, &|glob, frame| glob.matches(without_suffix(&frame.function)))
            && any(&self.module, &|glob, frame| glob.matches(&frame.module))
            && any(&self.file, &|glob, frame| {
                let named = |file: &str| glob.matches(file) || glob.matches(base_name(file));
                frame.file.as_deref().is_some_and(named)
            })
            && (self.stack.is_empty() || follows(&self.stack, &application(&finding.stack)))
    }
}

/// The application's frames; one that calls itself counts once, as in ids.
pub fn application(stack: &[StackFrame]) -> Vec<&StackFrame> {
    let mut frames: Vec<&StackFrame> =
        stack.iter().filter(|frame| frame.role == FrameRole::Application).collect();
    frames.dedup_by(|a, b| without_suffix(&a.function) == without_suffix(&b.function));
    frames
}
