//! Interposer: where a thread found its stacks last, to save it the way through their callers. In: finds of the stack cache.
//! Out: places in it, no more than guesses.

/// As a power of two, how many hints a thread has: one for each of the stack ends that it has most to do with, as a rule.
const HINTS_BITS: u32 = 5;

/// A thread's hints. All zeros at first. What a signal handler leaves here is a guess like any other.
pub struct Hints([Hint; 1 << HINTS_BITS]);

/// Where a stack was found that ends in a certain way.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
pub struct Hint {
    place: u16,
    /// How often in a row it was found there by its callers, up to [`FINDS_MIN`].
    finds: u16,
}

/// After so many finds in a row a hint is followed. Sooner, stacks that take turns would lead astray too often.
const FINDS_MIN: u16 = 4;

impl Hints {
    /// Nothing was found yet.
    #[cfg(any(feature = "portable", not(target_arch = "x86_64")))]
    pub const NONE: Self = Self([Hint { place: 0, finds: 0 }; 1 << HINTS_BITS]);

    /// The one for stacks whose end has this hash, of which the upper bits matter.
    #[inline]
    pub fn of(&mut self, hash: u64) -> Option<&mut Hint> {
        self.0.get_mut((hash >> (u64::BITS - HINTS_BITS)) as usize)
    }
}

impl Hint {
    /// The place to look at first, if it has proved itself.
    #[inline]
    pub fn place(self) -> Option<u16> {
        (self.finds >= FINDS_MIN).then_some(self.place)
    }

    /// The stack was found here by its callers.
    #[inline]
    pub fn learn(&mut self, place: u16) {
        let finds = if self.place == place { (self.finds + 1).min(FINDS_MIN) } else { 1 };
        *self = Self { place, finds };
    }

    /// It was followed in vain. So it is no more, until it has proved itself again.
    #[inline]
    pub fn forget(&mut self) {
        self.finds = 0;
    }
}
