//! Launcher, tests: the program sees what it would see without us.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::fixture::{Fixture, stand_in_library, stdout};

#[test]
fn exit_codes_are_the_programs_own() {
    let fixture = Fixture::new();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        let output = fixture.output(&["run", "--quiet", "--", "sh", "-c", script]);
        assert_eq!(output.status.code(), Some(code), "{script}");
    }
}

/// Goal: a death that the usual tables of signals do not name is told too. Method: a real-time signal.
#[test]
fn death_by_a_real_time_signal_is_told() {
    let fixture = Fixture::new();
    let output = fixture.output(&["run", "--quiet", "--", "sh", "-c", "kill -40 $$"]);
    assert_eq!(output.status.code(), Some(168));
}

#[test]
fn streams_and_arguments_pass_unchanged() {
    let fixture = Fixture::new();
    fixture.write("input", "from stdin");
    let script = "cat; printf '%s|' \"$@\"; echo error >&2";
    let run = ["run", "--quiet", "--", "sh", "-c", script, "name", "--flag", "a b", ""];
    let input = fs::File::open(fixture.path().join("input")).expect("there");
    let output = fixture.memguard(&run).stdin(input).output().expect("starts");
    assert_eq!(stdout(&output), "from stdin--flag|a b||");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error\n"));
}

#[test]
fn the_interposer_goes_in_front_of_what_is_preloaded() {
    let fixture = Fixture::new();
    let script = "echo \"$LD_PRELOAD\"; echo \"$MEMGUARD_SESSION\"";
    let run = ["run", "--quiet", "--", "sh", "-c", script];
    let library = fs::canonicalize(stand_in_library()).expect("there");
    let library = library.to_str().expect("UTF-8");
    let output = fixture.memguard(&run).env("LD_PRELOAD", library).output().expect("starts");
    let session = fixture.sessions()[0].display().to_string();
    assert_eq!(stdout(&output), format!("{library}:{library}\n{session}\n"));
}

/// Goal: an installation below a folder with a space works. Method: a link there to the library.
#[test]
fn a_library_the_loader_cannot_name_goes_through_the_session() {
    let fixture = Fixture::new();
    let folder = fixture.path().join("my lib:rary");
    fs::create_dir(&folder).expect("created");
    fs::copy(stand_in_library(), folder.join("libmemguard.so")).expect("copied");
    symlink(folder.join("libmemguard.so"), fixture.path().join("link.so")).expect("linked");
    let run = ["run", "--quiet", "--", "sh", "-c", "echo \"$LD_PRELOAD\""];
    let output =
        fixture.memguard(&run).env("MEMGUARD_LIB", fixture.path().join("link.so")).output().expect("starts");
    let link = fixture.sessions()[0].join("libmemguard.so");
    assert_eq!(stdout(&output), format!("{}\n", link.display()));
    assert!(output.stderr.is_empty(), "the loader complained: {}", String::from_utf8_lossy(&output.stderr));
}

/// Goal: blocked, ignored and caught signals are as without us, whatever we were started with. Method: what
/// the kernel says about a program started through `env`, with and without us between.
#[test]
fn signal_state_is_what_the_launcher_was_given() {
    let fixture = Fixture::new();
    let probe = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"];
    for given in ["--default-signal=PIPE", "--ignore-signal=PIPE,CHLD,HUP", "--block-signal=USR1,TERM"] {
        let plain = Command::new("env").arg(given).args(probe).output().expect("env starts");
        assert_eq!(plain.status.code(), Some(0), "env knows {given}");
        let mut watched = Command::new("env");
        let memguard = fixture.memguard(&[]);
        watched.envs(memguard.get_envs().filter_map(|(name, value)| Some((name, value?))));
        watched
            .current_dir(fixture.path())
            .arg(given)
            .arg(memguard.get_program())
            .args(["run", "--quiet", "--"]);
        let watched = watched.args(probe).output().expect("env starts");
        assert_eq!(stdout(&watched), stdout(&plain), "{given}");
        assert_eq!(watched.status.code(), Some(0), "{given}");
    }
}

#[test]
fn a_closed_stream_stays_closed() {
    let fixture = Fixture::new();
    let probe = "test -e /proc/self/fd/0 && echo open || echo closed";
    let memguard = env!("CARGO_BIN_EXE_memguard");
    let script = format!("exec 0<&-; exec '{memguard}' run --quiet -- sh -c '{probe}'");
    let prepared = fixture.memguard(&[]);
    let mut command = Command::new("sh");
    command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.args(["-c", &script]).stdin(Stdio::null()).output().expect("sh starts");
    assert_eq!(stdout(&output), "closed\n");
}

#[test]
fn no_descriptor_of_ours_reaches_the_program() {
    let fixture = Fixture::new();
    let plain = Command::new("sh").args(["-c", "echo /proc/self/fd/*"]).output().expect("sh starts");
    let watched = fixture.output(&["run", "--quiet", "--", "sh", "-c", "echo /proc/self/fd/*"]);
    assert_eq!(stdout(&watched), stdout(&plain));
}
