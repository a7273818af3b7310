//! Interposer: which module (program, library) is mapped where. In: the dynamic loader's data, read without its
//! lock. Out: unwind tables for [`memguard_unwind::ModuleSet`] and entries in the segment's module table.
//!
//! Fixed modules are those mapped when our constructor ran: the loader never unmaps them, their tables are read in
//! place. Dynamic ones come and go by dlopen and dlclose, in other threads, while we walk. Their tables are never
//! read in place: the module's file is mapped once more, privately, after its program headers were compared with
//! what is in memory; if that fails, the tables are copied with a system call that cannot fault.

mod elf;
mod find;
mod maps;
mod private;

use crate::lifecycle;
use crate::sys;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use elf::{Headers, Parts, Phdr, find_build_id};
use memguard_segment::{BUILD_ID_BYTES_MAX, ModuleInfo};
use memguard_unwind::{Admission, Identity, Loader, Tables};

/// Most modules that are recorded at start-up.
const FIXED_MAX: usize = 512;
const PATH_MAX: usize = 4096;
/// What one admission may take of our heap at most, with room to spare.
const ADMISSION_BYTES: usize = 64 << 10;

/// A module mapped at start-up, as `dl_iterate_phdr` described it.
#[derive(Clone, Copy)]
struct Fixed {
    bias: u64,
    phdrs: *const Phdr,
    phdr_count: usize,
    name: *const libc::c_char,
}

struct FixedTable(UnsafeCell<[Fixed; FIXED_MAX]>);
// SAFETY: written by the constructor, before any other thread of ours looks; read-only afterwards.
unsafe impl Sync for FixedTable {}

static FIXED: FixedTable = FixedTable(UnsafeCell::new(
    [Fixed { bias: 0, phdrs: core::ptr::null(), phdr_count: 0, name: core::ptr::null() }; FIXED_MAX],
));
#[unsafe(link_section = ".data")]
static FIXED_COUNT: AtomicUsize = AtomicUsize::new(0);
/// How often the program has closed a library.
static CLOSINGS: AtomicU64 = AtomicU64::new(0);

/// For a fork child, whose other threads do not exist any more.
pub fn reset() {
    maps::reset();
}

/// A library was closed: another may be mapped where it was.
pub fn note_closing() {
    CLOSINGS.fetch_add(1, Ordering::Relaxed);
}

/// How often that has happened.
pub fn closings() -> u64 {
    CLOSINGS.load(Ordering::Relaxed)
}

/// Notes the modules that are mapped now. From the constructor: the loader is our caller, its lock is no danger.
pub fn note_fixed() {
    find::resolve();
    // SAFETY: the callback has the right type and takes no data.
    unsafe { libc::dl_iterate_phdr(Some(note_one), core::ptr::null_mut()) };
}

unsafe extern "C" fn note_one(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    let count = FIXED_COUNT.load(Ordering::Relaxed);
    // SAFETY: the loader passes a valid description.
    let info = unsafe { &*info };
    // SAFETY: only the constructor writes, see `FixedTable`.
    let table = unsafe { &mut *FIXED.0.get() };
    let Some(entry) = table.get_mut(count) else { return 1 };
    *entry = Fixed {
        bias: info.dlpi_addr,
        phdrs: info.dlpi_phdr,
        phdr_count: usize::from(info.dlpi_phnum),
        name: info.dlpi_name,
    };
    FIXED_COUNT.store(count + 1, Ordering::Relaxed);
    0
}

/// The path of the fixed module that holds this address, as the loader knows it.
pub fn path_of(address: u64) -> Option<&'static [u8]> {
    let count = FIXED_COUNT.load(Ordering::Relaxed);
    // SAFETY: complete since the constructor, see `FixedTable`.
    let table = unsafe { &*FIXED.0.get() };
    let module = table.get(..count)?.iter().find(|module| module.holds(address))?;
    // SAFETY: the loader's name of a module that stays.
    Some(unsafe { CStr::from_ptr(module.name) }.to_bytes())
}

/// The fixed modules as unwind tables, each entered into the segment's module table on the way.
pub fn fixed() -> impl Iterator<Item = (Tables, u16)> {
    let count = FIXED_COUNT.load(Ordering::Relaxed);
    // SAFETY: complete since the constructor, see `FixedTable`.
    let table = unsafe { &*FIXED.0.get() };
    table
        .get(..count)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter_map(|(i, module)| module.describe(i == 0))
}

