//! Report, whole documents: what goes in, the JSON that is stored, the text that is read.
//! Method: one input with a fixed clock; the results are compared with files under `tests/golden/`. To accept
//! a changed output, run with `UPDATE_GOLDEN=1` and read the difference.

use std::collections::BTreeMap;
use std::path::Path;

use memguard_detect::{Evidence, Finding, Kind, Pattern};
use memguard_model::{SiteId, StackId};
use memguard_patterns::Library;
use memguard_report::{
    Exit, ExplainedInput, Fate, FindingInput, LimitInput, LimitKind, OverheadInput, ProcessInput, ReadError,
    Report, ReportInput, SessionInput, StackCounts, SummaryOptions, TextOptions, Thresholds,
    USD_PER_GB_HOUR_DEFAULT, assemble, filter, merge, read_report, render_json, render_summary, render_text,
};
use memguard_symbolize::Frame;

const MIB: f64 = 1_048_576.0;
const SECOND_NS: u64 = 1_000_000_000;

fn frame(function: &str, place: Option<(&str, u32)>, module: &str) -> Frame {
    Frame {
        function: function.to_owned(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, line)| line),
        module: module.to_owned(),
        address: 0x1234,
        inlined: false,
    }
}

fn finding(size_mb: f64, confidence: f64, detail: &str) -> Finding {
    Finding {
        pattern: Pattern::Leaks,
        kind: Kind::HeapGrowth,
        site: SiteId(1),
        stack: StackId(1),
        size_bytes: size_mb * MIB,
        size_bytes_interval: (size_mb * MIB * 0.9, size_mb * MIB * 1.15),
        count: (size_mb * 1024.0).ceil(),
        growth_bytes_per_hour: size_mb * MIB / 2.0,
        growth_per_hour: size_mb * 512.0,
        confidence,
        detail: detail.to_owned(),
        suggested_fix:
            "free what parse_request() returns, also on the path that answers 404; the buffer belongs to \
                        the caller"
                .to_owned(),
        first_seen_ns: 600 * SECOND_NS,
        last_seen_ns: 7800 * SECOND_NS,
        evidence: vec![
            Evidence {
                what: "blocks born after start-up that were freed".to_owned(),
                value: "0 of 4,100".to_owned(),
            },
            Evidence { what: "growth in every third of the run".to_owned(), value: "yes".to_owned() },
        ],
    }
}

/// What is held is a number of things, their memory says nothing.
fn close_wait() -> Finding {
    Finding {
        pattern: Pattern::Handles,
        kind: Kind::SocketCloseWait,
        size_bytes: 0.0,
        size_bytes_interval: (0.0, 0.0),
        count: 97.0,
        growth_bytes_per_hour: 0.0,
        growth_per_hour: 240.0,
        suggested_fix: "close() the socket when read() returns 0".to_owned(),
        evidence: vec![Evidence { what: "in CLOSE_WAIT, median".to_owned(), value: "184 s".to_owned() }],
        ..finding(0.0, 0.96, "97 sockets in CLOSE_WAIT for 61 s or more, peer 10.0.0.7:5432")
    }
}

fn socket_stack() -> Vec<Frame> {
    vec![
        frame("socket", None, "libmemguard.so"),
        frame("connect_backend", Some(("/build/server/src/net/backend.c", 88)), "server"),
        frame("main", Some(("/build/server/src/main.c", 31)), "server"),
        frame("_start", None, "server"),
    ]
}

fn c_stack() -> Vec<Frame> {
    let mut accept = frame("accept_one", Some(("/build/server/src/net/server.c", 142)), "server");
    accept.inlined = true;
    vec![
        frame("malloc", None, "libmemguard.so"),
        frame("strdup", None, "libc.so.6"),
        accept,
        frame("accept_loop", Some(("/build/server/src/net/server.c", 160)), "server"),
        frame("main", Some(("/build/server/src/main.c", 20)), "server"),
        frame("__libc_start_call_main", None, "libc.so.6"),
        frame("__libc_start_main", None, "libc.so.6"),
        frame("_start", None, "server"),
    ]
}

fn cpp_stack() -> Vec<Frame> {
    let std_frame =
        |function: &str| frame(function, Some(("/usr/include/c++/12/bits/stl_vector.h", 390)), "server");
    vec![
        frame("operator new", None, "libstdc++.so.6"),
        std_frame("std::allocator_traits<std::allocator<app::Order> >::allocate"),
        std_frame("std::_Vector_base<app::Order, std::allocator<app::Order> >::_M_allocate"),
        std_frame("std::vector<app::Order, std::allocator<app::Order> >::push_back"),
        frame("app::Book::insert", None, "server"),
        frame("server+0x4a10", None, "server"),
        frame("start_thread", None, "libc.so.6"),
    ]
}

