//! Patterns: what a finding must look like. In: pattern, kind, resolved stack. Out: the place in the program that it belongs
//! to, and the call by which the program took what it forgot.
//!
//! ```text
//! innermost   CRYPTO_zalloc             allocator  ┐
//!             CRYPTO_THREAD_lock_new    library    │ inside: `through` matches here, in this order
//!             SSL_new                   library    ┘ the outermost of them is the call: `calls` must match it
//!             accept_one                           ← the place: `module` and the first of `frames` must match it
//!             serve                                  the rest of `frames`, in this order, others between them
//! outermost   main
//! ```
//!
//! Without `calls` the inside are the frames before the application's innermost, and the place is that one.

use memguard_detect::{Kind, Pattern};
use memguard_symbolize::{Frame, FrameRole, location_index, role, without_suffix};
use regex::Regex;

/// Compiled conditions. All that are there must hold.
#[derive(Debug, Clone)]
pub struct Signature {
    /// The family of the finding.
    pub pattern: Pattern,
    /// Its kind is one of these; any of the pattern if there are none.
    pub kinds: Vec<Kind>,
    /// The function of a library that the program called.
    pub calls: Option<Regex>,
    /// Modules of that library, where it is a shared one.
    pub library_modules: Vec<Regex>,
    /// Functions of that library, where it is linked in.
    pub library_functions: Vec<Regex>,
    /// Functions on the way from the call to the allocation, innermost first.
    pub through: Vec<Regex>,
    /// The program's functions from the place outwards.
    pub frames: Vec<Regex>,
    /// The module that the place lies in.
    pub module: Option<Regex>,
}

/// Where in a stack a signature was found; indices of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The function of the library that the program called.
    pub call: Option<usize>,
    /// The frame that gives the finding its place.
    pub location: Option<usize>,
}

impl Signature {
    /// Whether the finding looks like this.
    pub fn find(&self, pattern: Pattern, kind: Kind, stack: &[Frame]) -> Option<Match> {
        if pattern != self.pattern || !(self.kinds.is_empty() || self.kinds.contains(&kind)) {
            return None;
        }
        let found = match &self.calls {
            Some(calls) => self.call(calls, stack)?,
            None => Match { call: None, location: location_index(stack) },
        };
        let inside = found.call.or(found.location).unwrap_or(0);
        let outside = found.location.map_or(&[][..], |at| &stack[at..]);
        let module = |module: &Regex| outside.first().is_some_and(|frame| module.is_match(&frame.module));
        let holds = self.module.as_ref().is_none_or(module)
            && in_order(&self.through, &stack[..inside])
            && self.frames.first().is_none_or(|first| outside.first().is_some_and(|f| matches(first, f)))
            && in_order(&self.frames, outside);
        holds.then_some(found)
    }

    /// The call: the outermost function of the library, called by something that is not part of it. Whatever the library
    /// calls back in the program is not its own.
    fn call(&self, calls: &Regex, stack: &[Frame]) -> Option<Match> {
        let is_inside = |frame: &Frame| self.is_library(frame) || role(frame) != FrameRole::Application;
        let inside = stack.iter().take_while(|frame| is_inside(frame) || matches(calls, frame)).count();
        let call = stack[..inside].iter().rposition(|frame| matches(calls, frame))?;
        if self.is_called_within(&stack[call], &stack[call + 1..]) {
            return None;
        }
        let outside = &stack[call + 1..];
        let application = outside.iter().position(|frame| role(frame) == FrameRole::Application);
        let location = application.map(|at| call + 1 + at).or(Some(call));
        Some(Match { call: Some(call), location })
    }

    /// Whether the library itself made the call: what the C library calls for its own needs is not the program's.
    fn is_called_within(&self, call: &Frame, outside: &[Frame]) -> bool {
        let is_kin = |frame: &&Frame| {
            self.is_library(frame) || (frame.module == call.module && role(frame) != FrameRole::Application)
        };
        // Hooks stand between a library and itself; they are nobody's callers.
        let caller = outside.iter().find(|frame| role(frame) != FrameRole::Allocator);
        caller.as_ref().is_some_and(is_kin)
    }

    fn is_library(&self, frame: &Frame) -> bool {
        self.library_modules.iter().any(|module| module.is_match(&frame.module))
            || self.library_functions.iter().any(|function| matches(function, frame))
    }

    /// How many functions must be on the stack.
    pub fn functions(&self) -> usize {
        usize::from(self.calls.is_some()) + self.through.len() + self.frames.len()
    }

    /// Length of all its expressions together.
    pub fn length(&self) -> usize {
        let many = [&self.library_modules, &self.library_functions, &self.through, &self.frames];
        let one = [&self.calls, &self.module];
        let many = many.iter().flat_map(|list| list.iter());
        many.chain(one.into_iter().flatten()).map(|regex| regex.as_str().len()).sum()
    }
}

/// Whether the expressions match frames in this order, others between them.
fn in_order(regexes: &[Regex], stack: &[Frame]) -> bool {
    let mut frames = stack.iter();
    regexes.iter().all(|regex| frames.any(|frame| matches(regex, frame)))
}

/// A compiler's clone counts as the function it was made from.
fn matches(regex: &Regex, frame: &Frame) -> bool {
    regex.is_match(without_suffix(&frame.function))
}
