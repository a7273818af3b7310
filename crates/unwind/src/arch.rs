//! Unwind: what differs between processor architectures.

#[cfg(target_arch = "x86_64")]
use framehop::x86_64 as native;

#[cfg(target_arch = "aarch64")]
use framehop::aarch64 as native;

use framehop::MustNotAllocateDuringUnwind as Policy;

#[cfg(target_arch = "x86_64")]
pub(crate) type Unwinder = native::UnwinderX86_64<&'static [u8], Policy>;
#[cfg(target_arch = "x86_64")]
pub(crate) type Cache = native::CacheX86_64<Policy>;
#[cfg(target_arch = "x86_64")]
pub(crate) type UnwindRegs = native::UnwindRegsX86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) type Unwinder = native::UnwinderAarch64<&'static [u8], Policy>;
#[cfg(target_arch = "aarch64")]
pub(crate) type Cache = native::CacheAarch64<Policy>;
#[cfg(target_arch = "aarch64")]
pub(crate) type UnwindRegs = native::UnwindRegsAarch64;

/// The registers that an unwind starts from: those of the caller, right after the call returned.
#[derive(Debug, Clone, Copy)]
pub struct Registers {
    /// Return address into the caller.
    pub ip: u64,
    /// The caller's stack pointer.
    pub sp: u64,
    /// The caller's frame pointer register, whatever it holds.
    pub fp: u64,
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn unwind_regs(registers: Registers) -> UnwindRegs {
    UnwindRegs::new(registers.ip, registers.sp, registers.fp)
}

#[cfg(target_arch = "aarch64")]
pub(crate) fn unwind_regs(registers: Registers) -> UnwindRegs {
    UnwindRegs::new(registers.ip, registers.sp, registers.fp)
}

#[cfg(target_arch = "x86_64")]
pub(crate) fn new_cache() -> Cache {
    Cache::new_in()
}

#[cfg(target_arch = "aarch64")]
pub(crate) fn new_cache() -> Cache {
    Cache::new_in()
}

/// Where the return address lay that the last step found, given the registers after it: a call pushes it right below
/// the caller's frame.
#[cfg(target_arch = "x86_64")]
pub(crate) fn return_slot(regs: &UnwindRegs) -> u64 {
    regs.sp().wrapping_sub(8)
}

/// Return addresses may stay in a register; where it was saved is not known here.
#[cfg(target_arch = "aarch64")]
pub(crate) fn return_slot(_: &UnwindRegs) -> u64 {
    0
}

/// Whether `address` is where a signal handler returns to: the few instructions that end a handler (`__restore_rt` in libc),
/// below which the kernel put a `ucontext`.
#[cfg(target_arch = "x86_64")]
pub(crate) fn ends_handler(
    regs: &UnwindRegs,
    address: u64,
    read: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> bool {
    // Words of the kernel's `struct ucontext`: flags, link, stack (3), then the registers of `struct sigcontext`.
    const FLAGS_MAX: u64 = 7;
    const LINK: u64 = 8;
    const SEGMENTS: u64 = 184;
    const USER_CODE_SEGMENT: u64 = 0x33;
    let context = regs.sp();
    let mut holds = |offset: u64, wanted: fn(u64) -> bool| {
        context.checked_add(offset).is_some_and(|at| read(at).is_ok_and(wanted))
    };
    // Cheapest first: hardly another frame passes these three, and the words at the stack pointer are in the cache.
    holds(0, |flags| flags <= FLAGS_MAX)
        && holds(LINK, |link| link == 0)
        && holds(SEGMENTS, |segments| segments & 0xFFFF == USER_CODE_SEGMENT)
        && returns_from_signal(address, read) == Some(true)
}

/// Whether the code at an address is `mov $15, %rax; syscall`, the call that ends a handler.
#[cfg(target_arch = "x86_64")]
fn returns_from_signal(address: u64, read: &mut impl FnMut(u64) -> Result<u64, ()>) -> Option<bool> {
    const CODE: [u8; 9] = [0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05];
    let start = address & !7;
    let mut bytes = [0u8; 24];
    for (i, to) in bytes.chunks_exact_mut(8).enumerate() {
        let word = read(start.checked_add(i as u64 * 8)?).ok()?;
        to.iter_mut().zip(word.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
    let at = (address - start) as usize;
    Some(bytes.get(at..at + CODE.len()) == Some(&CODE[..]))
}

/// Not written yet for this architecture.
#[cfg(target_arch = "aarch64")]
pub(crate) fn ends_handler(_: &UnwindRegs, _: u64, _: &mut impl FnMut(u64) -> Result<u64, ()>) -> bool {
    false
}
