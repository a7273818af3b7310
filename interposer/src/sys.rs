//! Interposer: system calls made directly, past any hook (ours or another library's), with EINTR and errno of the
//! program left alone.

use core::ffi::{CStr, c_void};

/// Of a file system, one part in so many is left free.
const SPACE_LEFT_PART: u64 = 32;

/// A system call with up to six arguments; the kernel's answer, negative errno on failure.
#[cfg(target_arch = "x86_64")]
pub fn call(number: libc::c_long, args: [usize; 6]) -> isize {
    let answer: isize;
    // SAFETY: the x86-64 system call convention; the callers below pass valid arguments.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    answer
}

/// A system call with up to six arguments; the kernel's answer, negative errno on failure.
#[cfg(not(target_arch = "x86_64"))]
pub fn call(number: libc::c_long, args: [usize; 6]) -> isize {
    let _keep = crate::errno::KeepErrno::new();
    // SAFETY: the callers below pass valid arguments.
    let answer = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    if answer < 0 {
        // SAFETY: libc gives a valid pointer to this thread's errno.
        return -(unsafe { *libc::__errno_location() } as isize);
    }
    answer as isize
}

/// An open file, closed when dropped. Never kept: the program may close every descriptor it finds.
pub struct File(i32);

impl File {
    /// Opens with `O_CLOEXEC`; an error is a negative errno.
    pub fn open(path: &CStr, flags: i32, mode: u32) -> Result<Self, isize> {
        let flags = flags | libc::O_CLOEXEC;
        let at = libc::AT_FDCWD as usize;
        let fd = call(libc::SYS_openat, [at, path.as_ptr() as usize, flags as usize, mode as usize, 0, 0]);
        if fd < 0 { Err(fd) } else { Ok(Self(fd as i32)) }
    }

    /// A file of zeros without a name, closed on exec.
    pub fn in_memory(name: &CStr, bytes: usize) -> Option<Self> {
        let flags = libc::MFD_CLOEXEC as usize;
        let fd = call(libc::SYS_memfd_create, [name.as_ptr() as usize, flags, 0, 0, 0, 0]);
        let file = (fd >= 0).then_some(Self(fd as i32))?;
        let made = call(libc::SYS_ftruncate, [fd as usize, bytes, 0, 0, 0, 0]);
        (made == 0).then_some(file)
    }

    /// The descriptor's number.
    pub fn fd(&self) -> i32 {
        self.0
    }

    /// Reads at an offset until `buffer` is full or the file ends; returns the bytes read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.wrapping_add(done as u64) as usize;
            let n =
                call(libc::SYS_pread64, [self.0 as usize, rest.as_mut_ptr() as usize, rest.len(), at, 0, 0]);
            match n {
                n if n == -(libc::EINTR as isize) => {}
                n if n <= 0 => break,
                n => done += n as usize,
            }
        }
        done
    }

    /// Reads once at an offset; returns the bytes read, 0 at the end or on an error. For files whose reads come in
    /// pieces of the kernel's choice.
    pub fn read_at_most(&self, buffer: &mut [u8], offset: u64) -> usize {
        loop {
            let args = [self.0 as usize, buffer.as_mut_ptr() as usize, buffer.len(), offset as usize, 0, 0];
            let n = call(libc::SYS_pread64, args);
            if n != -(libc::EINTR as isize) {
                return usize::try_from(n).unwrap_or(0);
            }
        }
    }

    /// Whether the file size limit allows a file this long; beyond it a write ends the program with SIGXFSZ.
    pub fn size_is_allowed(bytes: usize) -> bool {
        limit(libc::RLIMIT_FSIZE as usize).is_none_or(|limit| limit >= bytes as u64)
    }

    /// Whether so many bytes may be taken of the file system: a part of it is left to those whom it belongs to.
    pub fn leaves_space(&self, bytes: usize) -> bool {
        // SAFETY: a plain structure for which zero is in order.
        let mut found: libc::statfs = unsafe { core::mem::zeroed() };
        if call(libc::SYS_fstatfs, [self.0 as usize, (&raw mut found) as usize, 0, 0, 0, 0]) != 0 {
            return true;
        }
        let block_bytes = found.f_bsize as u64;
        let left = found.f_bavail.saturating_mul(block_bytes).saturating_sub(bytes as u64);
        // One that does not say how large it is says nothing.
        found.f_blocks == 0 || left >= found.f_blocks.saturating_mul(block_bytes) / SPACE_LEFT_PART
    }

    /// Makes the file `bytes` long and gives it real disk blocks, so that no later write to a mapping of it can
    /// fail. An error is a negative errno.
    pub fn reserve(&self, bytes: usize) -> Result<(), isize> {
        loop {
            match call(libc::SYS_fallocate, [self.0 as usize, 0, 0, bytes, 0, 0]) {
                0 => return Ok(()),
                e if e == -(libc::EINTR as isize) => {}
                e if e == -(libc::EOPNOTSUPP as isize) => return self.fill(bytes),
                e => return Err(e),
            }
        }
    }

    /// The same by writing zeros, for file systems that cannot reserve.
    fn fill(&self, bytes: usize) -> Result<(), isize> {
        static ZEROS: [u8; 4096] = [0; 4096];
        let mut done = 0;
        while done < bytes {
            let n = ZEROS.len().min(bytes - done);
            match call(libc::SYS_pwrite64, [self.0 as usize, ZEROS.as_ptr() as usize, n, done, 0, 0]) {
                e if e == -(libc::EINTR as isize) => {}
                e if e < 0 => return Err(e),
                0 => return Err(-(libc::ENOSPC as isize)),
                n => done += n as usize,
            }
        }
        Ok(())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        call(libc::SYS_close, [self.0 as usize, 0, 0, 0, 0, 0]);
    }
}

