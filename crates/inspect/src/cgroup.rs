//! Inspect: what control groups allow a process, version 1, version 2, or both at once. In: a process id. Out: the bounds of its
//! group and of all groups above it that can be seen from here, with what is used of them.
//!
//! Paths in `/proc/PID/cgroup` and roots in `mountinfo` are both told as the reader's cgroup namespace sees them, so the one
//! can be cut off from the other. A process whose group lies outside of what is mounted here has no bounds that we know of.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

use procfs::process::MountInfo;

use crate::lines::for_each_line;

/// Longer lists of mounts and groups are cut.
const BYTES_MAX: u64 = 4 << 20;
/// Version 1 says "no limit" by a number just below 2^63.
const UNLIMITED: u64 = 1 << 62;

/// A limit that a control group sets to everybody in it, and what they hold of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupBound {
    /// The group's folder: the same for all processes that share the bound.
    pub folder: PathBuf,
    /// The limit.
    pub limit: u64,
    /// What the group holds.
    pub held: u64,
}

/// Bounds on memory in bytes, innermost group first. What the kernel would give up before it kills (cached file pages) is not
/// counted as held.
pub fn memory_bounds(pid: i32) -> Vec<GroupBound> {
    bounds(pid, "memory", memory_bound)
}

/// Bounds on the number of threads and processes, innermost group first.
pub fn task_bounds(pid: i32) -> Vec<GroupBound> {
    bounds(pid, "pids", task_bound)
}

fn bounds(pid: i32, controller: &str, bound: fn(&Path, Version) -> Option<GroupBound>) -> Vec<GroupBound> {
    let memberships = lines(&format!("/proc/{pid}/cgroup"));
    // Our own view, else the process's own through its root: a container may have mounts that we have not.
    let own = folders(&memberships, &lines("/proc/self/mountinfo"), controller, Path::new("/"));
    let found = if own.is_empty() {
        let root = PathBuf::from(format!("/proc/{pid}/root"));
        folders(&memberships, &lines(&format!("/proc/{pid}/mountinfo")), controller, &root)
    } else {
        own
    };
    found.iter().filter_map(|(folder, version)| bound(folder, *version)).collect()
}

/// Which of the two interfaces a folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The folders of a process's groups for one controller, from its own up to what is mounted, in both hierarchies.
fn folders(
    memberships: &[String],
    mounts: &[String],
    controller: &str,
    root: &Path,
) -> Vec<(PathBuf, Version)> {
    let mut found = Vec::new();
    for line in memberships {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let version = match controllers {
            "" => Version::V2,
            _ if controllers.split(',').any(|name| name == controller) => Version::V1,
            _ => continue,
        };
        let mount =
            mounts.iter().filter_map(|line| MountInfo::from_line(line).ok()).find(|mount| match version {
                Version::V1 => mount.fs_type == "cgroup" && mount.super_options.contains_key(controller),
                Version::V2 => mount.fs_type == "cgroup2",
            });
        let Some(mount) = mount else { continue };
        let Some(inner) = below(path, &mount.root) else { continue };
        let top = root.join(mount.mount_point.strip_prefix("/").unwrap_or(&mount.mount_point));
        let levels = inner.ancestors().map(|level| (top.join(level), version));
        found.extend(levels);
    }
    found
}

/// `path` without `root` in front; `None` if it lies elsewhere, or outside of the namespace.
fn below<'a>(path: &'a str, root: &str) -> Option<&'a Path> {
    let inner = Path::new(path).strip_prefix(root).ok()?;
    let inner = inner.strip_prefix("/").unwrap_or(inner);
    inner.components().all(|part| matches!(part, Component::Normal(_))).then_some(inner)
}

fn memory_bound(folder: &Path, version: Version) -> Option<GroupBound> {
    let (limit, held, caches) = match version {
        Version::V1 => {
            ("memory.limit_in_bytes", "memory.usage_in_bytes", ["total_inactive_file ", "total_active_file "])
        }
        Version::V2 => ("memory.max", "memory.current", ["inactive_file ", "active_file "]),
    };
    let mut bound = group_bound(folder, limit, held)?;
    let path = folder.join("memory.stat");
    for_each_line(path.to_str()?, BYTES_MAX, |line| {
        for cache in caches {
            let bytes = line.strip_prefix(cache).and_then(|text| text.trim().parse().ok());
            bound.held = bound.held.saturating_sub(bytes.unwrap_or(0));
        }
        ControlFlow::Continue(())
    });
    Some(bound)
}

fn task_bound(folder: &Path, _: Version) -> Option<GroupBound> {
    group_bound(folder, "pids.max", "pids.current")
}

/// `None` where there is no limit, as in the topmost group.
fn group_bound(folder: &Path, limit: &str, held: &str) -> Option<GroupBound> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number(limit).filter(|limit| *limit < UNLIMITED)?;
    Some(GroupBound { folder: folder.to_owned(), limit, held: number(held)? })
}

