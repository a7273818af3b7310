//! Measures what it costs to look at a process with many resources: this one, which makes them for that. In: nothing
//! (it needs a limit of 11,000 open files). Out: one line per question, best of eight.

use std::hint::black_box;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use memguard_inspect::{
    DescriptorLister, SocketTable, Stat, children, descriptor_count, descriptor_numbers, fd_info,
    monotonic_ns, thread_count, thread_ids,
};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

fn main() -> std::io::Result<()> {
    let pid = std::process::id().cast_signed();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut connections: Vec<(TcpStream, TcpStream)> = Vec::new();
    for count in [0, 50, 5_000] {
        while connections.len() < count {
            let client = TcpStream::connect(address)?;
            connections.push((client, listener.accept()?.0));
        }
        sockets(pid, "connected");
    }
    for (client, server) in connections.iter_mut().take(1_000) {
        client.shutdown(Shutdown::Both)?;
        // Returns when the end of the connection has arrived.
        while server.read(&mut [0])? != 0 {}
    }
    sockets(pid, "1,000 in close wait");

    measure("descriptors: count", || descriptor_count(pid));
    measure("descriptors: numbers", || descriptor_numbers(pid));
    let mut lister = DescriptorLister::default();
    measure("descriptors: all targets", || lister.refresh(pid).map(<[_]>::len));
    measure("descriptors: 500 targets", || lister.refresh_some(pid, 500).map(<[_]>::len));
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (client, server) in &connections {
        epoll.add(client, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        epoll.add(server, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    }
    measure("epoll: 10,000 registrations", || fd_info(pid, epoll.0.as_raw_fd().cast_unsigned()));

    measure("stat", || Stat::of(pid));
    measure("threads: count", || thread_count(pid));
    measure("threads: numbers", || thread_ids(pid));
    measure("children", || children(pid));
    Ok(())
}

fn sockets(pid: i32, what: &str) {
    let count = SocketTable::of(pid).len();
    measure(&format!("{count} sockets ({what}): close wait"), || SocketTable::close_wait(pid));
    measure(&format!("{count} sockets ({what}): all"), || SocketTable::of(pid));
    measure(&format!("{count} sockets ({what}): text of TCP"), || std::fs::read("/proc/self/net/tcp"));
}

fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut best_ns = u64::MAX;
    for _ in 0..8 {
        let start_ns = monotonic_ns();
        black_box(work());
        best_ns = best_ns.min(monotonic_ns() - start_ns);
    }
    println!("{name:55} {:9.1} us", best_ns as f64 / 1000.0);
}
