//! Inspect, references: the words of a process's memory against a list of objects. In: bytes, in order of their addresses.
//! Out: where words lie that point into an object.

/// Addresses have no more bits than this in a program; some keep marks in those above.
const ADDRESS_BITS: u64 = (1 << 47) - 1;
const PAGE_BYTES: u64 = 4096;
/// Bits of the filter that most words are told apart by.
const FILTER_BITS: u64 = 1 << 20;
/// Places of one object that are kept.
const PLACES_MAX: usize = 8;

/// What was seen to point at one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pointers {
    /// Addresses of words in memory that an allocator may have made.
    pub places: Vec<u64>,
    /// There are more, or one that lies elsewhere (in a variable, on a stack).
    pub is_rooted: bool,
}

/// One pass.
pub(super) struct Search<'a> {
    /// Start and end, ascending.
    objects: &'a [(u64, u64)],
    filter: Vec<u64>,
    pub pointers: Vec<Pointers>,
}

impl<'a> Search<'a> {
    pub fn new(objects: &'a [(u64, u64)]) -> Self {
        let mut filter = vec![0_u64; (FILTER_BITS / 64) as usize];
        for (start, end) in objects {
            for page in start / PAGE_BYTES..=end / PAGE_BYTES {
                let bit = page % FILTER_BITS;
                if let Some(word) = filter.get_mut((bit / 64) as usize) {
                    *word |= 1 << (bit % 64);
                }
            }
        }
        Self { objects, filter, pointers: vec![Pointers::default(); objects.len()] }
    }

    /// The object that an address lies in, or right behind.
    fn object_at(&self, address: u64) -> Option<usize> {
        let bit = address / PAGE_BYTES % FILTER_BITS;
        if self.filter.get((bit / 64) as usize)? >> (bit % 64) & 1 == 0 {
            return None;
        }
        let index = self.objects.partition_point(|object| object.0 <= address).checked_sub(1)?;
        (address <= self.objects.get(index)?.1).then_some(index)
    }

    /// A pointer that lies in no memory of the process.
    pub fn root(&mut self, word: u64) {
        if let Some(index) = self.object_at(word)
            && let Some(pointers) = self.pointers.get_mut(index)
        {
            pointers.is_rooted = true;
        }
    }

    /// The words of a stretch of memory; `may_be_heap`: an allocator may have made it.
    pub fn words(&mut self, start: u64, bytes: &[u8], may_be_heap: bool) {
        for (number, word) in bytes.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(word.try_into().unwrap_or_default()) & ADDRESS_BITS;
            if word < PAGE_BYTES {
                continue;
            }
            let Some(index) = self.object_at(word) else { continue };
            let place = start + number as u64 * 8;
            // An object that points at itself is not kept by that.
            if self.objects.get(index).is_some_and(|object| (object.0..object.1).contains(&place)) {
                continue;
            }
            let Some(pointers) = self.pointers.get_mut(index) else { continue };
            if may_be_heap && pointers.places.len() < PLACES_MAX {
                pointers.places.push(place);
            } else {
                pointers.is_rooted = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_other_words() {
        let objects = [(0x1000, 0x1020), (0x2000, 0x2020)];
        let mut search = Search::new(&objects);
        let mut see = |at: u64, word: u64, heap| search.words(at, &word.to_le_bytes(), heap);
        see(0x9000, 0x1008, true);
        see(0x9008, 0x1021, true);
        see(0x9010, 0x1000 | 0xABCD << 48, true);
        // Into itself, and small numbers.
        see(0x2008, 0x2000, true);
        see(0x9018, 32, true);
        assert_eq!(search.pointers[0], Pointers { places: vec![0x9000, 0x9010], is_rooted: false });
        assert_eq!(search.pointers[1], Pointers::default());
        search.words(0x8000, &0x2020_u64.to_le_bytes(), false);
        search.root(0x1010);
        assert!(search.pointers.iter().all(|pointers| pointers.is_rooted));
    }

    #[test]
    fn too_many_to_follow_count_as_known() {
        let objects = [(0x1000, 0x1020)];
        let mut search = Search::new(&objects);
        for place in 0..20 {
            search.words(0x9000 + 8 * place, &0x1000_u64.to_le_bytes(), true);
        }
        assert_eq!((search.pointers[0].places.len(), search.pointers[0].is_rooted), (8, true));
    }
}
