//! Life, containers: what a container engine does to a program, done by hand, since no engine runs in tests.

use std::os::unix::fs::PermissionsExt;

use memguard_tests::process::{Ended, Process};
use memguard_tests::report::Report;
use memguard_tests::watched::Place;
use memguard_tests::{ability, product, targets};

use crate::{last_report, must_find_what_is_forgotten, preloaded};

/// Lays the files of an image out where every user can read them; the path of each by its name.
fn image(place: &Place) -> impl Fn(&str) -> String {
    let folder = place.path().join("image");
    std::fs::create_dir(&folder).expect("fresh");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let (alone, sandboxed) = (targets::program("alone"), targets::program("sandboxed"));
    for file in [product::launcher(), product::library(), &alone, &sandboxed] {
        let copy = folder.join(file.file_name().expect("a name"));
        std::fs::copy(file, &copy).expect("copied");
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).expect("ours");
    }
    move |name| folder.join(name).display().to_string()
}

/// Runs the program in namespaces of its own as their first process, the root read-only, the folder of the sessions on a
/// volume, as an unprivileged user, under the system call filter of container engines.
fn contained(place: &Place, of: impl Fn(&str) -> String, inner: &[&str], watch_by_preload: bool) -> Ended {
    let volume = place.path().join("sessions");
    std::fs::create_dir(&volume).expect("fresh");
    std::os::unix::fs::chown(&volume, Some(65534), Some(65534)).expect("root may");
    let volume = volume.display().to_string();
    // Binding makes a mount of its own of the volume, which stays writable.
    let script = format!(
        "mount --bind {volume} {volume} && mount -o remount,bind,ro / && exec setpriv --reuid=65534 --regid=65534 \
         --clear-groups --no-new-privs --bounding-set=-all {} \"$@\"",
        of("sandboxed")
    );
    let lead = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "--ipc",
        "--uts",
        "--net",
        "sh",
        "-c",
        &script,
        "sh",
    ];
    let mut command = place.command(lead[0]);
    command
        .args(&lead[1..])
        .args(inner)
        .env("HOME", "/nonexistent")
        .env("MEMGUARD_AGGRESSIVE", "1")
        .current_dir("/");
    if watch_by_preload {
        // For the program alone: the tools that stand for the engine are not in the container.
        command.env("INNER_PRELOAD", of("libmemguard.so"));
    } else {
        command.env("MEMGUARD_LIB", of("libmemguard.so"));
    }
    Process::run(command)
}

/// Goal: `ENV LD_PRELOAD` in an image works: read-only root, any user, the engine's filter, first process of a PID
/// namespace; what was recorded is in the report that is asked for outside. Method: the container by hand.
#[test]
fn a_container_with_the_library_preloaded() {
    if !nix::unistd::geteuid().is_root() || !ability::private_mounts() || !ability::tool("setpriv") {
        return;
    }
    let place = Place::new();
    let of = image(&place);
    let ended = contained(&place, &of, &[&of("alone"), "3"], true);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (3, "ready\nalone\n", ""));
    // Its end was the container's: the collector was killed with everything else.
    let asked = Process::run(place.memguard(&["report", "--json"]));
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    must_find_what_is_forgotten(&Report::parse(asked.stdout.as_bytes()));
}

/// Goal: `memguard run` as the entry point: it is the first process, passes signals on, reaps orphans, and ends with the
/// program's status; the report is whole. Method: the container by hand; an orphan of the program's.
#[test]
fn a_container_with_memguard_as_entry_point() {
    if !nix::unistd::geteuid().is_root() || !ability::private_mounts() || !ability::tool("setpriv") {
        return;
    }
    let place = Place::new();
    let of = image(&place);
    let (program, launcher) = (of("alone"), of("memguard"));
    let script =
        format!("(sh -c 'sleep 0.3 & exit 0'); {program} 3; code=$?; ps -e -o stat= | grep -c Z; exit $code");
    let ended = contained(&place, &of, &[&launcher, "run", "--quiet", "--", "sh", "-c", &script], false);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (3, "ready\nalone\n0\n", ""));
    must_find_what_is_forgotten(&last_report(&place));
}

/// Goal: the same without any of the engine's restrictions, as the first process of a PID namespace: no child is seen
/// there that would be waited for. Method: the program that looks all the time.
#[test]
fn the_first_process_of_a_namespace_sees_no_child() {
    if !ability::private_mounts() {
        return;
    }
    let place = Place::new();
    let program = targets::program("alone").display().to_string();
    let mut command = preloaded(&place, &["unshare", "--pid", "--fork", "--mount-proc", &program, "3"]);
    command.env("MEMGUARD_AGGRESSIVE", "1");
    let ended = Process::run(command);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (3, "ready\nalone\n", ""));
}
