//! Modules that come and go while stacks are walked, under a loader that exists in this file only: who is admitted,
//! when, how often, and that a module's tables are given back exactly once and never under somebody's feet.

mod common;

use common::{expected_callers, modules, pool, registers, sealed, stack_from};
use memguard_unwind::{
    Admission, DYNAMIC_MODULES_MAX, Identity, Lease, Loader, ModuleSet, Page, Registers, StackMemory, Tables,
    Walk, WalkEnd, walk,
};
use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard};

const MODULE_BYTES: u64 = 0x1000;

/// What is mapped, and what was asked for.
#[derive(Default)]
struct Mapped {
    identities: Vec<Identity>,
    stamps: u64,
    /// Tokens given out and not taken back.
    outstanding: HashSet<(usize, usize)>,
    tokens: usize,
    loads: Vec<Identity>,
    released: usize,
    refuse: bool,
}

/// What a test does in the middle of a load.
type DuringLoad<'a> = Box<dyn Fn(&FakeLoader<'_>, &Identity) + Send + Sync + 'a>;

#[derive(Default)]
struct FakeLoader<'a> {
    mapped: Mutex<Mapped>,
    loading: AtomicBool,
    during_load: Option<DuringLoad<'a>>,
}

impl<'a> FakeLoader<'a> {
    /// One that does something in the middle of every load.
    fn that(during_load: impl Fn(&FakeLoader<'_>, &Identity) + Send + Sync + 'a) -> Self {
        Self { during_load: Some(Box::new(during_load)), ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, Mapped> {
        self.mapped.lock().unwrap()
    }

    /// Maps a module, in place of what is mapped within its range.
    fn map(&self, start: u64, end: u64) -> Identity {
        self.unmap(start, end);
        let mut state = self.state();
        state.stamps += 1;
        let identity = Identity { start, end, stamp: state.stamps };
        state.identities.push(identity);
        identity
    }

    fn unmap(&self, start: u64, end: u64) {
        self.state().identities.retain(|i| i.end <= start || end <= i.start);
    }

    fn loads(&self) -> usize {
        self.state().loads.len()
    }

    fn released(&self) -> usize {
        self.state().released
    }
}

impl Loader for FakeLoader<'_> {
    fn identify(&self, address: u64) -> Option<Identity> {
        self.state().identities.iter().find(|i| (i.start..i.end).contains(&address)).copied()
    }

    fn load(&self, address: u64, identity: &Identity) -> Option<Admission> {
        assert!(!self.loading.swap(true, Ordering::SeqCst), "one thread at a time");
        assert!((identity.start..identity.end).contains(&address));
        if let Some(during_load) = &self.during_load {
            during_load(self, identity);
        }
        let mut state = self.state();
        state.loads.push(*identity);
        self.loading.store(false, Ordering::SeqCst);
        if state.refuse {
            return None;
        }
        state.tokens += 1;
        let token = (state.tokens, identity.stamp as usize);
        state.outstanding.insert(token);
        // Without tables framehop goes by frame pointers, which the stacks of this file have.
        let range = identity.start..identity.end;
        let tables = Tables {
            range,
            bias: identity.start,
            eh_frame_hdr_address: 0,
            eh_frame_hdr: &[],
            eh_frame_address: 0,
            eh_frame: &[],
        };
        Some(Admission { tables, number: identity.stamp as u16, token })
    }

    fn release(&self, token: (usize, usize)) {
        let mut state = self.state();
        assert!(state.outstanding.remove(&token), "{token:?} is given back once");
        state.released += 1;
    }
}

/// A stack whose frames, linked by frame pointers, return to these addresses.
fn stack_of(returns: &[u64]) -> (Registers, &'static [u64]) {
    // Room behind the last frame: who looks for a kernel's frame looks further.
    let words = Box::leak(vec![u64::MAX; 2 * returns.len() + 64].into_boxed_slice());
    let base = words.as_ptr().expose_provenance() as u64;
    for (i, pair) in words.chunks_exact_mut(2).take(returns.len()).enumerate() {
        let next = returns.get(i + 1).copied();
        pair[0] = next.map_or(0, |_| base + 16 * (i as u64 + 1));
        pair[1] = next.unwrap_or(0);
    }
    (Registers { ip: returns[0], sp: base, fp: base }, words)
}

/// Walks through these return addresses, which is complete whatever module they lie in.
fn walk_through(returns: &[u64], set: &ModuleSet, loader: &impl Loader, scratch: &mut Lease<'_>) -> Walk {
    let (registers, words) = stack_of(returns);
    // SAFETY: leaked memory.
    let mut stack =
        unsafe { StackMemory::new(registers.sp, registers.sp + 8 * words.len() as u64, |_, _| false) };
    let walked = walk(registers, &mut stack, set, loader, scratch);
    assert_eq!(walked.end, WalkEnd::Complete);
    assert_eq!(&scratch.frames[..walked.frames], returns);
    walked
}

/// No fixed modules that matter, in a set that is ready for walks.
fn empty_set() -> Box<ModuleSet> {
    let mut set = Box::new(ModuleSet::new());
    set.seal(std::iter::empty());
    set
}

/// Start of the fake module of this number.
fn place(i: u64) -> u64 {
    0x7000_0000_0000 + i * 0x10_0000
}

fn number_at(set: &ModuleSet, address: u64) -> Option<u16> {
    set.at(address).map(|range| range.number)
}

#[test]
fn a_module_is_admitted_once() {
    let (set, pool, loader) = (empty_set(), pool(1), FakeLoader::default());
    let identities = [0, 1, 2].map(|i| loader.map(place(i), place(i) + MODULE_BYTES));
    let mut scratch = pool.lease(0).unwrap();
    for _ in 0..5 {
        walk_through(
            &[place(0) + 10, place(1) + 20, place(0) + 30, place(2) + 40],
            &set,
            &loader,
            &mut scratch,
        );
    }
    assert_eq!(loader.loads(), 3);
    for identity in identities {
        let range = set.at(identity.start + 5).unwrap();
        assert_eq!((range.start, range.end), (identity.start, identity.end));
        assert_eq!((range.bias, u64::from(range.number)), (identity.start, identity.stamp));
    }
    // A return address may be the first byte behind its module; one byte further is outside.
    walk_through(&[place(0) + MODULE_BYTES], &set, &loader, &mut scratch);
    walk_through(&[place(0) + MODULE_BYTES + 1], &set, &loader, &mut scratch);
    assert_eq!((loader.loads(), loader.released()), (3, 0));
    assert_eq!(set.at(place(0) + MODULE_BYTES), None);
}

#[test]
fn another_module_at_the_address_takes_the_slot_over() {
    let (set, pool, loader) = (empty_set(), pool(1), FakeLoader::default());
    let mut scratch = pool.lease(0).unwrap();
    let mut hashes = HashSet::new();
    for life in 1..=20u64 {
        let identity = loader.map(place(0), place(0) + MODULE_BYTES);
        assert_eq!(identity.stamp, life);
        for _ in 0..3 {
            hashes.insert(walk_through(&[place(0) + 10], &set, &loader, &mut scratch).hash);
        }
        assert_eq!((loader.loads() as u64, loader.released() as u64), (life, life - 1));
        assert_eq!(number_at(&set, place(0)), Some(life as u16));
        assert_eq!(hashes.len() as u64, life, "a stack through another module is another stack");
    }
    assert_eq!(loader.state().outstanding.len(), 1);
}

#[test]
fn a_closed_module_is_no_module() {
    let (set, pool, loader) = (empty_set(), pool(1), FakeLoader::default());
    let mut scratch = pool.lease(0).unwrap();
    loader.map(place(0), place(0) + MODULE_BYTES);
    let open = walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
    loader.unmap(place(0), place(0) + MODULE_BYTES);
    let closed = walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
    assert_ne!(open.hash, closed.hash);
    assert_eq!(loader.loads(), 1);
}

/// The new module begins elsewhere and covers only a part of the old one, so that the old one is not noticed at first.
#[test]
fn a_module_that_overlaps_a_closed_one_is_found_by_all_its_addresses() {
    let (set, pool, loader) = (empty_set(), pool(1), FakeLoader::default());
    let mut scratch = pool.lease(0).unwrap();
    loader.map(place(0), place(0) + 4 * MODULE_BYTES);
    walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
    let new = loader.map(place(0) + 2 * MODULE_BYTES, place(0) + 6 * MODULE_BYTES);
    for at in [5, 3, 2, 5, 3] {
        walk_through(&[place(0) + at * MODULE_BYTES + 10], &set, &loader, &mut scratch);
        assert_eq!(loader.loads(), 2, "the old one and the new one");
    }
    assert_eq!(number_at(&set, place(0) + 3 * MODULE_BYTES), Some(new.stamp as u16));
}

#[test]
fn a_load_that_fails_leaves_nothing_behind() {
    let (set, pool, loader) = (empty_set(), pool(1), FakeLoader::default());
    let mut scratch = pool.lease(0).unwrap();
    loader.map(place(0), place(0) + MODULE_BYTES);
    loader.state().refuse = true;
    for attempt in 1..=600 {
        walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
        assert_eq!((loader.loads(), loader.released()), (attempt, 0));
        assert_eq!(set.at(place(0)), None);
    }
    loader.state().refuse = false;
    walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
    assert_eq!(number_at(&set, place(0)), Some(1));
}

#[test]
fn a_module_that_goes_while_it_is_loaded_is_not_admitted() {
    let (set, pool) = (empty_set(), pool(1));
    let changes = AtomicUsize::new(2);
    let loader = FakeLoader::that(|loader, identity| match changes.load(Ordering::Relaxed) {
        2 => drop(loader.map(identity.start, identity.end)),
        1 => loader.unmap(identity.start, identity.end),
        _ => {}
    });
    let mut scratch = pool.lease(0).unwrap();
    loader.map(place(0), place(0) + MODULE_BYTES);
    for (loads, released) in [(1, 1), (2, 2)] {
        walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
        assert_eq!((loader.loads(), loader.released()), (loads, released));
        assert_eq!(set.at(place(0)), None);
        changes.fetch_sub(1, Ordering::Relaxed);
    }
    let last = loader.map(place(0), place(0) + MODULE_BYTES);
    walk_through(&[place(0) + 10], &set, &loader, &mut scratch);
    assert_eq!((loader.loads(), loader.released()), (3, 2));
    assert_eq!(number_at(&set, place(0)), Some(last.stamp as u16));
}

#[test]
fn while_one_admits_others_go_without() {
    let (set, pool) = (empty_set(), pool(2));
    let (inside, go_on) = (Barrier::new(2), Barrier::new(2));
    let first = AtomicBool::new(true);
    let loader = FakeLoader::that(|_, _| {
        if first.swap(false, Ordering::Relaxed) {
            inside.wait();
            go_on.wait();
        }
    });
    for i in 0..2 {
        loader.map(place(i), place(i) + MODULE_BYTES);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| walk_through(&[place(0) + 10], &set, &loader, &mut pool.lease(0).unwrap()));
        inside.wait();
        // The same module and another: both walks go on at once, with what they know.
        let mut scratch = pool.lease(1).unwrap();
        walk_through(&[place(0) + 10, place(1) + 10], &set, &loader, &mut scratch);
        assert_eq!((loader.loads(), set.at(place(0)), set.at(place(1))), (0, None, None));
        go_on.wait();
    });
    walk_through(&[place(0) + 10, place(1) + 10], &set, &loader, &mut pool.lease(0).unwrap());
    assert_eq!((loader.loads(), number_at(&set, place(0)), number_at(&set, place(1))), (2, Some(1), Some(2)));
    // A fork child forgets about the thread that was admitting; nothing changes where none was.
    set.reset();
    walk_through(&[place(0) + 10], &set, &loader, &mut pool.lease(0).unwrap());
    assert_eq!(loader.loads(), 2);
}

