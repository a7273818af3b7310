//! Interposer: the real functions behind the hooks of descriptors, timers, threads, processes and mappings.
//!
//! One row per function. Each pointer begins at a stand-in that resolves everything first. Should the resolution be
//! under way (or libc not have the function), the row's last part is the answer: the system call where there is one,
//! else ENOSYS.

use super::{Next, resolve};
use crate::sys;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{
    DIR, FILE, clockid_t, epoll_event, mmsghdr, mode_t, msghdr, pid_t, pthread_attr_t, pthread_t, uid_t,
};
use libc::{rusage, sigevent, siginfo_t, sigset_t, sockaddr, socklen_t, timer_t, timespec};

/// Address of a function of the program's, which we only pass on.
pub type Function = usize;

macro_rules! functions {
    ($($cell:ident, $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, else $otherwise:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`.")]
            pub static $cell: Next<unsafe extern "C" fn($($ty),*) -> $ret> =
                Next::new(stand_in::$name as unsafe extern "C" fn($($ty),*) -> $ret as *mut ());
        )*

        /// Finds all of them.
        pub fn resolve_all() {
            $($cell.resolve(unsafe {
                // SAFETY: a literal with its NUL.
                core::ffi::CStr::from_bytes_with_nul_unchecked(concat!(stringify!($name), "\0").as_bytes())
            });)*
        }

        #[allow(non_snake_case)] // one of them is called so
        mod stand_in {
            #[allow(clippy::wildcard_imports)]
            use super::*;
            $(
                #[allow(clippy::not_unsafe_ptr_arg_deref)]
                pub unsafe extern "C" fn $name($($arg: $ty),*) -> $ret {
                    resolve();
                    let own = $name as unsafe extern "C" fn($($ty),*) -> $ret;
                    let found = $cell.get();
                    if found as usize != own as usize {
                        // SAFETY: the program's own arguments, passed on.
                        return unsafe { found($($arg),*) };
                    }
                    $otherwise
                }
            )*
        }
    };
}

/// The answer of a system call as libc gives it.
fn answer(result: isize) -> c_int {
    if (-4095..0).contains(&result) {
        set_errno(-result as c_int);
        return -1;
    }
    result as c_int
}

fn set_errno(value: c_int) {
    // SAFETY: libc gives a valid pointer to this thread's errno.
    unsafe { *libc::__errno_location() = value }
}

fn missing() -> c_int {
    set_errno(libc::ENOSYS);
    -1
}

fn missing_pointer<T>() -> *mut T {
    set_errno(libc::ENOSYS);
    core::ptr::null_mut()
}

fn open_at(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let arguments = [directory as isize as usize, path as usize, flags as usize, mode as usize, 0, 0];
    answer(sys::call(libc::SYS_openat, arguments))
}

fn call(number: libc::c_long, a: usize, b: usize, c: usize, d: usize) -> c_int {
    answer(sys::call(number, [a, b, c, d, 0, 0]))
}

const HERE: c_int = libc::AT_FDCWD;
const CREATE: c_int = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

functions! {
    OPEN, open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int, else open_at(HERE, path, flags, mode);
    OPEN64, open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int, else open_at(HERE, path, flags, mode);
    OPEN_ALIAS, __open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int, else open_at(HERE, path, flags, mode);
    OPEN64_ALIAS, __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        else open_at(HERE, path, flags, mode);
    OPEN_2, __open_2(path: *const c_char, flags: c_int) -> c_int, else open_at(HERE, path, flags, 0);
    OPEN64_2, __open64_2(path: *const c_char, flags: c_int) -> c_int, else open_at(HERE, path, flags, 0);
    OPENAT, openat(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        else open_at(at, path, flags, mode);
    OPENAT64, openat64(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        else open_at(at, path, flags, mode);
    OPENAT_2, __openat_2(at: c_int, path: *const c_char, flags: c_int) -> c_int, else open_at(at, path, flags, 0);
    OPENAT64_2, __openat64_2(at: c_int, path: *const c_char, flags: c_int) -> c_int, else open_at(at, path, flags, 0);
    CREAT, creat(path: *const c_char, mode: mode_t) -> c_int, else open_at(HERE, path, CREATE, mode);
    CREAT64, creat64(path: *const c_char, mode: mode_t) -> c_int, else open_at(HERE, path, CREATE, mode);
    OPEN_BY_HANDLE_AT, open_by_handle_at(at: c_int, handle: *mut c_void, flags: c_int) -> c_int,
        else call(libc::SYS_open_by_handle_at, at as usize, handle as usize, flags as usize, 0);
    MKSTEMP, mkstemp(template: *mut c_char) -> c_int, else missing();
    MKSTEMP64, mkstemp64(template: *mut c_char) -> c_int, else missing();
    MKOSTEMP, mkostemp(template: *mut c_char, flags: c_int) -> c_int, else missing();
    MKOSTEMP64, mkostemp64(template: *mut c_char, flags: c_int) -> c_int, else missing();
    MKSTEMPS, mkstemps(template: *mut c_char, suffix: c_int) -> c_int, else missing();
    MKSTEMPS64, mkstemps64(template: *mut c_char, suffix: c_int) -> c_int, else missing();
    MKOSTEMPS, mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int, else missing();
    MKOSTEMPS64, mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int, else missing();
    MEMFD_CREATE, memfd_create(name: *const c_char, flags: c_uint) -> c_int,
        else call(libc::SYS_memfd_create, name as usize, flags as usize, 0, 0);
    SHM_OPEN, shm_open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int, else missing();
    MQ_OPEN, mq_open(name: *const c_char, flags: c_int, mode: mode_t, attributes: *mut c_void) -> c_int, else missing();
    MQ_CLOSE, mq_close(queue: c_int) -> c_int, else call(libc::SYS_close, queue as usize, 0, 0, 0);
    POSIX_OPENPT, posix_openpt(flags: c_int) -> c_int, else missing();
    GETPT, getpt() -> c_int, else missing();
    CLOSE, close(number: c_int) -> c_int, else call(libc::SYS_close, number as usize, 0, 0, 0);
    CLOSE_ALIAS, __close(number: c_int) -> c_int, else call(libc::SYS_close, number as usize, 0, 0, 0);
    CLOSE_RANGE, close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int,
        else call(libc::SYS_close_range, first as usize, last as usize, flags as usize, 0);
    CLOSEFROM, closefrom(first: c_int) -> (), else {
        call(libc::SYS_close_range, first.max(0) as usize, c_uint::MAX as usize, 0, 0);
    };
    DUP, dup(number: c_int) -> c_int, else call(libc::SYS_dup, number as usize, 0, 0, 0);
    DUP2, dup2(number: c_int, onto: c_int) -> c_int,
        else duplicate(number, onto);
    DUP3, dup3(number: c_int, onto: c_int, flags: c_int) -> c_int,
        else call(libc::SYS_dup3, number as usize, onto as usize, flags as usize, 0);
    FCNTL, fcntl(number: c_int, command: c_int, argument: usize) -> c_int,
        else call(libc::SYS_fcntl, number as usize, command as usize, argument, 0);
    FCNTL64, fcntl64(number: c_int, command: c_int, argument: usize) -> c_int,
        else call(libc::SYS_fcntl, number as usize, command as usize, argument, 0);
    PIPE, pipe(ends: *mut c_int) -> c_int, else call(libc::SYS_pipe2, ends as usize, 0, 0, 0);
    PIPE2, pipe2(ends: *mut c_int, flags: c_int) -> c_int,
        else call(libc::SYS_pipe2, ends as usize, flags as usize, 0, 0);

    READ, read(number: c_int, buffer: *mut c_void, bytes: usize) -> isize,
        else call(libc::SYS_read, number as usize, buffer as usize, bytes, 0) as isize;
    READ_CHK, __read_chk(number: c_int, buffer: *mut c_void, bytes: usize, room: usize) -> isize,
        else { let _ = room; call(libc::SYS_read, number as usize, buffer as usize, bytes, 0) as isize };

    FOPEN, fopen(path: *const c_char, mode: *const c_char) -> *mut FILE, else missing_pointer();
    FOPEN64, fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE, else missing_pointer();
    FDOPEN, fdopen(number: c_int, mode: *const c_char) -> *mut FILE, else missing_pointer();
    FREOPEN, freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE, else missing_pointer();
    FREOPEN64, freopen64(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE,
        else missing_pointer();
    TMPFILE, tmpfile() -> *mut FILE, else missing_pointer();
    TMPFILE64, tmpfile64() -> *mut FILE, else missing_pointer();
    FCLOSE, fclose(stream: *mut FILE) -> c_int, else missing();
    POPEN, popen(command: *const c_char, mode: *const c_char) -> *mut FILE, else missing_pointer();
    PCLOSE, pclose(stream: *mut FILE) -> c_int, else missing();
    OPENDIR, opendir(path: *const c_char) -> *mut DIR, else missing_pointer();
    FDOPENDIR, fdopendir(number: c_int) -> *mut DIR, else missing_pointer();
    CLOSEDIR, closedir(directory: *mut DIR) -> c_int, else missing();

    SOCKET, socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int,
        else call(libc::SYS_socket, domain as usize, kind as usize, protocol as usize, 0);
    SOCKETPAIR, socketpair(domain: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int,
        else call(libc::SYS_socketpair, domain as usize, kind as usize, protocol as usize, ends as usize);
    ACCEPT, accept(listener: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int,
        else call(libc::SYS_accept4, listener as usize, address as usize, length as usize, 0);
    ACCEPT4, accept4(listener: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int,
        else call(libc::SYS_accept4, listener as usize, address as usize, length as usize, flags as usize);
    RECVMSG, recvmsg(socket: c_int, message: *mut msghdr, flags: c_int) -> isize,
        else call(libc::SYS_recvmsg, socket as usize, message as usize, flags as usize, 0) as isize;
    RECVMMSG, recvmmsg(socket: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int,
        else answer(sys::call(libc::SYS_recvmmsg,
            [socket as usize, messages as usize, count as usize, flags as usize, timeout as usize, 0]));

    EPOLL_CREATE, epoll_create(size: c_int) -> c_int, else { let _ = size; call(libc::SYS_epoll_create1, 0, 0, 0, 0) };
    EPOLL_CREATE1, epoll_create1(flags: c_int) -> c_int, else call(libc::SYS_epoll_create1, flags as usize, 0, 0, 0);
    EPOLL_CTL, epoll_ctl(instance: c_int, operation: c_int, number: c_int, event: *mut epoll_event) -> c_int,
        else call(libc::SYS_epoll_ctl, instance as usize, operation as usize, number as usize, event as usize);
    EVENTFD, eventfd(count: c_uint, flags: c_int) -> c_int,
        else call(libc::SYS_eventfd2, count as usize, flags as usize, 0, 0);
    SIGNALFD, signalfd(number: c_int, mask: *const sigset_t, flags: c_int) -> c_int,
        else call(libc::SYS_signalfd4, number as usize, mask as usize, 8, flags as usize);
    TIMERFD_CREATE, timerfd_create(clock: c_int, flags: c_int) -> c_int,
        else call(libc::SYS_timerfd_create, clock as usize, flags as usize, 0, 0);
    INOTIFY_INIT, inotify_init() -> c_int, else call(libc::SYS_inotify_init1, 0, 0, 0, 0);
    INOTIFY_INIT1, inotify_init1(flags: c_int) -> c_int, else call(libc::SYS_inotify_init1, flags as usize, 0, 0, 0);
    INOTIFY_ADD_WATCH, inotify_add_watch(instance: c_int, path: *const c_char, mask: u32) -> c_int,
        else call(libc::SYS_inotify_add_watch, instance as usize, path as usize, mask as usize, 0);
    INOTIFY_RM_WATCH, inotify_rm_watch(instance: c_int, watch: c_int) -> c_int,
        else call(libc::SYS_inotify_rm_watch, instance as usize, watch as usize, 0, 0);
    FANOTIFY_INIT, fanotify_init(flags: c_uint, event_flags: c_uint) -> c_int,
        else call(libc::SYS_fanotify_init, flags as usize, event_flags as usize, 0, 0);
    PIDFD_OPEN, pidfd_open(pid: pid_t, flags: c_uint) -> c_int,
        else call(libc::SYS_pidfd_open, pid as usize, flags as usize, 0, 0);

    TIMER_CREATE, timer_create(clock: clockid_t, event: *mut sigevent, timer: *mut timer_t) -> c_int, else missing();
    TIMER_DELETE, timer_delete(timer: timer_t) -> c_int, else missing();

    PTHREAD_CREATE, pthread_create(handle: *mut pthread_t, attributes: *const pthread_attr_t, main: Function,
        argument: *mut c_void) -> c_int, else libc::EAGAIN;
    PTHREAD_JOIN, pthread_join(handle: pthread_t, value: *mut *mut c_void) -> c_int, else libc::EINVAL;
    PTHREAD_TRYJOIN_NP, pthread_tryjoin_np(handle: pthread_t, value: *mut *mut c_void) -> c_int, else libc::EINVAL;
    PTHREAD_TIMEDJOIN_NP, pthread_timedjoin_np(handle: pthread_t, value: *mut *mut c_void, until: *const timespec) -> c_int,
        else libc::EINVAL;
    PTHREAD_CLOCKJOIN_NP, pthread_clockjoin_np(handle: pthread_t, value: *mut *mut c_void, clock: clockid_t,
        until: *const timespec) -> c_int, else libc::EINVAL;
    PTHREAD_DETACH, pthread_detach(handle: pthread_t) -> c_int, else libc::EINVAL;
    THRD_CREATE, thrd_create(handle: *mut pthread_t, main: Function, argument: *mut c_void) -> c_int, else 2;
    THRD_JOIN, thrd_join(handle: pthread_t, value: *mut c_int) -> c_int, else 2;
    THRD_DETACH, thrd_detach(handle: pthread_t) -> c_int, else 2;

    SETUID, setuid(user: uid_t) -> c_int, else call(libc::SYS_setuid, user as usize, 0, 0, 0);
    SETEUID, seteuid(user: uid_t) -> c_int,
        else call(libc::SYS_setresuid, usize::MAX, user as usize, usize::MAX, 0);
    SETREUID, setreuid(user: uid_t, effective: uid_t) -> c_int,
        else call(libc::SYS_setreuid, user as usize, effective as usize, 0, 0);
    SETRESUID, setresuid(user: uid_t, effective: uid_t, saved: uid_t) -> c_int,
        else call(libc::SYS_setresuid, user as usize, effective as usize, saved as usize, 0);
    CHROOT, chroot(path: *const c_char) -> c_int, else call(libc::SYS_chroot, path as usize, 0, 0, 0);

    FORK, fork() -> pid_t, else missing();
    FORK_BARE, _Fork() -> pid_t, else missing();
    POSIX_SPAWN, posix_spawn(pid: *mut pid_t, path: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: *const *mut c_char, environment: *const *mut c_char) -> c_int, else libc::ENOSYS;
    POSIX_SPAWNP, posix_spawnp(pid: *mut pid_t, path: *const c_char, actions: *const c_void, attributes: *const c_void,
        arguments: *const *mut c_char, environment: *const *mut c_char) -> c_int, else libc::ENOSYS;
    WAIT, wait(status: *mut c_int) -> pid_t,
        else call(libc::SYS_wait4, usize::MAX, status as usize, 0, 0);
    WAITPID, waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t,
        else call(libc::SYS_wait4, pid as isize as usize, status as usize, options as usize, 0);
    WAIT3, wait3(status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t,
        else call(libc::SYS_wait4, usize::MAX, status as usize, options as usize, usage as usize);
    WAIT4, wait4(pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t,
        else call(libc::SYS_wait4, pid as isize as usize, status as usize, options as usize, usage as usize);
    WAITID, waitid(kind: c_uint, id: c_uint, info: *mut siginfo_t, options: c_int) -> c_int,
        else call(libc::SYS_waitid, kind as usize, id as usize, info as usize, options as usize);

    MMAP, mmap(address: *mut c_void, bytes: usize, protection: c_int, flags: c_int, number: c_int, offset: i64) -> *mut c_void,
        else map(address, bytes, protection, flags, number, offset);
    MMAP64, mmap64(address: *mut c_void, bytes: usize, protection: c_int, flags: c_int, number: c_int, offset: i64) -> *mut c_void,
        else map(address, bytes, protection, flags, number, offset);
    MUNMAP, munmap(address: *mut c_void, bytes: usize) -> c_int,
        else call(libc::SYS_munmap, address as usize, bytes, 0, 0);
    MREMAP, mremap(address: *mut c_void, bytes: usize, bytes_new: usize, flags: c_int, address_new: *mut c_void) -> *mut c_void,
        else remap(address, bytes, bytes_new, flags, address_new);

    ON_EXIT, on_exit(function: Function, argument: *mut c_void) -> c_int, else missing();
    CXA_ATEXIT, __cxa_atexit(function: Function, argument: *mut c_void, library: *mut c_void) -> c_int, else missing();
    REGISTER_ATFORK, __register_atfork(prepare: Function, parent: Function, child: Function, library: *mut c_void) -> c_int,
        else libc::ENOMEM;
}

/// `dup2` by the calls that every architecture has.
fn duplicate(number: c_int, onto: c_int) -> c_int {
    if number != onto {
        return call(libc::SYS_dup3, number as usize, onto as usize, 0, 0);
    }
    match call(libc::SYS_fcntl, number as usize, libc::F_GETFD as usize, 0, 0) {
        -1 => -1,
        _ => onto,
    }
}

fn pointer(result: isize) -> *mut c_void {
    if (-4095..0).contains(&result) {
        set_errno(-result as c_int);
        return libc::MAP_FAILED;
    }
    core::ptr::with_exposed_provenance_mut(result as usize)
}

fn map(
    address: *mut c_void,
    bytes: usize,
    protection: c_int,
    flags: c_int,
    number: c_int,
    offset: i64,
) -> *mut c_void {
    let arguments = [
        address as usize,
        bytes,
        protection as usize,
        flags as usize,
        number as isize as usize,
        offset as usize,
    ];
    pointer(sys::call(libc::SYS_mmap, arguments))
}

fn remap(
    address: *mut c_void,
    bytes: usize,
    bytes_new: usize,
    flags: c_int,
    address_new: *mut c_void,
) -> *mut c_void {
    let arguments = [address as usize, bytes, bytes_new, flags as usize, address_new as usize, 0];
    pointer(sys::call(libc::SYS_mremap, arguments))
}
