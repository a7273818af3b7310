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

/// The registers of the code that a signal interrupted, if `address` is where the handler returns to: the few
/// instructions that end a handler (`__restore_rt` in libc), below which the kernel put a `ucontext`. Their unwind
/// rules read memory in an expression, which framehop does not do; it would guess, and skip frames.
#[cfg(target_arch = "x86_64")]
pub(crate) fn interrupted(
    regs: &UnwindRegs,
    address: u64,
    read: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> Option<Registers> {
    // Words of the kernel's `struct ucontext`: flags, link, stack (3), then the registers of `struct sigcontext`.
    const FLAGS_MAX: u64 = 7;
    const LINK: u64 = 8;
    const RBP: u64 = 120;
    const RSP: u64 = 160;
    const RIP: u64 = 168;
    const SEGMENTS: u64 = 184;
    const USER_CODE_SEGMENT: u64 = 0x33;
    let context = regs.sp();
    let mut word = |offset: u64| read(context.checked_add(offset)?).ok();
    // Cheapest first: hardly another frame passes the first three, and the words at the stack pointer are in the cache.
    if word(0)? > FLAGS_MAX || word(LINK)? != 0 || word(SEGMENTS)? & 0xFFFF != USER_CODE_SEGMENT {
        return None;
    }
    let registers = Registers { ip: word(RIP)?, sp: word(RSP)?, fp: word(RBP)? };
    returns_from_signal(address, read)?.then_some(registers)
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
pub(crate) fn interrupted(
    _: &UnwindRegs,
    _: u64,
    _: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> Option<Registers> {
    None
}