/// A walk stands still in the middle of a module's frame; meanwhile the module is replaced. Its tables stay until the
/// walk is over.
#[test]
fn tables_stay_as_long_as_a_walk_uses_them() {
    static INSIDE: Barrier = Barrier::new(2);
    static GO_ON: Barrier = Barrier::new(2);
    static PAUSES: AtomicBool = AtomicBool::new(true);
    fn pause(page: u64, to: &mut MaybeUninit<Page>) -> bool {
        if PAUSES.swap(false, Ordering::Relaxed) {
            INSIDE.wait();
            GO_ON.wait();
        }
        common::copy_page(page, to)
    }
    let (set, pool, loader) = (empty_set(), pool(2), FakeLoader::default());
    loader.map(place(0), place(0) + MODULE_BYTES);
    walk_through(&[place(0) + 10], &set, &loader, &mut pool.lease(0).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let words: &'static mut [u64; 64] = Box::leak(Box::new([u64::MAX; 64]));
            let base = words.as_ptr().expose_provenance() as u64;
            (words[2], words[3], words[4], words[5]) = (base + 32, place(0) + 20, 0, 0);
            // The word at the stack pointer is known, the frame is not: reading it asks, in the middle of the module.
            // SAFETY: leaked memory, all of it.
            let mut stack = unsafe { StackMemory::new(base, base + 8, pause) };
            let registers = Registers { ip: place(0) + 10, sp: base, fp: base + 16 };
            walk(registers, &mut stack, &set, &loader, &mut pool.lease(1).unwrap());
        });
        INSIDE.wait();
        for life in 2..6 {
            loader.map(place(0), place(0) + MODULE_BYTES);
            walk_through(&[place(0) + 10], &set, &loader, &mut pool.lease(0).unwrap());
            assert_eq!(loader.loads(), life);
            assert!(loader.state().outstanding.contains(&(1, 1)), "the first life's tables are in use");
        }
        GO_ON.wait();
    });
    for _ in 0..2 {
        loader.map(place(0), place(0) + MODULE_BYTES);
        walk_through(&[place(0) + 10], &set, &loader, &mut pool.lease(0).unwrap());
    }
    assert!(!loader.state().outstanding.contains(&(1, 1)), "given back when the slot was next needed");
}

