//! Launcher, doctor: what the kernel lets us see.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use memguard_inspect::SocketTable;

use super::super::Patient;
use super::super::answer::{Answer, State};

/// Reading the memory of a process takes the right to trace it, though it is never traced.
pub fn tracing(_: &Patient) -> Option<Answer> {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    let scope = scope.as_deref().map(str::trim);
    let is_root = nix::unistd::geteuid().is_root();
    Some(match scope {
        None | Some("0") => Answer::ok("memory of own processes can be read"),
        Some("1") => Answer::ok(
            "memory of what memguard run starts can be read (kernel.yama.ptrace_scope is 1); with the library alone preloaded \
             it cannot",
        ),
        Some("2") if is_root => Answer::ok("memory can be read by root (kernel.yama.ptrace_scope is 2)"),
        Some(scope) => Answer::warn(
            format!("memory of other processes cannot be read (kernel.yama.ptrace_scope is {scope})"),
            "nothing must be done: leaks are found by their growth, but none is proven; set it to 1 for more",
        ),
    })
}

/// Whether a filter is on.
pub fn system_calls(_: &Patient) -> Option<Answer> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
    Some(match mode {
        Some("0") | None => Answer::ok("not filtered here"),
        Some(_) => Answer::warn(
            "filtered here (seccomp), as in most containers",
            "nothing to do unless a check below fails: MemGuard uses ordinary calls alone",
        ),
    })
}

/// Whether other users' processes are hidden.
pub fn processes(_: &Patient) -> Option<Answer> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let hides = hidepid(&mounts);
    Some(match hides {
        Some(value) => Answer::warn(
            format!("/proc is mounted with hidepid={value}"),
            "own processes are seen; to attach to others', run memguard as root",
        ),
        None => Answer::ok("/proc shows all of them"),
    })
}

fn hidepid(mounts: &str) -> Option<&str> {
    // Mount point in the fifth field; options of the file system at the end of the line.
    let of_proc = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/proc"))?;
    let options = of_proc.rsplit(' ').next()?;
    let value = options.split(',').find_map(|option| option.strip_prefix("hidepid="))?;
    (!matches!(value, "0" | "off")).then_some(value)
}

/// Whether the kernel tells the state of a socket. Asked of a real connection to ourselves.
pub fn sockets(_: &Patient) -> Option<Answer> {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let stream = TcpStream::connect(listener.local_addr().ok()?).ok()?;
    let own = std::process::id() as i32;
    let target = fs::read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).ok()?;
    let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
    let table = SocketTable::of(own);
    Some(match table.get(inode) {
        Some(socket) if socket.last_sent_ms.is_some() => {
            Answer::ok("the kernel tells their states and when they were used")
        }
        Some(_) => Answer::warn(
            "the kernel tells their states, but not when they were used (no socket diagnosis)",
            "load the module tcp_diag, or allow NETLINK_SOCK_DIAG: idle connections are told from busy ones by it",
        ),
        None => Answer::part(
            State::Fail,
            "the kernel does not tell the states of sockets",
            "allow NETLINK_SOCK_DIAG or reading /proc/net: connections that a peer has closed are not found without",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_processes_are_an_option_of_proc() {
        let line = |options: &str| {
            format!("1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /proc rw,nosuid - proc proc {options}\n")
        };
        assert_eq!(hidepid(&line("rw")), None);
        assert_eq!(hidepid(&line("rw,hidepid=0")), None);
        assert_eq!(hidepid(&line("rw,gid=7,hidepid=2")), Some("2"));
        assert_eq!(hidepid(&line("rw,hidepid=invisible")), Some("invisible"));
        assert_eq!(hidepid(""), None);
    }
}
