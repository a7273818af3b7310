//! Launcher, configuration: holds the documentation and the defaults to the table of keys.
//! In: [`KEYS`], `docs/configuration.md`. Out: failing tests; `UPDATE_DOCS=1` rewrites the generated part.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::pattern::PatternSet;
use super::*;

const BEGIN: &str = "<!-- keys: generated from launcher/src/config/table.rs -->\n";
const END: &str = "<!-- end of keys -->";

/// Goal: the table readers see is the table the program uses. Method: generate it and compare.
#[test]
fn documentation_is_in_step_with_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(&path).expect("docs/configuration.md can be read");
    let (head, rest) = text.split_once(BEGIN).expect("the begin mark is there");
    let (_, tail) = rest.split_once(END).expect("the end mark is there");
    let mut table = String::from(
        "| key | environment | option of `run` | default | with `--aggressive` | value | meaning |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        table.push_str(&key.documentation_row());
        table.push('\n');
    }
    let wanted = format!("{head}{BEGIN}{table}{END}{tail}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).expect("docs/configuration.md can be written");
    }
    let step = text == wanted || std::env::var_os("UPDATE_DOCS").is_some();
    assert!(step, "docs/configuration.md is out of step: run UPDATE_DOCS=1 cargo test -p memguard");
}

/// Goal: the written defaults mean what the design says. Method: resolve nothing in both modes.
#[test]
fn defaults_are_those_of_the_design() {
    let guard = load(&Sources::default()).expect("defaults are valid");
    assert_eq!((guard.threshold_bytes, guard.sample_bytes), (100 << 20, 512 << 10));
    assert_eq!((guard.poll_interval, guard.handle_age_max), (Duration::from_secs(1), Duration::from_mins(1)));
    assert_eq!((guard.overhead_budget, guard.patterns), (Some(0.01), PatternSet::all()));
    let audit = load(&options(&[("aggressive", "true")])).expect("defaults are valid");
    assert_eq!((audit.threshold_bytes, audit.sample_bytes), (1 << 20, 0));
    assert_eq!(
        (audit.poll_interval, audit.handle_age_max),
        (Duration::from_millis(100), Duration::from_secs(2))
    );
    assert_eq!((audit.overhead_budget, audit.aggressive), (None, true));
}

/// Goal: the later source wins, also between the two faces of sampling. Method: one key in three sources.
#[test]
fn the_more_specific_source_wins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("m.toml");
    fs::write(&file, "sample_rate = 0.5\npoll_interval_s = 5\nthreshold_mb = 7\n").expect("written");
    let mut sources = options(&[("sample_bytes", "1MiB")]);
    sources.file = Some(file);
    sources.environment = vec![
        ("MEMGUARD_SAMPLE_RATE".into(), "1.0".into()),
        ("MEMGUARD_POLL_INTERVAL_S".into(), "2s".into()),
        ("MEMGUARD_SESSION".into(), "/nowhere".into()),
    ];
    let settings = load(&sources).expect("valid");
    assert_eq!(settings.sample_bytes, 1 << 20);
    assert_eq!(settings.poll_interval, Duration::from_secs(2));
    assert_eq!(settings.threshold_bytes, 7 << 20);
    sources.options.clear();
    assert_eq!(load(&sources).expect("valid").sample_bytes, 0);
}

/// Goal: a typing error in a variable's name is found. Method: one letter missing.
#[test]
fn unknown_variables_are_refused_with_a_suggestion() {
    let environment = vec![("MEMGUARD_POLL_INTERVAL".into(), "1".into())];
    let error = load(&Sources { environment, ..Sources::default() }).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "environment: unknown variable MEMGUARD_POLL_INTERVAL; did you mean 'MEMGUARD_POLL_INTERVAL_S'?"
    );
    let environment = vec![("MEMGUARD_AUTO_CLEANUP_HANDLES".into(), "true".into())];
    let error = load(&Sources { environment, ..Sources::default() }).expect_err("refused");
    assert!(error.to_string().contains("auto_cleanup.handles: cleaning up is not available"), "{error}");
}

fn options(values: &[(&str, &str)]) -> Sources {
    let find = |name: &str| KEYS.iter().find(|key| key.name == name).expect("a known key");
    let options = values.iter().map(|(name, text)| (find(name), (*text).to_owned())).collect();
    Sources { options, ..Sources::default() }
}
