//! Unwind: which module an address lies in, and the unwinder for it.
//!
//! Fixed modules were mapped when the program started and are never unmapped: one unwinder for all, made once.
//! Dynamic modules came by dlopen and may go at any moment, in the middle of a walk by another thread. Each has
//! a slot with its own unwinder over a private mapping of its tables; a slot is used under a count of its
//! users and emptied when the count is zero. Whether a slot still describes what is mapped at its address is
//! asked anew on every use ([`Loader::identify`]).

use crate::arch::Unwinder;
use crate::occupancy::Occupancy;
use crate::primitive::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::tables::Tables;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use framehop::Unwinder as _;

/// Most dynamic modules known at once.
pub const DYNAMIC_MODULES_MAX: usize = 256;
/// How many slots one admission looks at, when none is free, for a module that is closed by now.
const SWEEP_SLOTS: usize = 8;

/// What the loader says is mapped at an address; equal values mean the same mapping of the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// First address of the mapping.
    pub start: u64,
    /// One past its last address.
    pub end: u64,
    /// Whatever else tells mappings apart (loader's handle, count of closings so far).
    pub stamp: u64,
}

/// A dynamic module as the loader hands it over.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Its tables, in memory that stays until [`Loader::release`].
    pub tables: Tables,
    /// The caller's number for the module.
    pub number: u16,
    /// The caller's token for giving the tables' memory back.
    pub token: (usize, usize),
}

/// Questions to the dynamic loader, answered without its lock.
pub trait Loader {
    /// What is mapped at this address now; `None` if no module is.
    fn identify(&self, address: u64) -> Option<Identity>;
    /// The module at this address, ready to be admitted. May take long; called by one thread at a time, and
    /// once for a module. Allocation in [`ModuleSet::admit`] follows.
    fn load(&self, address: u64, identity: &Identity) -> Option<Admission>;
    /// Gives the memory of an admission back.
    fn release(&self, token: (usize, usize));
}

/// Address range and number of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleRange {
    /// First address.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Address in memory minus address in the file.
    pub bias: u64,
    /// The caller's number for the module.
    pub number: u16,
}

struct Slot {
    occupancy: Occupancy,
    /// A hint for finding the slot, to be confirmed by a user: it may be of another life than what the slot holds.
    start: AtomicU64,
    end: AtomicU64,
    inner: UnsafeCell<Option<Inner>>,
}

struct Inner {
    unwinder: Unwinder,
    identity: Identity,
    range: ModuleRange,
    token: (usize, usize),
}

// SAFETY: `inner` is written only between `begin` and `publish` or `give_up` of the occupancy, by the one thread that
// began, and read only by users.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new() -> Self {
        Self {
            occupancy: Occupancy::new(AtomicU64::new(0)),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            inner: UnsafeCell::new(None),
        }
    }
}

/// All modules of the process.
pub struct ModuleSet {
    fixed: Option<Unwinder>,
    fixed_ranges: Vec<ModuleRange>,
    dynamic: [Slot; DYNAMIC_MODULES_MAX],
    dynamic_used: AtomicUsize,
    admitting: AtomicBool,
    /// Where the search for closed modules goes on.
    swept: AtomicUsize,
}

impl Default for ModuleSet {
    fn default() -> Self {
        Self::new()
    }
}

impl ModuleSet {
    /// No modules.
    #[allow(clippy::large_stack_arrays)] // 40 KiB, made where there is room: a static, or a large stack of our own
    pub const fn new() -> Self {
        Self {
            fixed: None,
            fixed_ranges: Vec::new(),
            dynamic: [const { Slot::new() }; DYNAMIC_MODULES_MAX],
            dynamic_used: AtomicUsize::new(0),
            admitting: AtomicBool::new(false),
            swept: AtomicUsize::new(0),
        }
    }

    /// Takes the fixed modules. Allocates; once, before the first walk.
    pub fn seal(&mut self, modules: impl Iterator<Item = (Tables, u16)>) {
        let mut unwinder = Unwinder::new();
        for (tables, number) in modules {
            let range =
                ModuleRange { start: tables.range.start, end: tables.range.end, bias: tables.bias, number };
            unwinder.add_module(tables.module());
            self.fixed_ranges.push(range);
        }
        self.fixed_ranges.sort_unstable_by_key(|r| r.start);
        self.fixed = Some(unwinder);
    }

    /// Forgets that anyone is admitting: for a fork child, whose other threads do not exist any more.
    pub fn reset(&self) {
        self.admitting.store(false, Ordering::Relaxed);
    }

    /// Runs `work`, which may allocate, while nobody admits a module; not at all if somebody does.
    pub fn unless_admitting(&self, work: impl FnOnce()) {
        if !self.admitting.swap(true, Ordering::Acquire) {
            work();
            self.admitting.store(false, Ordering::Release);
        }
    }

    pub(crate) fn fixed_unwinder(&self) -> Option<&Unwinder> {
        self.fixed.as_ref()
    }

