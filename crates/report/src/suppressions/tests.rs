//! Report, suppressions: that each format means what its own tool means by it.
//! Method: one finding with a stack as C++ programs have it, rules that are about it and near misses; mistakes in files.

use super::*;
use crate::document::{Cleanup, FrameRole, StackFrame};

fn frame(function: &str, role: FrameRole, file: Option<&str>, module: &str) -> StackFrame {
    StackFrame {
        function: function.to_owned(),
        file: file.map(str::to_owned),
        line: file.map(|_| 142),
        module: module.to_owned(),
        inlined: false,
        role,
    }
}

fn finding(pattern: &str, kind: &str) -> ReportFinding {
    use FrameRole::{Allocator, Application, Runtime};
    ReportFinding {
        id: "0123456789abcdef".to_owned(),
        pattern: pattern.to_owned(),
        kind: kind.to_owned(),
        location: "book.cpp:142".to_owned(),
        size_mb: 2.0,
        size_mb_interval: [1.0, 3.0],
        count: 100.0,
        detail: String::new(),
        confidence: 0.8,
        suggested_fix: String::new(),
        growth_mb_per_hour: 1.0,
        growth_per_hour: 50.0,
        first_seen: 0.0,
        last_seen: 0.0,
        process: 1,
        processes: vec![1],
        cost_usd_per_month: 0.0,
        stack: vec![
            frame("malloc", Allocator, None, "libmemguard.so"),
            frame("operator new", Allocator, None, "libstdc++.so.6"),
            frame("app::Book::insert", Application, Some("/src/app/book.cpp"), "server"),
            frame("app::handle.constprop.0", Application, Some("/src/app/handle.cpp"), "server"),
            frame("app::handle", Application, Some("/src/app/handle.cpp"), "server"),
            frame("plugin_main", Application, None, "libplugin.so.1"),
            frame("__libc_start_main", Runtime, None, "libc.so.6"),
        ],
        evidence: Vec::new(),
        fingerprint: None,
        cleanup: Cleanup::default(),
        known: false,
        suppressed_by: None,
        confidence_max: 0.8,
        cost_usd_next_30_days: 0.0,
        time_to_limit_s: None,
        limit: None,
    }
}

fn leak() -> ReportFinding {
    finding("leaks", "heap-growth")
}

fn rules(text: &str) -> Suppressions {
    let mut rules = Suppressions::default();
    rules.read(text, "s").unwrap_or_else(|error| panic!("{error}"));
    rules
}

fn refusal(text: &str) -> String {
    let refused = Suppressions::default().read(text, "dir/s.toml").expect_err(text).to_string();
    assert!(!refused.contains('\n'), "{refused}");
    refused
}

fn own(criteria: &str) -> Suppressions {
    rules(&format!("[[suppression]]\nname = \"n\"\nreason = \"r\"\n{criteria}\n"))
}

fn chain(lines: &str) -> Suppressions {
    rules(&format!("{{\n  n\n  Memcheck:Leak\n  {}\n}}\n", lines.replace(' ', "\n")))
}

#[test]
fn own_criteria_all_have_to_hold() {
    let cases = [
        ("pattern = 'leaks'", true),
        ("pattern = 'handles'", false),
        ("kind = 'heap-*'", true),
        ("id = '0123*'", true),
        ("id = '0123'", false),
        ("function = 'plugin_main'", true),
        ("function = 'plugin'", false),
        ("function = 'app::handle'", true),
        ("module = 'libplugin.so*'", true),
        ("module = 'server+'", false),
        ("file = 'book.cpp'", true),
        ("file = '/src/*/book.cpp'", true),
        ("file = 'src'", false),
        ("kind = 'heap-*'\nfunction = 'plugin_main'", true),
        ("kind = 'heap-*'\nfunction = 'other'", false),
        ("stack = ['app::Book::insert', 'app::handle', 'plugin_main']", true),
        ("stack = ['app::Book::insert']", true),
        ("stack = ['app::handle']", false),
        ("stack = ['app::Book::insert', 'plugin_main']", false),
        ("stack = ['app::Book::insert', '...', 'plugin_main']", true),
        ("stack = ['...', 'plugin_main', '...']", true),
        ("stack = ['...', 'plugin_main', 'main']", false),
        ("stack = ['malloc', '...', 'plugin_main']", false),
    ];
    for (criteria, expected) in cases {
        assert_eq!(own(criteria).matches(&leak()), expected, "{criteria}");
    }
    let handles = finding("handles", "file-not-closed");
    assert!(own("function = 'plugin_main'").matches(&handles), "ours are about every pattern");
}

#[test]
fn the_sanitizers_rules_are_about_any_frame() {
    let cases = [
        ("leak:Book", true),
        ("leak:^app::Book", true),
        ("leak:^Book", false),
        ("leak:insert$", true),
        ("leak:book.cpp", true),
        ("leak:libplugin", true),
        ("leak:^libplugin.so$", false),
        ("leak:Book*inse", true),
        ("leak:book", true),
        ("leak:BOOK", false),
        ("# leak:Book\n\n  leak:nothing of it\n", false),
    ];
    for (text, expected) in cases {
        assert_eq!(rules(text).matches(&leak()), expected, "{text}");
    }
    assert!(!rules("leak:Book").matches(&finding("handles", "file-not-closed")), "it knows memory alone");
}

