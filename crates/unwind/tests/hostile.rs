//! Wild registers, wild stacks and unwind tables full of nonsense: a walk ends, and reads nothing but what it was
//! given. (That no read leaves the stack is also what keeps this process alive here.)

mod common;

use common::{NoLoader, pool, registers, sealed};
use memguard_unwind::{FRAMES_MAX, Lease, ModuleSet, Registers, StackMemory, Tables, Walk, WalkEnd, walk};
use proptest::prelude::*;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// The source file of this thread's latest panic.
    static PANICKED_IN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Walks. The DWARF libraries are written for builds without overflow checks; in a build with them, a sum of hostile
/// numbers that overflows there is not their fault, and the walk counts as over.
fn walk_hostile(
    registers: Registers,
    memory: &mut StackMemory,
    modules: &ModuleSet,
    scratch: &mut Lease<'_>,
) -> Option<Walk> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let file = info.location().map_or("", |location| location.file());
            PANICKED_IN.set(file.to_owned());
            if !is_dwarf_library(file) {
                loud(info);
            }
        }));
    });
    match catch_unwind(AssertUnwindSafe(|| walk(registers, memory, modules, &NoLoader, scratch))) {
        Ok(walked) => {
            assert!((1..=FRAMES_MAX).contains(&walked.frames));
            assert!(walked.end != WalkEnd::Truncated || walked.frames == FRAMES_MAX);
            Some(walked)
        }
        Err(panic) => {
            let overflow = panic.downcast_ref::<&str>().is_some_and(|text| text.ends_with("with overflow"));
            let theirs = PANICKED_IN.with_borrow(|file| is_dwarf_library(file));
            assert!(cfg!(debug_assertions) && overflow && theirs, "{panic:?}");
            None
        }
    }
}

fn is_dwarf_library(file: &str) -> bool {
    file.contains("/framehop-") || file.contains("/gimli-")
}

/// A stack of these words, of which nothing outside can be read.
fn over(words: &[u64]) -> (u64, StackMemory) {
    let start = words.as_ptr().expose_provenance() as u64;
    // SAFETY: the words live as long as the caller's slice, in which the walk takes place.
    (start, unsafe { StackMemory::new(start, start + 8 * words.len() as u64, |_, _| false) })
}

/// A number as attackers and accidents have them: small, near a limit, near the stack, or any.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0u64..64,
        (0u64..64).prop_map(|n| u64::MAX - n),
        (0u64..64).prop_map(|n| (1 << 63) - 32 + n),
        (0u64..512).prop_map(|n| STACK_MARK + 8 * n),
        (0u64..4096).prop_map(|n| CODE_MARK + n),
    ]
}

/// Stands for the stack's own address, which is not known when the words are drawn.
const STACK_MARK: u64 = 0x5AFE_0000_0000_0000;
/// Stands for the address of some code.
const CODE_MARK: u64 = 0xC0DE_0000_0000_0000;

fn settle(word: u64, stack: u64, code: u64) -> u64 {
    match word & 0xFFFF_0000_0000_0000 {
        STACK_MARK => stack.wrapping_add(word & 0xFFFF),
        CODE_MARK => code.wrapping_add(word & 0xFFFF),
        _ => word,
    }
}

fn settled(words: &[u64], code: u64) -> Vec<u64> {
    let mut settled = words.to_vec();
    let stack = settled.as_ptr().expose_provenance() as u64;
    for word in &mut settled {
        *word = settle(*word, stack, code);
    }
    settled
}

/// A module at a made-up address with such tables.
const MODULE: std::ops::Range<u64> = 0x5555_0000_0000..0x5555_0000_1000;

fn module_with(eh_frame_hdr: Vec<u8>, eh_frame: Vec<u8>) -> Box<ModuleSet> {
    let tables = Tables {
        range: MODULE,
        bias: MODULE.start,
        eh_frame_hdr_address: MODULE.start + 0x2000,
        eh_frame_hdr: eh_frame_hdr.leak(),
        eh_frame_address: MODULE.start + 0x3000,
        eh_frame: eh_frame.leak(),
    };
    let mut set = Box::new(ModuleSet::new());
    set.seal([(tables, 1)].into_iter());
    set
}

