//! Recording, replay: the verdicts of a recording, in virtual time.
//! In: a recording. Out: what became shown, changed and was withdrawn when; the findings at the end.

use crate::error::RecordingError;
use crate::header::Header;
use crate::reader::{End, Reader};
use memguard_detect::{Finding, Kind, SHOWN, Verdicts};
use memguard_model::SiteId;
use std::collections::BTreeMap;
use std::io::Read;

/// Confidences at which a shown finding is spoken of otherwise.
const STEPS: [f64; 3] = [SHOWN, 0.7, 0.9];

/// Something that a reader of the report would have noticed.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When, on the process clock, in ns.
    pub at_ns: u64,
    /// The place.
    pub site: SiteId,
    /// The kind.
    pub kind: Kind,
    /// Confidence; below 0.5 it was withdrawn.
    pub confidence: f64,
}

impl Seen {
    /// Whether it is not shown any more.
    pub fn is_withdrawn(&self) -> bool {
        self.confidence < SHOWN
    }
}

/// A recording that is being judged.
pub struct Replay<R: Read> {
    reader: Reader<R>,
    verdicts: Verdicts,
    findings: Vec<Finding>,
    /// Steps of confidence reached by what is shown.
    shown: BTreeMap<(SiteId, Kind), usize>,
    ever: f64,
}

impl<R: Read> Replay<R> {
    /// Opens a recording.
    ///
    /// # Errors
    /// If it is none, or of another version.
    pub fn open(input: R) -> Result<Self, RecordingError> {
        let reader = Reader::open(input)?;
        let verdicts = reader.header().verdicts();
        Ok(Self { reader, verdicts, findings: Vec::new(), shown: BTreeMap::new(), ever: 0.0 })
    }

    /// How the process was watched.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// What a place is called.
    pub fn place(&self, site: SiteId) -> String {
        self.reader.place(site)
    }

    /// What holds now, most confident first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Highest confidence so far.
    pub fn ever(&self) -> f64 {
        self.ever
    }

    /// Time of the last look, in ns.
    pub fn now_ns(&self) -> u64 {
        self.reader.model().now_ns()
    }

    /// How the recording ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.reader.end()
    }

    /// Judges the next look. `None` at the end.
    ///
    /// # Errors
    /// If the file is damaged. What was judged before stays.
    pub fn look(&mut self) -> Result<Option<Vec<Seen>>, RecordingError> {
        if !self.reader.advance()? {
            return Ok(None);
        }
        self.findings = self.verdicts.look(self.reader.model());
        let at_ns = self.now_ns();
        let mut seen = Vec::new();
        let mut now = BTreeMap::new();
        for Finding { site, kind, confidence, .. } in &self.findings {
            self.ever = self.ever.max(*confidence);
            let reached = STEPS.iter().filter(|step| confidence >= step).count();
            if reached > 0 {
                let key = (*site, *kind);
                let before = self.shown.get(&key).copied().unwrap_or(0);
                if reached > before {
                    seen.push(Seen { at_ns, site: *site, kind: *kind, confidence: *confidence });
                }
                now.insert(key, reached.max(before));
            }
        }
        for (site, kind) in self.shown.keys().filter(|key| !now.contains_key(key)) {
            let of = |finding: &&Finding| finding.site == *site && finding.kind == *kind;
            let confidence = self.findings.iter().find(of).map_or(0.0, |finding| finding.confidence);
            seen.push(Seen { at_ns, site: *site, kind: *kind, confidence });
        }
        self.shown = now;
        Ok(Some(seen))
    }
}
