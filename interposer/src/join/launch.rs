//! Interposer, joining: starts a collector of which the program sees nothing. In: where it may lie, its environment,
//! the question's file. Out: a process in a session of its own that holds none of the program's descriptors.
//!
//! A child that executes something gets SIGCHLD as its exit signal from the kernel, whatever `clone` was told, and the
//! program's `wait` would see it. So there is a process between:
//!
//! * Usually it shares our memory for a moment, starts the collector and ends; we reap it, with `__WCLONE`. The collector
//!   falls to the init process.
//! * If we are that init process (a container), or adopt orphans, it stays: a child without an exit signal, which
//!   `wait` does not see. It has given back all memory but a few pages, and waits for the collector.
//!
//! Between the clone and the end everything is done by system calls from registers alone: a few pages are all there is.

use crate::sys;
use core::ffi::{CStr, c_int};

/// Whether this is written for the architecture.
pub const IS_POSSIBLE: bool = cfg!(target_arch = "x86_64");

/// Where an installation has its command, as seen from the library's folder.
const BESIDE: [&[u8]; 3] = [b"/memguard", b"/../bin/memguard", b"/../../bin/memguard"];
/// Where else it may be.
const ELSEWHERE: [&[u8]; 2] = [b"/usr/local/bin/memguard", b"/usr/bin/memguard"];
const PLACES: usize = BESIDE.len() + ELSEWHERE.len();
const PATH_MAX: usize = 1024;

pub use library::note as note_library;

/// The library's own folder, noted by the constructor.
mod library {
    use super::PATH_MAX;
    use core::cell::UnsafeCell;
    use core::sync::atomic::{AtomicUsize, Ordering};

    struct Folder(UnsafeCell<[u8; PATH_MAX]>);
    // SAFETY: written by the constructor alone; read-only afterwards.
    unsafe impl Sync for Folder {}

    static FOLDER: Folder = Folder(UnsafeCell::new([0; PATH_MAX]));
    static FOLDER_BYTES: AtomicUsize = AtomicUsize::new(0);

    /// Asks the loader where this library comes from; false if the answer is of no use.
    pub fn note() -> bool {
        super::asm::note_rseq();
        let Some(path) = crate::loader::path_of(note as *const () as u64) else { return false };
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else { return false };
        // SAFETY: only the constructor writes.
        let folder = unsafe { &mut *FOLDER.0.get() };
        let mut used = 0;
        // The program may change its directory before it asks.
        if !path.starts_with(b"/") {
            let place = folder.as_mut_ptr() as usize;
            let n = crate::sys::call(libc::SYS_getcwd, [place, PATH_MAX / 2, 0, 0, 0, 0]);
            let Ok(n @ 2..) = usize::try_from(n) else { return false };
            used = n;
            if let Some(end) = folder.get_mut(used - 1) {
                *end = b'/';
            }
        }
        let part = path.get(..slash).unwrap_or_default();
        let Some(into) = folder.get_mut(used..used + part.len()) else { return false };
        into.copy_from_slice(part);
        FOLDER_BYTES.store(used + part.len(), Ordering::Relaxed);
        true
    }

