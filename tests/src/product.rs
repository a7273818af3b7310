//! Test kit, the product: the release binaries under test and where they come from. In: `MEMGUARD_BIN` and `MEMGUARD_SO`
//! (and `MEMGUARD_PORTABLE_SO`), else a build. Out: paths.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The launcher.
pub fn launcher() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        named_by("MEMGUARD_BIN").unwrap_or_else(|| {
            let target = target_dir();
            build(&target, &["--package", "memguard"]);
            target.join("release/memguard")
        })
    })
}

/// The library that is preloaded.
pub fn library() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        named_by("MEMGUARD_SO").unwrap_or_else(|| {
            let target = target_dir();
            build(
                &target,
                &["memguard-interposer", "memguard-operators", "memguard-allocx"]
                    .map(|p| ["--package", p])
                    .concat(),
            );
            target.join("release/libmemguard.so")
        })
    })
}

/// A library beside it, for other allocators.
pub fn beside(name: &str) -> PathBuf {
    library().with_file_name(name)
}

/// The same library without assembly, in a target directory of its own: the two would replace each other.
pub fn portable_library() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        named_by("MEMGUARD_PORTABLE_SO").unwrap_or_else(|| {
            let target = target_dir().join("portable");
            build(&target, &["--package", "memguard-interposer", "--features", "portable"]);
            target.join("release/libmemguard.so")
        })
    })
}

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// Where cargo built this test: `TARGET/PROFILE/deps/NAME`.
pub fn target_dir() -> PathBuf {
    let own = env::current_exe().expect("known");
    own.ancestors().nth(3).expect("tests lie three folders deep").to_owned()
}

/// `cargo`, the one that runs these tests.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

fn named_by(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(variable)?);
    assert!(path.is_file(), "{variable}={} is not a file", path.display());
    Some(path.canonicalize().expect("it exists"))
}

/// The interposer and the rest are built one at a time: together they would share features, and it is not to link `std`.
fn build(target: &Path, packages: &[&str]) {
    let output = cargo()
        .args(["build", "--release", "--quiet", "--target-dir"])
        .arg(target)
        .args(packages)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
