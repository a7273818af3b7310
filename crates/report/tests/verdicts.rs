//! Report, living with verdicts: baselines, suppressions, thresholds, withdrawal, forecasts, on whole documents.
//! Method: documents with a fixed clock, changed in one thing at a time.

use memguard_detect::{Evidence, Finding, Kind};
use memguard_model::{SiteId, StackId};
use memguard_patterns::Library;
use memguard_report::{
    Baseline, Fate, FindingInput, LimitInput, LimitKind, ProcessInput, Report, ReportInput, Resource,
    SummaryOptions, Suppressions, TextOptions, Thresholds, assemble, filter, follow, fresh, mark, merge,
    read_report, render_json, render_summary, render_text,
};
use memguard_symbolize::Frame;

const MIB: f64 = 1_048_576.0;
const HOUR_S: f64 = 3600.0;

/// A finding of a process, in a function of that name.
fn found(
    kind: Kind,
    function: &str,
    size_mb: f64,
    mb_per_hour: f64,
    count: f64,
    per_hour: f64,
) -> FindingInput {
    let frame = |function: &str, module: &str| Frame {
        function: function.to_owned(),
        file: None,
        line: None,
        module: module.to_owned(),
        address: 1,
        inlined: false,
    };
    FindingInput {
        finding: Finding {
            pattern: kind.pattern(),
            kind,
            site: SiteId(1),
            stack: StackId(1),
            size_bytes: size_mb * MIB,
            size_bytes_interval: (size_mb * MIB * 0.9, size_mb * MIB * 1.1),
            count,
            growth_bytes_per_hour: mb_per_hour * MIB,
            growth_per_hour: per_hour,
            confidence: 0.8,
            detail: String::new(),
            suggested_fix: String::new(),
            first_seen_ns: 60_000_000_000,
            last_seen_ns: 600_000_000_000,
            evidence: vec![Evidence { what: "seen".to_owned(), value: "yes".to_owned() }],
        },
        stack: vec![frame("malloc", "libmemguard.so"), frame(function, "server"), frame("main", "server")],
        process: 0,
    }
}

fn heap(function: &str, size_mb: f64, mb_per_hour: f64) -> FindingInput {
    found(Kind::HeapGrowth, function, size_mb, mb_per_hour, 1000.0, 10.0)
}

fn files(function: &str, count: f64, per_hour: f64) -> FindingInput {
    found(Kind::FileNotClosed, function, 0.0, 0.0, count, per_hour)
}

fn process(pid: u32) -> ProcessInput {
    ProcessInput { pid, started_at: 1000.0, fate: Fate::Running, ..ProcessInput::default() }
}

fn input(findings: Vec<FindingInput>) -> ReportInput {
    ReportInput {
        created_at: 2000.0,
        usd_per_gb_hour: 0.1,
        processes: vec![process(7)],
        findings,
        ..ReportInput::default()
    }
}

fn report(findings: Vec<FindingInput>) -> Report {
    assemble(&input(findings), &Library::default())
}

fn limit(kind: LimitKind, limit: f64, held: f64, shared: Option<&str>) -> LimitInput {
    LimitInput { kind, limit, held, shared: shared.map(str::to_owned) }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * b.abs().max(1.0)
}