/// An index whose one entry covers the module and names the description behind the common part.
fn index(fde_offset: u32) -> Vec<u8> {
    let mut hdr = vec![1, 0x1b, 3, 0x3b];
    hdr.extend((0x1000i32 - 4).to_le_bytes()); // from the index to the tables
    hdr.extend(1u32.to_le_bytes());
    hdr.extend((-0x2000i32).to_le_bytes()); // the module's first address
    hdr.extend((0x1000 + fde_offset).to_le_bytes());
    hdr
}

/// Well-formed tables around these call frame instructions. Without the two operations that jump: framehop evaluates
/// expressions without a limit on their steps, and one that jumps back to itself never ends.
fn tables(common: &[u8], own: &[u8], signal: bool) -> (Vec<u8>, Vec<u8>) {
    const SKIP: u8 = 0x2f;
    const BRANCH: u8 = 0x28;
    const NOP: u8 = 0;
    let entry = |mut body: Vec<u8>, instructions: &[u8]| {
        body.extend(instructions.iter().map(|byte| if [SKIP, BRANCH].contains(byte) { NOP } else { *byte }));
        body.resize(body.len().next_multiple_of(8) + 4, NOP);
        [&(body.len() as u32).to_le_bytes()[..], &body].concat()
    };
    // Identifier, version, augmentation, code and data alignment, return address, encoding of addresses.
    let mut cie = vec![0, 0, 0, 0, 1];
    cie.extend(if signal { &b"zRS\0"[..] } else { b"zR\0" });
    cie.extend([1, 0x78, 16, 1, 0x1b]);
    let mut eh_frame = entry(cie, common);
    let at = eh_frame.len() as u32;
    let mut fde = (at + 4).to_le_bytes().to_vec();
    fde.extend((-0x3000 - at as i32 - 8).to_le_bytes()); // the module's first address
    fde.extend(0x1000u32.to_le_bytes());
    fde.push(0);
    eh_frame.extend(entry(fde, own));
    eh_frame.extend([0; 4]);
    (index(at), eh_frame)
}

/// Call frame instructions that make some sense: an operation, and operands for it.
fn instructions() -> impl Strategy<Value = Vec<u8>> {
    let operand = prop_oneof![any::<u8>(), 0u8..17, Just(0x78), Just(0x7f)];
    let operation = prop_oneof![0u8..0x17, 0x2du8..0x30, 0x40u8..0x44, 0x80u8..0x91, 0xc0u8..0xd1];
    prop::collection::vec((operation, prop::collection::vec(operand, 0..4)), 0..24).prop_map(|all| {
        all.into_iter().flat_map(|(operation, operands)| [vec![operation], operands].concat()).collect()
    })
}

/// The walk that well-formed tables without surprises give, so that the others are known to be read at all.
#[test]
fn plain_tables_are_understood() {
    // The frame begins 8 above the stack pointer (register 7), the return address (16) is 8 below it.
    let (hdr, eh_frame) = tables(&[0x0c, 7, 8, 0x90, 1], &[], false);
    let (modules, pool) = (module_with(hdr, eh_frame), pool(1));
    let words: Vec<u64> = (1..40).map(|i| MODULE.start + i).chain([0]).collect();
    let (start, mut memory) = over(&words);
    let registers = Registers { ip: MODULE.start + 0x10, sp: start, fp: 0 };
    let walked = walk_hostile(registers, &mut memory, &modules, &mut pool.lease(0).unwrap()).unwrap();
    assert_eq!((walked.frames, walked.end), (40, WalkEnd::Complete));
}