#[test]
fn when_all_slots_are_taken_closed_modules_make_room() {
    const SLOTS: u64 = DYNAMIC_MODULES_MAX as u64;
    let (set, pool, loader) = (empty_set(), pool(1), FakeLoader::default());
    let mut scratch = pool.lease(0).unwrap();
    for i in 0..=SLOTS {
        loader.map(place(i), place(i) + MODULE_BYTES);
        walk_through(&[place(i) + 10], &set, &loader, &mut scratch);
    }
    assert_eq!(loader.loads() as u64, SLOTS, "the last finds no slot");
    for _ in 0..100 {
        walk_through(&[place(SLOTS) + 10], &set, &loader, &mut scratch);
    }
    assert_eq!((loader.loads() as u64, loader.released()), (SLOTS, 0), "nobody has to go for it");
    // A plugin that comes to another address every time.
    for i in 0..SLOTS / 2 {
        loader.unmap(place(i), place(i) + MODULE_BYTES);
    }
    for i in SLOTS..SLOTS + SLOTS / 2 {
        loader.map(place(i), place(i) + MODULE_BYTES);
        // Slots are looked at a few at a time.
        for _ in 0..SLOTS {
            walk_through(&[place(i) + 10], &set, &loader, &mut scratch);
        }
        assert!(set.at(place(i)).is_some());
    }
    let state = loader.state();
    assert_eq!((state.loads.len() as u64, state.released as u64), (SLOTS + SLOTS / 2, SLOTS / 2));
}

