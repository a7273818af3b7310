//! Interposer: which module (program, library) is mapped where. In: the dynamic loader's data, read without its
//! lock. Out: unwind tables for [`memguard_unwind::ModuleSet`] and entries in the segment's module table.
//!
//! Fixed modules are those mapped when our constructor ran: the loader never unmaps them, their tables are read in
//! place. Dynamic ones come and go by dlopen and dlclose, in other threads, while we walk. Their tables are never
//! read in place: the module's file is mapped once more, privately, after its program headers were compared with
//! what is in memory; if that fails, the tables are copied with a system call that cannot fault.

use crate::lifecycle;
use crate::sys::{self, File};
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use memguard_segment::{BUILD_ID_BYTES_MAX, ModuleInfo};
use memguard_unwind::{Admission, Identity, Loader, Tables, eh_frame_address};

type Phdr = libc::Elf64_Phdr;
type Ehdr = libc::Elf64_Ehdr;

/// Most modules that are recorded at start-up.
const FIXED_MAX: usize = 512;
/// Most program headers looked at in one module.
const PHDRS_MAX: usize = 32;
/// Largest tables that are copied when their file cannot be mapped, in bytes.
const COPY_BYTES_MAX: usize = 4 << 20;
const PATH_MAX: usize = 4096;

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
static FIXED_COUNT: AtomicUsize = AtomicUsize::new(0);
static FIND_OBJECT: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
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

