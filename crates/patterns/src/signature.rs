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

use crate::whole_name::WholeName;

/// Compiled conditions. All that are there must hold.
#[derive(Debug, Clone)]
pub struct Signature {
    /// The family of the finding.
    pub pattern: Pattern,
    /// Its kind is one of these; any of the pattern if there are none.
    pub kinds: Vec<Kind>,
    /// The function of a library that the program called.
    pub calls: Option<WholeName>,
    /// Modules of that library, where it is a shared one.
    pub library_modules: Vec<WholeName>,
    /// Functions of that library, where it is linked in.
    pub library_functions: Vec<WholeName>,
    /// Functions on the way from the call to the allocation, innermost first.
    pub through: Vec<WholeName>,
    /// The program's functions from the place outwards.
    pub frames: Vec<WholeName>,
    /// The module that the place lies in.
    pub module: Option<WholeName>,
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
        // What was found out about the same memory on the way (it is lost, it is an error path) does not hide it from a
        // fingerprint that was made before.
        let is_kind = |wanted: &Kind| *wanted == kind || wanted.identity() == kind.identity();
        if pattern != self.pattern || !(self.kinds.is_empty() || self.kinds.iter().any(is_kind)) {
            return None;
        }
        let found = match &self.calls {
            Some(calls) => self.call(calls, stack)?,
            None => Match { call: None, location: location_index(stack) },
        };
        let inside = found.call.or(found.location).unwrap_or(0);
        let outside = found.location.map_or(&[][..], |at| &stack[at..]);
        let module = |module: &WholeName| outside.first().is_some_and(|frame| module.is_match(&frame.module));
        let holds = self.module.as_ref().is_none_or(module)
            && in_order(&self.through, &stack[..inside])
            && self.frames.first().is_none_or(|first| outside.first().is_some_and(|f| matches(first, f)))
            && in_order(&self.frames, outside);
        holds.then_some(found)
    }

    /// Where the program called the library, a shared one, whatever was allocated or opened there.
    pub fn place(&self, stack: &[Frame]) -> Option<Match> {
        // Names of modules are few and quickly compared; the rest is for who has the library.
        let is_there = stack.iter().any(|frame| self.is_module(frame));
        self.call(self.calls.as_ref().filter(|_| is_there)?, stack)
    }

    /// The call: the outermost function of the library, called by something that is not part of it. Whatever the library
    /// calls back in the program is not its own.
    fn call(&self, calls: &WholeName, stack: &[Frame]) -> Option<Match> {
        let candidates = (0..stack.len()).rev().filter(|at| matches(calls, &stack[*at]));
        let call = candidates.into_iter().find(|at| self.is_call(calls, *at, stack))?;
        let outside = &stack[call + 1..];
        let application = outside.iter().position(|frame| role(frame) == FrameRole::Application);
        let location = application.map(|at| call + 1 + at).or(Some(call));
        Some(Match { call: Some(call), location })
    }

    fn is_call(&self, calls: &WholeName, at: usize, stack: &[Frame]) -> bool {
        let call = &stack[at];
        let is_inside = |frame: &Frame| {
            role(frame) != FrameRole::Application
                || self.is_library(frame, call)
                || (frame.module == call.module && matches(calls, frame))
        };
        // What the C library calls for its own needs is not the program's call, either.
        let is_kin = |frame: &Frame| {
            self.is_library(frame, call)
                || (frame.module == call.module && role(frame) != FrameRole::Application)
        };
        // Hooks stand between a library and itself; they are nobody's callers.
        let caller = stack[at + 1..].iter().find(|frame| role(frame) != FrameRole::Allocator);
        stack[..at].iter().all(is_inside) && !caller.is_some_and(is_kin)
    }

    /// Whether a frame belongs to the library that `call` belongs to. Names of functions count in its own module alone: where
    /// the library is a shared one, the program may call its functions as it likes.
    fn is_library(&self, frame: &Frame, call: &Frame) -> bool {
        let by_name = || self.library_functions.iter().any(|function| matches(function, frame));
        self.is_module(frame) || (frame.module == call.module && by_name())
    }

    fn is_module(&self, frame: &Frame) -> bool {
        self.library_modules.iter().any(|module| module.is_match(&frame.module))
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
        many.chain(one.into_iter().flatten()).map(|regex| regex.text().len()).sum()
    }
}

/// Whether the expressions match frames in this order, others between them.
fn in_order(regexes: &[WholeName], stack: &[Frame]) -> bool {
    let mut frames = stack.iter();
    regexes.iter().all(|regex| frames.any(|frame| matches(regex, frame)))
}

/// A compiler's clone counts as the function it was made from.
fn matches(regex: &WholeName, frame: &Frame) -> bool {
    regex.is_match(without_suffix(&frame.function))
}
