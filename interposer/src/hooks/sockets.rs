//! Interposer, hooks of sockets, and of the messages by which descriptors come from other processes.

use super::descriptors::opened_pair;
use super::entry::{hooks, wide_hooks};
use crate::ledger;
use crate::real::resources as real;
use crate::stack::Here;
use core::ffi::{c_int, c_uint, c_void};
use libc::{cmsghdr, mmsghdr, msghdr, sockaddr, socklen_t, timespec};
use memguard_segment::Class;

/// More descriptors than that no message carries (`SCM_MAX_FD`).
const RECEIVED_MAX: usize = 253;

hooks! {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let number = unsafe { real::SOCKET.get()(domain, kind, protocol) };
        ledger::opened(number, Class::Socket, here);
        number
    }

    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let answer = unsafe { real::SOCKETPAIR.get()(domain, kind, protocol, ends) };
        // SAFETY: on success two numbers are there.
        unsafe { opened_pair(answer, ends, Class::Socket, here) }
    }

    fn accept(listener: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let number = unsafe { real::ACCEPT.get()(listener, address, length) };
        ledger::opened(number, Class::Accepted, here);
        number
    }

    fn accept4(listener: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let number = unsafe { real::ACCEPT4.get()(listener, address, length, flags) };
        ledger::opened(number, Class::Accepted, here);
        number
    }

    fn recvmsg(socket: c_int, message: *mut msghdr, flags: c_int) -> isize, |here| {
        // SAFETY: the program's own arguments, passed on.
        let bytes = unsafe { real::RECVMSG.get()(socket, message, flags) };
        if bytes >= 0 {
            // SAFETY: the kernel has filled the message in.
            unsafe { received(message, here) };
        }
        bytes
    }
}

wide_hooks! {
    fn recvmmsg(
        socket: c_int,
        messages: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        timeout: *mut timespec
    ) -> c_int, |here| {
        // SAFETY: the program's own arguments, passed on.
        let filled = unsafe { real::RECVMMSG.get()(socket, messages, count, flags, timeout) };
        for i in 0..usize::try_from(filled).unwrap_or(0) {
            // SAFETY: the kernel has filled so many messages in.
            unsafe { received(&raw mut (*messages.add(i)).msg_hdr, here) };
        }
        filled
    }
}

/// Books the descriptors that came with a message. Peeking at one makes new descriptors each time, too.
///
/// # Safety
/// `message` was filled in by the kernel.
unsafe fn received(message: *const msghdr, here: Here) {
    // SAFETY: by the promise above.
    let (control, bytes) = unsafe { ((*message).msg_control, (*message).msg_controllen) };
    if control.is_null() || bytes < size_of::<cmsghdr>() {
        return;
    }
    // SAFETY: as above; the macros stay within the control data.
    let mut part = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !part.is_null() {
        // SAFETY: a part that the kernel wrote.
        let (level, kind, length) = unsafe { ((*part).cmsg_level, (*part).cmsg_type, (*part).cmsg_len) };
        if level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS {
            // SAFETY: as above.
            let numbers: *const c_void = unsafe { libc::CMSG_DATA(part) }.cast();
            let header = numbers as usize - part as usize;
            let count = length.saturating_sub(header) / size_of::<c_int>();
            for i in 0..count.min(RECEIVED_MAX) {
                // SAFETY: within the part.
                let number = unsafe { numbers.cast::<c_int>().add(i).read_unaligned() };
                ledger::opened(number, Class::Received, here);
            }
        }
        // SAFETY: as above.
        part = unsafe { libc::CMSG_NXTHDR(message, part) };
    }
}