    /// The folder, without a slash at the end.
    pub fn folder() -> &'static [u8] {
        // SAFETY: read-only since the constructor.
        let folder = unsafe { &*FOLDER.0.get() };
        folder.get(..FOLDER_BYTES.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

/// The paths at which the command may lie, in the order in which they are tried.
pub struct Collectors {
    paths: [[u8; PATH_MAX]; PLACES],
}

impl Collectors {
    /// Beside the library, then where packages put it.
    pub fn beside_library() -> Option<Self> {
        let mut paths = [[0; PATH_MAX]; PLACES];
        let beside = BESIDE.iter().map(|place| (library::folder(), *place));
        let all = beside.chain(ELSEWHERE.iter().map(|place| (&b""[..], *place)));
        for (path, (folder, place)) in paths.iter_mut().zip(all) {
            let (start, rest) = path.split_at_mut_checked(folder.len())?;
            start.copy_from_slice(folder);
            // The last byte stays zero.
            rest.get_mut(..place.len())
                .filter(|into| into.len() + folder.len() < PATH_MAX)?
                .copy_from_slice(place);
        }
        Some(Self { paths })
    }

    fn each(&self) -> impl Iterator<Item = &CStr> {
        self.paths.iter().filter_map(|path| CStr::from_bytes_until_nul(path).ok())
    }

    /// Whether this program file is one of them: the same file, whatever the path.
    pub fn contains(&self, exe: &[u8]) -> bool {
        let mut path = [0; 4096];
        let Some(into) = path.get_mut(..exe.len()).filter(|into| into.len() < 4096) else { return false };
        into.copy_from_slice(exe);
        let Ok(exe) = CStr::from_bytes_until_nul(&path) else { return false };
        let own = sys::file_identity(exe);
        own.is_some() && self.each().any(|path| sys::file_identity(path) == own)
    }
}

/// Most strings of the environment that are passed on.
const VARIABLES_MAX: usize = 96;
const STACK_BYTES: usize = 8192;
const TEXT_BYTES: usize = 20 << 10;
const GAPS: usize = 4;
/// No table of descriptors is searched further than this where the kernel has no `close_range`.
const DESCRIPTORS_MAX: u64 = 1 << 20;

/// All that the process between needs, in one mapping.
#[repr(C, align(4096))]
struct Plan {
    stack: [u8; STACK_BYTES],
    stays: u64,
    file: u64,
    descriptors_max: u64,
    /// Starts and lengths of what it gives back if it stays.
    gaps: [[u64; 2]; GAPS],
    /// An empty set of signals, and a `struct kernel_sigaction` that says "default".
    zeros: [u64; 4],
    /// The end of each list is a null.
    paths: [u64; PLACES + 1],
    arguments: [u64; 3],
    environment: [u64; VARIABLES_MAX + 1],
    null_device: [u8; 16],
    root: [u8; 16],
    name: [u8; 16],
    text: [u8; TEXT_BYTES],
}

/// Starts the collector with `file` as its descriptor [`memguard_segment::request::DESCRIPTOR`].
pub fn launch(collectors: &Collectors, environment: &[u8], file: i32) -> Option<()> {
    let bytes = size_of::<Plan>();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let place = sys::map(bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)?;
    // SAFETY: a fresh, zeroed, page-aligned mapping of this size, for which zero is a valid value of every field.
    let plan: &mut Plan = unsafe { &mut *place.cast() };
    let done = plan.fill(collectors, environment, file).and_then(|()| plan.carry_out());
    sys::unmap(place as usize, bytes);
    done
}

impl Plan {
    fn fill(&mut self, collectors: &Collectors, environment: &[u8], file: i32) -> Option<()> {
        self.stays = u64::from(adopts_orphans());
        self.file = u64::try_from(file).ok()?;
        self.descriptors_max =
            sys::limit(libc::RLIMIT_NOFILE as usize).unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX);
        self.null_device.get_mut(..9)?.copy_from_slice(b"/dev/null");
        self.root.get_mut(..1)?.copy_from_slice(b"/");
        self.name.get_mut(..15)?.copy_from_slice(b"memguard-keeper");
        let mut text = Text { bytes: &mut self.text, used: 0 };
        for (entry, path) in self.paths.iter_mut().zip(collectors.each()) {
            *entry = text.add(path.to_bytes())?;
        }
        for (entry, word) in self.arguments.iter_mut().zip([&b"memguard"[..], b"collect"]) {
            *entry = text.add(word)?;
        }
        let variables = environment.split(|byte| *byte == 0).filter(|text| !text.is_empty());
        let mut entries = self.environment.iter_mut().take(VARIABLES_MAX);
        for variable in variables.chain([super::environment::COLLECTOR]) {
            *entries.next()? = text.add(variable)?;
        }
        self.gaps = asm::gaps(core::ptr::from_ref(self) as u64, size_of::<Self>() as u64)?;
        Some(())
    }

    fn carry_out(&mut self) -> Option<()> {
        let shared = (libc::CLONE_VM | libc::CLONE_VFORK) as usize;
        let flags = if self.stays == 0 { shared } else { 0 };
        // SAFETY: a filled plan; signals are blocked (private stack), so no handler of the program runs between.
        let pid = unsafe { asm::memguard_launch(core::ptr::from_mut(self), flags) };
        if pid <= 0 {
            return None;
        }
        if self.stays == 0 {
            let eintr = -(libc::EINTR as isize);
            while sys::call(libc::SYS_wait4, [pid as usize, 0, libc::__WCLONE as usize, 0, 0, 0]) == eintr {}
        }
        Some(())
    }
}

/// NUL-terminated strings, one behind the other.
struct Text<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl Text<'_> {
    /// Where the string now lies. The bytes were zero, so one behind it ends it.
    fn add(&mut self, string: &[u8]) -> Option<u64> {
        let into = self.bytes.get_mut(self.used..=self.used + string.len())?;
        into.get_mut(..string.len())?.copy_from_slice(string);
        self.used += into.len();
        Some(into.as_ptr() as u64)
    }
}