    /// The fixed module an address lies in.
    pub fn fixed_at(&self, address: u64) -> Option<ModuleRange> {
        let after = self.fixed_ranges.partition_point(|r| r.start <= address);
        let range = self.fixed_ranges.get(after.checked_sub(1)?)?;
        (address < range.end).then_some(*range)
    }

    /// The module an address lies in, fixed or dynamic, as known by now.
    pub fn at(&self, address: u64) -> Option<ModuleRange> {
        self.fixed_at(address).or_else(|| {
            let range = self.slot_at(address)?.enter()?.inner()?.range;
            (range.start <= address && address < range.end).then_some(range)
        })
    }

    fn slot_at(&self, address: u64) -> Option<&Slot> {
        let used = self.dynamic_used.load(Ordering::Acquire);
        self.dynamic.iter().take(used).find(|slot| {
            slot.occupancy.is_live()
                && slot.start.load(Ordering::Relaxed) <= address
                && address < slot.end.load(Ordering::Relaxed)
        })
    }

    /// The dynamic module at an address, admitted now if it is new. `None`: no module is mapped there, or
    /// another thread is just admitting one.
    pub(crate) fn dynamic_at(&self, address: u64, loader: &impl Loader) -> Option<User<'_>> {
        if let Some(user) = self.known(address, loader) {
            return Some(user);
        }
        loader.identify(address)?;
        let mut user = None;
        // Once more: the thread that was admitting just now may have admitted this one.
        self.unless_admitting(|| {
            user = self.known(address, loader).or_else(|| self.admit(address, loader));
        });
        user
    }

    /// The slot of the module at an address. One that describes what was there before is retired.
    fn known(&self, address: u64, loader: &impl Loader) -> Option<User<'_>> {
        let slot = self.slot_at(address)?;
        let user = slot.enter()?;
        let known = user.inner()?.identity;
        // Asked by a user, after it entered: the slot stays what it is, and any other answer is news.
        if loader.identify(address) == Some(known) {
            return Some(user);
        }
        if known.start <= address && address < known.end {
            slot.occupancy.retire();
        }
        None
    }

    /// Loads and publishes the module at an address. One thread at a time.
    fn admit(&self, address: u64, loader: &impl Loader) -> Option<User<'_>> {
        let identity = loader.identify(address)?;
        let begin = || self.dynamic.iter().enumerate().find(|(_, slot)| slot.occupancy.begin());
        let (index, slot) = begin().or_else(|| {
            self.sweep(loader);
            begin()
        })?;
        // SAFETY: this thread has begun to load the slot.
        let inner = unsafe { &mut *slot.inner.get() };
        if let Some(old) = inner.take() {
            loader.release(old.token);
        }
        let Some(admission) = loader.load(address, &identity) else {
            slot.occupancy.give_up();
            return None;
        };
        // Loaded what was identified? If the module went meanwhile, the copy is of nobody knows what.
        if loader.identify(address) != Some(identity) {
            loader.release(admission.token);
            slot.occupancy.give_up();
            return None;
        }
        let mut unwinder = Unwinder::new();
        unwinder.add_module(admission.tables.module());
        let (start, end) = (identity.start, identity.end);
        let range = ModuleRange { start, end, bias: admission.tables.bias, number: admission.number };
        *inner = Some(Inner { unwinder, identity, range, token: admission.token });
        slot.start.store(start, Ordering::Relaxed);
        slot.end.store(end, Ordering::Relaxed);
        slot.occupancy.publish();
        self.dynamic_used.fetch_max(index + 1, Ordering::Release);
        slot.enter()
    }

    /// Retires modules that were closed and whose addresses nobody has come across since. A few at a time: where so
    /// many are really open, this is in vain on every call.
    fn sweep(&self, loader: &impl Loader) {
        let from = self.swept.fetch_add(SWEEP_SLOTS, Ordering::Relaxed);
        for slot in self.dynamic.iter().cycle().skip(from % DYNAMIC_MODULES_MAX).take(SWEEP_SLOTS) {
            let Some(user) = slot.enter() else { continue };
            let Some(known) = user.inner().map(|inner| inner.identity) else { continue };
            if loader.identify(known.start) != Some(known) {
                slot.occupancy.retire();
            }
        }
    }
}

impl Slot {
    /// Becomes a user, unless the slot is not live any more.
    fn enter(&self) -> Option<User<'_>> {
        // Made only by a user: dropping it leaves.
        self.occupancy.enter().then(|| User { slot: self })
    }
}

/// Keeps a slot's unwinder and tables in place.
pub(crate) struct User<'a> {
    slot: &'a Slot,
}

impl User<'_> {
    /// What the slot holds; live slots always hold something.
    fn inner(&self) -> Option<&Inner> {
        // SAFETY: a user entered while the slot was live, and nobody changes it until all users have left.
        unsafe { &*self.slot.inner.get() }.as_ref()
    }

    pub(crate) fn unwinder(&self) -> Option<&Unwinder> {
        self.inner().map(|inner| &inner.unwinder)
    }

    pub(crate) fn number(&self) -> u16 {
        self.inner().map_or(0, |inner| inner.range.number)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.slot.occupancy.leave();
    }
}
