//! Collect, residence: whose each mapping of a process is, and so where its resident memory lies. Pure: what the kernel lists
//! and what the hooks booked go in, a [`MemoryReading`] comes out.
//!
//! The kernel joins neighbouring mappings of anonymous memory into one, so the list of mappings is cut where the hooks know
//! better. What is left is told by its form: glibc's arenas begin at a multiple of 64 MiB, stacks of threads have a guard
//! below them, and only an allocator has small blocks. A mapping that the program made and that has blocks in it is an
//! allocator's.

use memguard_inspect::Area;
use memguard_model::{LiveSample, MemoryReading};
use memguard_segment::control;
use std::collections::BTreeSet;

/// glibc's `HEAP_MAX_SIZE`: arenas of threads begin at multiples of it, and none is longer.
const ARENA_ALIGN_BYTES: u64 = 64 << 20;
/// A guard below a stack is not longer than this; what glibc reserves for the growth of an arena mostly is.
const GUARD_BYTES_MAX: u64 = 1 << 20;
/// Blocks from this size on may have a mapping of their own, and need not have been touched.
pub const LARGE_BYTES: u64 = 64 << 10;
/// Data without a file behind it that follows a library's; one with more is rare, the program itself apart.
const LIBRARY_BSS_BYTES_MAX: u64 = 1 << 20;
/// What glibc puts before a block, and what it rounds to.
const GLIBC_HEADER_BYTES: u64 = 8;
const GLIBC_ALIGN_BYTES: u64 = 16;
const GLIBC_CHUNK_BYTES_MIN: u64 = 32;

/// What is known of a process beside its list of mappings.
#[derive(Clone, Default)]
pub struct Known<'a> {
    /// Anonymous mappings and others that the hooks saw being made, by address.
    pub mappings: Vec<Mapped>,
    /// Sampled live blocks.
    pub live: &'a [LiveSample],
    /// Thread descriptors, which lie at the upper end of the stacks that glibc makes.
    pub threads: Vec<u64>,
    /// Name of the session's directory.
    pub session: Option<&'a str>,
    /// Private memory of the interposer.
    pub own: Option<(u64, u64)>,
    /// Whether it has hooks.
    pub is_hooked: bool,
    /// Knows the files of allocators by name.
    pub is_allocator: Option<&'a dyn Fn(&str) -> bool>,
}

/// A mapping that the program made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Whether it is known to be an allocator's.
    pub by_allocator: bool,
}

/// Whose a piece of memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Nobody's that is known: blocks with a mapping of their own, if anybody's.
    Unbooked,
    /// The allocator's first area, or one that holds small blocks.
    Allocator,
    /// An area of glibc's for threads.
    Arena,
    /// The program's own mapping.
    Mapping,
    Stack,
    Module,
    File,
    Shared,
    Own,
    /// Neither readable nor writable.
    Nothing,
}

/// A part of an area that has one owner.
#[derive(Debug)]
struct Piece {
    start: u64,
    end: u64,
    area: usize,
    owner: Owner,
    blocks: Blocks,
    large: Vec<LiveSample>,
}

/// Estimates of the blocks in one piece.
#[derive(Debug, Clone, Copy, Default)]
struct Blocks {
    samples: u64,
    small: u64,
    bytes: f64,
    variance: f64,
    glibc_chunks: f64,
    classes: f64,
}

impl Blocks {
    fn add(&mut self, sample: &LiveSample, touched_share: f64) {
        let p = sample.inclusion_probability.clamp(1e-12, 1.0);
        let size = sample.size_bytes as f64 * touched_share;
        self.samples += 1;
        self.small += u64::from(sample.size_bytes < LARGE_BYTES);
        self.bytes += size / p;
        self.variance += size * size * (1.0 - p) / (p * p);
        self.glibc_chunks += (glibc_chunk(sample.size_bytes) - sample.size_bytes) as f64 / p;
        self.classes += (size_class(sample.size_bytes) - sample.size_bytes) as f64 * touched_share / p;
    }
}

