//! Symbolize: functions, lines and inlining from DWARF.
//! In: the ELF file that holds `.debug_info`, and the supplementary file it may refer to. Out: the functions
//! at an address, innermost inlined one first, with raw names.

use std::sync::Arc;

use addr2line::Context;
use gimli::Reader;

use crate::elf::ElfFile;
use crate::reader::SectionReader;
use crate::section::Section;

/// Functions inlined into each other at one address beyond this depth are not reported.
const INLINE_DEPTH_MAX: usize = 256;

/// Bytes that one byte of `.debug_abbrev` takes once parsed (measured: 2.5 MB became 44 MB). All abbreviations
/// are parsed when a file is opened; everything else is parsed for the units that are asked for.
const PARSED_PER_ABBREV_BYTE: u64 = 18;

/// Parsed lazily, unit by unit.
pub struct DebugInfo {
    context: Context<SectionReader>,
    /// Supplementary file, kept for the count of what was read on its behalf.
    alt: Option<ElfFile>,
}

/// One function at an address, as DWARF names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugFrame {
    /// Linkage name if there is one, else the plain name.
    pub function: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
}

impl DebugInfo {
    /// Opens the debug information of `elf`. `None` if there is none, it cannot be parsed, or opening it would
    /// take more than half of `memory_bytes_max`: it would be dropped and opened for every single question.
    pub fn open(
        elf: &ElfFile,
        alt: Option<ElfFile>,
        inflated_bytes_max: u64,
        memory_bytes_max: u64,
    ) -> Option<Self> {
        if !elf.has(".debug_info") && !elf.has(".zdebug_info") {
            return None;
        }
        let parsed_bytes = elf.section_bytes(".debug_abbrev").saturating_mul(PARSED_PER_ABBREV_BYTE);
        if parsed_bytes > memory_bytes_max / 2 {
            return None;
        }
        let mut dwarf = load(elf, inflated_bytes_max);
        if let Some(alt) = &alt {
            dwarf.set_sup(load(alt, inflated_bytes_max));
        }
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        let context = Context::from_dwarf(dwarf).ok()?;
        elf.source().hold(parsed_bytes);
        Some(Self { context, alt })
    }

    /// The functions at `address`, innermost first; the last one is the function that was not inlined.
    pub fn frames(&self, address: u64) -> Vec<DebugFrame> {
        let mut frames = Vec::new();
        // Split DWARF (.dwo) is not followed: its line tables are in the main file, names come from symbols.
        let Ok(mut iter) = self.context.find_frames(address).skip_all_loads() else { return frames };
        while let Ok(Some(frame)) = iter.next() {
            let function = frame
                .function
                .and_then(|function| function.name.to_string_lossy().ok().map(std::borrow::Cow::into_owned));
            let (file, line) = frame.location.map_or((None, None), |location| {
                (location.file.map(str::to_owned), location.line.filter(|line| *line > 0))
            });
            frames.push(DebugFrame { function, file, line });
            if frames.len() == INLINE_DEPTH_MAX {
                break;
            }
        }
        frames
    }

    /// Bytes of the supplementary file held in memory; the main one is counted by its owner.
    pub fn alt_held_bytes(&self) -> u64 {
        self.alt.as_ref().map_or(0, |alt| alt.source().held_bytes())
    }
}

fn load(elf: &ElfFile, inflated_bytes_max: u64) -> gimli::Dwarf<SectionReader> {
    let section = |id: gimli::SectionId| -> Result<SectionReader, std::convert::Infallible> {
        let name = id.name();
        let old_name = || format!(".z{}", name.trim_start_matches('.'));
        let section = elf
            .section(name, inflated_bytes_max)
            .or_else(|| elf.section(&old_name(), inflated_bytes_max))
            .unwrap_or_else(|| Section::whole(Vec::new()));
        Ok(SectionReader::new(Arc::new(section)))
    };
    match gimli::Dwarf::load(section) {
        Ok(dwarf) => dwarf,
        Err(never) => match never {},
    }
}