impl Fixed {
    fn holds(&self, address: u64) -> bool {
        // SAFETY: program headers of a module that stays mapped.
        let phdrs = unsafe { core::slice::from_raw_parts(self.phdrs, self.phdr_count) };
        let at = address.wrapping_sub(self.bias);
        phdrs.iter().any(|part| part.p_type == libc::PT_LOAD && at.wrapping_sub(part.p_vaddr) < part.p_memsz)
    }

    fn describe(&self, is_program: bool) -> Option<(Tables, u16)> {
        // SAFETY: program headers of a module that stays mapped.
        let phdrs = unsafe { core::slice::from_raw_parts(self.phdrs, self.phdr_count) };
        let parts = Parts::find(phdrs)?;
        // SAFETY: a range within a loaded segment of a module that stays mapped.
        let memory = |vaddr: u64, bytes: u64| unsafe {
            let start = core::ptr::with_exposed_provenance(self.bias.wrapping_add(vaddr) as usize);
            core::slice::from_raw_parts::<'static, u8>(start, bytes as usize)
        };
        let tables = parts.tables(self.bias, memory);
        let mut build_id = [0u8; BUILD_ID_BYTES_MAX];
        let build_id = parts
            .notes(phdrs)
            .find_map(|(vaddr, bytes)| find_build_id(memory(vaddr, bytes), &mut build_id))
            .map_or(&[][..], |n| build_id.get(..n).unwrap_or_default());
        let mut path = [0u8; PATH_MAX];
        let path = if is_program {
            let n = crate::proc_self::exe(&mut path);
            path.get(..n).unwrap_or_default()
        } else {
            // SAFETY: the loader's name of a module that stays.
            unsafe { CStr::from_ptr(self.name) }.to_bytes()
        };
        let number = lifecycle::add_module(&ModuleInfo {
            bias: self.bias,
            start: tables.range.start,
            end: tables.range.end,
            build_id,
            path,
        });
        Some((tables, number))
    }
}

/// The loader as the unwinder asks it.
pub struct DynamicLoader;

impl Loader for DynamicLoader {
    fn identify(&self, address: u64) -> Option<Identity> {
        if !find::is_there() {
            return maps::identify(address, CLOSINGS.load(Ordering::Relaxed));
        }
        let found = find::find_object(address)?;
        let stamp = (found.link_map as u64)
            ^ (found.eh_frame as u64).rotate_left(32)
            ^ CLOSINGS.load(Ordering::Relaxed).rotate_left(56);
        Some(Identity { start: found.map_start as u64, end: found.map_end as u64, stamp })
    }

    fn load(&self, address: u64, identity: &Identity) -> Option<Admission> {
        if !crate::heap::has_room(ADMISSION_BYTES) {
            return None;
        }
        // Needs more stack than a small thread has; one admission at a time, so one stack serves.
        let mut admission = None;
        crate::private_stack::run(|| {
            let mut path = [0u8; PATH_MAX];
            let path = maps::path_at(address, &mut path);
            admission = load_module(identity.start, path);
        });
        admission
    }

    fn release(&self, token: (usize, usize)) {
        if token.1 != 0 {
            sys::unmap(token.0, token.1);
        }
    }
}

fn load_module(start: u64, path: &[u8]) -> Option<Admission> {
    let headers = Headers::copy(start)?;
    let parts = Parts::find(headers.all())?;
    let bias = start.wrapping_sub(parts.start);
    let mut note = [0u8; 1024];
    let mut build_id = [0u8; BUILD_ID_BYTES_MAX];
    let build_id_bytes = parts
        .notes(headers.all())
        .find_map(|(vaddr, bytes)| {
            let n = sys::copy_checked(bias.wrapping_add(vaddr), note.get_mut(..bytes as usize)?);
            find_build_id(note.get(..n)?, &mut build_id)
        })
        .unwrap_or(0);
    let mapped = parts.segment.and_then(|segment| {
        private::map_file(path, &headers, &segment).or_else(|| private::copy_segment(bias, &segment))
    });
    let tables = match (&mapped, parts.segment) {
        (Some(private), Some(segment)) => parts.tables(bias, |vaddr, bytes| {
            let offset = vaddr.wrapping_sub(segment.p_vaddr) as usize;
            private.bytes.get(offset..offset.saturating_add(bytes as usize)).unwrap_or_default()
        }),
        _ => parts.tables(bias, |_, _| &[]),
    };
    let number = lifecycle::add_module(&ModuleInfo {
        bias,
        start: tables.range.start,
        end: tables.range.end,
        build_id: build_id.get(..build_id_bytes).unwrap_or_default(),
        path,
    });
    Some(Admission { tables, number, token: mapped.map_or((0, 0), |m| m.token) })
}
