//! Life, privacy: what is recorded is the user's own.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use memguard_tests::process::Process;
use memguard_tests::watched::Place;
use memguard_tests::{ability, events, product, targets};

use crate::{ended_session, preloaded};

fn modes_of(folder: &Path, into: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable")) {
        let Ok(about) = entry.metadata() else { continue };
        into.push((entry.path().display().to_string(), about.mode() & 0o777));
        if about.is_dir() {
            modes_of(&entry.path(), into);
        }
    }
}

/// Goal: nobody else can read a byte, whatever the umask. Method: everything that there is while a tree is watched and
/// when it has ended, both ways of watching.
#[test]
fn everything_is_the_users_alone() {
    let program = targets::program("alone").display().to_string();
    let watched = format!("umask 0; exec {program} 2 & {program} 2; wait");
    for is_run in [true, false] {
        let place = Place::new();
        let command = if is_run {
            place.run(&["--quiet", "--aggressive"], &["sh", "-c", &watched])
        } else {
            let mut command = preloaded(&place, &["sh", "-c", &watched]);
            command.env("MEMGUARD_AGGRESSIVE", "1");
            command
        };
        let mut led = place.led_by(&["sh", "-c", "umask 0; exec \"$@\"", "sh"], &command);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => led.env(name, value),
                None => led.env_remove(name),
            };
        }
        let mut process = Process::converse(led);
        assert_eq!(process.line(), "ready");
        let folder = place.path().join("sessions");
        // Two programs and the shell between them.
        events::wait_until(|| place.recordings().len() >= 2);
        let mut modes = Vec::new();
        modes_of(&folder, &mut modes);
        process.finish();
        ended_session(&place);
        modes_of(&folder, &mut modes);
        let wrong: Vec<_> = modes.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
        assert!(wrong.is_empty() && modes.len() > 6, "{wrong:?} of {modes:?}");
    }
}

/// Goal: another user's folder is refused in one line, and the program runs. Method: nobody, in root's folder and in one
/// that a stranger has laid out.
#[test]
fn a_strangers_folder_is_refused() {
    if !nix::unistd::geteuid().is_root() || !ability::tool("setpriv") {
        return;
    }
    let place = Place::new();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).expect("ours");
    fs::create_dir(place.path().join("sessions")).expect("ours");
    let program = targets::program("alone").display().to_string();
    let preload = format!("LD_PRELOAD={}", product::library().display());
    let mut command = place.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "env", &preload, &program, "2"]);
    command.env("MEMGUARD_AGGRESSIVE", "1").current_dir("/");
    let ended = Process::run(command);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, "ready\nalone\n"));
    assert!(
        ended.stderr.contains("it belongs to another user") && ended.stderr.lines().count() == 1,
        "{}",
        ended.stderr
    );
    assert!(place.sessions().is_empty());
}