/// A working memory belongs to one thread at a time.
#[test]
fn a_lease_is_exclusive() {
    let pool = pool(2);
    let turns = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for id in 1..=3u64 {
            let (pool, turns) = (&pool, &turns);
            scope.spawn(move || {
                while turns.load(Ordering::Relaxed) < 30_000 {
                    let Some(mut scratch) = pool.lease(id as usize) else { continue };
                    for _ in 0..4 {
                        scratch.frames[..8].fill(id);
                        black_box(&mut scratch.frames);
                        assert_eq!(scratch.frames[..8], [id; 8], "somebody else was here");
                    }
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
}

/// Copies of this program's own tables, as modules at made-up addresses: their bytes are unmapped on release, so that
/// whoever still reads them is killed.
struct GhostLoader {
    original: Tables,
    mapped: Vec<AtomicU64>,
    outstanding: Mutex<HashMap<(usize, usize), Identity>>,
    loads: Mutex<HashMap<(u64, u64), usize>>,
    loading: AtomicBool,
}

const GHOSTS: u64 = 6;

impl GhostLoader {
    fn new() -> Self {
        let here = expected_callers as fn() -> Vec<u64> as usize as u64;
        let original = modules().into_iter().find(|tables| tables.range.contains(&here)).unwrap();
        Self {
            original,
            mapped: (0..GHOSTS).map(|_| AtomicU64::new(1)).collect(),
            outstanding: Mutex::default(),
            loads: Mutex::default(),
            loading: AtomicBool::new(false),
        }
    }

    /// How far the ghost lies from the program.
    fn offset(i: u64) -> u64 {
        0x1000_0000_0000 * (i + 1)
    }

    /// The ghost of a code address of the program.
    fn ghost(&self, i: u64, address: u64) -> u64 {
        (address - self.original.range.start) + Self::offset(i)
    }
}

impl Loader for GhostLoader {
    fn identify(&self, address: u64) -> Option<Identity> {
        let bytes = self.original.range.end - self.original.range.start;
        let i = (0..GHOSTS).find(|i| (Self::offset(*i)..Self::offset(*i) + bytes).contains(&address))?;
        // Even stamps: not mapped just now.
        let stamp = self.mapped[i as usize].load(Ordering::SeqCst);
        (stamp % 2 == 1).then_some(Identity { start: Self::offset(i), end: Self::offset(i) + bytes, stamp })
    }

    fn load(&self, _: u64, identity: &Identity) -> Option<Admission> {
        assert!(!self.loading.swap(true, Ordering::SeqCst), "one thread at a time");
        let times = {
            let mut loads = self.loads.lock().unwrap();
            let times = loads.entry((identity.start, identity.stamp)).or_default();
            *times += 1;
            *times
        };
        assert_eq!(times, 1, "a module is loaded once");
        let original = &self.original;
        let bytes = original.eh_frame_hdr.len() + original.eh_frame.len();
        // SAFETY: a fresh anonymous mapping.
        let block = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(block, libc::MAP_FAILED);
        // SAFETY: ours alone until it is returned; unmapped on release, which is what this test is about.
        let copy = unsafe { std::slice::from_raw_parts_mut::<'static, u8>(block.cast(), bytes) };
        let (hdr, eh_frame) = copy.split_at_mut(original.eh_frame_hdr.len());
        hdr.copy_from_slice(original.eh_frame_hdr);
        eh_frame.copy_from_slice(original.eh_frame);
        let shift = |address: u64| address - original.range.start + identity.start;
        let tables = Tables {
            range: identity.start..identity.end,
            bias: shift(original.bias),
            eh_frame_hdr_address: shift(original.eh_frame_hdr_address),
            eh_frame_hdr: hdr,
            eh_frame_address: shift(original.eh_frame_address),
            eh_frame,
        };
        let token = (block as usize, bytes);
        assert!(self.outstanding.lock().unwrap().insert(token, *identity).is_none());
        self.loading.store(false, Ordering::SeqCst);
        Some(Admission { tables, number: 7, token })
    }

    fn release(&self, token: (usize, usize)) {
        assert!(self.outstanding.lock().unwrap().remove(&token).is_some(), "given back once");
        // SAFETY: the mapping of the admission, whose last user has left.
        unsafe { libc::munmap(std::ptr::with_exposed_provenance_mut(token.0), token.1) };
    }
}

/// Walks from here as if this code lay in the ghost; whether it got to where the real code gets.
#[inline(never)]
fn walk_from_ghost(i: u64, loader: &GhostLoader, set: &ModuleSet, scratch: &mut Lease<'_>) -> bool {
    let expected = expected_callers();
    let registers = registers!();
    let registers = Registers { ip: loader.ghost(i, registers.ip), ..registers };
    let walked = walk(registers, &mut stack_from(registers.sp), set, loader, scratch);
    assert_eq!(scratch.frames[0], registers.ip);
    black_box(scratch.frames[1..walked.frames] == expected)
}

#[test]
fn a_ghost_is_walked_like_its_original() {
    let (set, pool, loader) = (sealed(), pool(1), GhostLoader::new());
    for i in (0..GHOSTS).chain(0..GHOSTS) {
        assert!(walk_from_ghost(i, &loader, &set, &mut pool.lease(0).unwrap()));
    }
    assert_eq!(loader.loads.lock().unwrap().len() as u64, GHOSTS);
}

/// Three threads walk through modules that a fourth opens, closes and replaces all the time.
#[test]
fn walks_and_closings_do_not_meet() {
    const ADMISSIONS: usize = 2_000;
    let (set, pool, loader) = (sealed(), pool(3), GhostLoader::new());
    let (over, walks, right) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let admissions = || loader.loads.lock().unwrap().len();
    std::thread::scope(|scope| {
        for thread in 0..3usize {
            let (set, pool, loader, over, walks, right) = (&set, &pool, &loader, &over, &walks, &right);
            scope.spawn(move || {
                for i in 0.. {
                    let mut scratch = pool.lease(thread).unwrap();
                    let found = walk_from_ghost(i % GHOSTS, loader, set, &mut scratch);
                    right.fetch_add(u64::from(found), Ordering::Relaxed);
                    walks.fetch_add(1, Ordering::Relaxed);
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        let mut turns = 0;
        while admissions() < ADMISSIONS && turns < 50 * ADMISSIONS {
            // Now it is closed, now another is there, now it is replaced at one stroke.
            for by in [1, 1, 2] {
                loader.mapped[turns % GHOSTS as usize].fetch_add(by, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros(10));
                turns += 1;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    // In the end everything is mapped, and every walk is right again.
    for (i, stamp) in loader.mapped.iter().enumerate() {
        stamp.fetch_or(1, Ordering::SeqCst);
        assert!(walk_from_ghost(i as u64, &loader, &set, &mut pool.lease(0).unwrap()));
    }
    let (walks, right) = (walks.into_inner(), right.into_inner());
    let outstanding = loader.outstanding.lock().unwrap().len();
    println!("{right} of {walks} walks right, {} admissions, {outstanding} outstanding", admissions());
    assert!(admissions() >= ADMISSIONS);
    assert!(right > ADMISSIONS as u64 / 4, "{right}");
    assert!(outstanding < 2 * GHOSTS as usize, "slots are used again");
}
