//! Symbolize: what an ELF file consists of, without its contents.
//! In: a path. Out: its sections by name, build-id and links to separate debug files.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use object::read::{CompressedData, CompressionFormat, Object, ObjectSection, ReadCache};

use crate::section::Section;
use crate::source::{Cursor, Source};

/// Sections beyond this count are not looked at (a linked program has a few dozen).
const SECTIONS_MAX: usize = 4096;

/// Headers of an ELF file of this machine's byte order, and the open file.
#[derive(Debug)]
pub struct ElfFile {
    source: Arc<Source>,
    sections: Vec<SectionHeader>,
    /// GNU build-id, if it has one.
    pub build_id: Option<Vec<u8>>,
    /// `.gnu_debuglink`: file name and CRC-32 of the separate debug file.
    pub debug_link: Option<(Vec<u8>, u32)>,
    /// `.gnu_debugaltlink`: path and build-id of the file that several debug files share (`dwz -m`).
    pub debug_alt_link: Option<(Vec<u8>, Vec<u8>)>,
    /// 64-bit class.
    pub is_64: bool,
}

#[derive(Debug)]
struct SectionHeader {
    name: String,
    address: u64,
    size: u64,
    executable: bool,
    offset: u64,
    stored_size: u64,
    inflated_size: u64,
    compression: CompressionFormat,
}

impl ElfFile {
    /// Reads the headers. `None` if it is no ELF file of this machine's byte order.
    pub fn open(path: &Path) -> Option<Self> {
        Self::parse(&Arc::new(Source::open(path)?))
    }

    /// The small ELF file that some distributions pack into `.gnu_debugdata` of stripped programs: it names
    /// the functions that are not exported. At most `unpacked_bytes_max` long.
    pub fn open_mini(&self, unpacked_bytes_max: u64) -> Option<Self> {
        let header = self.header(".gnu_debugdata")?;
        if header.stored_size > unpacked_bytes_max {
            return None;
        }
        let packed = self.source.read(header.offset, header.stored_size)?;
        let mut bytes = Vec::new();
        let unpacked = lzma_rust2::XzReader::new(packed.as_slice(), false);
        unpacked.take(unpacked_bytes_max).read_to_end(&mut bytes).ok()?;
        self.source.hold(bytes.len() as u64);
        Self::parse(&Arc::new(Source::unpacked(bytes, self.source.path())))
    }

    fn parse(source: &Arc<Source>) -> Option<Self> {
        // A temporary cache: it keeps every block it reads, and all are dropped at the end of this function.
        let cache = ReadCache::new(Cursor::new(source));
        let file = object::File::parse(&cache).ok()?;
        if file.format() != object::BinaryFormat::Elf
            || file.is_little_endian() != cfg!(target_endian = "little")
        {
            return None;
        }
        let sections = file.sections().take(SECTIONS_MAX).filter_map(|section| header(&section)).collect();
        let build_id = file.build_id().ok().flatten().map(<[u8]>::to_vec);
        let debug_link =
            file.gnu_debuglink().ok().flatten().map(|(name, checksum)| (name.to_vec(), checksum));
        let debug_alt_link =
            file.gnu_debugaltlink().ok().flatten().map(|(path, id)| (path.to_vec(), id.to_vec()));
        let is_64 = file.is_64();
        Some(Self { sections, build_id, debug_link, debug_alt_link, is_64, source: Arc::clone(source) })
    }

    /// The open file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether a section of this name has contents in this file.
    pub fn has(&self, name: &str) -> bool {
        self.header(name).is_some_and(|header| header.stored_size > 0)
    }

    /// Length of a section after inflation; 0 if there is none.
    pub fn section_bytes(&self, name: &str) -> u64 {
        self.header(name).map_or(0, |header| header.inflated_size)
    }

    /// The contents of a section: read on demand, or inflated at once if compressed and at most
    /// `inflated_bytes_max` long.
    pub fn section(&self, name: &str, inflated_bytes_max: u64) -> Option<Section> {
        let header = self.header(name)?;
        if header.compression == CompressionFormat::None {
            return Section::paged(Arc::clone(&self.source), header.offset, header.stored_size);
        }
        if header.inflated_size.max(header.stored_size) > inflated_bytes_max {
            return None;
        }
        let data = self.source.read(header.offset, header.stored_size)?;
        let compressed = CompressedData {
            format: header.compression,
            data: &data,
            uncompressed_size: header.inflated_size,
        };
        let bytes = compressed.decompress().ok()?.into_owned();
        self.source.hold(bytes.len() as u64);
        Some(Section::whole(bytes))
    }

    /// Address ranges that hold code.
    pub fn code_ranges(&self) -> Vec<std::ops::Range<u64>> {
        self.sections
            .iter()
            .filter(|header| header.executable && header.size > 0)
            .map(|header| header.address..header.address.saturating_add(header.size))
            .collect()
    }

    fn header(&self, name: &str) -> Option<&SectionHeader> {
        self.sections.iter().find(|header| header.name == name)
    }
}

fn header<'data>(section: &impl ObjectSection<'data>) -> Option<SectionHeader> {
    let name = section.name().ok()?.to_owned();
    let range = section.compressed_file_range().ok()?;
    let executable = match section.flags() {
        object::SectionFlags::Elf { sh_flags, .. } => sh_flags.contains(object::elf::SHF_EXECINSTR),
        _ => false,
    };
    Some(SectionHeader {
        name,
        address: section.address(),
        size: section.size(),
        executable,
        offset: range.offset,
        stored_size: range.compressed_size,
        inflated_size: range.uncompressed_size,
        compression: range.format,
    })
}
