//! Resources, the kernel's word: under load the table holds what the kernel lists.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use memguard_segment::{Class, Descriptor};
use memguard_tests::ability::tool;
use memguard_tests::events::wait_until;
use memguard_tests::process::Process;
use memguard_tests::recording::Recording;
use memguard_tests::watched::Place;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Stressors that open, pass on and close descriptors, one process each and more.
const STRESSORS: [&str; 8] =
    ["--dup", "--open", "--pipe", "--sock", "--timerfd", "--epoll", "--clone", "--eventfd"];
/// Of these, the ones that also open by system calls of their own, past libc: `openat2`, `clone` with a pidfd.
const RAW: [&str; 2] = ["stress-ng-open", "stress-ng-clone"];
/// Looks at every process.
const ROUNDS: usize = 40;

/// What a descriptor that came by this door may look like.
fn fits(class: Option<Class>, target: &str) -> bool {
    let is = |start: &str| target.starts_with(start);
    match class {
        Some(Class::Socket | Class::Accepted) => is("socket:"),
        Some(Class::Pipe | Class::Popen) => is("pipe:"),
        Some(Class::Eventfd) => is("anon_inode:[eventfd]"),
        Some(Class::Epoll) => is("anon_inode:[eventpoll]"),
        Some(Class::Timerfd) => is("anon_inode:[timerfd]"),
        Some(Class::Signalfd) => is("anon_inode:[signalfd]"),
        Some(Class::Inotify) => is("anon_inode:inotify"),
        Some(Class::Memfd) => is("/memfd:") || is("/dev/shm/"),
        Some(Class::File | Class::Stream | Class::Directory) => is("/"),
        // A duplicate is what the original was.
        Some(_) => true,
        None => false,
    }
}

/// What the kernel lists, by number.
fn listed(pid: i32) -> Option<BTreeMap<u32, String>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()? {
        let path = entry.ok()?.path();
        let number = path.file_name()?.to_str()?.parse().ok()?;
        if let Ok(target) = fs::read_link(&path) {
            all.insert(number, target.to_string_lossy().into_owned());
        }
    }
    Some(all)
}

fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// One process at a standstill.
struct Still {
    table: BTreeMap<u32, Descriptor>,
    kernel: BTreeMap<u32, String>,
    threads: usize,
}

/// Stops the process, so that both sides stand still, and gives both; `None` if it has ended.
fn both(place: &Place, pid: i32) -> Option<Still> {
    kill(Pid::from_raw(pid), Signal::SIGSTOP).ok()?;
    wait_until(|| state(pid).is_none_or(|state| matches!(state, 'T' | 'Z' | 'X')));
    // A process that has executed another program has a newer segment beside the old one.
    let newest = segments(place).remove(&pid).and_then(|paths| paths.into_iter().max());
    let table = newest.and_then(|path| Recording::copy(&path)).map(|recording| recording.descriptors());
    let kernel = listed(pid);
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
    Some(Still { table: table?, kernel: kernel?, threads })
}

/// The segments that processes made for themselves, `PID-TIME.segment`, by process.
fn segments(place: &Place) -> BTreeMap<i32, Vec<PathBuf>> {
    let mut all: BTreeMap<i32, Vec<PathBuf>> = BTreeMap::new();
    for session in place.sessions() {
        for entry in fs::read_dir(session).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(pid) = name.split_once('-').and_then(|(pid, _)| pid.parse().ok()) {
                all.entry(pid).or_default().push(entry.path());
            }
        }
    }
    all
}

/// Goal: the table holds what the kernel lists, with the right kind. Method: stress-ng, its processes stopped again and
/// again; what a thread is just opening or closing may be on one side alone, which is two at most a thread. What was there
/// when a process was first watched has no entry, and stays without.
#[test]
fn the_table_is_what_the_kernel_lists() {
    if !tool("stress-ng") {
        return;
    }
    let place = Place::new();
    let mut arguments: Vec<&str> = vec!["stress-ng", "--timeout", "20", "--quiet"];
    arguments.extend(STRESSORS.iter().flat_map(|stressor| [*stressor, "1"]));
    let mut run = Process::start(place.run(&["--quiet"], &arguments));
    wait_until(|| segments(&place).len() > 4);
    let mut before: BTreeMap<i32, BTreeMap<u32, String>> = BTreeMap::new();
    let (mut compared, mut strange) = (0, Vec::new());
    for _ in 0..ROUNDS {
        for pid in segments(&place).into_keys() {
            let Some(Still { table, kernel, threads }) = both(&place, pid) else { continue };
            let unknown: BTreeMap<u32, String> = kernel
                .iter()
                .filter(|(number, _)| !table.contains_key(number))
                .map(|(number, target)| (*number, target.clone()))
                .collect();
            let Some(known) = before.get(&pid) else {
                before.insert(pid, unknown);
                continue;
            };
            let fresh: Vec<_> = unknown.iter().filter(|(n, target)| known.get(n) != Some(target)).collect();
            let gone: Vec<_> = table.keys().filter(|number| !kernel.contains_key(number)).collect();
            let wrong: Vec<_> = table
                .iter()
                .filter_map(|(number, booked)| Some((number, booked.class, kernel.get(number)?)))
                .filter(|(_, class, target)| !fits(*class, target))
                .collect();
            compared += table.len();
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let is_raw = RAW.iter().any(|raw| name.starts_with(raw));
            if !is_raw && fresh.len() > 2 * threads || gone.len() > 2 * threads || !wrong.is_empty() {
                let (fresh, gone) = (fresh.iter().take(5), gone.iter().take(5));
                let (fresh, gone): (Vec<_>, Vec<_>) = (fresh.collect(), gone.collect());
                strange.push(format!("{name}: not booked {fresh:?}, gone {gone:?}, wrong {wrong:?}"));
            }
        }
    }
    let code = run.wait();
    println!("{compared} entries compared, in {} processes", before.len());
    assert_eq!(code, 0);
    assert!(strange.is_empty(), "{}", strange.join("\n"));
    assert!(compared > 100, "{compared} entries were compared");
}