/// Goal: what an earlier report has is known, until it has clearly become worse; marks are made anew each time. Method: one
/// finding, the same with other numbers.
#[test]
fn a_baseline_knows_what_has_not_become_worse() {
    let baseline = Baseline::of(&report(vec![heap("load", 10.0, 2.0), files("open_it", 50.0, 20.0)]));
    let known = |findings: Vec<FindingInput>| {
        let mut report = report(findings);
        mark(&mut report, Some(&baseline), None, 0.0);
        let finding = &report.findings[0];
        let worse = finding.evidence.iter().find(|evidence| evidence.what == "worse than in the baseline");
        assert_eq!(worse.is_some(), !finding.known && fresh(&report).count() == 1, "{finding:?}");
        worse.map(|evidence| evidence.value.clone())
    };
    assert_eq!(known(vec![heap("load", 10.0, 2.0)]), None);
    assert_eq!(known(vec![heap("load", 19.9, 3.9)]), None);
    assert_eq!(
        known(vec![heap("load", 21.0, 2.0)]),
        None,
        "its interval reaches down to less than twice as much"
    );
    assert_eq!(known(vec![heap("load", 24.0, 2.0)]), Some("24 MiB, was 10 MiB".to_owned()));
    assert_eq!(known(vec![heap("load", 11.0, 5.0)]), Some("5 MiB an hour, was 2 MiB an hour".to_owned()));
    assert_eq!(known(vec![heap("load", 10.0, 50.0)]), None, "the same work in less time");
    assert_eq!(known(vec![files("open_it", 100.0, 20.0)]), None);
    assert_eq!(
        known(vec![files("open_it", 101.0, 20.0)]),
        Some("101 descriptors, was 50 descriptors".to_owned())
    );
    assert_eq!(known(vec![files("open_it", 51.0, 50.0)]), Some("50 an hour, was 20 an hour".to_owned()));

    let tiny = Baseline::of(&report(vec![heap("load", 0.01, 0.01), files("open_it", 2.0, 1.0)]));
    let mut grown = report(vec![heap("load", 0.9, 0.9), files("open_it", 9.0, 9.0), heap("other", 1.0, 1.0)]);
    mark(&mut grown, Some(&tiny), None, 0.0);
    let news: Vec<_> = fresh(&grown).map(|finding| finding.location.as_str()).collect();
    assert_eq!(news, ["other (server)"], "what doubles from next to nothing is no news, what is new is");

    let mut again = report(vec![heap("load", 24.0, 2.0)]);
    mark(&mut again, Some(&baseline), None, 0.0);
    let own = Baseline::of(&again);
    mark(&mut again, Some(&own), None, 0.0);
    assert!(
        again.findings[0].known && again.findings[0].evidence.len() == 1,
        "{:?}",
        again.findings[0].evidence
    );
    let text = render_text(&filter(again.clone(), &Thresholds::default()), TextOptions::default());
    assert!(text.starts_with("No new leaks found\n1 known by the baseline\n"), "{text}");
    assert!(text.contains("\nKnown by the baseline\n   24 MiB  load (server)  heap-growth  "), "{text}");
    assert!(!text.contains("1. heap-growth"), "{text}");
}

/// Goal: suppressed findings are left out and told of, in order of what they hold. Method: three findings, rules of which one is
/// used twice, one not at all, one has expired.
#[test]
fn suppressed_findings_are_left_out_and_counted() {
    let mut rules = Suppressions::default();
    let text = "[[suppression]]\nname = 'loads'\nreason = 'vendor'\nfunction = 'load_*'\n\
                [[suppression]]\nname = 'never'\nreason = 'r'\nfunction = 'none'\n\
                [[suppression]]\nname = 'old'\nreason = 'r'\nfunction = 'open_it'\nexpires = 1970-01-01\n";
    rules.read(text, "s.toml").unwrap();
    let mut all =
        report(vec![heap("load_a", 2.0, 0.0), heap("load_b", 3.0, 0.0), files("open_it", 50.0, 20.0)]);
    mark(&mut all, None, Some(&rules), 86_400.0);
    assert_eq!(all.findings.len(), 3, "the stored document loses nothing");
    assert_eq!(read_report(render_json(&all).as_bytes()).unwrap(), all);
    let shown = filter(all.clone(), &Thresholds::default());
    let places: Vec<_> = shown.findings.iter().map(|finding| finding.location.as_str()).collect();
    assert_eq!(places, ["open_it (server)"]);
    let suppressed = &shown.suppressed;
    assert_eq!((suppressed.findings, suppressed.by.len()), (2, 1));
    let by = &suppressed.by[0];
    assert_eq!((by.name.as_str(), by.source.as_str(), by.findings), ("loads", "s.toml:1", 2));
    assert!(near(by.size_mb, 5.0) && near(by.count, 2000.0) && by.ids.len() == 2, "{by:?}");
    assert_eq!(by.reason.as_deref(), Some("vendor"));
    assert_eq!(suppressed.unused.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["never"]);
    assert_eq!(suppressed.expired[0].expires, "1970-01-01");
    assert!(shown.total_estimated_cost_usd_per_month < all.total_estimated_cost_usd_per_month);
    let summary = render_summary(&shown, SummaryOptions { columns: 100, colour: false });
    assert!(summary.contains("memguard: 1 new leak found\n"), "{summary}");
    assert!(summary.contains("memguard: 2 suppressed\n"), "{summary}");
    let expired = "suppression 'old' expired on 1970-01-01 and no longer applies (s.toml:9)";
    assert!(summary.contains(expired), "{summary}");
    let text = render_text(&shown, TextOptions::default());
    assert!(text.contains("2 findings by loads: vendor") && text.contains("expired on 1970-01-01"), "{text}");
    // On that day it still applied.
    mark(&mut all, None, Some(&rules), 86_399.0);
    assert_eq!(filter(all.clone(), &Thresholds::default()).findings.len(), 0);
    // Without rules, marks stay.
    mark(&mut all, None, None, 1e9);
    assert_eq!(filter(all, &Thresholds::default()).suppressed.findings, 3);
}

