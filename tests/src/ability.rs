//! Test kit, abilities: what this machine allows. In: a need. Out: whether to go on; a skipped test says so, and is a
//! failure where `MEMGUARD_REQUIRE_ALL=1` says that everything is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether mounts can be made that nobody else sees.
pub fn private_mounts() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]);
    let probed = probe.stdout(Stdio::null()).stderr(Stdio::null()).status();
    have(probed.is_ok_and(|status| status.success()), "private mounts need root")
}

/// Whether this tool is installed.
pub fn tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .any(|folder| folder.join(name).is_file());
    have(found, &format!("{name} is not installed (scripts/install-deps.sh installs it)"))
}

/// A control group with so little memory; gone when dropped. `None` where none can be made.
pub fn memory_group(bytes: u64) -> Option<MemoryGroup> {
    let name = format!("memguard-test-{}", std::process::id());
    let old = Path::new("/sys/fs/cgroup/memory");
    let (parent, limit) = if old.is_dir() {
        (old, "memory.limit_in_bytes")
    } else {
        (Path::new("/sys/fs/cgroup"), "memory.max")
    };
    let path = parent.join(name);
    let made = fs::create_dir(&path).and_then(|()| fs::write(path.join(limit), bytes.to_string()));
    let group = MemoryGroup { path };
    // Where it can only be asked for, as in containers, the test is left out without complaint.
    made.inspect_err(|error| eprintln!("skipped: no control group can be made: {error}")).ok()?;
    Some(group)
}

/// See [`memory_group`].
pub struct MemoryGroup {
    path: PathBuf,
}

impl MemoryGroup {
    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// Whether this file is there, which a package brings.
pub fn file(path: &str) -> bool {
    have(Path::new(path).is_file(), &format!("{path} is missing (scripts/install-deps.sh installs it)"))
}

fn have(it: bool, why_not: &str) -> bool {
    if !it {
        let required = std::env::var_os("MEMGUARD_REQUIRE_ALL").is_some_and(|value| value == "1");
        assert!(!required, "MEMGUARD_REQUIRE_ALL=1, but {why_not}");
        eprintln!("skipped: {why_not}");
    }
    it
}

/// A command prefix that mounts a small file system on `folder`, for itself and what it starts. There one shell script
/// runs before what follows, and another one after it; the status is that of what follows.
pub fn with_small_disk(folder: &Path, size: &str, before: &str, after: &str) -> Vec<String> {
    let folder = folder.display();
    let mount = format!("mount -t tmpfs -o size={size},mode=700 tmpfs '{folder}'");
    in_private(&format!(
        "{mount} && (cd '{folder}' && {before}) || exit 99; \"$@\"; code=$?; cd '{folder}' && {after}; exit $code"
    ))
}

/// A command prefix that lays one folder over another, for what follows.
pub fn with_folder_over(folder: &Path, over: &Path) -> Vec<String> {
    in_private(&format!("mount --bind '{}' '{}' && exec \"$@\"", folder.display(), over.display()))
}

fn in_private(script: &str) -> Vec<String> {
    ["unshare", "--mount", "sh", "-c", script, "sh"].map(str::to_owned).to_vec()
}