fn limit(kind: LimitKind, limit: f64, held: f64, shared: Option<&str>) -> LimitInput {
    LimitInput { kind, limit, held, shared: shared.map(str::to_owned) }
}

/// A service with four findings, one of them too unsure to be shown.
fn service() -> ReportInput {
    let lost = BTreeMap::from([("ring_full".to_owned(), 1200), ("unwinder_busy".to_owned(), 0)]);
    ReportInput {
        created_at: 1_763_790_000.125,
        usd_per_gb_hour: USD_PER_GB_HOUR_DEFAULT,
        session: SessionInput {
            id: "20251122-0537-7f3a".to_owned(),
            name: "server".to_owned(),
            command: vec!["/usr/local/bin/server".to_owned(), "--port".to_owned(), "80".to_owned()],
            host: "db1".to_owned(),
            started_at: 1_763_782_200.0,
            ended_at: Some(1_763_790_000.0),
            exit: Some(Exit { code: None, signal: Some(9) }),
        },
        processes: vec![
            ProcessInput {
                pid: 4242,
                ppid: 1,
                exe: "/usr/local/bin/server".to_owned(),
                command: vec!["/usr/local/bin/server".to_owned(), "--port".to_owned(), "80".to_owned()],
                started_at: 1_763_782_200.0,
                ended_at: Some(1_763_790_000.0),
                rss_start_bytes: 20 << 20,
                rss_peak_bytes: 440 << 20,
                rss_last_bytes: 432 << 20,
                memory: vec![
                    ExplainedInput { what: "allocator-held free memory".to_owned(), bytes: 20.0 * MIB },
                    ExplainedInput { what: "heap".to_owned(), bytes: 380.0 * MIB },
                    ExplainedInput { what: "unexplained".to_owned(), bytes: 12.0 * MIB },
                ],
                descriptors_peak: 131,
                descriptors_last: 131,
                descriptors_limit: Some(1024),
                threads_peak: 9,
                threads_last: 9,
                fate: Fate::Ended,
                exit: Some(Exit { code: None, signal: Some(9) }),
                observed: false,
                lost,
                stacks: StackCounts { complete: 310, truncated: 4, lost: 0 },
                limits: vec![
                    limit(LimitKind::CgroupMemory, 512.0 * MIB, 440.0 * MIB, Some("/sys/fs/cgroup/db")),
                    limit(LimitKind::HostMemory, 8192.0 * MIB, 432.0 * MIB, Some("host")),
                    limit(LimitKind::Descriptors, 1024.0, 131.0, None),
                ],
            },
            ProcessInput {
                pid: 4250,
                ppid: 4242,
                exe: "/bin/sh".to_owned(),
                started_at: 1_763_782_230.0,
                ended_at: Some(1_763_782_231.0),
                rss_start_bytes: 1 << 20,
                rss_peak_bytes: 3 << 20,
                rss_last_bytes: 3 << 20,
                memory: vec![
                    ExplainedInput { what: "heap".to_owned(), bytes: 1.75 * MIB },
                    ExplainedInput { what: "program and libraries".to_owned(), bytes: 0.25 * MIB },
                ],
                fate: Fate::Ended,
                exit: Some(Exit { code: Some(0), signal: None }),
                ..ProcessInput::default()
            },
        ],
        overhead: OverheadInput {
            hook_cpu_percent: Some(0.21),
            starting_cpu_percent: Some(0.12),
            collector_cpu_percent: Some(0.1),
            memory_bytes: Some(6 << 20),
            sample_bytes: 524_288,
            sample_bytes_peak: 524_288,
            sample_bytes_base: 524_288,
            resource_hook_cpu_percent: Some(0.02),
            passing_cpu_percent: Some(0.11),
            budget_percent: Some(1.0),
        },
        findings: vec![
            FindingInput {
                finding: finding(
                    12.5,
                    0.72,
                    "12.5 MiB in 12,800 blocks, growing since 10 min after the start",
                ),
                stack: c_stack(),
                process: 0,
            },
            FindingInput {
                finding: finding(367.0, 0.97, "367 MiB in 375,808 blocks, none freed since start-up"),
                stack: cpp_stack(),
                process: 0,
            },
            FindingInput { finding: close_wait(), stack: socket_stack(), process: 0 },
            FindingInput {
                finding: finding(900.0, 0.31, "may be a cache that is still filling"),
                stack: vec![frame("server+0x77", None, "server")],
                process: 0,
            },
        ],
    }
}