/// Goal: each pattern has its own thresholds, where it has none the general ones.
#[test]
fn thresholds_are_by_pattern() {
    let all = report(vec![heap("load", 2.0, 0.0), files("open_it", 50.0, 20.0)]);
    let kinds = |thresholds: Thresholds| {
        let kinds = filter(all.clone(), &thresholds).findings.into_iter().map(|finding| finding.pattern);
        kinds.collect::<Vec<_>>().join(" ")
    };
    let by = |pattern: &str, value: f64| [(pattern.to_owned(), value)].into();
    let general = Thresholds::default();
    assert_eq!(kinds(general.clone()), "leaks handles");
    assert_eq!(kinds(Thresholds::of_confidence(0.9)), "");
    assert_eq!(kinds(Thresholds { confidence_by_pattern: by("leaks", 0.9), ..general.clone() }), "handles");
    let kept = Thresholds { confidence_by_pattern: by("leaks", 0.1), ..Thresholds::of_confidence(0.9) };
    assert_eq!(kinds(kept), "leaks");
    assert_eq!(kinds(Thresholds { size_mb: 2.0, ..general.clone() }), "leaks handles");
    assert_eq!(kinds(Thresholds { size_mb: 2.1, ..general.clone() }), "handles", "descriptors have no size");
    assert_eq!(kinds(Thresholds { size_mb_by_pattern: by("leaks", 2.1), ..general }), "handles");
}

/// Goal: what was shown and is not any more is told, with the best it ever had, until it is shown again; nothing is forgotten
/// because its process is left out. Method: one report after another.
#[test]
fn withdrawn_findings_are_told() {
    let weak = |confidence: f64| {
        let mut weak = heap("load", 2.0, 0.0);
        weak.finding.confidence = confidence;
        weak
    };
    let step = |before: &Report, findings: Vec<FindingInput>, at: f64| {
        let mut now = report(findings);
        now.created_at = at;
        follow(before, &mut now);
        now
    };
    let first = report(vec![weak(0.8)]);
    let lower = step(&first, vec![weak(0.6)], 2001.0);
    assert!(near(lower.findings[0].confidence_max, 0.8) && lower.withdrawn.is_empty());
    let gone = step(&lower, vec![weak(0.2)], 2002.0);
    let entry = &gone.withdrawn[0];
    assert_eq!((entry.kind.as_str(), entry.location.as_str()), ("heap-growth", "load (server)"));
    assert!(
        near(entry.confidence_max, 0.8) && near(entry.withdrawn_at, 2002.0) && near(entry.first_seen, 1060.0)
    );
    assert_eq!(entry.why.as_deref(), Some("its confidence fell to 0.20"));
    let later = step(&gone, vec![], 2003.0);
    assert_eq!(later.withdrawn, gone.withdrawn, "told once");
    assert!(render_text(&later, TextOptions::default()).contains("1 finding shown earlier was withdrawn"));
    assert_eq!(read_report(render_json(&later).as_bytes()).unwrap(), later);
    assert!(step(&later, vec![weak(0.7)], 2004.0).withdrawn.is_empty(), "it holds again");
    let why = step(&first, vec![], 2001.0).withdrawn[0].why.clone().unwrap();
    assert!(why.contains("given back"), "{why}");

    let mut elsewhere = input(vec![]);
    elsewhere.processes[0].pid = 8;
    let mut elsewhere = assemble(&elsewhere, &Library::default());
    follow(&first, &mut elsewhere);
    assert!(elsewhere.withdrawn.is_empty(), "its process is left out of the report");

    let many: Vec<_> = (0..100).map(|at| heap(&format!("load_{at}"), 1.0, 0.0)).collect();
    assert_eq!(step(&report(many), vec![], 2001.0).withdrawn.len(), 64);
}

