//! Patterns, loading: each mistake in a file is one line that names file, line and fingerprint; own files replace and refine.

use std::fs;
use std::path::{Path, PathBuf};

use memguard_detect::Kind;
use memguard_patterns::{Example, Lesson, Library, learn};
use memguard_symbolize::Frame;

/// A whole fingerprint whose lines may be replaced or added to.
const WHOLE: &str = r#"[[fingerprint]]
name = "acme-open"
title = "Sessions without acme_close()"
pattern = "leaks"
calls = 'acme_open'
explanation = "It stays."
fix = "close it"
"#;

fn message(text: &str) -> String {
    let error = Library::parse(text, Path::new("own.toml")).expect_err(text).to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn with(line: &str, instead: &str) -> String {
    assert!(WHOLE.contains(line));
    WHOLE.replace(line, instead)
}

fn stack(lines: &[&str]) -> Vec<Frame> {
    lines.iter().map(|line| Example::frame(line).expect("well-formed")).collect()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn load(folders: &[&tempfile::TempDir]) -> Result<Library, String> {
    let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_owned()).collect();
    Library::with_folders(&folders).map_err(|error| error.to_string())
}

/// Goal: every mistake is told where it is. Method: one wrong line at a time.
#[test]
fn mistakes_are_told_with_file_line_and_name() {
    let whole = Library::parse(WHOLE, Path::new("own.toml")).expect("right");
    assert_eq!(whole.len(), 1);
    let example = |text: &str| format!("{WHOLE}[[fingerprint.example]]\nkind = \"heap-growth\"\n{text}\n");
    let cases = [
        (
            with("fix =", "fixx ="),
            &["own.toml:7: fingerprint 'acme-open': ", "unknown key `fixx`", "`fix`"][..],
        ),
        (with("fix = \"close it\"\n", ""), &["own.toml:1: fingerprint 'acme-open': missing key `fix`"]),
        (with("\"close it\"", "\" \""), &["fingerprint 'acme-open': fix is empty; say what is to be done"]),
        (
            with("'acme_open'", "'acme_(open'"),
            &["calls: 'acme_(open' is not a regular expression: unclosed group"],
        ),
        (with("'acme_open'", "'a)|(b'"), &["is not a regular expression: unopened group"]),
        (with("'acme_open'", "'(a{900}){900}'"), &["is not a regular expression: ", "size"]),
        (
            with("pattern = \"leaks\"", "kinds = [\"heap-grow\"]"),
            &["own.toml:4: ", "unknown value `heap-grow`", "`heap-growth`"],
        ),
        (
            with("pattern = \"leaks\"", "pattern = \"leak\""),
            &["own.toml:4: ", "unknown value `leak`", "`leaks`"],
        ),
        (
            with("pattern = \"leaks\"", "pattern = \"leaks\"\nkinds = [\"socket-idle\"]"),
            &["kinds: kind 'socket-idle' belongs to pattern 'handles', not to 'leaks'"],
        ),
        (
            with("pattern = \"leaks\"", "pattern = \"leaks\"\nbecomes = \"socket-idle\""),
            &["becomes: kind 'socket-idle'"],
        ),
        (with("calls = 'acme_open'\n", ""), &["nothing says which findings it knows"]),
        (with("pattern = \"leaks\"\n", ""), &["nothing says which findings it knows"]),
        (
            with("calls = 'acme_open'", "frames = ['x']\nlibrary = { modules = ['x'] }"),
            &["library has no meaning without calls"],
        ),
        (
            with("\"acme-open\"", "\"Acme Open\""),
            &["own.toml:1: fingerprint 'Acme Open': a name is made of small letters"],
        ),
        (
            with("title", "refines = \"openssl-ssl-mew\"\ntitle"),
            &["refines 'openssl-ssl-mew', which is no fingerprint; did you mean 'openssl-ssl-new'?"],
        ),
        (
            format!("{WHOLE}{WHOLE}"),
            &["own.toml:8: fingerprint 'acme-open': the name is taken twice, first in own.toml"],
        ),
        (with("title = ", "title = ["), &["own.toml:", "not valid TOML: "]),
        (
            with("title = \"Sessions without acme_close()\"", "title = 1"),
            &["own.toml:3: fingerprint 'acme-open': ", "string"],
        ),
        ("[fingerprint]\nname = \"x\"\n".to_owned(), &["write [[fingerprint]] instead of [fingerprint]"]),
        (
            "patterns = 1\n".to_owned(),
            &["own.toml:1: unknown key 'patterns'; a file holds [[fingerprint]] entries"],
        ),
        ("fingerprint = 1\n".to_owned(), &["unknown key 'fingerprint'"]),
        ("fingerprint = [1]\n".to_owned(), &["own.toml:1: ", "expected"]),
        (String::new(), &["holds no [[fingerprint]]"]),
        (
            example("stack = [\"acme_open libacme.so\"]"),
            &["example frame 'acme_open libacme.so' is not of the form"],
        ),
        (example("stack = [\"close @ server\"]"), &["example 1 is not matched by the signature"]),
        (
            example("stack = [\"acme_open @ server\", \"main @ server\"]\nlocation = \"open\""),
            &["example 1 has its place in 'main', not in 'open'"],
        ),
        (
            example("stack = [\"acme_open @ server\"]").replace(".example", ".counterexample"),
            &["counterexample 1 is matched"],
        ),
        (with("title", "prevalence = { text = \"often\" }\ntitle"), &["missing key `source`"]),
    ];
    for (text, parts) in cases {
        let message = message(&text);
        assert!(message.starts_with("own.toml"), "{message}");
        for part in parts {
            assert!(message.contains(part), "'{part}' is not in: {message}");
        }
    }
}

/// Goal: folders are read as a whole or refused with a reason; what is no fingerprint file is left alone.
#[test]
fn folders() {
    let good = folder(&[("a.toml", WHOLE), (".a.toml", "draft"), ("notes.txt", "no TOML")]);
    let library = load(&[&good]).expect("right");
    assert!(library.named("acme-open").is_some_and(|fingerprint| fingerprint.is_own));
    assert!(library.named("libc-strdup").is_some_and(|fingerprint| !fingerprint.is_own));
    let again = folder(&[("b.toml", WHOLE)]);
    let error = load(&[&good, &again]).expect_err("twice");
    assert!(
        error.contains("b.toml: fingerprint 'acme-open': the name is taken twice, first in /"),
        "{error}"
    );
    let missing =
        Library::with_folders(&[PathBuf::from("/nonexistent/patterns")]).expect_err("missing").to_string();
    assert_eq!(missing, "/nonexistent/patterns: cannot be read: No such file or directory");
    let file = Library::with_folders(&[good.path().join("a.toml")]).expect_err("a file").to_string();
    assert!(file.ends_with("a.toml: is not a folder; name the folder that holds the *.toml files"), "{file}");
    let binary = folder(&[]);
    fs::write(binary.path().join("x.toml"), [0xff, 0xfe, 0]).expect("written");
    assert!(load(&[&binary]).expect_err("binary").contains("x.toml: cannot be read: "));
    fs::create_dir(good.path().join("folder.toml")).expect("made");
    assert!(load(&[&good]).expect_err("a folder").contains("it is not a regular file"));
}

/// Goal: an own fingerprint wins over built-in ones, and replaces the one of its name.
#[test]
fn own_fingerprints_come_first() {
    let text = WHOLE.replace("acme-open", "libc-strdup").replace("acme_open", "strdup");
    let replaced = folder(&[("a.toml", &text)]);
    let library = load(&[&replaced]).expect("right");
    let copy = stack(&["strdup @ libc.so.6", "keep @ server"]);
    let known = library.recognise(Kind::HeapGrowth.pattern(), Kind::HeapGrowth, &copy).expect("known");
    assert_eq!((known.fingerprint.fix.as_str(), known.fingerprint.becomes), ("close it", None));
    assert_eq!(library.all().iter().filter(|fingerprint| fingerprint.name == "libc-strdup").count(), 1);
    let own = folder(&[("a.toml", &with("calls = 'acme_open'", "frames = ['keep']"))]);
    let library = load(&[&own]).expect("right");
    let known = library.recognise(Kind::HeapGrowth.pattern(), Kind::HeapGrowth, &copy).expect("known");
    assert_eq!(known.fingerprint.name, "acme-open");
}

/// Goal: what was learned loads, and knows the same leak after a rebuild and no other. Method: a finding inside of a library,
/// learned as a refinement, and one of the program's own.
#[test]
fn learned_fingerprints_know_their_leak() {
    let seen = stack(&[
        "CRYPTO_zalloc @ libcrypto.so.3",
        "SSL_new @ libssl.so.3",
        "accept_one.constprop.0 @ server",
        "serve @ server",
        "main @ server",
    ]);
    let functions = ["accept_one.constprop.0", "serve", "serve", "main"].map(str::to_owned);
    let lesson = Lesson {
        name: "server-tls",
        title: "TLS of the 'accept' loop",
        explanation: "Learned: \"quoted\", with a \\ and\na line end.",
        fix: "SSL_free() in accept_one()",
        pattern: "leaks",
        kind: "api-result-not-freed",
        refines: Some("openssl-ssl-new"),
        functions: &functions,
        stack: &seen,
    };
    let text = learn(&lesson);
    let learned = folder(&[("server-tls.toml", &text)]);
    let library = load(&[&learned]).expect(&text);
    let rebuilt = stack(&[
        "libssl.so.4+0x99 @ libssl.so.4",
        "SSL_new @ libssl.so.4",
        "accept_one @ server",
        "serve @ server",
        "run @ server",
        "main @ server",
    ]);
    let known = library.recognise(Kind::HeapGrowth.pattern(), Kind::HeapGrowth, &rebuilt).expect("known");
    assert_eq!(known.fingerprint.name, "server-tls");
    assert_eq!(
        (known.fingerprint.root(), known.fingerprint.becomes),
        ("openssl-ssl-new", Some(Kind::ApiResultNotFreed))
    );
    assert_eq!(known.found.location, Some(2));
    let elsewhere =
        stack(&["SSL_new @ libssl.so.3", "connect_one @ server", "serve @ server", "main @ server"]);
    let known = library.recognise(Kind::HeapGrowth.pattern(), Kind::HeapGrowth, &elsewhere).expect("known");
    assert_eq!(known.fingerprint.name, "openssl-ssl-new");

    let seen = stack(&["app::Pool<app::Order>::take @ server", "app::serve::{closure#0} @ server"]);
    let functions = ["app::Pool<app::Order>::take", "app::serve::{closure#0}"].map(str::to_owned);
    let text =
        learn(&Lesson { kind: "heap-growth", refines: None, functions: &functions, stack: &seen, ..lesson });
    let learned = folder(&[("server-tls.toml", &text)]);
    let library = load(&[&learned]).expect(&text);
    let rebuilt = stack(&["app::Pool<app::Item>::take @ server", "app::serve::{closure#3} @ server"]);
    let name = |kind: Kind, stack| {
        library.recognise(kind.pattern(), kind, stack).map(|known| known.fingerprint.name.clone())
    };
    assert_eq!(name(Kind::HeapGrowth, &rebuilt).as_deref(), Some("server-tls"));
    assert_eq!(name(Kind::HeapGrowth, &rebuilt[1..]), None);
    assert_eq!(name(Kind::MmapNotUnmapped, &rebuilt), None);
}