fn lines(path: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for_each_line(path, BYTES_MAX, |line| {
        lines.push(line.to_owned());
        ControlFlow::Continue(())
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn found(memberships: &[&str], mounts: &[&str], controller: &str) -> Vec<(String, Version)> {
        let found = folders(&owned(memberships), &owned(mounts), controller, Path::new("/"));
        found.into_iter().map(|(path, version)| (path.to_str().expect("UTF-8").to_owned(), version)).collect()
    }

    const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory";
    const V2: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";

    /// Goal: all layouts that are in use are understood. Method: lines as machines have them.
    #[test]
    fn the_folders_of_a_process_are_found() {
        let v1 = |path: &str| (path.to_owned(), Version::V1);
        let v2 = |path: &str| (path.to_owned(), Version::V2);
        // Version 2 alone.
        let unified = "29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(
            found(&["0::/system.slice/api.service"], &[unified], "memory"),
            [
                v2("/sys/fs/cgroup/system.slice/api.service"),
                v2("/sys/fs/cgroup/system.slice"),
                v2("/sys/fs/cgroup/")
            ]
        );
        // Both at once, as on this kind of machine: the controller is in version 1, the other has groups without it.
        assert_eq!(
            found(&["8:pids:/", "4:cpu,memory:/jobs/7", "0::/"], &[V1, V2], "memory"),
            [
                v1("/sys/fs/cgroup/memory/jobs/7"),
                v1("/sys/fs/cgroup/memory/jobs"),
                v1("/sys/fs/cgroup/memory/"),
                v2("/sys/fs/cgroup/unified/")
            ]
        );
        // A container without a namespace of its own: the mount shows its part alone.
        let part = "1034 1029 0:29 /docker/4f2a /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        assert_eq!(found(&["9:memory:/docker/4f2a"], &[part], "memory"), [v1("/sys/fs/cgroup/memory/")]);
        assert_eq!(found(&["9:memory:/docker/4f2a/x"], &[part], "memory").len(), 2);
        // Not in what is mounted, outside of the namespace, not mounted at all, garbage.
        assert_eq!(found(&["9:memory:/docker/other"], &[part], "memory"), []);
        assert_eq!(found(&["9:memory:/docker/4f2a9"], &[part], "memory"), []);
        assert_eq!(found(&["0::/../../neighbour"], &[unified], "memory"), []);
        assert_eq!(found(&["4:memory:/a"], &[V2], "memory"), []);
        assert_eq!(found(&["", ":", "x:memory", "4:memoryx:/a"], &["", "1 2 3", V1], "memory"), []);
    }

    /// Goal: each level's numbers are read, caches do not count, no limit is no bound. Method: folders with files as the
    /// kernel writes them.
    #[test]
    fn bounds_are_read() {
        let place = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).expect("written");
        let bound = |limit, held| Some(GroupBound { folder: place.path().to_owned(), limit, held });
        assert_eq!(memory_bound(place.path(), Version::V2), None);
        write("memory.max", "max\n");
        write("memory.current", "1000000\n");
        assert_eq!(memory_bound(place.path(), Version::V2), None);
        write("memory.max", "536870912\n");
        assert_eq!(memory_bound(place.path(), Version::V2), bound(536_870_912, 1_000_000));
        write("memory.stat", "anon 1\nfile 400\ninactive_file 300000\nactive_file 200000\ninactive_anon 7\n");
        assert_eq!(memory_bound(place.path(), Version::V2), bound(536_870_912, 500_000));

        write("memory.limit_in_bytes", "9223372036854771712\n");
        write("memory.usage_in_bytes", "5000\n");
        assert_eq!(memory_bound(place.path(), Version::V1), None);
        write("memory.limit_in_bytes", "8192\n");
        write("memory.stat", "inactive_file 1\ntotal_inactive_file 3000\ntotal_active_file 4000\n");
        assert_eq!(memory_bound(place.path(), Version::V1), bound(8192, 0));

        write("pids.max", "max\n");
        write("pids.current", "12\n");
        assert_eq!(task_bound(place.path(), Version::V1), None);
        write("pids.max", "100\n");
        assert_eq!(task_bound(place.path(), Version::V2), bound(100, 12));
        write("pids.max", "-1");
        assert_eq!(task_bound(place.path(), Version::V2), None);
    }

    /// Goal: the kernel's own files are understood. Method: a group with a limit, made here where that is allowed, and a
    /// process in it.
    #[test]
    fn a_real_group_bounds_its_processes() {
        let old = Path::new("/sys/fs/cgroup/memory");
        let (parent, limit) = if old.is_dir() {
            (old, "memory.limit_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.max")
        };
        let group = parent.join(format!("memguard-inspect-{}", std::process::id()));
        let made = fs::create_dir(&group).and_then(|()| fs::write(group.join(limit), (64 << 20).to_string()));
        if let Err(error) = made {
            let _ = fs::remove_dir(&group);
            eprintln!("skipped: no control group can be made: {error}");
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep starts");
        fs::write(group.join("cgroup.procs"), child.id().to_string()).expect("moved");
        let bounds = memory_bounds(child.id() as i32);
        child.kill().expect("killed");
        child.wait().expect("ended");
        // The kernel lets go of the last process a moment after its end is told.
        while fs::remove_dir(&group).is_err_and(|error| error.raw_os_error() == Some(16)) {
            std::thread::yield_now();
        }
        let own = bounds.first().expect("its own group");
        assert_eq!((own.folder.as_path(), own.limit), (group.as_path(), 64 << 20));
        assert!(own.held <= own.limit, "{own:?}");
        assert_eq!(memory_bounds(-1), []);
    }
}