/// Goal: since when a finding is suspected does not change with the collector. Method: the newer one has seen it later, and judges
/// alone or not.
#[test]
fn first_and_last_seen_outlast_the_collector() {
    let earlier = report(vec![heap("load", 2.0, 0.0)]);
    for judges in [false, true] {
        for confidence in [0.6, 0.95] {
            let mut later = heap("load", 3.0, 0.0);
            later.finding.confidence = confidence;
            later.finding.first_seen_ns = 700_000_000_000;
            later.finding.last_seen_ns = 900_000_000_000;
            let merged = merge(&earlier, report(vec![later]), judges);
            let finding = &merged.findings[0];
            assert!(
                near(finding.first_seen, 1060.0) && near(finding.last_seen, 1900.0),
                "{judges} {finding:?}"
            );
            let expected = if judges { confidence } else { confidence.max(0.8) };
            assert!(near(finding.confidence, expected), "{judges} {}", finding.confidence);
        }
    }
}

/// Goal: the limit that is reached first decides, amounts and rates alone say when. Method: numbers that can be checked by hand.
#[test]
fn limits_are_reached_when_arithmetic_says_so() {
    let mut service =
        input(vec![heap("load", 100.0, 10.0), heap("store", 50.0, 30.0), files("open_it", 50.0, 100.0)]);
    service.processes[0].limits = vec![
        limit(LimitKind::HostMemory, 9000.0 * MIB, 200.0 * MIB, Some("host")),
        limit(LimitKind::CgroupMemory, 512.0 * MIB, 212.0 * MIB, Some("/a")),
        limit(LimitKind::AddressSpace, 4096.0 * MIB, 1000.0 * MIB, None),
        limit(LimitKind::Descriptors, 1024.0, 524.0, None),
        limit(LimitKind::UserTasks, 100.0, 99.0, None),
    ];
    let told = assemble(&service, &Library::default());
    let finding = |function: &str| told.findings.iter().find(|f| f.location.starts_with(function)).unwrap();
    let (load, store, open_it) = (finding("load"), finding("store"), finding("open_it"));
    assert_eq!(load.limit.as_deref(), Some("cgroup memory limit 512 MiB"));
    assert!(
        near(load.time_to_limit_s.unwrap(), 30.0 * HOUR_S)
            && near(store.time_to_limit_s.unwrap(), 10.0 * HOUR_S)
    );
    assert_eq!(open_it.limit.as_deref(), Some("RLIMIT_NOFILE 1024"));
    assert!(near(open_it.time_to_limit_s.unwrap(), 5.0 * HOUR_S));
    let forecast = &told.processes[0].forecast;
    assert_eq!(
        forecast.iter().map(|f| f.resource).collect::<Vec<_>>(),
        [Resource::Descriptors, Resource::Memory]
    );
    assert!(near(forecast[1].time_to_limit_s, 7.5 * HOUR_S), "both leaks together: {forecast:?}");
    assert!(near(forecast[1].growth_per_hour, 40.0) && near(forecast[1].held_amount, 212.0));
    let text = render_text(&told, TextOptions { columns: 120, colour: false });
    assert!(
        text.contains("at this rate the limit is reached in 10 h (cgroup memory limit 512 MiB)"),
        "{text}"
    );
    assert!(
        text.contains("all its leaks together: at this rate the limit is reached in 7 h 30 min"),
        "{text}"
    );
    assert!(
        text.contains("process 7: at this rate the limit is reached in 5 h (RLIMIT_NOFILE 1024)"),
        "{text}"
    );

    // Confidence does not move time; what is too unsure to be shown does not count into the whole.
    service.findings[0].finding.confidence = 0.3;
    let unsure = assemble(&service, &Library::default());
    assert_eq!(
        unsure.findings.iter().find(|f| f.location.starts_with("load")).unwrap().time_to_limit_s,
        load.time_to_limit_s
    );
    assert!(near(unsure.processes[0].forecast[1].time_to_limit_s, 10.0 * HOUR_S));

    // Nothing grows, nothing limits, ten years are too far.
    for change in [
        |input: &mut ReportInput| input.processes[0].limits.clear(),
        |input: &mut ReportInput| {
            for f in &mut input.findings {
                (f.finding.growth_bytes_per_hour, f.finding.growth_per_hour) = (-1.0, 0.0);
            }
        },
        |input: &mut ReportInput| {
            for f in &mut input.findings {
                (f.finding.growth_bytes_per_hour, f.finding.growth_per_hour) = (f64::NAN, 1e-4);
            }
        },
    ] {
        let mut other = service.clone();
        change(&mut other);
        let other = assemble(&other, &Library::default());
        assert!(
            other.findings.iter().all(|f| f.time_to_limit_s.is_none() && f.limit.is_none()),
            "{:?}",
            other.findings
        );
        assert!(other.processes[0].forecast.is_empty());
    }
    // Beyond the limit already.
    service.processes[0].limits = vec![limit(LimitKind::CgroupMemory, 100.0 * MIB, 300.0 * MIB, None)];
    let over = assemble(&service, &Library::default());
    assert!(near(over.processes[0].forecast[0].time_to_limit_s, 0.0));
    assert!(render_text(&over, TextOptions::default()).contains("the limit is reached (cgroup"));
}