/// Whether children of children become ours when their parents end.
fn adopts_orphans() -> bool {
    let mut is_subreaper: c_int = 0;
    let place = (&raw mut is_subreaper) as usize;
    sys::call(libc::SYS_prctl, [libc::PR_GET_CHILD_SUBREAPER as usize, place, 0, 0, 0, 0]);
    is_subreaper != 0 || sys::call(libc::SYS_getpid, [0; 6]) == 1
}

#[cfg(target_arch = "x86_64")]
mod asm {
    use super::{GAPS, Plan};
    use core::mem::offset_of;
    use core::sync::atomic::{AtomicIsize, Ordering};

    const PAGE: u64 = 4096;
    /// One past the highest address that a program can have mapped.
    const ADDRESSES_END: u64 = 0x7fff_ffff_f000;

    unsafe extern "C" {
        /// In the program: the process id, or a negative errno. The new process does not come back.
        pub fn memguard_launch(plan: *mut Plan, flags: usize) -> isize;
        fn memguard_launch_end();
    }

    core::arch::global_asm!(
        ".pushsection .text.memguard_launch,\"ax\",@progbits",
        ".globl memguard_launch",
        ".hidden memguard_launch",
        ".hidden memguard_launch_end",
        ".type memguard_launch, @function",
        "memguard_launch:",
        ".cfi_startproc",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        "mov rbx, rdi",
        "mov rdi, rsi",
        "lea rsi, [rbx + {stack_end}]",
        "xor edx, edx",
        "xor r10d, r10d",
        "xor r8d, r8d",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        // The process between. A session of its own: no signal from the program's terminal.
        "2:",
        "mov eax, {setsid}",
        "syscall",
        // With SIGCHLD ignored there would be nothing to wait for.
        "mov edi, {sigchld}",
        "lea rsi, [rbx + {zeros}]",
        "xor edx, edx",
        "mov r10d, 8",
        "mov eax, {sigaction}",
        "syscall",
        // The question becomes descriptor 3 and stays open in the collector; every other is closed.
        "mov rdi, [rbx + {file}]",
        "mov esi, {descriptor}",
        "xor edx, edx",
        "mov eax, {dup3}",
        "syscall",
        "mov edi, {descriptor}",
        "mov esi, {setfd}",
        "xor edx, edx",
        "mov eax, {fcntl}",
        "syscall",
        "xor edi, edi",
        "mov esi, {descriptor} - 1",
        "xor edx, edx",
        "mov eax, {close_range}",
        "syscall",
        "mov edi, {descriptor} + 1",
        "mov esi, 0xffffffff",
        "xor edx, edx",
        "mov eax, {close_range}",
        "syscall",
        "test eax, eax",
        "jns 5f",
        "xor r12d, r12d",
        "3:",
        "cmp r12d, {descriptor}",
        "je 4f",
        "mov edi, r12d",
        "mov eax, {close}",
        "syscall",
        "4:",
        "inc r12",
        "cmp r12, [rbx + {descriptors_max}]",
        "jb 3b",
        "5:",
        "mov r12d, 3",
        "6:",
        "lea rdi, [rbx + {null_device}]",
        "mov esi, {rdwr}",
        "xor edx, edx",
        "mov eax, {open}",
        "syscall",
        "dec r12d",
        "jnz 6b",
        "cmp qword ptr [rbx + {stays}], 0",
        "je 8f",
        // It stays: under its own name, without the program's memory.
        "mov edi, {set_name}",
        "lea rsi, [rbx + {name}]",
        "mov eax, {prctl}",
        "syscall",
        "lea r12, [rbx + {gaps}]",
        "mov r13d, {gap_count}",
        "7:",
        "mov rdi, [r12]",
        "mov rsi, [r12 + 8]",
        "mov eax, {munmap}",
        "syscall",
        "add r12, 16",
        "dec r13d",
        "jnz 7b",
        "8:",
        "mov eax, {vfork}",
        "syscall",
        "test rax, rax",
        "jz 20f",
        "cmp qword ptr [rbx + {stays}], 0",
        "je 10f",
        "mov r13, rax",
        "lea rdi, [rbx + {root}]",
        "mov eax, {chdir}",
        "syscall",
        "9:",
        "mov rdi, r13",
        "xor esi, esi",
        "mov edx, {wall}",
        "xor r10d, r10d",
        "mov eax, {wait4}",
        "syscall",
        "cmp rax, -{eintr}",
        "je 9b",
        "10:",
        "xor edi, edi",
        "mov eax, {exit_group}",
        "syscall",
        // The collector.
        "20:",
        "mov edi, {setmask}",
        "lea rsi, [rbx + {zeros}]",
        "xor edx, edx",
        "mov r10d, 8",
        "mov eax, {sigprocmask}",
        "syscall",
        "lea r12, [rbx + {paths}]",
        "21:",
        "mov rdi, [r12]",
        "test rdi, rdi",
        "jz 22f",
        "lea rsi, [rbx + {arguments}]",
        "lea rdx, [rbx + {environment}]",
        "mov eax, {execve}",
        "syscall",
        "add r12, 8",
        "jmp 21b",
        "22:",
        "mov edi, 127",
        "mov eax, {exit_group}",
        "syscall",
        "ud2",
        "memguard_launch_end:",
        ".size memguard_launch, . - memguard_launch",
        ".popsection",
        stack_end = const offset_of!(Plan, stays),
        stays = const offset_of!(Plan, stays),
        file = const offset_of!(Plan, file),
        descriptors_max = const offset_of!(Plan, descriptors_max),
        gaps = const offset_of!(Plan, gaps),
        gap_count = const GAPS,
        zeros = const offset_of!(Plan, zeros),
        paths = const offset_of!(Plan, paths),
        arguments = const offset_of!(Plan, arguments),
        environment = const offset_of!(Plan, environment),
        null_device = const offset_of!(Plan, null_device),
        root = const offset_of!(Plan, root),
        name = const offset_of!(Plan, name),
        descriptor = const memguard_segment::request::DESCRIPTOR,
        clone = const libc::SYS_clone,
        setsid = const libc::SYS_setsid,
        sigchld = const libc::SIGCHLD,
        sigaction = const libc::SYS_rt_sigaction,
        dup3 = const libc::SYS_dup3,
        setfd = const libc::F_SETFD,
        fcntl = const libc::SYS_fcntl,
        close_range = const libc::SYS_close_range,
        close = const libc::SYS_close,
        open = const libc::SYS_open,
        rdwr = const libc::O_RDWR,
        set_name = const libc::PR_SET_NAME,
        prctl = const libc::SYS_prctl,
        munmap = const libc::SYS_munmap,
        vfork = const libc::SYS_vfork,
        chdir = const libc::SYS_chdir,
        wall = const libc::__WALL,
        wait4 = const libc::SYS_wait4,
        eintr = const libc::EINTR,
        exit_group = const libc::SYS_exit_group,
        setmask = const libc::SIG_SETMASK,
        sigprocmask = const libc::SYS_rt_sigprocmask,
        execve = const libc::SYS_execve,
    );