proptest! {
    /// Anything in registers and on the stack, real tables.
    #[test]
    fn wild_stacks_end(words in prop::collection::vec(word(), 1..200), regs in prop::array::uniform3(word())) {
        std::thread_local! {
            static SEALED: Box<ModuleSet> = sealed();
        }
        SEALED.with(|modules| {
            let (code, pool) = (registers!().ip - 2048, pool(1));
            let words = settled(&words, code);
            let (start, mut memory) = over(&words);
            let [ip, sp, fp] = regs.map(|word| settle(word, start, code));
            walk_hostile(Registers { ip, sp, fp }, &mut memory, modules, &mut pool.lease(0).unwrap());
        });
    }

    /// A frame-pointer chain that runs in circles, or anywhere.
    #[test]
    fn frame_pointers_in_circles_end(links in prop::collection::vec((0u64..64, word()), 1..64), fp in 0u64..64) {
        let mut words: Vec<u64> = links.iter().flat_map(|(to, address)| [STACK_MARK + 16 * to, *address]).collect();
        words.resize(256, 0);
        let words = settled(&words, 0x1234_5678);
        let (start, mut memory) = over(&words);
        let pool = pool(1);
        let modules = module_with(Vec::new(), Vec::new());
        let registers = Registers { ip: 0x1234, sp: start, fp: start + 16 * fp };
        walk_hostile(registers, &mut memory, &modules, &mut pool.lease(0).unwrap());
    }

    /// Random bytes as tables, behind a plausible index or not.
    #[test]
    fn random_tables_end(
        mut hdr in prop::collection::vec(any::<u8>(), 0..200),
        eh_frame in prop::collection::vec(any::<u8>(), 0..400),
        plausible in any::<bool>(),
        words in prop::collection::vec(word(), 1..64),
        offsets in prop::collection::vec(0u64..0x1000, 1..8),
    ) {
        if plausible {
            hdr.splice(..hdr.len().min(20), index(u32::from(eh_frame.first().copied().unwrap_or(0))));
        }
        let eh_frame = eh_frame.into_iter().map(|byte| if byte == 0x2f || byte == 0x28 { 0 } else { byte }).collect();
        let (modules, pool) = (module_with(hdr, eh_frame), pool(1));
        let words = settled(&words, MODULE.start);
        let mut scratch = pool.lease(0).unwrap();
        for offset in offsets {
            let (start, mut memory) = over(&words);
            let registers = Registers { ip: MODULE.start + offset, sp: start, fp: start + 8 };
            walk_hostile(registers, &mut memory, &modules, &mut scratch);
        }
    }

    /// Well-formed tables with instructions that make no sense together.
    #[test]
    fn odd_instructions_end(
        common in instructions(),
        own in instructions(),
        signal in any::<bool>(),
        words in prop::collection::vec(word(), 1..64),
        regs in prop::array::uniform2(word()),
    ) {
        let (hdr, eh_frame) = tables(&common, &own, signal);
        let (modules, pool) = (module_with(hdr, eh_frame), pool(1));
        let words = settled(&words, MODULE.start);
        let (start, mut memory) = over(&words);
        let [sp, fp] = regs.map(|word| settle(word, start, MODULE.start));
        let mut scratch = pool.lease(0).unwrap();
        for sp in [start, sp] {
            walk_hostile(Registers { ip: MODULE.start + 0x10, sp, fp }, &mut memory, &modules, &mut scratch);
        }
    }

    /// What looks like the kernel's frame of a signal, but nobody's code returns through it.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_forged_signal_frame_is_none(mut words in prop::collection::vec(word(), 64..80), flags in 0u64..9) {
        (words[0], words[1], words[23]) = (flags, 0, 0x33);
        let words = settled(&words, MODULE.start);
        let (start, mut memory) = over(&words);
        let (modules, pool) = (module_with(Vec::new(), Vec::new()), pool(1));
        let registers = Registers { ip: start + 8, sp: start, fp: start };
        let mut scratch = pool.lease(0).unwrap();
        if walk_hostile(registers, &mut memory, &modules, &mut scratch).is_some_and(|walked| walked.frames > 1) {
            prop_assert_eq!(scratch.frames[1], words[1], "the frame pointer's return address");
        }
    }
}