/// Goal: processes of one control group use it up together, each its own descriptors alone. Method: two alike.
#[test]
fn shared_limits_are_used_up_together() {
    let mut service = input(vec![heap("load", 100.0, 10.0), files("open_it", 50.0, 100.0)]);
    let limits = vec![
        limit(LimitKind::CgroupMemory, 512.0 * MIB, 212.0 * MIB, Some("/a")),
        limit(LimitKind::Descriptors, 1024.0, 524.0, None),
    ];
    service.processes[0].limits.clone_from(&limits);
    service.processes.push(ProcessInput { limits, ..process(8) });
    for at in 0..2 {
        let mut other = service.findings[at].clone();
        other.process = 1;
        service.findings.push(other);
    }
    let told = assemble(&service, &Library::default());
    assert_eq!(told.findings.len(), 2);
    assert!(near(told.findings[0].time_to_limit_s.unwrap(), 15.0 * HOUR_S), "{:?}", told.findings[0]);
    assert!(near(told.findings[1].time_to_limit_s.unwrap(), 5.0 * HOUR_S));
    for process in &told.processes {
        let memory = process.forecast.iter().find(|f| f.resource == Resource::Memory).unwrap();
        assert!(near(memory.time_to_limit_s, 15.0 * HOUR_S), "{memory:?}");
    }
    // One that has ended takes no more.
    service.processes[1].fate = Fate::Ended;
    let told = assemble(&service, &Library::default());
    assert!(near(told.processes[0].forecast.last().unwrap().time_to_limit_s, 30.0 * HOUR_S));
}

