//! Recording, reader: gives a model what another took in.
//! In: bytes. Out: a model that is up to date with each look, names of places, how the recording ended.

use crate::difference::Known;
use crate::error::RecordingError;
use crate::header::{Header, VERSION};
use crate::line::{Line, Step};
use flate2::read::MultiGzDecoder;
use memguard_model::{ProcessModel, SiteId, StackId, Trace};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// No line of ours is longer.
const LINE_BYTES_MAX: u64 = 1 << 30;

/// How a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With the process.
    Process,
    /// It was full.
    Full,
    /// With whoever wrote it.
    CutOff,
}

/// Reads one recording.
pub struct Reader<R: Read> {
    lines: BufReader<MultiGzDecoder<R>>,
    number: u64,
    header: Header,
    known: Known,
    model: ProcessModel,
    sites: HashMap<StackId, SiteId>,
    places: HashMap<SiteId, String>,
    end: Option<End>,
}

impl<R: Read> Reader<R> {
    /// Opens a recording.
    ///
    /// # Errors
    /// If it is none, or of another version.
    pub fn open(input: R) -> Result<Self, RecordingError> {
        let mut lines = BufReader::new(MultiGzDecoder::new(input));
        let mut first = Vec::new();
        match lines.by_ref().take(1 << 20).read_until(b'\n', &mut first) {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
                ) =>
            {
                return Err(RecordingError::Foreign);
            }
            Err(error) => return Err(RecordingError::Io(error)),
        }
        let header = header_of(&first)?;
        Ok(Self {
            lines,
            number: 1,
            header,
            known: Known::default(),
            model: ProcessModel::new(),
            sites: HashMap::new(),
            places: HashMap::new(),
            end: None,
        })
    }

    /// How the process was watched.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The model as of the last look.
    pub fn model(&self) -> &ProcessModel {
        &self.model
    }

    /// What a place is called, as far as read.
    pub fn place(&self, site: SiteId) -> String {
        self.places.get(&site).cloned().unwrap_or_else(|| format!("place {}", site.0))
    }

    /// How it ended, once everything is read.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Goes on to the next look; false if there is none.
    ///
    /// # Errors
    /// If the file is damaged. What was read before stays.
    pub fn advance(&mut self) -> Result<bool, RecordingError> {
        while self.end.is_none() {
            match self.line()? {
                None => self.end = Some(End::CutOff),
                Some(Line::Sites(sites)) => {
                    self.sites.extend(sites.into_iter().map(|(stack, site)| (StackId(stack), SiteId(site))));
                }
                Some(Line::Place(site, name)) => {
                    self.places.insert(SiteId(site), name);
                }
                Some(Line::Step(step)) => {
                    self.take(&step).ok_or_else(|| self.damaged("a row that no memguard writes"))?;
                    return Ok(true);
                }
                Some(Line::Full(_)) => self.end = Some(End::Full),
                Some(Line::End) => self.end = Some(End::Process),
            }
        }
        Ok(false)
    }

    fn take(&mut self, step: &Step) -> Option<()> {
        let sites = &self.sites;
        let site_of = |stack: StackId| sites.get(&stack).copied().unwrap_or(SiteId(0));
        if let Some(traces) = &step.traces {
            let rows = traces.rows.iter().map(|(site, born_ns, address, is_referenced)| {
                let trace = Trace { born_ns: *born_ns, address: *address, is_referenced: *is_referenced };
                (SiteId(*site), trace)
            });
            self.model.absorb_traces(traces.at, rows);
        }
        if let Some((at_ns, bytes)) = step.interval {
            self.model.absorb_sample_interval(at_ns, bytes);
        }
        if let Some(cpu_ns) = step.cpu {
            self.model.absorb_cpu(cpu_ns);
        }
        if let Some(heap) = &step.heap {
            self.model.absorb(&self.known.reading(heap)?, &site_of);
        }
        if let Some(held) = &step.held {
            self.model.absorb_resources(&self.known.held_reading(held)?, &site_of);
        }
        Some(())
    }

    /// The next line; `None` where the file breaks off.
    fn line(&mut self) -> Result<Option<Line>, RecordingError> {
        self.number += 1;
        let mut text = Vec::new();
        let read = self.lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
        match read {
            // Whoever wrote it was killed in the middle of a line.
            Ok(_) if text.last() != Some(&b'\n') => Ok(None),
            Ok(_) => {
                serde_json::from_slice(&text).map(Some).map_err(|error| self.damaged(&error.to_string()))
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData) => {
                Err(self.damaged(&error.to_string()))
            }
            Err(error) => Err(RecordingError::Io(error)),
        }
    }

    fn damaged(&self, why: &str) -> RecordingError {
        RecordingError::Damaged { line: self.number, why: why.to_owned() }
    }
}

fn header_of(text: &[u8]) -> Result<Header, RecordingError> {
    let value: serde_json::Value = serde_json::from_slice(text).map_err(|_| RecordingError::Foreign)?;
    let version = value.get("memguard_recording").and_then(serde_json::Value::as_u64);
    let found = version.and_then(|version| u32::try_from(version).ok()).ok_or(RecordingError::Foreign)?;
    if found != VERSION {
        return Err(RecordingError::Version { found, known: VERSION });
    }
    let damaged = |error: serde_json::Error| RecordingError::Damaged { line: 1, why: error.to_string() };
    serde_json::from_value(value).map_err(damaged)
}
