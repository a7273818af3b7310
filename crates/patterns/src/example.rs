//! Patterns: findings written down beside a fingerprint, to show and to check what it knows. In: lines such as
//! `SSL_new @ libssl.so.3`. Out: frames; whether the signature agrees.

use memguard_detect::Kind;
use memguard_symbolize::Frame;

use crate::error::Problem;
use crate::signature::Signature;

/// A finding that a fingerprint knows, or does not know.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its kind.
    pub kind: Kind,
    /// Its stack, innermost function first.
    pub stack: Vec<Frame>,
    /// The function that its place lies in.
    pub location: Option<String>,
}

impl Example {
    /// `function @ module`, or `function @ module [file]`.
    pub fn frame(line: &str) -> Result<Frame, Problem> {
        let wrong = || Problem::ExampleFrame(line.to_owned());
        let (function, rest) = line.rsplit_once(" @ ").ok_or_else(wrong)?;
        let (module, file) = match rest.split_once(" [") {
            Some((module, file)) => (module, Some(file.strip_suffix(']').ok_or_else(wrong)?)),
            None => (rest, None),
        };
        let (function, module) = (function.trim(), module.trim());
        if function.is_empty() || module.is_empty() {
            return Err(wrong());
        }
        Ok(Frame {
            function: function.to_owned(),
            file: file.map(str::to_owned),
            line: file.map(|_| 1),
            module: module.to_owned(),
            address: 0,
            inlined: false,
        })
    }

    /// What [`Example::frame`] reads.
    pub fn line(frame: &Frame) -> String {
        match &frame.file {
            Some(file) => format!("{} @ {} [{file}]", frame.function, frame.module),
            None => format!("{} @ {}", frame.function, frame.module),
        }
    }

    /// Checks that the signature matches it, at its place. `number` is for the message.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self, signature: &Signature, number: usize) -> Result<(), Problem> {
        let found = signature.find(self.kind.pattern(), self.kind, &self.stack);
        let found = found.ok_or(Problem::ExampleNotMatched(number))?;
        let Some(expected) = &self.location else { return Ok(()) };
        let frame = found.location.and_then(|at| self.stack.get(at));
        let found = frame.map(|frame| frame.function.clone()).unwrap_or_default();
        if *expected == found {
            return Ok(());
        }
        Err(Problem::ExampleElsewhere { number, found, expected: expected.clone() })
    }

    /// Checks that the signature does not match it.
    ///
    /// # Errors
    /// If it does.
    pub fn check_not(&self, signature: &Signature, number: usize) -> Result<(), Problem> {
        match signature.find(self.kind.pattern(), self.kind, &self.stack) {
            Some(_) => Err(Problem::CounterexampleMatched(number)),
            None => Ok(()),
        }
    }
}