/// A service that is healthy and still runs.
fn healthy() -> ReportInput {
    let mut input = service();
    input.findings.clear();
    input.session.ended_at = None;
    input.session.exit = None;
    input.processes.truncate(1);
    input.processes[0].ended_at = None;
    input.processes[0].fate = Fate::Running;
    input.processes[0].exit = None;
    input.processes[0].lost.clear();
    input.processes[0].stacks = StackCounts { complete: 310, truncated: 0, lost: 0 };
    input.overhead.starting_cpu_percent = None;
    input.overhead.collector_cpu_percent = None;
    input
}

fn repeated<T: Clone>(items: &[T], times: usize) -> Vec<T> {
    std::iter::repeat_n(items, times).flatten().cloned().collect()
}

fn shown(input: &ReportInput) -> Report {
    filter(assemble(input, &Library::default()), &Thresholds::default())
}

fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == expected, "{name} differs; expected:\n{expected}\nfound:\n{actual}");
}

#[test]
fn golden_files() {
    golden("service.json", &render_json(&assemble(&service(), &Library::default())));
    golden("healthy.json", &render_json(&shown(&healthy())));
    golden("service.txt", &render_text(&shown(&service()), TextOptions::default()));
    golden("service-wide.txt", &render_text(&shown(&service()), TextOptions { columns: 140, colour: false }));
    golden(
        "service-colour.txt",
        &render_text(&shown(&service()), TextOptions { columns: 100, colour: true }),
    );
    golden("healthy.txt", &render_text(&shown(&healthy()), TextOptions::default()));
    golden("service-summary.txt", &render_summary(&shown(&service()), SummaryOptions::default()));
    golden("healthy-summary.txt", &render_summary(&shown(&healthy()), SummaryOptions::default()));
}

/// Goal: documents follow the published schema. Method: validate the golden JSON, and see that the schema
/// refuses documents that break it.
#[test]
fn json_follows_schema() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for input in [service(), healthy()] {
        let document = serde_json::to_value(assemble(&input, &Library::default())).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let document = serde_json::to_value(assemble(&service(), &Library::default())).unwrap();
    let breakages: [(&str, serde_json::Value); 10] = [
        ("/findings/0/known", 1.into()),
        ("/processes/0/forecast/0/resource", "patience".into()),
        ("/suppressed/findings", "many".into()),
        ("/schema", "memguard.report/2".into()),
        ("/stamp", "xyz".into()),
        ("/findings/0/confidence", 1.5.into()),
        ("/findings/0/pattern", "gossip".into()),
        ("/findings/0/stack/0/line", 0.into()),
        ("/processes/0/lost/ring_full", (-1).into()),
        ("/session/exit/signal", "KILL".into()),
    ];
    for (path, value) in breakages {
        let mut broken = document.clone();
        *broken.pointer_mut(path).unwrap() = value;
        assert!(!validator.is_valid(&broken), "{path}");
    }
    for path in ["stamp", "findings", "overhead", "session", "total_estimated_cost_usd_per_month"] {
        let mut broken = document.clone();
        broken.as_object_mut().unwrap().remove(path);
        assert!(!validator.is_valid(&broken), "{path}");
    }
}

/// Goal: a stored report reads back as it was; others are refused with the reason.
#[test]
fn stored_reports_are_read() {
    // As the first version wrote it.
    let first = include_str!("golden/first-version.json");
    let first = read_report(first.as_bytes()).unwrap();
    assert!(first.findings.iter().all(|finding| !finding.known && finding.time_to_limit_s.is_none()));
    assert_eq!(first.findings.len(), 4);
    assert!(!render_text(&first, TextOptions::default()).is_empty());
    let report = assemble(&service(), &Library::default());
    let json = render_json(&report);
    assert_eq!(read_report(json.as_bytes()).unwrap(), report);
    assert!(matches!(read_report(b"{\"sch"), Err(ReadError::NotJson(_))));
    assert!(matches!(read_report(b"[1]"), Err(ReadError::NoSchema)));
    assert!(matches!(read_report(b"{\"a\": 1}"), Err(ReadError::NoSchema)));
    assert!(matches!(read_report(b"{\"schema\": \"memguard.report/1\"}"), Err(ReadError::Malformed(_))));
    let other = json.replace("memguard.report/1", "memguard.report/2");
    match read_report(other.as_bytes()) {
        Err(ReadError::OtherSchema { found }) => assert_eq!(found, "memguard.report/2"),
        result => panic!("{result:?}"),
    }
    let newer = json.replacen('{', "{ \"added_later\": true,", 1);
    assert_eq!(read_report(newer.as_bytes()).unwrap(), report);
}

