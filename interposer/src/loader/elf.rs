//! Interposer, loader: what matters here of an ELF module. In: program headers. Out: its range, its unwind tables, its build-id.

use core::mem::{size_of, size_of_val, zeroed};
use memguard_segment::BUILD_ID_BYTES_MAX;
use memguard_unwind::{Tables, eh_frame_address};

pub type Phdr = libc::Elf64_Phdr;
type Ehdr = libc::Elf64_Ehdr;

/// Most program headers looked at in one module.
pub const PHDRS_MAX: usize = 32;

/// The parts of a module that matter here, as addresses of its file's own address space.
pub struct Parts {
    pub start: u64,
    end: u64,
    /// `.eh_frame_hdr`: address and size.
    hdr: Option<(u64, u64)>,
    /// The loaded segment that `.eh_frame_hdr` lies in.
    pub segment: Option<Phdr>,
}

impl Parts {
    pub fn find(phdrs: &[Phdr]) -> Option<Self> {
        let loads = || phdrs.iter().filter(|p| p.p_type == libc::PT_LOAD);
        let start = loads().map(|p| p.p_vaddr).min()? & !4095;
        let end = loads().map(|p| p.p_vaddr.saturating_add(p.p_memsz)).max()?;
        let hdr = phdrs
            .iter()
            .find(|p| p.p_type == libc::PT_GNU_EH_FRAME)
            .map(|p| (p.p_vaddr, p.p_memsz))
            .filter(|hdr| hdr.1 >= 12);
        let segment = hdr.and_then(|(vaddr, _)| {
            loads().find(|p| p.p_vaddr <= vaddr && vaddr - p.p_vaddr < p.p_filesz).copied()
        });
        Some(Self { start, end, hdr, segment })
    }

    /// The unwind tables, their bytes taken through `memory` (address in the file, bytes).
    pub fn tables(&self, bias: u64, memory: impl Fn(u64, u64) -> &'static [u8]) -> Tables {
        let mut tables = Tables {
            range: bias.wrapping_add(self.start)..bias.wrapping_add(self.end),
            bias,
            eh_frame_hdr_address: 0,
            eh_frame_hdr: &[],
            eh_frame_address: 0,
            eh_frame: &[],
        };
        let (Some((vaddr, bytes)), Some(segment)) = (self.hdr, self.segment) else { return tables };
        let segment_end = segment.p_vaddr.saturating_add(segment.p_filesz);
        let hdr = memory(vaddr, bytes.min(segment_end - vaddr));
        let hdr_address = bias.wrapping_add(vaddr);
        let Some(eh_frame) = eh_frame_address(hdr_address, hdr) else { return tables };
        let eh_vaddr = eh_frame.wrapping_sub(bias);
        if eh_vaddr < segment.p_vaddr || eh_vaddr >= segment_end {
            return tables;
        }
        tables.eh_frame_hdr_address = hdr_address;
        tables.eh_frame_hdr = hdr;
        tables.eh_frame_address = eh_frame;
        tables.eh_frame = memory(eh_vaddr, segment_end - eh_vaddr);
        tables
    }

    /// Address and size of each note segment.
    pub fn notes(&self, phdrs: &[Phdr]) -> impl Iterator<Item = (u64, u64)> {
        let (start, end) = (self.start, self.end);
        phdrs
            .iter()
            .filter(move |p| {
                p.p_type == libc::PT_NOTE && p.p_vaddr >= start && p.p_vaddr.saturating_add(p.p_memsz) <= end
            })
            .map(|p| (p.p_vaddr, p.p_memsz.min(1024)))
    }
}

/// Finds the GNU build-id among notes; returns its length in bytes. The generic note format of the ELF specification.
pub fn find_build_id(mut notes: &[u8], out: &mut [u8; BUILD_ID_BYTES_MAX]) -> Option<usize> {
    const GNU_BUILD_ID: u32 = 3;
    loop {
        let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name_bytes, bytes, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let body_at = name_bytes.checked_add(3 + 12)? & !3;
        let body = notes.get(body_at..body_at.checked_add(bytes)?)?;
        if kind == GNU_BUILD_ID && notes.get(12..16)? == b"GNU\0" {
            let n = bytes.min(out.len());
            out.get_mut(..n)?.copy_from_slice(body.get(..n)?);
            return Some(n);
        }
        notes = notes.get((body_at + bytes).checked_add(3)? & !3..)?;
    }
}
/// The program headers of a module, copied from memory that may vanish.
pub struct Headers {
    phdrs: [Phdr; PHDRS_MAX],
    pub count: usize,
    /// Where the headers lie in the file.
    pub offset: u64,
}

impl Headers {
    pub fn copy(start: u64) -> Option<Self> {
        // SAFETY: both are plain integers, for which zero is a value.
        let (mut ehdr, mut phdrs): (Ehdr, [Phdr; PHDRS_MAX]) = unsafe { zeroed() };
        let bytes = size_of::<Ehdr>();
        if crate::sys::copy_checked(start, bytes_of_mut(core::slice::from_mut(&mut ehdr))) != bytes
            || ehdr.e_ident.get(..4) != Some(b"\x7fELF")
            || usize::from(ehdr.e_phentsize) != size_of::<Phdr>()
        {
            return None;
        }
        let count = usize::from(ehdr.e_phnum).min(PHDRS_MAX);
        let into = bytes_of_mut(phdrs.get_mut(..count)?);
        let wanted = into.len();
        (crate::sys::copy_checked(start.wrapping_add(ehdr.e_phoff), into) == wanted).then_some(Self {
            phdrs,
            count,
            offset: ehdr.e_phoff,
        })
    }

    pub fn all(&self) -> &[Phdr] {
        self.phdrs.get(..self.count).unwrap_or_default()
    }
}

pub fn bytes_of_mut<T: Copy>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: used with the ELF structures only: integers without padding, for which every bit pattern is a value.
    unsafe { core::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}
