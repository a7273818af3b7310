//! Unwind: which module an address lies in, and the unwinder for it.
//!
//! Fixed modules were mapped when the program started and are never unmapped: one unwinder for all, made once.
//! Dynamic modules came by dlopen and may go at any moment, in the middle of a walk by another thread. Each has
//! a slot with its own unwinder over a private mapping of its tables; a slot is used under a count of its
//! users and emptied when the count is zero. Whether a slot still describes what is mapped at its address is
//! asked anew on every use ([`Loader::identify`]).

use crate::arch::Unwinder;
use crate::tables::Tables;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use framehop::Unwinder as _;

/// Most dynamic modules known at once.
pub const DYNAMIC_MODULES_MAX: usize = 256;

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

const EMPTY: u64 = 0;
const LOADING: u64 = 1 << 32;
const LIVE: u64 = 2 << 32;
const RETIRED: u64 = 3 << 32;
const STATE_MASK: u64 = !0 << 32;

struct Slot {
    /// State in the upper half, number of users in the lower.
    state: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
    stamp: AtomicU64,
    inner: UnsafeCell<Option<Inner>>,
}

struct Inner {
    unwinder: Unwinder,
    range: ModuleRange,
    token: (usize, usize),
}

// SAFETY: `inner` is written only in state LOADING, which one thread holds (under `ModuleSet::admitting`), and
// read only under a user count taken while LIVE; the count must be zero to leave RETIRED.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new() -> Self {
        Self {
            state: AtomicU64::new(EMPTY),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            stamp: AtomicU64::new(0),
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
}

impl Default for ModuleSet {
    fn default() -> Self {
        Self::new()
    }
}

impl ModuleSet {
    /// No modules.
    pub const fn new() -> Self {
        Self {
            fixed: None,
            fixed_ranges: Vec::new(),
            dynamic: [const { Slot::new() }; DYNAMIC_MODULES_MAX],
            dynamic_used: AtomicUsize::new(0),
            admitting: AtomicBool::new(false),
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
        self.fixed_at(address).or_else(|| self.slot_at(address)?.enter().map(|user| user.inner().range))
    }

    fn slot_at(&self, address: u64) -> Option<&Slot> {
        let used = self.dynamic_used.load(Ordering::Acquire);
        self.dynamic.iter().take(used).find(|slot| {
            slot.state.load(Ordering::Acquire) & STATE_MASK == LIVE
                && slot.start.load(Ordering::Relaxed) <= address
                && address < slot.end.load(Ordering::Relaxed)
        })
    }

    /// The dynamic module at an address, admitted now if it is new. `None`: no module is mapped there, or
    /// another thread is just admitting one.
    pub(crate) fn dynamic_at(&self, address: u64, loader: &impl Loader) -> Option<User<'_>> {
        let identity = loader.identify(address)?;
        if let Some(slot) = self.slot_at(address) {
            let same = slot.start.load(Ordering::Relaxed) == identity.start
                && slot.end.load(Ordering::Relaxed) == identity.end
                && slot.stamp.load(Ordering::Relaxed) == identity.stamp;
            if same {
                return slot.enter();
            }
            slot.retire();
        }
        self.admit(address, &identity, loader)?.enter()
    }

    /// Loads and publishes the module at an address. One thread at a time; others go without.
    fn admit(&self, address: u64, identity: &Identity, loader: &impl Loader) -> Option<&Slot> {
        if self.admitting.swap(true, Ordering::Acquire) {
            return None;
        }
        let slot = self.admit_alone(address, identity, loader);
        self.admitting.store(false, Ordering::Release);
        slot
    }

    fn admit_alone(&self, address: u64, identity: &Identity, loader: &impl Loader) -> Option<&Slot> {
        let (index, slot) = self.dynamic.iter().enumerate().find(|(_, slot)| {
            let free = |from| {
                slot.state.compare_exchange(from, LOADING, Ordering::Acquire, Ordering::Relaxed).is_ok()
            };
            free(EMPTY) || free(RETIRED)
        })?;
        // SAFETY: the slot is in state LOADING, taken above from a state without users.
        let inner = unsafe { &mut *slot.inner.get() };
        if let Some(old) = inner.take() {
            loader.release(old.token);
        }
        let Some(admission) = loader.load(address, identity) else {
            slot.state.store(EMPTY, Ordering::Release);
            return None;
        };
        // Loaded what was identified? If the module went meanwhile, the copy is of nobody knows what.
        if loader.identify(address) != Some(*identity) {
            loader.release(admission.token);
            slot.state.store(EMPTY, Ordering::Release);
            return None;
        }
        let mut unwinder = Unwinder::new();
        unwinder.add_module(admission.tables.module());
        *inner = Some(Inner {
            unwinder,
            range: ModuleRange {
                start: identity.start,
                end: identity.end,
                bias: admission.tables.bias,
                number: admission.number,
            },
            token: admission.token,
        });
        slot.start.store(identity.start, Ordering::Relaxed);
        slot.end.store(identity.end, Ordering::Relaxed);
        slot.stamp.store(identity.stamp, Ordering::Relaxed);
        // Matched by the acquire in `enter` and `slot_at`.
        slot.state.store(LIVE, Ordering::Release);
        self.dynamic_used.fetch_max(index + 1, Ordering::Release);
        Some(slot)
    }
}

impl Slot {
    /// Becomes a user, unless the slot is not live any more.
    fn enter(&self) -> Option<User<'_>> {
        // Matched by the release store of LIVE in `admit_alone`.
        if self.state.fetch_add(1, Ordering::Acquire) & STATE_MASK == LIVE {
            return Some(User { slot: self });
        }
        self.state.fetch_sub(1, Ordering::Release);
        None
    }

    /// No new users; the slot is reused when the last one has left.
    fn retire(&self) {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & STATE_MASK == LIVE {
            let retired = RETIRED | (state & !STATE_MASK);
            match self.state.compare_exchange_weak(state, retired, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }
}

/// Keeps a slot's unwinder and tables in place.
pub(crate) struct User<'a> {
    slot: &'a Slot,
}

impl User<'_> {
    fn inner(&self) -> &Inner {
        // SAFETY: entered while LIVE, so `inner` is complete, and it stays until our count is taken back.
        match unsafe { &*self.slot.inner.get() } {
            Some(inner) => inner,
            // LIVE slots always have an inner.
            None => unreachable_without_panic(),
        }
    }

    pub(crate) fn unwinder(&self) -> &Unwinder {
        &self.inner().unwinder
    }

    pub(crate) fn number(&self) -> u16 {
        self.inner().range.number
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        // Release: our reads are done before the slot can be emptied.
        self.slot.state.fetch_sub(1, Ordering::Release);
    }
}

/// An impossible state: end in an endless loop would be harm, so would a panic; abort is not reachable.
fn unreachable_without_panic() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
