//! Interposer, loader: a dynamic module's tables, where its dlclose cannot reach them. In: a module that is mapped now. Out: its
//! loaded segment with the unwind tables, mapped once more from the file, or copied.

use super::PATH_MAX;
use super::elf::{Headers, PHDRS_MAX, Phdr, bytes_of_mut};
use crate::sys::{self, File};
use core::ffi::CStr;

/// Largest tables that are copied when their file cannot be mapped, in bytes.
const COPY_BYTES_MAX: usize = 4 << 20;

/// A private view of one loaded segment's bytes.
pub struct Private {
    pub bytes: &'static [u8],
    /// What to unmap: address and bytes.
    pub token: (usize, usize),
}

/// Maps the segment from the module's file, if the file is still the one that was loaded.
pub fn map_file(path: &[u8], headers: &Headers, segment: &Phdr) -> Option<Private> {
    let mut terminated = [0u8; PATH_MAX];
    terminated.get_mut(..path.len())?.copy_from_slice(path);
    let path = CStr::from_bytes_until_nul(&terminated).ok().filter(|p| !p.is_empty())?;
    let file = File::open(path, libc::O_RDONLY | libc::O_NONBLOCK, 0).ok()?;
    // SAFETY: plain integers, for which zero is a value.
    let mut on_disk: [Phdr; PHDRS_MAX] = unsafe { core::mem::zeroed() };
    let into = bytes_of_mut(on_disk.get_mut(..headers.count)?);
    let wanted = into.len();
    if file.read_at(into, headers.offset) != wanted {
        return None;
    }
    let same = on_disk.iter().zip(headers.all()).all(|(a, b)| {
        (a.p_type, a.p_offset, a.p_vaddr, a.p_filesz, a.p_memsz)
            == (b.p_type, b.p_offset, b.p_vaddr, b.p_filesz, b.p_memsz)
    });
    if !same {
        return None;
    }
    let lead = segment.p_offset & 4095;
    let bytes = (segment.p_filesz + lead) as usize;
    let address = sys::map(bytes, libc::PROT_READ, libc::MAP_PRIVATE, file.fd(), segment.p_offset - lead)?;
    // SAFETY: a fresh mapping of that many bytes; it lies within the file, whose shrinking would take the program's
    // own mapping of the same file down as well. Unmapped in `release`, when nobody uses the module any more.
    let all = unsafe { core::slice::from_raw_parts::<'static, u8>(address.cast(), bytes) };
    Some(Private { bytes: all.get(lead as usize..)?, token: (address as usize, bytes) })
}

/// Copies the segment from memory, for modules whose file is gone or out of reach.
pub fn copy_segment(bias: u64, segment: &Phdr) -> Option<Private> {
    let bytes = segment.p_filesz as usize;
    if bytes > COPY_BYTES_MAX {
        return None;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let address = sys::map(bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)?;
    // SAFETY: a fresh mapping of that many bytes, ours alone until it is returned.
    let copy = unsafe { core::slice::from_raw_parts_mut::<'static, u8>(address.cast(), bytes) };
    if sys::copy_checked(bias.wrapping_add(segment.p_vaddr), copy) != bytes {
        sys::unmap(address as usize, bytes);
        return None;
    }
    Some(Private { bytes: copy, token: (address as usize, bytes) })
}