/// A finding of a C program: our stacks begin at the caller of `malloc`.
fn c_leak() -> ReportFinding {
    let mut leak = leak();
    leak.stack = vec![
        frame("forget", FrameRole::Application, Some("/src/leak.c"), "leak"),
        frame("main", FrameRole::Application, Some("/src/leak.c"), "leak"),
    ];
    leak
}

/// Goal: the rules mean what they mean to Valgrind 3.19, which has been asked about each of those about C here.
#[test]
fn valgrinds_rules_begin_at_the_innermost_frame() {
    let cpp = [
        ("fun:_Znwm fun:_ZN3app4Book6insertEv", true),
        ("fun:_Znwm fun:_ZN3app4Book6insertEi", true),
        ("fun:_Znwm fun:_ZN3app4Book6insert*", true),
        ("fun:_Znwm fun:_ZN3app4Book6removeEv", false),
        ("fun:operator?new fun:app::Book::insert", true),
        ("fun:_Znwm fun:plugin_main", false),
        ("... fun:plugin_main", true),
        ("fun:plugin_main", false),
        ("fun:app::Book::insert", false),
        ("fun:malloc fun:app::Book::insert", false),
        ("fun:malloc ... fun:plugin_main", false),
        ("obj:*/libstdc++.so.6 obj:/usr/bin/server", true),
        ("obj:*/libother*", false),
        ("... obj:/opt/vendor/*", false),
        ("obj:* src:book.cpp:142", true),
    ];
    let mut called = leak();
    called.stack.remove(0);
    for (lines, expected) in cpp {
        assert_eq!(chain(lines).matches(&leak()), expected, "{lines}");
        assert_eq!(chain(lines).matches(&called), expected, "{lines}");
    }
    let c = [
        ("fun:malloc fun:forget", true),
        ("fun:calloc fun:forg?t ...", true),
        ("fun:*alloc fun:forget fun:main", true),
        ("fun:_Znwm fun:forget", false),
        ("fun:forget", false),
        ("... fun:main", true),
        ("fun:malloc fun:main", false),
        ("obj:*/vgpreload_memcheck* fun:forget", true),
        ("fun:malloc src:leak.c:142", true),
        ("fun:malloc src:leak.c", true),
        ("fun:malloc src:/src/leak.c:142", false),
        ("fun:malloc src:leak.c:143", false),
        ("fun:malloc ...", true),
        ("match-leak-kinds:definite fun:malloc", true),
        ("match-leak-kinds:none fun:malloc", false),
    ];
    for (lines, expected) in c {
        assert_eq!(chain(lines).matches(&c_leak()), expected, "{lines}");
    }
    let unreachable = finding("leaks", "heap-unreachable");
    assert!(chain("match-leak-kinds:definite,possible ...  fun:plugin_main").matches(&unreachable));
    assert!(!chain("match-leak-kinds:reachable ... fun:plugin_main").matches(&unreachable));
    assert!(!chain("fun:malloc ...").matches(&finding("handles", "file-not-closed")));
}

#[test]
fn valgrinds_other_blocks_are_passed_over() {
    let text = "# of another tool\n{\n   cond\n   Memcheck:Cond\n   fun:strange thing\n}\n\n{\n  race\n  Helgrind:Race\n}\n\
                {\n   param\n   Memcheck:Param\n   write(buf)\n   fun:malloc\n}\n\
                {\n  both\n  Addrcheck,Memcheck:Leak\n  fun:malloc\n}\n";
    let rules = rules(text);
    assert_eq!(rules.rules.len(), 1);
    assert!(rules.has_name("both") && rules.matches(&c_leak()));
}