/// Goal: order, cost and stamp follow from the facts alone, not from the order in which they came.
#[test]
fn assembly_is_deterministic() {
    let input = service();
    let report = assemble(&input, &Library::default());
    let mut reversed = input;
    reversed.findings.reverse();
    assert_eq!(assemble(&reversed, &Library::default()), report);
    let weights: Vec<f64> =
        report.findings.iter().map(|finding| finding.size_mb * finding.confidence).collect();
    assert!(weights.is_sorted_by(|left, right| left >= right), "{weights:?}");
    // 367 MiB at 0.97 and 0.10 USD per GiB and hour.
    let cost = report.findings[0].cost_usd_per_month;
    assert!((cost - 367.0 / 1024.0 * 0.97 * 0.10 * 720.0).abs() < 0.01, "{cost}");
    assert_eq!(report.findings[0].location, "app::Book::insert (server)");
    assert_eq!(report.findings[2].location, "server.c:142");
}

/// Goal: the filter drops the unsure and makes sums and stamp anew.
#[test]
fn filter_recomputes() {
    let all = assemble(&service(), &Library::default());
    let sure = filter(all.clone(), &Thresholds::of_confidence(0.9));
    assert_eq!(sure.findings.len(), 2, "the cache and the possible leak go");
    assert_ne!(sure.stamp, all.stamp);
    assert!(sure.total_estimated_cost_usd_per_month < all.total_estimated_cost_usd_per_month);
    assert_eq!(filter(all.clone(), &Thresholds::of_confidence(0.0)), all);
}

/// Goal: no line is wider than the terminal, whatever its width; numbers that are none do no harm.
#[test]
fn text_fits() {
    let mut input = service();
    input.findings[0].finding.growth_bytes_per_hour = f64::NAN;
    input.findings[0].finding.size_bytes_interval = (f64::NEG_INFINITY, f64::INFINITY);
    let mut report = assemble(&input, &Library::default());
    // What is read from a file may be stranger than what is assembled.
    report.findings[0].pattern = "fragmentation".to_owned();
    report.findings[0].stack.clear();
    report.findings[1].stack = repeated(&report.findings[1].stack, 20);
    report.findings = repeated(&report.findings, 4);
    report.processes = repeated(&report.processes, 20);
    report.processes[0].lost.insert("not \u{1b}[2J known".to_owned(), 1 << 40);
    for columns in 40..200 {
        let text = render_text(&report, TextOptions { columns, colour: false });
        let summary = render_summary(&report, SummaryOptions { columns, colour: false });
        for line in text.lines().chain(summary.lines()) {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
            assert!(!line.ends_with(' ') && !line.contains('\u{1b}'), "{columns}: {line}");
        }
        assert!((3..=10).contains(&summary.lines().count()));
    }
    assert_eq!(read_report(render_json(&report).as_bytes()).unwrap(), report);
}

/// Goal: the workers of a server that leak at one place are one finding. Method: the same finding in two processes.
#[test]
fn a_leak_of_several_processes_is_one_finding() {
    let mut input = service();
    let mut in_worker = input.findings[1].clone();
    in_worker.process = 1;
    in_worker.finding.size_bytes /= 2.0;
    in_worker.finding.confidence = 0.6;
    input.findings.push(in_worker);
    let (alone, both) = (assemble(&service(), &Library::default()), assemble(&input, &Library::default()));
    assert_eq!(alone.findings.len(), both.findings.len());
    let (one, two) = (&alone.findings[0], &both.findings[0]);
    assert_eq!((two.process, &two.processes[..]), (4242, &[4242, 4250][..]));
    assert!((two.size_mb - one.size_mb * 1.5).abs() < 0.01 && (two.confidence - one.confidence).abs() < 1e-9);
    assert!(two.cost_usd_per_month > one.cost_usd_per_month);
    assert!(two.detail.starts_with("in 2 processes, the heaviest: "), "{}", two.detail);
}

