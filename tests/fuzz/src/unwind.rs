//! Fuzz, unwind: the bytes are call frame instructions of a module, or its whole tables, and the registers and the stack
//! that a walk starts from. The walk ends, and reads nothing but that stack (the sanitizer watches).
//!
//! The two operations of DWARF expressions that jump are taken out of the tables: framehop evaluates expressions without
//! a limit on their steps, and one that jumps back to itself never ends.

use memguard_unwind::{
    Admission, FRAMES_MAX, Identity, Lease, Loader, ModuleSet, Pool, Registers, StackMemory, Tables, walk,
};
use std::cell::RefCell;

const MODULE: std::ops::Range<u64> = 0x5555_0000_0000..0x5555_0000_1000;
/// Where the tables are meant to lie, seen from the module.
const INDEX_OFFSET: u64 = 0x2000;
const TABLES_OFFSET: u64 = 0x3000;
const SKIP: u8 = 0x2f;
const BRANCH: u8 = 0x28;
const NOP: u8 = 0;

struct NoLoader;

impl Loader for NoLoader {
    fn identify(&self, _: u64) -> Option<Identity> {
        None
    }
    fn load(&self, _: u64, _: &Identity) -> Option<Admission> {
        None
    }
    fn release(&self, _: (usize, usize)) {}
}

/// The target.
pub fn run(data: &[u8]) {
    thread_local! {
        static POOL: RefCell<Pool> = RefCell::new({
            let mut pool = Pool::new();
            pool.fill(1);
            pool
        });
    }
    POOL.with_borrow(|pool| run_with(&mut pool.lease(0).unwrap(), data));
}

fn run_with(scratch: &mut Lease<'_>, data: &[u8]) {
    let [flags, first, second, rest @ ..] = data else { return };
    let (first, rest) = rest.split_at(rest.len().min(usize::from(*first)));
    let (second, rest) = rest.split_at(rest.len().min(usize::from(*second)));
    // Well-formed tables around instructions, or an index and tables of any bytes.
    let (index, tables) = if flags & 1 == 1 {
        well_formed(first, second, flags & 4 != 0)
    } else {
        (first.into(), tame(second))
    };
    let (index, tables) = (Leaked::new(index), Leaked::new(tables));
    let mut modules = Box::new(ModuleSet::new());
    let module = Tables {
        range: MODULE,
        bias: MODULE.start,
        eh_frame_hdr_address: MODULE.start + INDEX_OFFSET,
        eh_frame_hdr: index.0,
        eh_frame_address: MODULE.start + TABLES_OFFSET,
        eh_frame: tables.0,
    };
    modules.seal([(module, 1)].into_iter());
    let mut words: Vec<u64> =
        rest.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect();
    let stack = words.as_ptr().expose_provenance() as u64;
    for word in &mut words {
        *word = settle(*word, stack);
    }
    let end = stack + 8 * words.len() as u64;
    let register = |i: usize| words.get(i).copied().unwrap_or(0);
    let starts = if flags & 2 == 2 { [stack + 16, register(0)] } else { [register(0), register(1)] };
    for sp in starts {
        // SAFETY: the words outlive the walk; nothing else may be read.
        let mut memory = unsafe { StackMemory::new(stack, end, |_, _| false) };
        let registers = Registers { ip: MODULE.start + 0x10, sp, fp: register(1) };
        let walked = walk(registers, &mut memory, &modules, &NoLoader, scratch);
        assert!((1..=FRAMES_MAX).contains(&walked.frames));
    }
    // Before the tables go.
    drop(modules);
}

/// Words with the highest bit alone stand for places on the stack, with the next one alone for the module's code.
fn settle(word: u64, stack: u64) -> u64 {
    match word >> 62 {
        0b10 => stack.wrapping_add(8 * (word & 0xFFFF)),
        0b01 => MODULE.start.wrapping_add(word & 0xFFFF),
        _ => word,
    }
}

fn tame(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if matches!(*byte, SKIP | BRANCH) { NOP } else { *byte }).collect()
}

/// An index with one entry, and one description of the whole module with these instructions.
fn well_formed(common: &[u8], own: &[u8], signal: bool) -> (Vec<u8>, Vec<u8>) {
    let entry = |mut body: Vec<u8>, instructions: &[u8]| {
        body.extend(tame(instructions));
        body.resize(body.len().next_multiple_of(8) + 4, NOP);
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    };
    // Identifier, version, augmentation, code and data alignment, return address, encoding of addresses.
    let mut cie = vec![0, 0, 0, 0, 1];
    cie.extend(if signal { &b"zRS\0"[..] } else { b"zR\0" });
    cie.extend([1, 0x78, 16, 1, 0x1b]);
    let mut tables = entry(cie, common);
    let at = tables.len() as u32;
    let mut fde = (at + 4).to_le_bytes().to_vec();
    fde.extend((-(TABLES_OFFSET as i32) - at as i32 - 8).to_le_bytes());
    fde.extend(0x1000u32.to_le_bytes());
    fde.push(0);
    tables.extend(entry(fde, own));
    tables.extend([0; 4]);
    let between = (TABLES_OFFSET - INDEX_OFFSET) as u32;
    let mut index = vec![1, 0x1b, 3, 0x3b];
    index.extend((between - 4).to_le_bytes());
    index.extend(1u32.to_le_bytes());
    index.extend((-(INDEX_OFFSET as i32)).to_le_bytes());
    index.extend((between + at).to_le_bytes());
    (index, tables)
}

/// Bytes that live until this is dropped, whatever their type says.
struct Leaked(&'static [u8]);

impl Leaked {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Box::leak(bytes.into_boxed_slice()))
    }
}

impl Drop for Leaked {
    fn drop(&mut self) {
        // SAFETY: the box leaked in `new`; the modules that were made of it are dropped before.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}
