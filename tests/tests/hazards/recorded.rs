//! Hazards, recorded: however a program ends, what it did until then is in the report.

use memguard_tests::targets::{program, target};
use memguard_tests::watched::{Place, words};

/// Goal: a sudden end loses no sample: the state lies outside the program. Method: programs that end in other ways than by
/// leaving main, everything recorded; each made at least so many allocations.
#[test]
fn samples_survive_every_kind_of_end() {
    for (program, samples_min) in
        [("exit_immediately", 300), ("abort_now", 300), ("close_all_fds", 10_000), ("late_alloc", 3000)]
    {
        let watched = Place::new().watch(&["--quiet", "--aggressive"], &words(&target(program), &[]));
        let report = watched.report();
        let samples: u64 = report.stacks().iter().sum();
        assert!(samples >= samples_min, "{program}: {report}");
        assert_eq!(report.processes().len(), 1, "{program}: {report}");
        let exit = &report.processes()[0]["exit"];
        let code = exit["code"].as_i64().or_else(|| Some(128 + exit["signal"].as_i64()?));
        assert_eq!(code, Some(watched.ended.code.into()), "{program}: {}", watched.ended.stderr);
    }
}

/// Goal: every thread of a thousand is seen, and its stacks are whole. Method: everything recorded; the main thread and
/// each worker allocate.
#[test]
fn stacks_of_a_thousand_threads_are_complete() {
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &words(&target("many_threads"), &[]));
    let report = watched.report();
    let [complete, truncated, lost] = report.stacks();
    assert!(complete > 300_000, "{report}");
    assert!(truncated + lost <= complete / 1000, "{report} {}", report.processes()[0]["lost"]);
}

/// Goal: a program that jumps out of the hooks, hundreds of times, is recorded on and keeps its stacks, and no free passes
/// unseen: no countdown stays used up, nothing that a walk holds is left behind, and no page counts too few objects. Method: everything recorded; one thread, so that a
/// working memory is always free unless it was lost.
#[test]
fn jumps_out_of_the_hooks_leave_the_books_in_order() {
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &words(&target("longjmp_over"), &[]));
    let report = watched.report();
    let [complete, _, lost] = report.stacks();
    assert!(complete > 5000, "a jump ended the recording: {report}");
    assert!(lost <= complete / 100, "{report}");
    assert_eq!((report.lost("unwinder_busy"), report.lost("free_missed")), (0, 0), "{report}");
}

/// Goal: a signal handler that allocates in the middle of a recording costs nothing but its own record. Method: everything
/// recorded; a handler that comes 400 times, most of them into a hook; the program says how many blocks it made.
#[test]
fn handlers_that_allocate_take_no_records_along() {
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &words(&program("ticking"), &["400"]));
    let blocks: u64 = watched.ended.stdout.trim().parse().expect("a number");
    let report = watched.report();
    let samples: u64 = report.stacks().iter().sum();
    assert!(report.lost("reentered") > 0, "no handler came into a hook: {report}");
    assert!(samples >= blocks, "{samples} of {blocks} blocks: {report}");
}

/// Goal: children are processes of their own. Method: a program that forks, everything recorded.
#[test]
fn fork_children_are_watched_as_processes() {
    let program = words(&target("fork_storm"), &["--objects", "20"]);
    let watched = Place::new().watch(&["--quiet", "--aggressive"], &program);
    let report = watched.report();
    // The program itself, 20 fork children, 2 grandchildren of those, 20 that became `true`.
    assert_eq!(report.processes().len(), 43, "{report}");
    let [own, children] = [0, 1].map(|index| report.processes()[index]["pid"].as_u64());
    assert_ne!(own, children);
}