/// Goal: what a collector that was killed has reported is not lost. Method: the next one sees one of two processes, and
/// nothing wrong with it yet.
#[test]
fn an_earlier_report_stands_until_the_next_collector_can_judge() {
    let earlier = assemble(&service(), &Library::default());
    let mut input = service();
    input.findings.clear();
    input.processes.truncate(1);
    input.processes[0].fate = Fate::Running;
    input.processes[0].ended_at = None;
    input.processes[0].rss_peak_bytes = 1 << 20;
    let now = assemble(&input, &Library::default());
    let young = merge(&earlier, now.clone(), false);
    assert_eq!(young.overhead, now.overhead, "what watching costs now");
    let mut late = now.clone();
    late.overhead.hook_cpu_percent = None;
    assert_eq!(merge(&earlier, late, false).overhead, earlier.overhead, "it cost what it had cost");
    assert_eq!(young.findings, earlier.findings);
    assert_eq!(young.stamp, earlier.stamp);
    assert_eq!(young.processes.iter().map(|p| p.pid).collect::<Vec<_>>(), [4250, 4242]);
    assert!(young.processes[1].rss_mb.peak > 400.0, "the peak before counts");
    let judged = merge(&earlier, now, true);
    assert!(judged.findings.is_empty(), "withdrawn: the process lives and nothing is found in it");
    input.processes[0].fate = Fate::Ended;
    assert_eq!(
        merge(&earlier, assemble(&input, &Library::default()), true).findings,
        earlier.findings,
        "of the dead nothing new is learnt"
    );
}

/// Goal: what is the whole process's is named by its program, whether or not a place is named too, and other programs'
/// is not the same. Method: two workers and another program, one worker with a stack.
#[test]
fn a_finding_about_a_process_is_named_by_its_program() {
    let mut input = service();
    let of = |stack: Vec<Frame>, process| FindingInput {
        finding: Finding {
            pattern: Pattern::Fragmentation,
            kind: Kind::AllocatorFragmentation,
            ..finding(40.0, 0.8, "held")
        },
        stack,
        process,
    };
    input.processes.push(ProcessInput { pid: 4243, ..input.processes[0].clone() });
    input.findings = vec![of(Vec::new(), 0), of(c_stack(), 2), of(Vec::new(), 1)];
    let report = assemble(&input, &Library::default());
    let mut places: Vec<_> =
        report.findings.iter().map(|f| (f.location.as_str(), f.processes.len())).collect();
    places.sort_unstable();
    assert_eq!(places, [("server", 2), ("sh", 1)]);
}

/// Goal: a finding inside of a known library leads to the program's own line, whatever build of the library it is. Method: one
/// leak with two builds, which allocate at different places; everybody who looks for the innermost application frame finds it.
#[test]
fn a_known_library_is_looked_through() {
    let app = || {
        [
            frame("accept_one", Some(("/build/server/src/net/server.c", 142)), "server"),
            frame("main", Some(("/build/server/src/main.c", 20)), "server"),
        ]
    };
    let report = |library: &[(&str, &str)]| {
        let inside = library.iter().map(|(function, module)| frame(function, None, module));
        let mut input = service();
        let stack = inside.chain(app()).collect();
        input.findings =
            vec![FindingInput { finding: finding(12.5, 0.8, "objects stay"), stack, process: 0 }];
        assemble(&input, &Library::default())
    };
    let one = report(&[("CRYPTO_zalloc", "libcrypto.so.3"), ("SSL_new", "libssl.so.3")]);
    let other = report(&[("libssl.so.4+0x99", "libssl.so.4"), ("SSL_new", "libssl.so.4")]);
    let (one, other) = (&one.findings[0], &other.findings[0]);
    assert_eq!((one.kind.as_str(), one.location.as_str()), ("api-result-not-freed", "server.c:142"));
    assert_eq!(one.id, other.id);
    let known = one.fingerprint.as_ref().expect("known");
    assert_eq!(known.name, "openssl-ssl-new");
    assert!(one.suggested_fix.contains("SSL_free()"), "{}", one.suggested_fix);
    let place = one.stack.iter().find(|frame| frame.role == memguard_report::FrameRole::Application);
    assert_eq!(place.expect("a place").function, "accept_one");
    let evidence = one.evidence.last().expect("evidence");
    assert_eq!(evidence.value, "openssl-ssl-new, by the call of SSL_new in libssl.so.3");
    let unknown = report(&[("stranger_new", "libstranger.so.1")]);
    assert_eq!(unknown.findings[0].location, "stranger_new (libstranger.so.1)");
    assert_eq!((unknown.findings[0].kind.as_str(), &unknown.findings[0].fingerprint), ("heap-growth", &None));
}
