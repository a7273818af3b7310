//! What the tests of the unwinder share: this process's modules as the loader describes them, the current registers,
//! the thread's stack, and libgcc's unwinder to compare with.
#![allow(dead_code, unused_macros, unused_imports)] // each test uses its part

use memguard_unwind::{
    Admission, Identity, Lease, Loader, ModuleSet, Page, Pool, Registers, StackMemory, Tables, Walk,
    eh_frame_address, walk,
};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

/// The registers right here, as a call from here would leave them.
macro_rules! registers {
    () => {{
        let (ip, sp, fp): (u64, u64, u64);
        // SAFETY: copies three registers.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            core::arch::asm!("lea {}, [rip]", "mov {}, rsp", "mov {}, rbp", out(reg) ip, out(reg) sp, out(reg) fp,
                options(nomem, nostack, preserves_flags));
        }
        // SAFETY: copies three registers.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            core::arch::asm!("adr {}, .", "mov {}, sp", "mov {}, x29", out(reg) ip, out(reg) sp, out(reg) fp,
                options(nomem, nostack, preserves_flags));
        }
        memguard_unwind::Registers { ip, sp, fp }
    }};
}
pub(crate) use registers;

/// The modules mapped now, which the tests never unload.
pub fn modules() -> Vec<Tables> {
    unsafe extern "C" fn note(info: *mut libc::dl_phdr_info, _: usize, all: *mut c_void) -> c_int {
        // SAFETY: the loader passes a description, `modules` its vector.
        let (info, all) = unsafe { (&*info, &mut *all.cast::<Vec<Tables>>()) };
        // SAFETY: the program headers of a mapped module.
        let phdrs = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        all.extend(describe(info.dlpi_addr, phdrs));
        0
    }
    let mut all: Vec<Tables> = Vec::new();
    // SAFETY: the callback takes what it is given here.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut all).cast()) };
    all
}

fn describe(bias: u64, phdrs: &[libc::Elf64_Phdr]) -> Option<Tables> {
    let loads = || phdrs.iter().filter(|p| p.p_type == libc::PT_LOAD);
    let start = loads().map(|p| p.p_vaddr).min()? & !4095;
    let end = loads().map(|p| p.p_vaddr + p.p_memsz).max()?;
    let hdr = phdrs.iter().find(|p| p.p_type == libc::PT_GNU_EH_FRAME)?;
    let segment = loads().find(|p| p.p_vaddr <= hdr.p_vaddr && hdr.p_vaddr < p.p_vaddr + p.p_filesz)?;
    let memory = |address: u64, bytes: u64| {
        // SAFETY: part of a loaded segment of a module that stays.
        unsafe {
            std::slice::from_raw_parts::<'static, u8>(
                std::ptr::with_exposed_provenance(address as usize),
                bytes as usize,
            )
        }
    };
    let eh_frame_hdr_address = bias + hdr.p_vaddr;
    let eh_frame_hdr = memory(eh_frame_hdr_address, hdr.p_memsz);
    let eh_frame_address = eh_frame_address(eh_frame_hdr_address, eh_frame_hdr)?;
    let eh_frame = memory(eh_frame_address, bias + segment.p_vaddr + segment.p_filesz - eh_frame_address);
    Some(Tables {
        range: bias + start..bias + end,
        bias,
        eh_frame_hdr_address,
        eh_frame_hdr,
        eh_frame_address,
        eh_frame,
    })
}

/// All modules of this process as fixed ones, numbered from 1.
pub fn sealed() -> Box<ModuleSet> {
    let mut set = Box::new(ModuleSet::new());
    set.seal(modules().into_iter().zip(1..));
    set
}

/// A pool of so many working memories.
pub fn pool(count: usize) -> Pool {
    let pool = Pool::new();
    pool.fill(count);
    pool
}

/// The calling thread's stack.
pub fn thread_stack() -> (u64, u64) {
    let (mut start, mut bytes) = (std::ptr::null_mut(), 0);
    // SAFETY: asks for the calling thread's attributes, reads them, gives them back.
    unsafe {
        let mut attributes = std::mem::zeroed();
        assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes), 0);
        assert_eq!(libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut bytes), 0);
        libc::pthread_attr_destroy(&raw mut attributes);
    }
    (start as u64, start as u64 + bytes as u64)
}

/// Copies a page, if the kernel can read it.
pub fn copy_page(page: u64, to: &mut MaybeUninit<Page>) -> bool {
    const BYTES: usize = size_of::<Page>();
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: BYTES };
    let remote =
        libc::iovec { iov_base: std::ptr::with_exposed_provenance_mut(page as usize), iov_len: BYTES };
    // SAFETY: writes to the place of a page, which the first vector describes.
    unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) == BYTES as isize
    }
}

/// The calling thread's stack from `sp` upwards, loaded directly, and what else the kernel can read.
pub fn stack_from(sp: u64) -> StackMemory {
    let (start, end) = thread_stack();
    assert!(start <= sp && sp < end, "on the thread's own stack");
    // SAFETY: the used part of the calling thread's stack; no test unmaps what a walk may come across.
    unsafe { StackMemory::new(sp & !7, end, copy_page) }
}

/// No dynamic modules.
pub struct NoLoader;

impl Loader for NoLoader {
    fn identify(&self, _: u64) -> Option<Identity> {
        None
    }
    fn load(&self, _: u64, _: &Identity) -> Option<Admission> {
        unreachable!("nothing was identified")
    }
    fn release(&self, _: (usize, usize)) {
        unreachable!("nothing was admitted")
    }
}

/// Walks over fixed modules only.
pub fn walk_fixed(registers: Registers, modules: &ModuleSet, scratch: &mut Lease<'_>) -> (Walk, Vec<u64>) {
    let walked = walk(registers, &mut stack_from(registers.sp), modules, &NoLoader, scratch);
    (walked, scratch.frames[..walked.frames].to_vec())
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

/// Return addresses of the caller's callers as libgcc sees them, innermost first.
#[inline(never)]
pub fn expected_callers() -> Vec<u64> {
    unsafe extern "C" fn visit(context: *mut c_void, frames: *mut c_void) -> c_int {
        // SAFETY: libgcc passes a context, `expected_callers` its vector.
        unsafe { (*frames.cast::<Vec<u64>>()).push(_Unwind_GetIP(context) as u64) };
        0
    }
    let mut frames: Vec<u64> = Vec::with_capacity(1024);
    // SAFETY: the callback takes what it is given here.
    unsafe { _Unwind_Backtrace(visit, (&raw mut frames).cast()) };
    // Not this function, and not the place in the caller where it called this one.
    frames.drain(..2);
    while frames.last() == Some(&0) {
        frames.pop();
    }
    frames
}