/// What glibc takes for a block.
fn glibc_chunk(size_bytes: u64) -> u64 {
    (size_bytes + GLIBC_HEADER_BYTES).next_multiple_of(GLIBC_ALIGN_BYTES).max(GLIBC_CHUNK_BYTES_MIN)
}

/// What allocators with size classes take: four classes for each doubling.
fn size_class(size_bytes: u64) -> u64 {
    match size_bytes {
        0..=128 => size_bytes.next_multiple_of(16).max(16),
        _ => size_bytes.next_multiple_of(1 << ((size_bytes - 1).ilog2() - 2)),
    }
}

/// Where resident memory lies, and which of the mappings that the program made are an allocator's. `held` says how much of a
/// range is in memory or swap, where that can be asked.
pub fn residence(
    areas: &[Area],
    known: &Known<'_>,
    held: &mut dyn FnMut(u64, u64) -> Option<u64>,
) -> (MemoryReading, BTreeSet<u64>) {
    let owners = owners(areas, known);
    let mut pieces = cut(areas, &owners, known);
    place_blocks(&mut pieces, known.live);
    let is_glibcs = !has_other_allocator(areas, known);
    for piece in &mut pieces {
        settle(piece, areas, is_glibcs, held);
    }
    let mut reading = sums(areas, &pieces, is_glibcs, held);
    reading.is_hooked = known.is_hooked;
    reading.heap_bytes = known.live.iter().map(LiveSample::estimated_bytes).sum();
    let by_allocator = |piece: &&Piece| matches!(piece.owner, Owner::Allocator);
    let allocators = pieces.iter().filter(by_allocator).map(|piece| piece.start).collect();
    (reading, allocators)
}

/// Whether an allocator is loaded that takes the place of glibc's: large blocks too come from its own areas then.
fn has_other_allocator(areas: &[Area], known: &Known<'_>) -> bool {
    let Some(is_allocator) = known.is_allocator else { return false };
    let mut files = areas.iter().filter(|area| area.is_executable && area.is_file);
    files.any(|area| area.name.rsplit('/').next().is_some_and(is_allocator))
}

/// Whose each whole area is, as far as its name and form tell.
fn owners(areas: &[Area], known: &Known<'_>) -> Vec<Owner> {
    let modules: BTreeSet<&str> =
        areas.iter().filter(|area| area.is_executable && area.is_file).map(|area| &*area.name).collect();
    let program = areas.iter().find(|area| area.is_file).map(|area| &*area.name);
    let mut owners: Vec<Owner> = Vec::with_capacity(areas.len());
    for (index, area) in areas.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| Some((areas.get(before)?, *owners.get(before)?)));
        let touches = before.filter(|(neighbour, _)| neighbour.end == area.start);
        let owner = match &*area.name {
            name if is_own(name, area, known.session) => Owner::Own,
            "[heap]" => Owner::Allocator,
            name if name.starts_with("[stack") || name.starts_with("[anon: glibc: pthread stack") => {
                Owner::Stack
            }
            name if name.starts_with("[anon: glibc: malloc") => {
                if area.start.is_multiple_of(ARENA_ALIGN_BYTES) { Owner::Arena } else { Owner::Allocator }
            }
            name if area.is_shared && (is_shared_memory(name) || !area.is_file) => Owner::Shared,
            name if area.is_file && modules.contains(name) => Owner::Module,
            _ if area.is_file => Owner::File,
            name if !(name.is_empty() || name.starts_with("[anon")) => Owner::Nothing,
            _ if !area.is_accessible => Owner::Nothing,
            // What follows the data of a module and has no file is the rest of its data.
            _ if touches.is_some_and(|(neighbour, _)| is_bss(area, neighbour, program)) => {
                touches.map_or(Owner::Module, |(_, owner)| owner)
            }
            _ if is_arena(area, areas.get(index + 1)) => Owner::Arena,
            _ if touches.is_some_and(|(neighbour, _)| is_guard(neighbour, index, areas, &owners)) => {
                Owner::Stack
            }
            _ => Owner::Unbooked,
        };
        owners.push(owner);
    }
    owners
}

