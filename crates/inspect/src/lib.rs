//! Inspect: what the kernel says about a process and its resources, read from outside it, at no cost to it.
//! In: a process id. Out: plain numbers and lists; `None` if the process has ended or may not be seen. A list that is
//! longer than its bound is cut and never waited for.
#![forbid(unsafe_code)]

mod cgroup;
mod clock;
mod descriptors;
mod fdinfo;
mod limits;
mod lines;
mod map_line;
mod maps;
mod numbers;
mod pagemap;
mod ranges;
mod references;
mod smaps;
mod sockets;
mod stat;
mod tasks;
mod timers;

pub use cgroup::{GroupBound, memory_bounds, task_bounds};
pub use clock::{children_cpu_ns, monotonic_ns, process_cpu_ns, thread_cpu_ns, thread_cpu_since};
pub use descriptors::{
    Descriptor, DescriptorKind, DescriptorLister, descriptor_count, descriptor_numbers, descriptor_target,
    descriptors,
};
pub use fdinfo::{EpollEntry, FdDetail, FdInfo, InotifyEntry, fd_info};
pub use limits::{
    AddressSpace, ResourceLimits, address_space, host_available_bytes, open_files_limit, resource_limits,
    user_tasks,
};
pub use maps::{
    SmapsRollup, executable, loaded_modules, mapping_count, process_mapping, shared_file, strangers,
};
pub use pagemap::Pagemap;
pub use ranges::mapped_ranges;
pub use references::{References, Target, Unscanned, references};
pub use smaps::{Area, areas};
pub use sockets::{Protocol, Socket, SocketState, SocketTable};
pub use stat::{Identity, Stat, processor_wait_ns};
pub use tasks::{
    ChildEntry, ThreadEntry, child, child_pids, children, thread_count, thread_ids, thread_name, threads,
};
pub use timers::{TimerEntry, posix_timers};
