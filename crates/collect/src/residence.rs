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
#[derive(Debug, Default)]
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
    for piece in &mut pieces {
        settle(piece, areas, held);
    }
    let mut reading = sums(areas, &pieces, held);
    reading.is_hooked = known.is_hooked;
    let by_allocator = |piece: &&Piece| matches!(piece.owner, Owner::Allocator);
    let allocators = pieces.iter().filter(by_allocator).map(|piece| piece.start).collect();
    (reading, allocators)
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
fn settle(piece: &mut Piece, areas: &[Area], held: &mut dyn FnMut(u64, u64) -> Option<u64>) {
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
        Owner::Unbooked if blocks.small > 0 => Owner::Allocator,
        owner => owner,
    };
}

fn sums(areas: &[Area], pieces: &[Piece], held: &mut dyn FnMut(u64, u64) -> Option<u64>) -> MemoryReading {
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
            book(&mut reading, area, piece, bytes);
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

fn book(reading: &mut MemoryReading, area: &Area, piece: &Piece, bytes: u64) {
    let blocks = &piece.blocks;
    let place = match piece.owner {
        Owner::Allocator | Owner::Arena => {
            let is_glibc = piece.owner == Owner::Arena || &*area.name == "[heap]";
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
