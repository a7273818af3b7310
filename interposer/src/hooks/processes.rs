//! Interposer, hooks of child processes: who made them, and that somebody has waited for them.

use super::entry::{hooks, wide_hooks};
use crate::ledger;
use crate::real::resources as real;
use crate::stack::Here;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{pid_t, rusage, siginfo_t};
use memguard_segment::Class;

/// Books a child, in the parent.
fn made(pid: pid_t, here: Here) -> pid_t {
    if pid > 0 {
        ledger::made(Class::Child, u64::from(pid.cast_unsigned()), 0, here);
    }
    pid
}

/// Books one that is a copy of its parent, with our memory in it.
fn copied(pid: pid_t, here: Here) -> pid_t {
    if pid > 0 {
        ledger::copied();
    }
    made(pid, here)
}

/// A wait that answered: the child is gone unless it has merely stopped or goes on.
fn waited(pid: pid_t, status: c_int) {
    if pid > 0 && (libc::WIFEXITED(status) || libc::WIFSIGNALED(status)) {
        ledger::reaped(pid.cast_unsigned(), status.cast_unsigned());
    }
}

/// Calls with a place for the status, the program's own if it gave one.
fn waiting(status: *mut c_int, call: impl FnOnce(*mut c_int) -> pid_t) -> pid_t {
    let mut own = 0;
    let place = if status.is_null() { &raw mut own } else { status };
    let pid = call(place);
    if pid > 0 {
        // SAFETY: the kernel wrote a status there.
        waited(pid, unsafe { place.read_unaligned() });
    }
    pid
}

hooks! {
    fn fork() -> pid_t, |here| {
        // SAFETY: takes nothing.
        copied(unsafe { real::FORK.get()() }, here)
    }

    fn _Fork() -> pid_t, |here| {
        // SAFETY: takes nothing.
        copied(unsafe { real::FORK_BARE.get()() }, here)
    }

    fn wait(status: *mut c_int) -> pid_t, |_here| {
        // SAFETY: the program's own argument or a place of ours, passed on.
        waiting(status, |place| unsafe { real::WAIT.get()(place) })
    }

    fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t, |_here| {
        // SAFETY: the program's own arguments or a place of ours, passed on.
        waiting(status, |place| unsafe { real::WAITPID.get()(pid, place, options) })
    }

    fn wait3(status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t, |_here| {
        // SAFETY: the program's own arguments or a place of ours, passed on.
        waiting(status, |place| unsafe { real::WAIT3.get()(place, options, usage) })
    }

    fn wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t, |_here| {
        // SAFETY: the program's own arguments or a place of ours, passed on.
        waiting(status, |place| unsafe { real::WAIT4.get()(pid, place, options, usage) })
    }

    fn waitid(kind: c_uint, id: c_uint, info: *mut siginfo_t, options: c_int) -> c_int, |_here| {
        // SAFETY: a plain structure for which zero is in order.
        let mut own: siginfo_t = unsafe { core::mem::zeroed() };
        let place = if info.is_null() { &raw mut own } else { info };
        // SAFETY: the program's own arguments or a place of ours, passed on.
        let answer = unsafe { real::WAITID.get()(kind, id, place, options) };
        if answer == 0 && options & libc::WNOWAIT == 0 && options & libc::WEXITED != 0 {
            // SAFETY: the kernel has filled it in, with a pid of 0 if there was nothing to tell.
            let (pid, code) = unsafe { ((*place).si_pid(), (*place).si_code) };
            // SAFETY: as above.
            let value = unsafe { (*place).si_status() }.cast_unsigned();
            match code {
                // As `waitpid` would have put it.
                libc::CLD_EXITED if pid > 0 => ledger::reaped(pid.cast_unsigned(), value << 8 & 0xFF00),
                libc::CLD_KILLED | libc::CLD_DUMPED if pid > 0 => ledger::reaped(pid.cast_unsigned(), value & 0x7F),
                _ => {}
            }
        }
        answer
    }
}

wide_hooks! {
    fn posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char
    ) -> c_int, |here| {
        spawned(pid, here, |place| {
            // SAFETY: the program's own arguments or a place of ours, passed on.
            unsafe { real::POSIX_SPAWN.get()(place, path, actions, attributes, arguments, environment) }
        })
    }

    fn posix_spawnp(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char
    ) -> c_int, |here| {
        spawned(pid, here, |place| {
            // SAFETY: the program's own arguments or a place of ours, passed on.
            unsafe { real::POSIX_SPAWNP.get()(place, path, actions, attributes, arguments, environment) }
        })
    }
}

fn spawned(pid: *mut pid_t, here: Here, call: impl FnOnce(*mut pid_t) -> c_int) -> c_int {
    let mut own = 0;
    let place = if pid.is_null() { &raw mut own } else { pid };
    let answer = call(place);
    if answer == 0 {
        // SAFETY: on success there is a process id.
        made(unsafe { place.read_unaligned() }, here);
    }
    answer
}

/// See vfork(2). The child runs on its parent's stack and in its memory, this thread's block included, until it executes
/// something or ends; the parent waits. So the return address is kept in a register across the call, as libc does it,
/// and the thread's block says meanwhile that whoever runs is not the parent.
///
/// # Safety
/// As for vfork.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vfork() -> pid_t {
    core::arch::naked_asm!(
        "mov rdx, qword ptr [rip + memguard_thread@GOTTPOFF]",
        "inc dword ptr fs:[rdx + {vforks}]",
        "pop rdi",
        "mov eax, {number}",
        "syscall",
        "push rdi",
        "test eax, eax",
        "jz 2f",
        "dec dword ptr fs:[rdx + {vforks}]",
        "mov rdi, rax",
        "mov rsi, rsp",
        "mov rdx, rbp",
        "jmp {parent}",
        "2:",
        "ret",
        vforks = const core::mem::offset_of!(crate::thread::Thread, vforks),
        number = const libc::SYS_vfork,
        parent = sym vforked,
    )
}

/// In the parent, after the child has gone its own way.
#[cfg(all(not(feature = "portable"), target_arch = "x86_64"))]
unsafe extern "C" fn vforked(answer: isize, sp: u64, fp: u64) -> pid_t {
    if answer < 0 {
        // SAFETY: libc gives a valid pointer to this thread's errno.
        unsafe { *libc::__errno_location() = -answer as c_int };
        return -1;
    }
    made(answer as pid_t, Here::at_entry(sp, fp))
}
