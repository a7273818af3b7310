//! Test kit, reports: the document `memguard.report/1` as tests ask it. In: `report.json`. Out: findings by place.

use std::fmt;
use std::path::Path;

use serde_json::Value;

/// From here on a finding is shown.
pub const SHOWN: f64 = 0.5;

/// One report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The document.
    pub document: Value,
}

/// One finding of a report.
#[derive(Clone, Copy)]
pub struct Finding<'a>(pub &'a Value);

/// One frame of a finding's stack.
#[derive(Clone, Copy)]
pub struct Frame<'a>(pub &'a Value);

impl Report {
    /// Reads the file, which must be whole.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Takes the text of a report.
    pub fn parse(text: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(text).expect("a report is JSON");
        assert_eq!(document["schema"], "memguard.report/1");
        Self { document }
    }

    /// The findings of at least this confidence.
    pub fn findings(&self, confidence_min: f64) -> Vec<Finding<'_>> {
        let all = self.document["findings"].as_array().expect("findings").iter().map(Finding);
        all.filter(|finding| finding.confidence() >= confidence_min).collect()
    }

    /// The findings whose application frame is this function, surest first.
    pub fn findings_in(&self, function: &str) -> Vec<Finding<'_>> {
        let mut found = self.findings(0.0);
        found.retain(|finding| finding.place().is_some_and(|frame| frame.is_in(function)));
        found.sort_by(|a, b| b.confidence().total_cmp(&a.confidence()));
        found
    }

    /// The watched processes.
    pub fn processes(&self) -> &[Value] {
        self.document["processes"].as_array().expect("processes")
    }

    /// Samples of all processes by how their stacks came out: complete, truncated, lost.
    pub fn stacks(&self) -> [u64; 3] {
        let sum = |which: &str| {
            self.processes().iter().map(|p| p["stacks"][which].as_u64().expect("a count")).sum()
        };
        [sum("complete"), sum("truncated"), sum("lost")]
    }

    /// How often this was lost, in all processes.
    pub fn lost(&self, cause: &str) -> u64 {
        self.processes().iter().map(|p| p["lost"][cause].as_u64().unwrap_or(0)).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.findings(0.0);
        if found.is_empty() {
            write!(f, "no suspicion at all, ")?;
        }
        for finding in found {
            write!(f, "[{finding}] ")?;
        }
        write!(f, "stacks {:?}", self.stacks())
    }
}

impl<'a> Finding<'a> {
    /// How sure it is.
    pub fn confidence(self) -> f64 {
        self.0["confidence"].as_f64().expect("a number")
    }

    /// `file.c:12`, or what stands for it.
    pub fn location(self) -> &'a str {
        self.0["location"].as_str().expect("a text")
    }

    /// Its family, as `handles`.
    pub fn pattern(self) -> &'a str {
        self.0["pattern"].as_str().expect("a text")
    }

    /// What is found, as `socket-close-wait`.
    pub fn kind(self) -> &'a str {
        self.0["kind"].as_str().expect("a text")
    }

    /// One sentence.
    pub fn detail(self) -> &'a str {
        self.0["detail"].as_str().expect("a text")
    }

    /// How many.
    pub fn count(self) -> f64 {
        self.0["count"].as_f64().expect("a number")
    }

    /// What is leaked, in MiB.
    pub fn size_mb(self) -> f64 {
        self.0["size_mb"].as_f64().expect("a number")
    }

    /// The stack, innermost function first.
    pub fn stack(self) -> impl Iterator<Item = Frame<'a>> {
        self.0["stack"].as_array().expect("a stack").iter().map(Frame)
    }

    /// The innermost frame of the application.
    pub fn place(self) -> Option<Frame<'a>> {
        self.stack().find(|frame| frame.0["role"] == "application")
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = self.place().map_or("?", Frame::function);
        let (kind, location) = (self.kind(), self.location());
        write!(f, "{:.2} {kind} {location} {function} {:.2} MB", self.confidence(), self.size_mb())
    }
}

impl<'a> Frame<'a> {
    /// The function's name.
    pub fn function(self) -> &'a str {
        self.0["function"].as_str().expect("a name")
    }

    /// Base name of the source file.
    pub fn file(self) -> Option<&'a str> {
        self.0["file"].as_str()?.rsplit('/').next()
    }

    /// Line in it.
    pub fn line(self) -> Option<u64> {
        self.0["line"].as_u64()
    }

    /// Whether this is the function of that name, whatever namespaces it lies in.
    pub fn is_in(self, function: &str) -> bool {
        let own = self.function();
        own.strip_suffix(function).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    }
}
