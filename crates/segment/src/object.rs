//! Segment: what a process holds that is neither a sampled block nor a descriptor: timers, threads, children, mappings,
//! registrations. In: the interposer. Out: the collector. Kept in a [`crate::Table`] of its own, by class and handle.

use crate::class::Class;
use crate::live_table::{Entry, PAYLOAD_WORDS, Table};

/// Such objects.
pub type ObjectTable<'a> = Table<'a, Object>;

/// Bits of a handle that tell objects apart: all that an address in user space has.
const HANDLE_BITS: u32 = 52;
const HANDLE_MASK: u64 = (1 << HANDLE_BITS) - 1;
/// The table's keys carry nothing in their low four bits, so that small numbers spread over the buckets.
const HANDLE_SHIFT: u32 = 4;
const CLASS_SHIFT: u32 = HANDLE_BITS + HANDLE_SHIFT;

/// Bits of a descriptor's number in the handle of a registration.
const NUMBER_BITS: u32 = HANDLE_BITS / 2;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// What it is; `None` only in what no interposer wrote.
    pub class: Option<Class>,
    /// Address, process id, number: 52 bits that are unique within the class.
    pub handle: u64,
    /// Size in bytes of a mapping, start function of a thread.
    pub detail: u64,
    /// Birth on the process clock, in ns.
    pub born_ns: u64,
    /// Number of the stack that made it.
    pub stack: u32,
    /// Kernel's id of a thread, [`Object::DETACHED`] and other marks of the class.
    pub extra: u32,
}

impl Object {
    /// Mark of a thread that nobody has to join.
    pub const DETACHED: u32 = 1 << 31;
    /// Stands for the kernel's id of a thread where that is not known. Zero means that the thread was over already.
    pub const NO_TASK: u32 = (1 << 31) - 1;

    /// The handle of a registration of `target` (a descriptor, or a watch) with the instance `instance`.
    pub const fn registration_handle(instance: u32, target: u32) -> u64 {
        let mask = (1 << NUMBER_BITS) - 1;
        (instance as u64 & mask) << NUMBER_BITS | (target as u64 & mask)
    }

    /// Instance and target of a registration's handle.
    pub const fn registration(handle: u64) -> (u32, u32) {
        let mask = (1 << NUMBER_BITS) - 1;
        ((handle >> NUMBER_BITS & mask) as u32, (handle & mask) as u32)
    }

    /// The key of an object.
    pub const fn key_of(class: Class, handle: u64) -> u64 {
        (class.code() as u64) << CLASS_SHIFT | (handle & HANDLE_MASK) << HANDLE_SHIFT
    }
}

impl Entry for Object {
    const NEAR: usize = 16;
    const FAR: usize = 0;

    fn key(&self) -> u64 {
        Self::key_of(self.class.unwrap_or(Class::Heap), self.handle)
    }

    fn words(&self) -> [u64; PAYLOAD_WORDS] {
        [self.detail, self.born_ns, u64::from(self.stack) << 32 | u64::from(self.extra)]
    }

    fn from_words(key: u64, [detail, born_ns, packed]: [u64; PAYLOAD_WORDS]) -> Self {
        Self {
            class: Class::from_code((key >> CLASS_SHIFT) as u8),
            handle: key >> HANDLE_SHIFT & HANDLE_MASK,
            detail,
            born_ns,
            stack: (packed >> 32) as u32,
            extra: packed as u32,
        }
    }
}

impl ObjectTable<'_> {
    /// Calls `visit` with a copy of every object that has this home, as [`Table::for_each`] does.
    pub fn for_each_at(&self, home: usize, visit: impl FnMut(Object)) {
        self.for_each_from(home, visit);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_object_comes_back() {
        let object = Object {
            class: Some(Class::Mapping),
            handle: 0x7FFF_FFFF_F000,
            detail: 4096,
            born_ns: 7,
            stack: 3,
            extra: Object::DETACHED | 0x2A,
        };
        assert_eq!(Object::from_words(object.key(), object.words()), object);
        assert_ne!(object.key(), Object::key_of(Class::Thread, object.handle));
        assert_eq!(Object::registration(Object::registration_handle(7, 1_000_000)), (7, 1_000_000));
    }
}
