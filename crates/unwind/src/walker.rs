//! Unwind: one walk from the innermost frame outwards. In: registers. Out: frames in the scratch memory,
//! their number, how the walk ended, and a hash that tells stacks apart.

use crate::arch::{self, Registers};
use crate::modules::{Loader, ModuleSet};
use crate::pool::{FRAMES_MAX, Scratch};
use crate::stack_memory::StackMemory;
use framehop::{FrameAddress, Unwinder as _};

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// At the function that starts the thread, or at the one that the kernel calls for a signal.
    Complete,
    /// At [`FRAMES_MAX`].
    Truncated,
    /// At a frame that could not be unwound.
    Incomplete,
}

/// What a walk found.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    /// Number of frames in the scratch memory.
    pub frames: usize,
    /// How it ended.
    pub end: WalkEnd,
    /// Hash over addresses and modules: equal stacks have equal hashes for as long as the process lives.
    pub hash: u64,
}

/// Walks the stack. Never allocates beyond what `loader` does for a module not seen before.
pub fn walk(
    registers: Registers,
    stack: &mut StackMemory,
    modules: &ModuleSet,
    loader: &impl Loader,
    scratch: &mut Scratch,
) -> Walk {
    let mut regs = arch::unwind_regs(registers);
    let mut address = registers.ip;
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut frames = 0;
    let mut slot = 0;
    let Scratch { cache, frames: kept, slots, last_fixed } = scratch;
    let mut read = |a: u64| stack.read(a);
    let end = loop {
        let (Some(kept), Some(read_at)) = (kept.get_mut(frames), slots.get_mut(frames)) else {
            break WalkEnd::Truncated;
        };
        (*kept, *read_at) = (address, slot);
        frames += 1;
        let Some(frame) = FrameAddress::from_return_address(address) else { break WalkEnd::Incomplete };
        // What a signal happened to interrupt has no part in what its handler does: with it, a handler would have as many
        // stacks as there are instructions.
        if arch::ends_handler(&regs, address, &mut read) {
            hash = mix(hash, address, 0);
            break WalkEnd::Complete;
        }
        let lookup = address - 1;
        let mut number = 0;
        if !(last_fixed.0..last_fixed.1).contains(&lookup) {
            if let Some(range) = modules.fixed_at(lookup) {
                *last_fixed = (range.start, range.end);
            } else if let Some(module) = modules.dynamic_at(lookup, loader) {
                number = module.number();
                hash = mix(hash, address, number);
                let Some(unwinder) = module.unwinder() else { break WalkEnd::Incomplete };
                match unwinder.unwind_frame(frame, &mut regs, cache, &mut read) {
                    Ok(Some(next)) => (address, slot) = (next, arch::return_slot(&regs)),
                    Ok(None) => break WalkEnd::Complete,
                    Err(_) => break WalkEnd::Incomplete,
                }
                continue;
            }
        }
        hash = mix(hash, address, number);
        // An address in no module (generated code) falls to framehop's frame-pointer rule.
        let Some(unwinder) = modules.fixed_unwinder() else { break WalkEnd::Incomplete };
        match unwinder.unwind_frame(frame, &mut regs, cache, &mut read) {
            Ok(Some(next)) => (address, slot) = (next, arch::return_slot(&regs)),
            Ok(None) => break WalkEnd::Complete,
            Err(_) => break WalkEnd::Incomplete,
        }
    };
    debug_assert!(frames <= FRAMES_MAX);
    Walk { frames, end, hash: finish(hash ^ frames as u64) }
}

fn mix(hash: u64, address: u64, number: u16) -> u64 {
    (hash ^ address ^ (u64::from(number) << 48)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

/// Finaliser of `SplitMix64`: every input bit reaches every output bit.
fn finish(mut h: u64) -> u64 {
    h = (h ^ (h >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    h ^ (h >> 31)
}
