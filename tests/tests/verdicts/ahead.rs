//! Verdicts, ahead: what growth leads to, and findings that turn out to be none.

use std::fs;

use memguard_tests::ability;
use memguard_tests::events::when_changed;
use memguard_tests::process::Process;
use memguard_tests::report::{Report, SHOWN};
use memguard_tests::targets;
use memguard_tests::watched::{Place, words};

use crate::{audit, forgetful, is_shown, memguard};

/// Goal: the limits that hold for a process are named, with a time until each. Method: a program with two leaks in a control group
/// with little memory, where one can be made, and with few descriptors.
#[test]
fn limits_are_named_with_the_time_to_reach_them() {
    let group = ability::memory_group(256 << 20);
    for attempt in 1..=3 {
        let place = Place::new();
        let run = audit(&place, &["--quiet", "--patterns", "leaks,handles"], &forgetful(&[]));
        let enter = group.as_ref().map_or_else(String::new, |group| {
            format!("echo $$ > '{}/cgroup.procs' && ", group.path().display())
        });
        let script = format!("{enter}ulimit -n 512 && exec \"$@\"");
        let mut led = place.led_by(&["sh", "-c", &script, "sh"], &run);
        led.env("MEMGUARD_HANDLES_MAX_AGE_S", "1");
        let ended = Process::run(led);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        let report = place.report();
        if !["keep_buffer", "keep_file"].iter().all(|function| is_shown(&report, function)) && attempt < 3 {
            continue;
        }
        let limit = |function: &str| {
            let found = report.findings_in(function);
            let finding = found.first().unwrap_or_else(|| panic!("{report}")).0.clone();
            let time_s = finding["time_to_limit_s"].as_f64().unwrap_or_else(|| panic!("{finding:#}"));
            assert!(
                time_s > 0.0
                    && finding["cost_usd_next_30_days"].as_f64()
                        > finding["cost_usd_per_month"].as_f64().filter(|c| *c > 0.0).or(Some(-1.0))
            );
            finding["limit"].as_str().expect("a limit").to_owned()
        };
        assert_eq!(limit("keep_file"), "RLIMIT_NOFILE 512");
        let memory = limit("keep_buffer");
        let expected = if group.is_some() { "cgroup memory limit 256 MiB" } else { &memory };
        assert_eq!(memory, expected);
        let forecast = report.processes()[0]["forecast"].as_array().expect("a forecast").clone();
        let of = |resource: &str| forecast.iter().find(|f| f["resource"] == resource).expect("told").clone();
        assert!(of("descriptors")["held_amount"].as_f64() >= Some(30.0), "{forecast:#?}");
        assert_eq!(of("memory")["limit"], memory.as_str());
        let text = memguard(&place, &["report"]).stdout;
        let words = "at this rate the limit would have been reached ";
        assert!(
            text.replace('\n', " ").split_whitespace().collect::<Vec<_>>().join(" ").contains(words),
            "{text}"
        );
        return;
    }
}

/// Goal: a finding that was shown and does not hold any more is in the list of those withdrawn, with the best it had. Method: a
/// program that gives everything back as soon as the report has shown it.
#[test]
fn what_is_given_back_is_withdrawn() {
    let place = Place::new();
    let sessions = place.path().join("sessions");
    fs::create_dir_all(&sessions).expect("made");
    let program = words(&targets::program("forgetful"), &["600", "4", "wait"]);
    let mut running =
        Process::converse(place.run(&["--quiet", "--aggressive", "--patterns", "leaks"], &program));
    let session = when_changed(&sessions, || place.sessions().pop());
    let file = session.join("report.json");
    let report = || Some(Report::parse(&fs::read(&file).ok()?));
    let shown = when_changed(&session, || report().filter(|report| is_shown(report, "keep_buffer")));
    let confidence = shown.findings_in("keep_buffer")[0].confidence();
    assert_eq!(running.line(), "kept");
    running.say("give it back");
    assert_eq!(running.line(), "freed");
    let withdrawn = when_changed(&session, || {
        report().filter(|report| report.document["withdrawn"].as_array().is_some_and(|list| !list.is_empty()))
    });
    running.say("end");
    assert_eq!(running.finish().code, 0);
    let entry = &withdrawn.document["withdrawn"][0];
    assert!(entry["location"].as_str().is_some_and(|place| place.starts_with("forgetful.c:")), "{entry:#}");
    assert!(entry["confidence_max"].as_f64() >= Some(confidence.max(SHOWN)), "{entry:#}");
    assert!(
        entry["why"].is_string() && entry["first_seen"].as_f64() < entry["withdrawn_at"].as_f64(),
        "{entry:#}"
    );
}