#[test]
fn mistakes_are_told_with_file_and_line() {
    let cases = [
        ("hello", "dir/s.toml:1: 'hello' begins no suppression"),
        ("\n# c\nrace:foo\n", "dir/s.toml:3: 'race:foo' begins no suppression"),
        ("leak:a\nfoo\n", "dir/s.toml:2: found 'foo', expected leak:PATTERN"),
        ("leak:\n", "dir/s.toml:1: there is no pattern"),
        ("{\n a\n Memcheck:Leak\n fun:x\n", "dir/s.toml:1: the suppression that begins here has no }"),
        ("{\n a\n}\n", "dir/s.toml:1: expected a name and then a kind"),
        ("{\n a\n Leak\n}\n", "dir/s.toml:3: found 'Leak', expected TOOL:KIND"),
        ("{\n a\n Memcheck:Leak\n ...\n}\n", "dir/s.toml:1: expected at least one line fun:"),
        ("{\n a\n Memcheck:Leak\n foo:x\n}\n", "dir/s.toml:4: found 'foo:x', expected fun:NAME"),
        (
            "{\n a\n Memcheck:Leak\n match-leak-kinds: big\n fun:x\n}\n",
            "dir/s.toml:4: match-leak-kinds: found 'big'",
        ),
        ("{\n a\n Memcheck:Leak\n fun:x\n}\nleak:x\n", "dir/s.toml:6: found 'leak:x', expected {"),
        ("[[suppression]\n", "dir/s.toml:1: "),
        ("[[suppression]]\nname = 'a'\n", "dir/s.toml:1: missing field `reason`"),
        ("[[suppression]]\nname = 'a'\nreason = ' '\nkind = 'x'\n", "dir/s.toml:1: reason is empty"),
        ("[[suppression]]\nname = 'a'\nreason = 'r'\n", "dir/s.toml:1: it would suppress everything"),
        ("[[suppression]]\nname = 'a'\nreason = 'r'\nstack = ['...']\n", "it would suppress everything"),
        ("[[suppression]]\nname = 'a'\nreason = 'r'\nkind = '*'\n", "it would suppress everything"),
        ("[[suppression]]\nname = 'a'\nreason = 'r'\nkind = ''\n", "an empty text matches nothing"),
        ("[[suppression]]\nname = 'a'\nreason = 'r'\nkinds = 'x'\n", "dir/s.toml:4: unknown field `kinds`"),
        ("[[suppression]]\nname = 'a'\nreason = 'r'\nkind = 5\n", "dir/s.toml:4: "),
        (
            "[[suppression]]\nname = 'a'\nreason = 'r'\nkind = 'x'\n\n[[suppression]]\nname = 'b'\nreason = 'r'\n\
             kind = 'x'\nexpires = '2026-02-30'\n",
            "dir/s.toml:6: expires: found '2026-02-30', expected a date",
        ),
        (
            "[[suppression]]\nname='a'\nreason='r'\nkind='x'\nexpires = 2026-02-03T04:05:06Z\n",
            "expected a date",
        ),
        ("[suppressions]\nname = 'a'\n", "unknown field `suppressions`"),
    ];
    for (text, expected) in cases {
        let told = refusal(text);
        assert!(told.contains(expected) && told.starts_with("dir/s.toml:"), "{text}\n{told}");
    }
    assert_eq!(rules("").rules.len(), 0);
    assert_eq!(rules("# nothing yet\n").rules.len(), 0);
    assert_eq!(rules("\u{feff}leak:Book\n").rules.len(), 1);
}

#[test]
fn a_last_day_is_over_when_the_day_is() {
    for date in ["expires = 2026-03-31", "expires = '2026-03-31'"] {
        let rules = own(&format!("kind = 'heap-*'\n{date}"));
        // 2026-03-31T23:59:59Z and the second after it.
        assert!(!rules.rules[0].has_expired(1_775_001_599.0) && rules.rules[0].has_expired(1_775_001_600.0));
    }
}

/// Goal: what is appended suppresses its finding, and nothing that was in the file is lost. Method: findings of all sorts, files of
/// all sorts.
#[test]
fn a_suppression_is_appended() {
    let mut unnamed = leak();
    unnamed.stack = vec![frame("server+0x4a10", FrameRole::Application, None, "server")];
    let mut without_stack = finding("handles", "socket-close-wait");
    without_stack.stack.clear();
    let mut strange = leak();
    strange.stack[2].function = "operator*<'\"\\>?::\u{1}f".to_owned();
    for found in [leak(), unnamed, without_stack, strange] {
        let mut text = "# mine\n[[suppression]]\nname = 'a'\nreason = 'r'\nkind = 'other'".to_owned();
        for _ in 0..2 {
            let longer = append_suppression(&text, "s.toml", &found, "it's \"known\"", None, 0.0);
            match longer {
                Ok(longer) => {
                    assert!(longer.starts_with(&text) && rules(&longer).matches(&found), "{longer}");
                    text = longer;
                }
                Err(error) => {
                    assert!(error.to_string().contains("suppresses this finding already"), "{error}");
                }
            }
        }
        assert_eq!(rules(&text).rules.len(), 2, "{text}");
    }
    // Another finding at the same place gets a name of its own, and does not fall under the first.
    let first = append_suppression("", "s.toml", &leak(), "r", Some("2026-03-31"), 0.0).expect("appended");
    let mut other = leak();
    other.stack[5].function = "other_main".to_owned();
    other.id = "fedcba9876543210".to_owned();
    assert!(!rules(&first).matches(&other));
    let second = append_suppression(&first, "s.toml", &other, "r", None, 0.0).expect("appended");
    assert!(rules(&second).has_name("heap-growth book.cpp:142 fedcba9876543210"), "{second}");
    // One that has expired is renewed.
    assert!(append_suppression(&first, "s.toml", &leak(), "r", None, 4e9).is_ok());
    assert!(append_suppression("", "s", &leak(), "r", Some("soon"), 0.0).is_err());
    assert!(append_suppression("", "s", &leak(), "", None, 0.0).is_err());
    let refused = append_suppression("leak:x\n", "s", &leak(), "r", None, 0.0).expect_err("another format");
    assert!(refused.to_string().contains("another tool's format"), "{refused}");
}
