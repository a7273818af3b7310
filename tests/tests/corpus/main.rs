//! Corpus: the labels fit the programs, the scorer tells right from wrong, and what it computes is what its README says.
//!
//! Method: `scripts/corpus.py` on six programs, on made-up results, and on nonsense. All programs are run by `make corpus`.

use std::fs;
use std::path::Path;
use std::process::Output;

use memguard_tests::product::{launcher, library, root, target_dir};
use memguard_tests::watched::plain;
use serde_json::{Value, json};

fn script(arguments: &[&str]) -> Output {
    let mut command = plain("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(root().join("scripts/corpus.py")).args(arguments);
    command.output().expect("python3 starts")
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Goal: every label names a program and a function that exist, every program has a label, and there are enough.
#[test]
fn labels_fit_the_programs() {
    let output = script(&["--check"]);
    assert!(output.status.success(), "{}", said(&output));
    let words = said(&output);
    let programs: u32 = words.split(' ').next().and_then(|n| n.parse().ok()).expect("a number comes first");
    assert!(programs >= 60, "{words}");
}

/// Goal: a label that cannot be is refused. Method: labels beside one program, each wrong in one way.
#[test]
fn wrong_labels_are_refused() {
    let right = "[held]\nfamily = \"f\"\nsplit = \"fit\"\nmode = \"guard\"\nseconds = 5\n";
    let leak = "leaks = [{ function = \"keep\", kinds = [\"heap-growth\"] }]\n";
    let cases = [
        (format!("{right}{leak}"), ""),
        (right.replace("held", "gone"), "no source of that name"),
        (right.replace("fit", "both"), "split is one of"),
        (right.replace("= 5", "= 0"), "seconds is a number"),
        (format!("{right}{}", leak.replace("keep", "lose")), "has no function lose"),
        (format!("{right}{}", leak.replace("keep", "main")), "marks no line with LEAK main"),
        (format!("{right}{}", leak.replace("heap-growth", "heap-grown")), "no such kind: heap-grown"),
        (format!("{right}color = 1\n"), "unknown key color"),
        (String::new(), "held.c has no entry"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let source = "char *keep(void) {\n    return malloc(9); /* LEAK keep */\n}\nint main(void) {}\n";
    fs::write(folder.path().join("held.c"), source).expect("written");
    for (labels, expected) in cases {
        fs::write(folder.path().join("labels.toml"), &labels).expect("written");
        let read = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import corpus_labels as c\n\
                    try: c.read(pathlib.Path(sys.argv[2]))\nexcept c.LabelError as error: print(error)";
        let mut command = plain("python3");
        command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", read]);
        let output = command.arg(root().join("scripts")).arg(folder.path()).output().expect("python3 starts");
        let words = said(&output);
        assert!(
            output.status.success() && words.lines().count() == usize::from(!expected.is_empty()),
            "{words}"
        );
        assert!(words.contains(expected), "{words:?} does not say {expected:?}");
    }
}

/// Goal: the scorer runs programs and tells found from silent. Method: three leaks that are plain and three healthy programs,
/// one of them a leak's twin.
#[test]
fn six_programs_are_scored() {
    let names = [
        "symbol_names",
        "regex_filter",
        "request_context",
        "regex_filter_fixed",
        "lru_cache",
        "web_sessions",
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let (built, kept) = (target_dir().join("corpus"), folder.path().join("kept.json"));
    // The launcher finds the library beside itself.
    assert!(library().is_file());
    let mut arguments =
        vec!["--jobs", "6", "--memguard", text(launcher()), "--built", text(&built), "--json", text(&kept)];
    arguments.extend(names.iter().flat_map(|name| ["--only", name]));
    let output = script(&arguments);
    assert!(output.status.success(), "{}", said(&output));
    println!("{}", said(&output));

    let kept: Value = serde_json::from_slice(&fs::read(&kept).expect("it was kept")).expect("JSON");
    let runs = kept["runs"].as_array().expect("runs");
    let mut ran: Vec<_> = runs.iter().map(|run| run["program"].as_str().expect("a name")).collect();
    let mut wanted = names;
    ran.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(ran, wanted);
    for run in runs {
        let healthy = run["healthy"].as_bool().expect("known");
        assert_eq!(run["ledger"]["leaked"].as_u64().expect("counted") > 0, !healthy, "{run}");
        for leak in run["leaks"].as_array().expect("leaks") {
            assert_eq!((&leak["found"], &leak["function_right"]), (&json!(true), &json!(true)), "{run}");
            assert!(leak["delay_s"].as_f64().expect("seen while it ran") > 0.5, "{run}");
        }
    }
    let all = &kept["scores"]["all"];
    assert_eq!((&all["runs"], &all["healthy"], &all["leaks"]), (&json!(6), &json!(3), &json!(3)));
    assert_eq!((&all["recall_0.5"], &all["precision_0.5"]), (&json!(1.0), &json!(1.0)), "{all}");
    assert_eq!(all["healthy_accused_at_end"], json!(0), "{all}");
}

/// Goal: the numbers are what they are said to be. Method: three made-up runs whose scores are worked out by hand.
#[test]
fn scores_are_as_defined() {
    let finding = |confidence: f64, is_true: bool| json!({"confidence": confidence, "true": is_true});
    let leak = |found: bool, kind_right: bool, delay_s: Value| {
        json!({"found": found, "kind_right": kind_right, "function_right": if found { json!(kind_right) } else { Value::Null },
               "line_right": false, "delay_s": delay_s})
    };
    let run = |healthy: bool, leaks: Value, findings: Value, ever: Value| json!({"split": "fit", "healthy": healthy, "leaks": leaks, "findings": findings, "ever": ever});
    let runs = json!([
        run(
            false,
            json!([leak(true, true, json!(2.0))]),
            json!([finding(0.95, true), finding(0.25, false)]),
            json!([])
        ),
        run(
            false,
            json!([leak(true, false, json!(4.0)), leak(false, false, Value::Null)]),
            json!([finding(0.65, true)]),
            json!([])
        ),
        run(true, json!([]), json!([finding(0.75, false)]), json!([finding(0.75, false)])),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kept.json");
    fs::write(&file, json!({"schema": "memguard.corpus/1", "runs": runs}).to_string()).expect("written");
    let output = script(&["--rescore", text(&file)]);
    let words = said(&output);
    assert!(output.status.success(), "{words}");
    // Brier: (0.05² + 0.25² + 0.35² + 0.75²) / 4. Calibration: one finding a bin, (0.05 + 0.25 + 0.35 + 0.75) / 4.
    for row in [
        "precision_0.9 | 1 ",
        "precision_0.7 | 0.5 ",
        "precision_0.5 | 0.6667 ",
        "recall_0.5 | 0.6667 ",
        "recall_ever_0.5 | 0.6667 ",
        "class_right | 0.5 ",
        "function_right | 0.5 ",
        "line_right | 0 ",
        "delay_median_s | 3 ",
        "brier | 0.1875 ",
        "calibration_error | 0.35 ",
        "healthy_accused_at_end | 1 ",
        "healthy_accused_ever | 1 ",
        "false_ever | 1 ",
    ] {
        assert!(words.contains(&format!("| {row}|")), "no {row:?} in {words}");
    }
}

/// Goal: a finding is true if it is about a leak of the program, whatever else is wrong with it. Method: made-up findings
/// about a leak of `start` at line 10, whose by-product are mappings.
#[test]
fn findings_are_judged_by_the_label() {
    let judge = "import json, pathlib, sys; sys.path.insert(0, sys.argv[1])\n\
                 import corpus_labels as l, corpus_score as s\n\
                 leak = l.Leak(('thread-growth',), 'start', ('mmap-not-unmapped',), 0.0, (10,))\n\
                 program = l.Program('n', 'f', 'fit', 'guard', 5.0, (leak,), pathlib.Path('n.c'), {})\n\
                 keys = ('true', 'kind_right', 'beside', 'function_right', 'line_right')\n\
                 for finding in json.loads(sys.argv[2]):\n\
                 \x20   judged = s.judge(program, finding)\n\
                 \x20   print(*[judged.get(key) for key in keys])";
    let growth = "thread-growth";
    let cases = [
        (growth, vec!["start", "main"], 11, "True True False True True"),
        (growth, vec!["start", "main"], 13, "True True False True False"),
        (growth, vec!["Pool<T>::start(std::pair<int, char>)", "main"], 10, "True True False True True"),
        (growth, vec!["pool::start::{{closure}}", "main"], 10, "True True False True True"),
        (growth, vec!["<pool::Pool as pool::Start>::start", "main"], 10, "True True False True True"),
        (growth, vec!["restart", "main"], 10, "False None None None None"),
        (growth, vec!["start_all", "main"], 10, "False None None None None"),
        (growth, vec!["helper", "start", "main"], 10, "True True False False True"),
        (growth, vec![], 10, "True True False None None"),
        ("heap-growth", vec!["start", "main"], 10, "True False False True True"),
        ("heap-growth", vec![], 10, "False None None None None"),
        ("mmap-not-unmapped", vec!["elsewhere"], 99, "True False True False False"),
    ];
    let findings = cases.each_ref().map(|(kind, functions, line, _)| {
        let frame = |function: &&str| json!({"function": function, "line": line, "role": "application"});
        json!({
            "id": "", "pattern": "", "kind": kind, "location": "", "confidence": 0.5, "size_mb": 0, "count": 0,
            "detail": "", "growth_mb_per_hour": 0, "growth_per_hour": 0, "evidence": [],
            "stack": functions.iter().map(frame).collect::<Vec<_>>()
        })
    });
    let mut command = plain("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", judge]).arg(root().join("scripts"));
    let output = command.arg(Value::from(findings.to_vec()).to_string()).output().expect("python3 starts");
    let words = said(&output);
    assert_eq!(words.lines().count(), cases.len(), "{words}");
    for (judged, case) in words.lines().zip(&cases) {
        assert_eq!(judged, case.3, "{case:?}");
    }
}

/// Goal: nonsense is said in one line that says what is wrong, and ends with 2.
#[test]
fn nonsense_is_refused_in_one_line() {
    for (arguments, expected) in [
        (vec!["--jobs", "0"], "'0' is not a whole number from 1 on"),
        (vec!["--jobs", "many"], "'many' is not a whole number"),
        (vec!["--split", "both"], "invalid choice: 'both'"),
        (vec!["--only", "nothing"], "there is no program nothing"),
        (vec!["--only", "lru_cache", "--split", "test"], "none of the programs named is in the split test"),
        (vec!["--memguard", "/nonexistent/memguard"], "is missing or no program; run make build"),
        (
            vec!["--memguard", "/bin/true", "--json", "/nonexistent/kept.json"],
            "cannot be written (No such file",
        ),
        (vec!["--rescore", "/etc/passwd"], "/etc/passwd: "),
        (vec!["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ] {
        let output = script(&arguments);
        let words = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {words}");
        assert!(words.starts_with("corpus.py: ") && words.contains(expected), "{arguments:?}: {words}");
        assert_eq!(words.lines().count(), 1, "{arguments:?}: {words}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
