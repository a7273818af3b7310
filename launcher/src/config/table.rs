//! Launcher, configuration: the table of every key. The one definition.
//! In: nothing. Out: [`KEYS`]; `docs/configuration.md` is rewritten from it with `UPDATE_DOCS=1 cargo test`.

use super::key::Key;
use super::kind::Kind;
use super::settings::RATE_ONE_BYTES;

/// Names the session's directory to the watched processes; not a configuration key.
pub const SESSION_VARIABLE: &str = "MEMGUARD_SESSION";

/// Set in collectors that run in the background, which are never watched themselves; not a configuration key.
pub const COLLECTOR_VARIABLE: &str = "MEMGUARD_COLLECTOR";

/// Variables that begin with `MEMGUARD_` without being configuration.
pub const INTERNAL_VARIABLES: [&str; 3] =
    [SESSION_VARIABLE, COLLECTOR_VARIABLE, crate::spawn::LIBRARY_VARIABLE];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        name: "aggressive",
        option: Some("aggressive"),
        value_name: "",
        kind: Kind::Switch { set: |to, value| to.aggressive = value },
        default: "false",
        aggressive: "true",
        help: "Audit instead of guard: record every allocation, look often; for tests and CI",
    },
    Key {
        name: "threshold_mb",
        option: Some("threshold"),
        value_name: "SIZE",
        kind: Kind::Size {
            unit_bytes: MIB,
            min_bytes: 64 * KIB,
            max_bytes: 1024 * GIB,
            set: |to, bytes| to.threshold_bytes = bytes,
        },
        default: "100",
        aggressive: "1",
        help: "Growth of resident memory, since the last look at where it lies, that triggers the next one at once; smaller changes are looked at every few seconds, at no more than 1 % of a processor",
    },
    Key {
        name: "poll_interval_s",
        option: Some("poll-interval"),
        value_name: "TIME",
        kind: Kind::Time { min_s: 0.01, max_s: 3600.0, set: |to, time| to.poll_interval = time },
        default: "1.0",
        aggressive: "0.1",
        help: "Time between two looks at the watched processes",
    },
    Key {
        name: "sample_rate",
        option: Some("sample-rate"),
        value_name: "RATE",
        kind: Kind::Share {
            min: 0.000_001,
            set: |to, rate| {
                to.sample_bytes = if rate >= 1.0 { 0 } else { (RATE_ONE_BYTES / rate).round() as u64 };
            },
        },
        default: "0.01",
        aggressive: "1.0",
        help: "Share of heap sampling: 0.01 samples every 512 KiB on average, 1.0 records every allocation",
    },
    Key {
        name: "sample_bytes",
        option: Some("sample-bytes"),
        value_name: "SIZE",
        kind: Kind::Size {
            unit_bytes: 1,
            min_bytes: 0,
            max_bytes: 16 * GIB,
            set: |to, bytes| to.sample_bytes = bytes,
        },
        default: "512KiB",
        aggressive: "0",
        help: "The same said as the mean number of bytes between samples, 5.12 KiB / sample_rate; 0 records every allocation",
    },
    Key {
        name: "patterns",
        option: Some("patterns"),
        value_name: "NAMES",
        kind: Kind::Patterns { set: |to, patterns| to.patterns = patterns },
        default: "all",
        aggressive: "all",
        help: "Leak patterns to look for",
    },
    Key {
        name: "patterns_dir",
        option: Some("patterns-dir"),
        value_name: "DIR",
        kind: Kind::Folders { set: |to, folders| to.patterns_dir = folders },
        default: "",
        aggressive: "",
        help: "Folders with fingerprints of your own, *.toml as in docs/patterns.md, beside the built-in ones",
    },
    Key {
        name: "auto_cleanup.<pattern>",
        option: Some("auto-cleanup"),
        value_name: "NAMES",
        kind: Kind::PatternSwitchUnavailable {
            why: "cleaning up is not available in this version; leave it off",
        },
        default: "",
        aggressive: "",
        help: "Patterns whose proven leaks are given back (not available in this version)",
    },
    Key {
        name: "handles.max_age_s",
        option: None,
        value_name: "TIME",
        kind: Kind::Time { min_s: 0.1, max_s: 2_592_000.0, set: |to, time| to.handle_age_max = time },
        default: "60",
        aggressive: "2",
        help: "Youngest age at which an open descriptor, timer, thread or other resource is suspect",
    },
    Key {
        name: "redact",
        option: Some("redact"),
        value_name: "",
        kind: Kind::Switch { set: |to, value| to.redact = value },
        default: "false",
        aggressive: "false",
        help: "Leave paths, addresses and names of threads and commands out of what is recorded of resources",
    },
    Key {
        name: "record",
        option: Some("record"),
        value_name: "",
        kind: Kind::Switch { set: |to, value| to.record = value },
        default: "false",
        aggressive: "false",
        help: "Keep what is read of each process in record-PID.jsonl.gz in the session's directory, 256 MiB at most each, for 'memguard replay'",
    },
    Key {
        name: "overhead_budget",
        option: Some("overhead-budget"),
        value_name: "SHARE",
        kind: Kind::OptionalShare { min: 0.000_1, set: |to, share| to.overhead_budget = share },
        default: "0.01",
        aggressive: "none",
        help: "Share of a process's CPU time, over the last 10 s, above which what watching costs, hooks and collector, makes sampling of its heap rarer; it comes back when there is room",
    },
    Key {
        name: "live_objects",
        option: None,
        value_name: "COUNT",
        kind: Kind::Count { min: 1024, max: 1 << 26, set: |to, count| to.live_objects = count },
        default: "49152",
        aggressive: "1572864",
        help: "Room for sampled objects alive at one time, per process",
    },
    Key {
        name: "cost.usd_per_gb_hour",
        option: None,
        value_name: "USD",
        kind: Kind::Price { set: |to, price| to.usd_per_gb_hour = price },
        default: "0.10",
        aggressive: "0.10",
        help: "Price of memory in reports, US dollars for a gigabyte over an hour",
    },
    Key {
        name: "min_confidence.<pattern>",
        option: Some("min-confidence"),
        value_name: "CONFIDENCE",
        kind: Kind::PatternShare {
            set: |to, pattern, share| match pattern {
                Some(pattern) => {
                    to.thresholds.confidence_by_pattern.insert(pattern.name().to_owned(), share);
                }
                None => to.thresholds.confidence = share,
            },
        },
        default: "0.5",
        aggressive: "0.5",
        help: "Least confidence of findings that are shown and counted, of all patterns or of one",
    },
    Key {
        name: "min_size_mb.<pattern>",
        option: None,
        value_name: "SIZE",
        kind: Kind::PatternSize {
            set: |to, pattern, size_mb| match pattern {
                Some(pattern) => {
                    to.thresholds.size_mb_by_pattern.insert(pattern.name().to_owned(), size_mb);
                }
                None => to.thresholds.size_mb = size_mb,
            },
        },
        default: "0",
        aggressive: "0",
        help: "Least size of findings that are shown and counted, of all patterns that are measured in memory or of one",
    },
    Key {
        name: "baseline",
        option: Some("baseline"),
        value_name: "FILE",
        kind: Kind::File { set: |to, file| to.baseline = file },
        default: "",
        aggressive: "",
        help: "An earlier 'memguard report --json': what it has found is known and does not count, unless it has become clearly worse",
    },
    Key {
        name: "suppressions",
        option: Some("suppressions"),
        value_name: "FILE",
        kind: Kind::Files { set: |to, files| to.suppressions = files },
        default: "",
        aggressive: "",
        help: "Files of suppressions, in MemGuard's, LeakSanitizer's or Valgrind's format; the option may be repeated",
    },
    Key {
        name: "telemetry.enabled",
        option: None,
        value_name: "BOOL",
        kind: Kind::SwitchUnavailable { why: "telemetry is not available in this version; leave it false" },
        default: "false",
        aggressive: "false",
        help: "Send findings to telemetry.endpoint (not available in this version: nothing leaves the machine)",
    },
    Key {
        name: "telemetry.endpoint",
        option: None,
        value_name: "URL",
        kind: Kind::Address { set: |to, address| to.telemetry_endpoint = Some(address) },
        default: "",
        aggressive: "",
        help: "Where findings would be sent",
    },
    Key {
        name: "dir",
        option: Some("dir"),
        value_name: "DIR",
        kind: Kind::Folder { set: |to, folder| to.dir = Some(folder) },
        default: "",
        aggressive: "",
        help: "Folder of the sessions; without it $XDG_STATE_HOME/memguard, ~/.local/state/memguard or /tmp/memguard-UID",
    },
];
