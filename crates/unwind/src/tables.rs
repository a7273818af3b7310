//! Unwind: the unwind tables of one module as slices, and how to find `.eh_frame` from its index.

use alloc::string::String;
use core::ops::Range;
use framehop::{ExplicitModuleSectionInfo, Module};

/// Where a module lies and what tells how to unwind it. Addresses are those in this process.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Mapped range of the module.
    pub range: Range<u64>,
    /// Address in memory minus address in the file's own address space.
    pub bias: u64,
    /// Address at which `eh_frame_hdr` is meant to lie (it may be read from a copy elsewhere).
    pub eh_frame_hdr_address: u64,
    /// Content of `.eh_frame_hdr`; empty if the module has none.
    pub eh_frame_hdr: &'static [u8],
    /// Address at which `eh_frame` is meant to lie.
    pub eh_frame_address: u64,
    /// Content of `.eh_frame`, possibly with more behind it.
    pub eh_frame: &'static [u8],
}

impl Tables {
    /// As framehop wants it. Allocates.
    pub(crate) fn module(&self) -> Module<&'static [u8]> {
        let file = |address: u64, bytes: &[u8]| {
            let start = address.wrapping_sub(self.bias);
            start..start.wrapping_add(bytes.len() as u64)
        };
        let has_tables = !self.eh_frame_hdr.is_empty() && !self.eh_frame.is_empty();
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_svma: has_tables.then(|| file(self.eh_frame_address, self.eh_frame)),
            eh_frame: has_tables.then_some(self.eh_frame),
            eh_frame_hdr_svma: has_tables.then(|| file(self.eh_frame_hdr_address, self.eh_frame_hdr)),
            eh_frame_hdr: has_tables.then_some(self.eh_frame_hdr),
            ..Default::default()
        };
        Module::new(String::new(), self.range.clone(), self.bias, sections)
    }
}

/// The address of `.eh_frame` that an `.eh_frame_hdr` at `hdr_address` names, for the encodings that
/// linkers produce (pc-relative signed 32 bit, absolute 64 bit). Linux Standard Base, section 10.6.2.
pub fn eh_frame_address(hdr_address: u64, hdr: &[u8]) -> Option<u64> {
    let (&version, &encoding) = (hdr.first()?, hdr.get(1)?);
    if version != 1 {
        return None;
    }
    match encoding {
        0x1b => {
            let offset = i32::from_le_bytes(hdr.get(4..8)?.try_into().ok()?);
            Some(hdr_address.wrapping_add(4).wrapping_add_signed(i64::from(offset)))
        }
        0x00 | 0x04 => Some(u64::from_le_bytes(hdr.get(4..12)?.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_eh_frame_by_both_usual_encodings() {
        let relative = [1, 0x1b, 3, 0x3b, 0x10, 0, 0, 0];
        assert_eq!(eh_frame_address(0x1000, &relative), Some(0x1014));
        let absolute = [1, 0x04, 3, 0x3b, 0, 0x20, 0, 0, 0, 0, 0, 0];
        assert_eq!(eh_frame_address(0x1000, &absolute), Some(0x2000));
        assert_eq!(eh_frame_address(0x1000, &[2, 0x1b, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(eh_frame_address(0x1000, &[1]), None);
    }
}
