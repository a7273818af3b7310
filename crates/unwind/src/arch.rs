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