/// A resource limit of this process; `None` if there is none.
pub fn limit(resource: usize) -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let answer = call(libc::SYS_prlimit64, [0, resource, 0, (&raw mut limit) as usize, 0, 0]);
    (answer == 0 && limit.rlim_cur != libc::RLIM64_INFINITY).then_some(limit.rlim_cur)
}

/// Removes a file; failure is of no interest.
pub fn unlink(path: &CStr) {
    call(libc::SYS_unlinkat, [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0, 0, 0, 0]);
}

/// Device and number of the file at a path, links followed; `None` if there is none.
pub fn file_identity(path: &CStr) -> Option<(u64, u64)> {
    // SAFETY: a plain structure for which zero is in order.
    let mut found: libc::stat = unsafe { core::mem::zeroed() };
    let at = libc::AT_FDCWD as usize;
    let place = (&raw mut found) as usize;
    let answer = call(libc::SYS_newfstatat, [at, path.as_ptr() as usize, place, 0, 0, 0]);
    (answer == 0).then_some((found.st_dev, found.st_ino))
}

/// Lets other threads and processes run for some milliseconds.
pub fn sleep_ms(ms: u32) {
    let pause = libc::timespec { tv_sec: i64::from(ms / 1000), tv_nsec: i64::from(ms % 1000) * 1_000_000 };
    call(libc::SYS_nanosleep, [(&raw const pause) as usize, 0, 0, 0, 0, 0]);
}

/// Maps memory; `None` if the kernel refuses. `fd` of -1 means anonymous.
pub fn map(bytes: usize, protection: i32, flags: i32, fd: i32, offset: u64) -> Option<*mut c_void> {
    let address = call(
        libc::SYS_mmap,
        [0, bytes, protection as usize, flags as usize, fd as isize as usize, offset as usize],
    );
    (address > 0).then(|| core::ptr::with_exposed_provenance_mut(address as usize))
}

/// Unmaps what [`map`] gave.
pub fn unmap(address: usize, bytes: usize) {
    call(libc::SYS_munmap, [address, bytes, 0, 0, 0, 0]);
}

/// Advises the kernel on a mapping; false if it refuses.
pub fn advise(address: *mut c_void, bytes: usize, advice: i32) -> bool {
    call(libc::SYS_madvise, [address as usize, bytes, advice as usize, 0, 0, 0]) == 0
}

/// Whether the page at this address can be read. Asks `rt_sigprocmask` for something impossible: the kernel reads
/// the mask at the address first (EFAULT if it cannot) and only then sees that the request is invalid (EINVAL).
/// Every sandbox allows that call, unlike those made for reading memory. The idea is Abseil's `AddressIsReadable`.
pub fn page_is_readable(page: u64) -> bool {
    let answer = call(libc::SYS_rt_sigprocmask, [usize::MAX, page as usize, 0, 8, 0, 0]);
    answer == -(libc::EINVAL as isize)
}

/// Copies memory of this process that may vanish meanwhile; returns the number of bytes copied.
pub fn copy_checked(from: u64, to: &mut [u8]) -> usize {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote =
        libc::iovec { iov_base: core::ptr::with_exposed_provenance_mut(from as usize), iov_len: to.len() };
    let pid = call(libc::SYS_getpid, [0; 6]);
    let n = call(
        libc::SYS_process_vm_readv,
        [pid as usize, (&raw const local) as usize, 1, (&raw const remote) as usize, 1, 0],
    );
    usize::try_from(n).unwrap_or(0).min(to.len())
}

/// Copies one page of this process that may vanish meanwhile; false if it is not there whole, or the system does not
/// allow such copies.
pub fn copy_page(page: u64, to: &mut core::mem::MaybeUninit<memguard_unwind::Page>) -> bool {
    const BYTES: usize = size_of::<memguard_unwind::Page>();
    let place = to.as_mut_ptr().cast::<u8>();
    // SAFETY: bytes of our own, which any value may be written to; zeros first, for a slice has none that are unwritten.
    let bytes = unsafe {
        place.write_bytes(0, BYTES);
        core::slice::from_raw_parts_mut(place, BYTES)
    };
    copy_checked(page, bytes) == BYTES
}

/// All signals blocked until dropped.
pub struct SignalsBlocked {
    saved: u64,
}

impl SignalsBlocked {
    /// Blocks every signal that can be blocked in this thread.
    pub fn new() -> Self {
        let all = u64::MAX;
        let mut saved = 0u64;
        call(
            libc::SYS_rt_sigprocmask,
            [libc::SIG_SETMASK as usize, (&raw const all) as usize, (&raw mut saved) as usize, 8, 0, 0],
        );
        Self { saved }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        let set = [libc::SIG_SETMASK as usize, (&raw const self.saved) as usize, 0, 8, 0, 0];
        call(libc::SYS_rt_sigprocmask, set);
    }
}

/// Asks the processor to have the memory at an address at hand soon. A hint: any address will do.
#[inline]
pub fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: changes nothing and never faults.
    unsafe {
        core::arch::asm!("prefetcht0 byte ptr [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