/// The interposer and the files by which it talks to us.
fn is_own(name: &str, area: &Area, session: Option<&str>) -> bool {
    let Some((folder, file)) = name.strip_suffix(" (deleted)").unwrap_or(name).rsplit_once('/') else {
        return false;
    };
    let is_ours = file.ends_with(control::SEGMENT_SUFFIX) || file == control::FILE_NAME;
    let in_session = session.is_some_and(|session| folder.ends_with(session));
    (area.is_shared && is_ours && in_session) || file.starts_with("libmemguard") && file.contains(".so")
}

fn is_shared_memory(name: &str) -> bool {
    ["/dev/shm/", "/memfd:", "/SYSV", "/dev/zero"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_bss(area: &Area, neighbour: &Area, program: Option<&str>) -> bool {
    let is_the_programs = program == Some(&*neighbour.name);
    neighbour.is_file
        && neighbour.is_writable
        && !neighbour.is_shared
        && area.is_writable
        && area.name.is_empty()
        && (is_the_programs || area.bytes() <= LIBRARY_BSS_BYTES_MAX)
}

/// An area of glibc's for threads: aligned, and what it may still grow by is reserved behind it, or it is full.
fn is_arena(area: &Area, next: Option<&Area>) -> bool {
    let aligned = area.start.is_multiple_of(ARENA_ALIGN_BYTES) && area.is_writable && !area.is_shared;
    let reserved = next.filter(|next| next.start == area.end && !next.is_accessible);
    let ends = area.end.is_multiple_of(ARENA_ALIGN_BYTES)
        || reserved.is_some_and(|next| next.end >= area.end.next_multiple_of(ARENA_ALIGN_BYTES));
    aligned && ends
}

/// Whether the area before this one is the guard of a stack, and not the reserve of an arena.
fn is_guard(neighbour: &Area, index: usize, areas: &[Area], owners: &[Owner]) -> bool {
    let behind_arena = index.checked_sub(2).is_some_and(|two| {
        owners.get(two) == Some(&Owner::Arena)
            && areas.get(two).is_some_and(|area| area.end == neighbour.start)
    });
    !neighbour.is_accessible && !neighbour.is_file && neighbour.bytes() <= GUARD_BYTES_MAX && !behind_arena
}

/// Cuts plain memory where the hooks know whose a part of it is.
fn cut(areas: &[Area], owners: &[Owner], known: &Known<'_>) -> Vec<Piece> {
    let mut mappings = known.mappings.clone();
    mappings.sort_unstable_by_key(|mapped| mapped.start);
    let mut threads = known.threads.clone();
    threads.sort_unstable();
    let mut pieces = Vec::with_capacity(areas.len());
    for (index, (area, owner)) in areas.iter().zip(owners).enumerate() {
        let mut add = |start: u64, end: u64, owner: Owner| {
            if start < end {
                let (blocks, large) = (Blocks::default(), Vec::new());
                pieces.push(Piece { start, end, area: index, owner, blocks, large });
            }
        };
        if !matches!(owner, Owner::Unbooked | Owner::Stack | Owner::Arena) || area.is_file {
            add(area.start, area.end, *owner);
            continue;
        }
        let mut at = area.start;
        let rest = |from: u64, to: u64, add: &mut dyn FnMut(u64, u64, Owner)| {
            let first = threads.partition_point(|thread| *thread < from);
            let thread = threads.get(first).filter(|thread| **thread < to);
            match thread {
                // The descriptor is the last thing on the page at the stack's end.
                Some(thread) if *owner != Owner::Arena => {
                    let end = (thread + 1).next_multiple_of(4096).min(to);
                    add(from, end, Owner::Stack);
                    add(end, to, Owner::Unbooked);
                }
                _ => add(from, to, *owner),
            }
        };
        let own = known.own.map(|(start, end)| (Mapped { start, end, by_allocator: false }, Owner::Own));
        let before = mappings.partition_point(|mapped| mapped.end <= area.start);
        let here = mappings.iter().skip(before).take_while(|mapped| mapped.start < area.end);
        let here =
            here.map(|mapped| (*mapped, if mapped.by_allocator { Owner::Allocator } else { Owner::Mapping }));
        for (mapped, owner) in
            own.filter(|(own, _)| own.start < area.end && own.end > area.start).into_iter().chain(here)
        {
            let (start, end) = (mapped.start.max(at), mapped.end.min(area.end));
            if start < end {
                rest(at, start, &mut add);
                add(start, end, owner);
                at = end;
            }
        }
        rest(at, area.end, &mut add);
    }
    pieces
}

/// Puts every sampled block into its piece. Of large ones it is asked later whether they were ever touched.
fn place_blocks(pieces: &mut [Piece], live: &[LiveSample]) {
    for sample in live {
        let next = pieces.partition_point(|piece| piece.end <= sample.address);
        let Some(piece) = pieces.get_mut(next).filter(|piece| piece.start <= sample.address) else {
            continue;
        };
        if sample.size_bytes >= LARGE_BYTES {
            piece.large.push(*sample);
        } else {
            piece.blocks.add(sample, 1.0);
        }
    }
}

/// Decides by the blocks in it whose a piece is, and how much of its large blocks is in memory.
fn settle(piece: &mut Piece, areas: &[Area], is_glibcs: bool, held: &mut dyn FnMut(u64, u64) -> Option<u64>) {
    let is_full = areas.get(piece.area).is_some_and(|area| area.held_bytes() >= area.bytes());
    for sample in std::mem::take(&mut piece.large) {
        let bytes = sample.size_bytes;
        let touched = if is_full { None } else { held(sample.address, sample.address + bytes) };
        let share = touched.map_or(1.0, |touched| touched as f64 / bytes as f64);
        piece.blocks.add(&sample, share);
    }
    let blocks = piece.blocks;
    piece.owner = match piece.owner {
        Owner::Mapping if blocks.samples > 0 => Owner::Allocator,
        Owner::Unbooked if blocks.small > 0 || !is_glibcs => Owner::Allocator,
        Owner::Arena if !is_glibcs => Owner::Allocator,
        owner => owner,
    };
}

fn sums(
    areas: &[Area],
    pieces: &[Piece],
    is_glibcs: bool,
    held: &mut dyn FnMut(u64, u64) -> Option<u64>,
) -> MemoryReading {
    let mut reading = MemoryReading::default();
    for area in areas {
        reading.rss_bytes += area.rss_bytes;
        reading.swap_bytes += area.swap_bytes;
        reading.anonymous_bytes += area.anonymous_bytes;
    }
    for of_area in pieces.chunk_by(|one, other| one.area == other.area) {
        let Some(area) = of_area.first().and_then(|piece| areas.get(piece.area)) else { continue };
        let mut left = area.held_bytes();
        for (index, piece) in of_area.iter().enumerate() {
            let is_last = index + 1 == of_area.len();
            let bytes = if is_last { left } else { share_of(area, piece, held).min(left) };
            left -= bytes;
            book(&mut reading, area, piece, is_glibcs, bytes);
        }
    }
    reading
}

/// How much of what an area holds lies in one piece of it.
fn share_of(area: &Area, piece: &Piece, held: &mut dyn FnMut(u64, u64) -> Option<u64>) -> u64 {
    let length = piece.end - piece.start;
    match area.held_bytes() {
        0 => 0,
        all if all >= area.bytes() => length,
        all => held(piece.start, piece.end)
            .unwrap_or_else(|| (all as f64 * length as f64 / area.bytes().max(1) as f64) as u64),
    }
}

fn book(reading: &mut MemoryReading, area: &Area, piece: &Piece, is_glibcs: bool, bytes: u64) {
    let blocks = &piece.blocks;
    let place = match piece.owner {
        Owner::Allocator | Owner::Arena => {
            let is_glibc = is_glibcs && (piece.owner == Owner::Arena || &*area.name == "[heap]");
            reading.live_bytes += blocks.bytes;
            reading.live_variance += blocks.variance;
            reading.overhead_bytes += if is_glibc { blocks.glibc_chunks } else { blocks.classes };
            let share = (piece.end - piece.start) as f64 / area.bytes().max(1) as f64;
            reading.lazy_free_bytes += (area.lazy_free_bytes as f64 * share) as u64;
            if piece.owner == Owner::Arena {
                reading.arena_bytes += bytes;
                reading.arenas += (piece.end - piece.start).div_ceil(ARENA_ALIGN_BYTES);
            }
            &mut reading.allocator_bytes
        }
        Owner::Unbooked => {
            reading.large_live_bytes += blocks.bytes;
            reading.large_live_variance += blocks.variance;
            &mut reading.unbooked_bytes
        }
        Owner::Mapping => &mut reading.mapping_bytes,
        Owner::Stack => &mut reading.stack_bytes,
        Owner::Module => &mut reading.module_bytes,
        Owner::File => &mut reading.file_bytes,
        Owner::Shared => &mut reading.shared_bytes,
        Owner::Own => &mut reading.own_bytes,
        Owner::Nothing => return,
    };
    *place += bytes;
}

#[cfg(test)]
mod tests {
    use super::*;
    use memguard_model::{MemoryPart, StackId};

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const ARENA: u64 = 0x7f00_0400_0000;

    /// A whole mapping, all of it in memory, as the kernel would list it.
    fn area(start: u64, bytes: u64, permissions: &str, name: &str) -> Area {
        let is_file = name.starts_with('/');
        let is_accessible = permissions != "---p";
        let rss_bytes = if is_accessible { bytes } else { 0 };
        Area {
            start,
            end: start + bytes,
            is_accessible,
            is_writable: permissions.contains('w'),
            is_executable: permissions.contains('x'),
            is_shared: permissions.contains('s'),
            is_file,
            name: name.into(),
            rss_bytes,
            anonymous_bytes: if is_file { 0 } else { rss_bytes },
            ..Area::default()
        }
    }

    fn block(address: u64, size_bytes: u64) -> LiveSample {
        LiveSample { address, size_bytes, born_ns: 0, inclusion_probability: 1.0, stack: StackId(1) }
    }

    fn mapped(start: u64, bytes: u64) -> Mapped {
        Mapped { start, end: start + bytes, by_allocator: false }
    }

    fn read(areas: &[Area], known: &Known<'_>) -> MemoryReading {
        let known = Known { is_hooked: true, ..known.clone() };
        let (reading, _) = residence(areas, &known, &mut |_, _| None);
        let sum = reading.parts().sum();
        assert!((sum - reading.rss_bytes as f64).abs() < 1.0, "{sum} {reading:?}");
        reading
    }

    /// Goal: every kind of mapping is known by its name and form. Method: one of each.
    #[test]
    fn each_has_its_owner() {
        let areas = [
            area(0x40_0000, MIB, "r-xp", "/bin/service"),
            area(0x50_0000, MIB, "rw-p", "/bin/service"),
            area(0x60_0000, 9 * MIB, "rw-p", ""),
            area(0x200_0000, 2 * MIB, "rw-p", "[heap]"),
            area(ARENA, 3 * MIB, "rw-p", ""),
            area(ARENA + 3 * MIB, 61 * MIB, "---p", ""),
            area(0x7f10_0000_0000, 64 * KIB, "r--p", "/data/words"),
            area(0x7f10_1000_0000, 4 * KIB, "---p", ""),
            area(0x7f10_1000_1000, 128 * KIB, "rw-p", ""),
            area(0x7f20_0000_0000, 5 * MIB, "rw-s", "/dev/shm/shared"),
            area(0x7f21_0000_0000, 6 * MIB, "rw-s", "/run/sessions/one/1.segment"),
            area(0x7f22_0000_0000, 7 * MIB, "rw-s", "/data/other.segment"),
            area(0x7f23_0000_0000, MIB, "r-xp", "/usr/lib/libmemguard.so"),
            area(0x7f23_0010_0000, 64 * KIB, "rw-p", "/usr/lib/libmemguard.so"),
            area(0x7f23_0011_0000, 64 * KIB, "rw-p", ""),
            area(0x7f30_0000_0000, 160 * KIB, "rw-p", "[stack]"),
            area(0x7f40_0000_0000, 4 * KIB, "r-xp", "[vdso]"),
        ];
        let reading = read(&areas, &Known { session: Some("one"), ..Known::default() });
        assert_eq!(reading.module_bytes, 11 * MIB, "its large bss is the program's");
        assert_eq!(reading.allocator_bytes, 5 * MIB);
        assert_eq!((reading.arena_bytes, reading.arenas), (3 * MIB, 1));
        assert_eq!(reading.file_bytes, 64 * KIB + 7 * MIB);
        assert_eq!(reading.stack_bytes, 288 * KIB);
        assert_eq!(reading.shared_bytes, 5 * MIB);
        assert_eq!(reading.own_bytes, 7 * MIB + 128 * KIB);
        assert_eq!(reading.unbooked_bytes, 0);
    }

    /// Goal: one mapping of the kernel's may be several of the program's. Method: two mappings and a block between them that
    /// the kernel has joined; the block is not the program's mapping, and is known by its sample.
    #[test]
    fn what_the_kernel_has_joined_is_cut() {
        let start = 0x7f50_0010_0000;
        let areas = [area(start, 8 * MIB, "rw-p", "")];
        let live = [block(start + 3 * MIB + 16, 2 * MIB)];
        let known = Known {
            mappings: vec![mapped(start + 5 * MIB, 3 * MIB), mapped(start, 3 * MIB)],
            live: &live,
            ..Known::default()
        };
        let reading = read(&areas, &known);
        assert_eq!((reading.mapping_bytes, reading.unbooked_bytes), (6 * MIB, 2 * MIB));
        let parts = reading.parts();
        assert!((parts.get(MemoryPart::Heap) - (2 * MIB) as f64).abs() < 1.0);
        assert!(parts.get(MemoryPart::Unexplained).abs() < 1.0);
    }

    /// Goal: of a mapping that is not all in memory the pages are asked. Method: two mappings joined, one of them untouched;
    /// a large block of which a quarter was ever written.
    #[test]
    fn pages_are_asked_where_it_matters() {
        let start = 0x7f50_0010_0000;
        let joined =
            Area { rss_bytes: 2 * MIB, anonymous_bytes: 2 * MIB, ..area(start, 4 * MIB, "rw-p", "") };
        let loose =
            Area { rss_bytes: MIB, anonymous_bytes: MIB, ..area(start + 8 * MIB, 4 * MIB, "rw-p", "") };
        let live = [block(start + 8 * MIB + 16, 4 * MIB - 16)];
        let known = Known {
            mappings: vec![mapped(start, 2 * MIB), mapped(start + 2 * MIB, 2 * MIB)],
            live: &live,
            is_hooked: true,
            ..Known::default()
        };
        let mut held = |from: u64, to: u64| {
            let touched = [(start + 2 * MIB, start + 4 * MIB), (start + 8 * MIB, start + 9 * MIB)];
            Some(touched.iter().map(|(a, b)| to.min(*b).saturating_sub(from.max(*a))).sum())
        };
        let (reading, _) = residence(&[joined, loose], &known, &mut held);
        assert_eq!(reading.mapping_bytes, 2 * MIB);
        assert!((reading.large_live_bytes - MIB as f64).abs() < 64.0, "{reading:?}");
        assert!(reading.parts().get(MemoryPart::Unexplained).abs() < 64.0);
    }

    /// Goal: another allocator is known by its blocks. Method: a mapping of the program's with a block in it, and memory that
    /// no hook saw with a small one; both stay the allocator's when they are empty, if that is remembered.
    #[test]
    fn a_mapping_with_blocks_is_an_allocators() {
        let (start, other) = (0x7f50_0010_0000, 0x7f60_0010_0000);
        let areas = [area(start, 4 * MIB, "rw-p", ""), area(other, 2 * MIB, "rw-p", "")];
        let live = [block(start + 64, 100), block(other + 64, 1000)];
        let known = Known {
            mappings: vec![mapped(start, 4 * MIB)],
            live: &live,
            is_hooked: true,
            ..Known::default()
        };
        let (reading, allocators) = residence(&areas, &known, &mut |_, _| None);
        assert_eq!((reading.allocator_bytes, reading.mapping_bytes), (6 * MIB, 0));
        assert!(allocators.contains(&start));
        assert!((reading.needed_bytes() - 1136.0).abs() < 1.0, "{reading:?}");
        let empty = Known {
            mappings: vec![Mapped { by_allocator: true, ..mapped(start, 4 * MIB) }],
            live: &[],
            is_hooked: true,
            ..Known::default()
        };
        let (reading, _) = residence(&areas[..1], &empty, &mut |_, _| None);
        assert_eq!((reading.allocator_bytes, reading.mapping_bytes), (4 * MIB, 0));
        assert!((reading.free_bytes() - (4 * MIB) as f64).abs() < 1.0);
    }

    /// Goal: where another allocator is loaded, memory of nobody is its own, large blocks are not apart, and it rounds in its
    /// own way. Method: the same memory with its library and without.
    #[test]
    fn another_allocator_has_all_that_is_nobodys() {
        let start = 0x7f50_0010_0000;
        let areas = [
            area(start, 4 * MIB, "rw-p", ""),
            area(0x7f70_0000_0000, 64 * KIB, "r-xp", "/usr/lib/libother.so.2"),
        ];
        let live = [block(start + 64, MIB + 1)];
        let of = |name: &'static str| {
            let is_allocator = move |file: &str| file == name;
            let known =
                Known { live: &live, is_hooked: true, is_allocator: Some(&is_allocator), ..Known::default() };
            residence(&areas, &known, &mut |_, _| None).0
        };
        let glibc = of("libnone.so");
        assert_eq!((glibc.unbooked_bytes, glibc.allocator_bytes), (4 * MIB, 0));
        let other = of("libother.so.2");
        assert_eq!((other.unbooked_bytes, other.allocator_bytes), (0, 4 * MIB));
        assert!((other.needed_bytes() - (MIB + 256 * KIB) as f64).abs() < 1.0, "{other:?}");
    }

    /// Goal: a stack ends where its thread's descriptor does, and a block joined to it is no stack; what an arena reserves is
    /// no guard.
    #[test]
    fn stacks_and_what_looks_like_them() {
        let stack = 0x7f50_0010_1000;
        let areas = [
            area(stack - 4 * KIB, 4 * KIB, "---p", ""),
            area(stack, 10 * MIB, "rw-p", ""),
            area(ARENA + 0x100_0000_0000, 63 * MIB, "rw-p", ""),
            area(ARENA + 0x100_0000_0000 + 63 * MIB, MIB, "---p", ""),
            area(ARENA + 0x100_0000_0000 + 64 * MIB, 5 * MIB, "rw-p", ""),
        ];
        let known = Known { threads: vec![stack + 8 * MIB - 0x900], ..Known::default() };
        let reading = read(&areas, &known);
        assert_eq!(
            (reading.stack_bytes, reading.arena_bytes, reading.unbooked_bytes),
            (8 * MIB, 63 * MIB, 7 * MIB)
        );
    }

    /// Goal: hostile tables do no harm. Method: mappings that overlap, end before they begin or lie nowhere, blocks without end.
    #[test]
    fn nonsense_is_bounded() {
        let start = 0x7f50_0010_0000;
        let areas = [area(start, 4 * MIB, "rw-p", ""), area(start + 4 * MIB, MIB, "rw-p", "[heap]")];
        let live =
            [block(0, 1), block(u64::MAX - 5, 1 << 50), block(start + 5, 1 << 55), block(start + 4 * MIB, 9)];
        let known = Known {
            mappings: vec![
                mapped(start, 3 * MIB),
                mapped(start + MIB, 9 * MIB),
                Mapped { start: start + 5, end: start, by_allocator: true },
                Mapped { start: u64::MAX - 1, end: u64::MAX, by_allocator: false },
            ],
            live: &live,
            threads: vec![0, start + 9, u64::MAX],
            own: Some((u64::MAX, 0)),
            ..Known::default()
        };
        let reading = read(&areas, &known);
        assert_eq!(reading.rss_bytes, 5 * MIB);
    }
}
