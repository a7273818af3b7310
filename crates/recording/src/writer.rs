//! Recording, writer: takes note of what a model takes in, and writes a line at each look.
//! In: readings, in the order of the model's. Out: bytes, no more than a limit.

use crate::difference::Known;
use crate::header::Header;
use crate::line::{Line, Step, Traces};
use flate2::Compression;
use flate2::write::GzEncoder;
use memguard_model::{Reading, ResourceReading, SiteId, StackId, Trace};
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

/// Largest recording, in bytes.
pub const BYTES_MAX: u64 = 256 << 20;
/// Packed bytes are given out at least after so many lines: what a killed collector leaves can be replayed up to there.
const FLUSH_LINES: u32 = 8;

/// Writes one recording.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: GzEncoder<Counted<W>>,
    bytes_max: u64,
    known: Known,
    sites: HashMap<StackId, SiteId>,
    met: HashSet<SiteId>,
    step: Step,
    unflushed: u32,
    is_full: bool,
}

#[derive(Debug)]
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Writer<W> {
    /// Begins a recording of at most so many bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(out: W, header: &Header, bytes_max: u64) -> io::Result<Self> {
        let out = GzEncoder::new(Counted { out, bytes: 0 }, Compression::fast());
        let mut writer = Self {
            out,
            bytes_max,
            known: Known::default(),
            sites: HashMap::new(),
            met: HashSet::new(),
            step: Step::default(),
            unflushed: 0,
            is_full: false,
        };
        writer.write(header)?;
        Ok(writer)
    }

    /// The mean number of bytes between samples, as the model was told it.
    pub fn sample_interval(&mut self, at_ns: u64, bytes: u64) {
        self.step.interval = Some((at_ns, bytes));
    }

    /// CPU time, as the model was told it.
    pub fn cpu(&mut self, cpu_ns: u64) {
        self.step.cpu = Some(cpu_ns);
    }

    /// What a look through memory found.
    pub fn traces(&mut self, at_ns: u64, traces: &[(SiteId, Trace)]) {
        let row =
            |(site, trace): &(SiteId, Trace)| (site.0, trace.born_ns, trace.address, trace.is_referenced);
        self.step.traces = Some(Traces { at: at_ns, rows: traces.iter().map(row).collect() });
    }

    /// A reading of the heap, and the sites of its stacks. Gives one stack of each site that is new.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn heap(
        &mut self,
        reading: &Reading,
        site_of: &dyn Fn(StackId) -> SiteId,
    ) -> io::Result<Vec<StackId>> {
        if self.is_full {
            return Ok(Vec::new());
        }
        let live = reading.live.iter().flatten().map(|sample| sample.stack);
        let fresh = self.learn(reading.totals.iter().map(|totals| totals.stack).chain(live), site_of)?;
        self.step.heap = Some(self.known.difference(reading));
        Ok(fresh)
    }

    /// A reading of everything else, and the sites of its stacks. Gives one stack of each site that is new.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn resources(
        &mut self,
        reading: &ResourceReading,
        site_of: &dyn Fn(StackId) -> SiteId,
    ) -> io::Result<Vec<StackId>> {
        if self.is_full {
            return Ok(Vec::new());
        }
        let held = reading.holdings.iter().flatten().map(|holding| holding.stack);
        let fresh = self.learn(reading.totals.iter().map(|totals| totals.stack).chain(held), site_of)?;
        self.step.held = Some(self.known.held_difference(reading));
        Ok(fresh)
    }

    fn learn(
        &mut self,
        stacks: impl Iterator<Item = StackId>,
        site_of: &dyn Fn(StackId) -> SiteId,
    ) -> io::Result<Vec<StackId>> {
        let (mut rows, mut fresh) = (Vec::new(), Vec::new());
        for stack in stacks {
            let site = site_of(stack);
            if self.sites.insert(stack, site) != Some(site) {
                rows.push((stack.0, site.0));
                if self.met.insert(site) {
                    fresh.push(stack);
                }
            }
        }
        if !rows.is_empty() {
            self.write(&Line::Sites(rows))?;
        }
        Ok(fresh)
    }

    /// What a site is called.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn place(&mut self, site: SiteId, name: &str) -> io::Result<()> {
        if self.is_full { Ok(()) } else { self.write(&Line::Place(site.0, name.to_owned())) }
    }

    /// Everything since the last look is now judged.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn look(&mut self) -> io::Result<()> {
        let step = std::mem::take(&mut self.step);
        if self.is_full {
            return Ok(());
        }
        self.write(&Line::Step(Box::new(step)))?;
        if self.out.get_ref().bytes >= self.bytes_max {
            self.is_full = true;
            // Nobody needs to be remembered any more.
            self.known = Known::default();
            self.write(&Line::Full(self.bytes_max))?;
            return self.out.flush();
        }
        self.unflushed += 1;
        if self.unflushed >= FLUSH_LINES {
            self.unflushed = 0;
            self.out.flush()?;
        }
        Ok(())
    }

    /// The process has ended; gives back what was written to.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(mut self) -> io::Result<W> {
        if !self.is_full {
            self.write(&Line::End)?;
        }
        Ok(self.out.finish()?.out)
    }

    fn write(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}