    /// What lies between the pages that the process between needs: its code, the plan, and the area that the kernel
    /// writes the CPU's number to (restartable sequences), which glibc has registered for every thread.
    pub fn gaps(plan: u64, bytes: u64) -> Option<[[u64; 2]; GAPS]> {
        let (code, code_end) = (memguard_launch as *const () as u64, memguard_launch_end as *const () as u64);
        let page = |address: u64| address & !(PAGE - 1);
        let mut kept = [
            (page(code), page(code_end + PAGE - 1)),
            (page(plan), page(plan + bytes + PAGE - 1)),
            restartable_sequences().map_or((0, 0), |area| (page(area), page(area + 2 * PAGE))),
        ];
        kept.sort_unstable();
        let mut gaps = [[0; 2]; GAPS];
        let mut from = 0;
        for (gap, (start, end)) in gaps.iter_mut().zip(kept.into_iter().chain([(ADDRESSES_END, 0)])) {
            *gap = [from, start.checked_sub(from)?];
            from = end.max(from);
        }
        Some(gaps)
    }

    /// Where this thread's is; none in a C library that registers none.
    fn restartable_sequences() -> Option<u64> {
        let offset = RSEQ_OFFSET.load(Ordering::Relaxed);
        (offset != isize::MIN).then(|| crate::thread::control_block().wrapping_add_signed(offset as i64))
    }

    static RSEQ_OFFSET: AtomicIsize = AtomicIsize::new(isize::MIN);

    /// Asks, in the constructor, where glibc has the area of each thread, as seen from its control block.
    pub fn note_rseq() {
        let offset: *const isize = crate::real::optional(c"__rseq_offset").cast();
        if !offset.is_null() {
            // SAFETY: glibc's constant of this name and type.
            RSEQ_OFFSET.store(unsafe { *offset }, Ordering::Relaxed);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod asm {
    use super::{GAPS, Plan};

    pub unsafe fn memguard_launch(_plan: *mut Plan, _flags: usize) -> isize {
        -1
    }

    pub fn gaps(_plan: u64, _bytes: u64) -> Option<[[u64; 2]; GAPS]> {
        None
    }

    pub fn note_rseq() {}
}
