//! Launcher, watch: what a process can run into. In: its process id. Out: the limits of memory, descriptors and tasks that hold for
//! it, with what is held of each, as the report's forecasts need them.

use memguard_inspect::{
    GroupBound, address_space, descriptor_count, host_available_bytes, memory_bounds, resource_limits,
    task_bounds, user_tasks,
};
use memguard_report::{LimitInput, LimitKind};

/// The user whom `RLIMIT_NPROC` does not bind.
const ROOT: u32 = 0;

/// All limits of a process. To count the user's tasks takes a look at every process of the machine; `with_tasks` asks for it.
pub fn limits(pid: i32, rss_bytes: u64, with_tasks: bool) -> Vec<LimitInput> {
    let mut limits: Vec<LimitInput> =
        memory_bounds(pid).iter().map(|bound| of_group(LimitKind::CgroupMemory, bound)).collect();
    if let Some(available) = host_available_bytes() {
        let shared = Some("host".to_owned());
        limits.push(limit(LimitKind::HostMemory, available.saturating_add(rss_bytes), rss_bytes, shared));
    }
    let own = resource_limits(pid);
    let space = address_space(pid);
    if let Some(space) = space {
        let bounds = [
            (LimitKind::AddressSpace, own.address_space_bytes, space.total_bytes),
            (LimitKind::Data, own.data_bytes, space.data_bytes),
        ];
        limits
            .extend(bounds.into_iter().filter_map(|(kind, most, held)| Some(limit(kind, most?, held, None))));
    }
    if let (Some(most), Some(held)) = (own.descriptors, descriptor_count(pid)) {
        limits.push(limit(LimitKind::Descriptors, most, held, None));
    }
    if with_tasks {
        limits.extend(task_bounds(pid).iter().map(|bound| of_group(LimitKind::CgroupTasks, bound)));
        let user = space.map(|space| space.user).filter(|user| *user != ROOT);
        if let (Some(most), Some(user)) = (own.user_tasks, user) {
            limits.push(limit(LimitKind::UserTasks, most, user_tasks(user), Some(user.to_string())));
        }
    }
    limits
}

fn of_group(kind: LimitKind, bound: &GroupBound) -> LimitInput {
    limit(kind, bound.limit, bound.held, Some(bound.folder.to_string_lossy().into_owned()))
}

fn limit(kind: LimitKind, limit: u64, held: u64, shared: Option<String>) -> LimitInput {
    LimitInput { kind, limit: limit as f64, held: held as f64, shared }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each kind of limit that this process has is told, once. Method: this process.
    #[test]
    fn the_limits_of_this_process() {
        let all = limits(std::process::id() as i32, 1 << 20, true);
        let of = |kind| all.iter().filter(|limit| limit.kind == kind).collect::<Vec<_>>();
        let host = of(LimitKind::HostMemory);
        assert!(host.len() == 1 && host[0].limit > host[0].held, "{all:?}");
        let descriptors = of(LimitKind::Descriptors);
        assert!(descriptors.len() == 1 && descriptors[0].held >= 3.0, "{all:?}");
        assert!(limits(-1, 0, true).iter().all(|limit| limit.kind == LimitKind::HostMemory));
    }
}