/// Goal: the next 30 days cost the integral of the size. Method: no growth, growth without end, growth up to a limit.
#[test]
fn the_next_30_days_cost_what_is_held_in_them() {
    let cost = |size_mb: f64, mb_per_hour: f64, headroom_mb: Option<f64>| {
        let mut service = input(vec![heap("load", size_mb, mb_per_hour)]);
        let held = 300.0 * MIB;
        service.processes[0]
            .limits
            .extend(headroom_mb.map(|mb| limit(LimitKind::CgroupMemory, held + mb * MIB, held, None)));
        let told = assemble(&service, &Library::default());
        assert!(near(told.total_estimated_cost_usd_next_30_days, told.findings[0].cost_usd_next_30_days));
        told.findings[0].cost_usd_next_30_days
    };
    let usd = |mb_hours: f64| mb_hours / 1024.0 * 0.8 * 0.1;
    assert!(near(cost(1024.0, 0.0, None), usd(1024.0 * 720.0)));
    assert!(near(cost(1024.0, -5.0, None), usd(1024.0 * 720.0)));
    assert!(near(cost(1024.0, 10.0, None), usd(1024.0 * 720.0 + 10.0 * 720.0 * 720.0 / 2.0)));
    // It grows for 100 hours, and stays there for the other 620.
    let capped = 1024.0 * 720.0 + 1000.0 * 100.0 / 2.0 + 1000.0 * 620.0;
    assert!(near(cost(1024.0, 10.0, Some(1000.0)), usd(capped)));
    assert!(near(cost(1024.0, 10.0, Some(0.0)), usd(1024.0 * 720.0)));
    assert!(near(cost(1024.0, 10.0, Some(1e9)), cost(1024.0, 10.0, None)));
}

/// Goal: the published schema describes all of it. Method: documents with every part filled, the one that is stored and the one that is
/// shown; and one part at a time broken.
#[test]
fn everything_follows_the_schema() {
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut service =
        input(vec![heap("load_a", 2.0, 1.0), files("open_it", 50.0, 20.0), heap("known", 1.0, 1.0)]);
    service.processes[0].limits = vec![
        limit(LimitKind::CgroupMemory, 512.0 * MIB, 212.0 * MIB, Some("/a")),
        limit(LimitKind::Descriptors, 1024.0, 524.0, None),
    ];
    let mut stored = assemble(&service, &Library::default());
    follow(&report(vec![heap("gone", 2.0, 0.0)]), &mut stored);
    let mut rules = Suppressions::default();
    let text = "[[suppression]]\nname = 'a'\nreason = 'r'\nfunction = 'load_*'\n\
                [[suppression]]\nname = 'b'\nreason = 'r'\nfunction = 'none'\n\
                [[suppression]]\nname = 'c'\nreason = 'r'\nkind = 'x'\nexpires = 1970-01-01\n";
    rules.read(text, "s.toml").unwrap();
    rules.read("leak:none\n", "lsan.supp").unwrap();
    mark(&mut stored, Some(&Baseline::of(&report(vec![heap("known", 1.0, 1.0)]))), Some(&rules), 1e9);
    let shown = filter(stored.clone(), &Thresholds::default());
    assert_eq!((shown.withdrawn.len(), shown.suppressed.by.len(), shown.suppressed.unused.len()), (1, 1, 2));
    for report in [&stored, &shown] {
        let document = serde_json::to_value(report).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        for part in [
            "findings/0/limit",
            "findings/0/time_to_limit_s",
            "findings/0/known",
            "withdrawn/0/id",
            "withdrawn/0/why",
            "suppressed/unused/0/name",
            "suppressed/expired/0/expires",
            "processes/0/forecast/0/limit",
        ] {
            let mut broken = document.clone();
            *broken.pointer_mut(&format!("/{part}")).unwrap_or_else(|| panic!("{part}")) =
                serde_json::json!([1]);
            assert!(!validator.is_valid(&broken), "{part}");
        }
    }
}