/// Notes the modules that are mapped now. From the constructor: the loader is our caller, its lock is no danger.
pub fn note_fixed() {
    FIND_OBJECT.store(crate::real::optional(c"_dl_find_object"), Ordering::Relaxed);
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

/// The parts of a module that matter here, as addresses of its file's own address space.
struct Parts {
    start: u64,
    end: u64,
    /// `.eh_frame_hdr`: address and size.
    hdr: Option<(u64, u64)>,
    /// The loaded segment that `.eh_frame_hdr` lies in.
    segment: Option<Phdr>,
}

impl Parts {
    fn find(phdrs: &[Phdr]) -> Option<Self> {
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
    fn tables(&self, bias: u64, memory: impl Fn(u64, u64) -> &'static [u8]) -> Tables {
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
    fn notes(&self, phdrs: &[Phdr]) -> impl Iterator<Item = (u64, u64)> {
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
fn find_build_id(mut notes: &[u8], out: &mut [u8; BUILD_ID_BYTES_MAX]) -> Option<usize> {
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

/// glibc's `struct dl_find_object` (dlfcn.h, since 2.35; the layout of x86-64 and `AArch64`).
#[repr(C)]
struct FoundObject {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

fn find_object(address: u64) -> Option<FoundObject> {
    let function = FIND_OBJECT.load(Ordering::Relaxed);
    if function.is_null() {
        return None;
    }
    let mut found = FoundObject {
        flags: 0,
        map_start: core::ptr::null_mut(),
        map_end: core::ptr::null_mut(),
        link_map: core::ptr::null_mut(),
        eh_frame: core::ptr::null_mut(),
        reserved: [0; 7],
    };
    // SAFETY: dlsym found the function under its name, whose type glibc fixes; lock-free and async-signal-safe.
    let answer = unsafe {
        let function: unsafe extern "C" fn(*mut c_void, *mut FoundObject) -> c_int =
            core::mem::transmute(function);
        function(core::ptr::with_exposed_provenance_mut(address as usize), &raw mut found)
    };
    (answer == 0).then_some(found)
}

/// The loader as the unwinder asks it.
pub struct DynamicLoader;

impl Loader for DynamicLoader {
    fn identify(&self, address: u64) -> Option<Identity> {
        if FIND_OBJECT.load(Ordering::Relaxed).is_null() {
            return maps::identify(address, CLOSINGS.load(Ordering::Relaxed));
        }
        let found = find_object(address)?;
        let stamp = (found.link_map as u64)
            ^ (found.eh_frame as u64).rotate_left(32)
            ^ CLOSINGS.load(Ordering::Relaxed).rotate_left(56);
        Some(Identity { start: found.map_start as u64, end: found.map_end as u64, stamp })
    }

    fn load(&self, address: u64, identity: &Identity) -> Option<Admission> {
        if !crate::heap::has_room() {
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

/// The program headers of a module, copied from memory that may vanish.
struct Headers {
    phdrs: [Phdr; PHDRS_MAX],
    count: usize,
    offset: u64,
}

impl Headers {
    fn copy(start: u64) -> Option<Self> {
        // SAFETY: both are plain integers, for which zero is a value.
        let (mut ehdr, mut phdrs): (Ehdr, [Phdr; PHDRS_MAX]) = unsafe { core::mem::zeroed() };
        let bytes = core::mem::size_of::<Ehdr>();
        if sys::copy_checked(start, bytes_of_mut(core::slice::from_mut(&mut ehdr))) != bytes
            || ehdr.e_ident.get(..4) != Some(b"\x7fELF")
            || usize::from(ehdr.e_phentsize) != core::mem::size_of::<Phdr>()
        {
            return None;
        }
        let count = usize::from(ehdr.e_phnum).min(PHDRS_MAX);
        let into = bytes_of_mut(phdrs.get_mut(..count)?);
        let wanted = into.len();
        (sys::copy_checked(start.wrapping_add(ehdr.e_phoff), into) == wanted).then_some(Self {
            phdrs,
            count,
            offset: ehdr.e_phoff,
        })
    }

    fn all(&self) -> &[Phdr] {
        self.phdrs.get(..self.count).unwrap_or_default()
    }
}

fn bytes_of_mut<T: Copy>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: used with the ELF structures only: integers without padding, for which every bit pattern is a value.
    unsafe { core::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), core::mem::size_of_val(values)) }
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
    let mapped = parts
        .segment
        .and_then(|segment| map_file(path, &headers, &segment).or_else(|| copy_segment(bias, &segment)));
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

/// A private view of one loaded segment's bytes.
struct Private {
    bytes: &'static [u8],
    token: (usize, usize),
}

/// Maps the segment from the module's file, if the file is still the one that was loaded.
fn map_file(path: &[u8], headers: &Headers, segment: &Phdr) -> Option<Private> {
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
fn copy_segment(bias: u64, segment: &Phdr) -> Option<Private> {
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

/// `/proc/self/maps`: paths of modules, and their ranges where the loader cannot be asked without its lock.
mod maps {
    use super::{File, Identity};
    use core::cell::UnsafeCell;
    use core::sync::atomic::{AtomicBool, Ordering};

    /// The one read buffer: too large for a small stack. Whoever finds it in use goes without an answer.
    static BUFFER: Buffer = Buffer { busy: AtomicBool::new(false), bytes: UnsafeCell::new([0; 4608]) };

    struct Buffer {
        busy: AtomicBool,
        bytes: UnsafeCell<[u8; 4608]>,
    }

    // SAFETY: `bytes` is reached only through the one `Taken` that `busy` admits.
    unsafe impl Sync for Buffer {}

    struct Taken(&'static Buffer);

    impl Buffer {
        fn take(&'static self) -> Option<Taken> {
            (!self.busy.swap(true, Ordering::Acquire)).then_some(Taken(self))
        }
    }

    impl Taken {
        fn bytes(&mut self) -> &mut [u8; 4608] {
            // SAFETY: see `Buffer`.
            unsafe { &mut *self.0.bytes.get() }
        }
    }

    impl Drop for Taken {
        fn drop(&mut self) {
            self.0.busy.store(false, Ordering::Release);
        }
    }

    /// For a fork child, whose other threads do not exist any more.
    pub fn reset() {
        BUFFER.busy.store(false, Ordering::Relaxed);
    }

    /// One line: address range, offset in the file, path.
    struct Line<'a> {
        start: u64,
        end: u64,
        path: &'a [u8],
    }

    fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
        let digits = text.iter().take_while(|c| c.is_ascii_hexdigit()).count();
        let value = text.get(..digits)?.iter().fold(0u64, |value, c| {
            let digit = (*c as char).to_digit(16).unwrap_or(0);
            value.wrapping_mul(16).wrapping_add(u64::from(digit))
        });
        (digits > 0).then_some((value, text.get(digits..)?))
    }

    fn parse(line: &[u8]) -> Option<Line<'_>> {
        let (start, rest) = hex(line)?;
        let (end, rest) = hex(rest.strip_prefix(b"-")?)?;
        let path = rest.iter().position(|c| *c == b'/').and_then(|at| rest.get(at..)).unwrap_or_default();
        Some(Line { start, end, path })
    }

    /// Calls `visit` with every line until it returns true. No allocation; lines longer than the buffer are cut.
    fn scan(mut visit: impl FnMut(&Line<'_>) -> bool) {
        let Ok(file) = File::open(c"/proc/self/maps", libc::O_RDONLY, 0) else { return };
        let Some(mut buffer) = BUFFER.take() else { return };
        let buffer = buffer.bytes();
        let (mut offset, mut kept) = (0u64, 0usize);
        loop {
            let Some(room) = buffer.get_mut(kept..) else { return };
            let n = file.read_at_most(room, offset);
            if n == 0 {
                return;
            }
            offset += n as u64;
            let filled = kept + n;
            let mut from = 0;
            while let Some(text) = buffer.get(from..filled) {
                let Some(length) = text.iter().position(|c| *c == b'\n') else { break };
                if text.get(..length).and_then(parse).is_some_and(|line| visit(&line)) {
                    return;
                }
                from += length + 1;
            }
            buffer.copy_within(from.min(filled)..filled, 0);
            kept = filled - from.min(filled);
            if kept == buffer.len() {
                kept = 0;
            }
        }
    }

    /// The path of the file mapped at an address.
    pub fn path_at(address: u64, out: &mut [u8]) -> &[u8] {
        let mut length = 0;
        scan(|line| {
            let here = line.start <= address && address < line.end;
            if here {
                length = line.path.len().min(out.len());
                for (to, from) in out.iter_mut().zip(line.path) {
                    *to = *from;
                }
            }
            here
        });
        out.get(..length).unwrap_or_default()
    }

    /// The module at an address: the run of mappings of one file around it.
    pub fn identify(address: u64, closings: u64) -> Option<Identity> {
        let mut path = [0u8; 512];
        let mut path_bytes = 0;
        let (mut start, mut end, mut found) = (0, 0, false);
        scan(|line| {
            let same = path.get(..path_bytes) == Some(line.path) && !line.path.is_empty();
            if !same || line.path.is_empty() {
                if found {
                    return true;
                }
                start = line.start;
                path_bytes = line.path.len();
                match path.get_mut(..path_bytes) {
                    Some(into) => into.copy_from_slice(line.path),
                    None => path_bytes = 0,
                }
            }
            end = line.end;
            found |= path_bytes != 0 && line.start <= address && address < line.end;
            false
        });
        found.then_some(Identity { start, end, stamp: closings })
    }
}
