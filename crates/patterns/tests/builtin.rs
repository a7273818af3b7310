//! Patterns, the built-in fingerprints: each loads, says what it must, and knows its examples and not its counterexamples.
//! Method: the files themselves hold examples; the loader checks them, these tests check that they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use memguard_detect::{Kind, Pattern};
use memguard_patterns::{Example, FILES, Fingerprint, Library, Trust, parse};
use memguard_symbolize::Frame;

fn all() -> Vec<Fingerprint> {
    let parsed =
        FILES.iter().flat_map(|(name, text)| match parse(text, Path::new(name), &[], Trust::Unchecked) {
            Ok(fingerprints) => fingerprints,
            Err(error) => panic!("{error}"),
        });
    parsed.collect()
}

fn stack(lines: &[&str]) -> Vec<Frame> {
    lines.iter().map(|line| Example::frame(line).expect("well-formed")).collect()
}

fn recognised(kind: Kind, lines: &[&str]) -> Option<(String, Option<String>)> {
    let stack = stack(lines);
    let library = Library::default();
    let known = library.recognise(kind.pattern(), kind, &stack)?;
    let place = known.found.location.map(|at| stack[at].function.clone());
    Some((known.fingerprint.name.clone(), place))
}

/// Goal: no file is forgotten. Method: the folder's files against the list.
#[test]
fn every_file_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../patterns");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let found: BTreeSet<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
}

/// Goal: no fingerprint without a test of both sides, none without a place where the place moves.
#[test]
fn every_fingerprint_has_examples_and_counterexamples() {
    let all = all();
    assert!(all.len() >= 40, "only {}", all.len());
    let names: BTreeSet<&str> = all.iter().map(|fingerprint| fingerprint.name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "a name is taken twice");
    for fingerprint in &all {
        let name = &fingerprint.name;
        assert!(!fingerprint.examples.is_empty(), "{name} has no example");
        assert!(!fingerprint.counterexamples.is_empty(), "{name} has no counterexample");
        for example in fingerprint.examples.iter().filter(|example| !example.stack.is_empty()) {
            assert!(example.location.is_some(), "an example of {name} does not say where it is");
        }
        if let Some(prevalence) = &fingerprint.prevalence {
            assert!(prevalence.source.starts_with("https://"), "{name}: whoever wants to can look it up");
        }
        for text in [&fingerprint.title, &fingerprint.fix] {
            assert!(!text.ends_with('.'), "{name}: '{text}' is no sentence");
        }
        assert!(fingerprint.explanation.ends_with('.'), "{name}: the explanation is made of sentences");
    }
}

/// Goal: an example is called by its own fingerprint, whatever the others look like. Method: all against all.
#[test]
fn every_example_is_recognised_by_its_own_fingerprint() {
    let library = Library::default();
    for fingerprint in all() {
        for example in &fingerprint.examples {
            let known = library.recognise(example.kind.pattern(), example.kind, &example.stack);
            let name = known.map(|known| known.fingerprint.name.clone());
            assert_eq!(name.as_ref(), Some(&fingerprint.name), "{:?}", example.stack);
        }
    }
}

/// Goal: of several that match, the one that leads to the program's own code wins. Method: a library inside a library; two
/// names for one call.
#[test]
fn the_most_specific_wins() {
    let through_curl = [
        "CRYPTO_zalloc @ libcrypto.so.3",
        "SSL_new @ libssl.so.3",
        "libcurl.so.4+0x71c20 @ libcurl.so.4",
        "curl_easy_perform @ libcurl.so.4",
        "fetch @ server",
    ];
    let expected = Some(("curl-easy-init".to_owned(), Some("fetch".to_owned())));
    assert_eq!(recognised(Kind::HeapGrowth, &through_curl), expected);
    // Reading lines makes the stream's buffer: it is the stream that is not closed.
    let stream = [
        "_IO_file_doallocate @ libc.so.6",
        "_IO_doallocbuf @ libc.so.6",
        "_IO_file_underflow @ libc.so.6",
        "__getdelim @ libc.so.6",
        "read_settings @ server",
    ];
    assert_eq!(
        recognised(Kind::HeapGrowth, &stream),
        Some(("libc-stream".to_owned(), Some("read_settings".to_owned())))
    );
    // Programs like to call their own functions as the library's are called.
    let alike =
        ["CRYPTO_zalloc @ libcrypto.so.3", "SSL_new @ libssl.so.3", "ssl_open @ server", "serve @ server"];
    let expected = Some(("openssl-ssl-new".to_owned(), Some("ssl_open".to_owned())));
    assert_eq!(recognised(Kind::HeapGrowth, &alike), expected);
    // The stranger's library is not known: its own call is.
    let stranger = ["__strdup @ libc.so.6", "stranger_set_name @ libstranger.so", "main @ server"];
    let expected = Some(("libc-strdup".to_owned(), Some("stranger_set_name".to_owned())));
    assert_eq!(recognised(Kind::HeapGrowth, &stranger), expected);
}

/// Goal: the caller of a known shared library is found whatever it was called for; nobody else's is. Method: a call that has
/// no fingerprint of its own within one that has; the program's own callback; a stranger's library.
#[test]
fn the_place_of_a_call_is_outside_of_the_library() {
    let library = Library::default();
    let place = |lines: &[&str]| library.place(&stack(lines));
    assert_eq!(
        place(&[
            "x @ libcrypto.so.3",
            "y @ libcurl.so.4",
            "curl_easy_perform @ libcurl.so.4",
            "fetch @ server"
        ]),
        Some(3)
    );
    assert_eq!(
        place(&["append @ server", "y @ libcurl.so.4", "curl_easy_perform @ libcurl.so.4", "fetch @ server"]),
        None
    );
    assert_eq!(place(&["x @ libstranger.so.1", "stranger_new @ libstranger.so.1", "fetch @ server"]), None);
    assert_eq!(place(&["__strdup @ libc.so.6", "fetch @ server"]), None);
}

/// Goal: a stack that ends inside of a library, or is not there, is no reason to fail or to guess a caller.
#[test]
fn cut_and_missing_stacks() {
    let cut = ["CRYPTO_zalloc @ libcrypto.so.3", "SSL_new @ libssl.so.3"];
    assert_eq!(
        recognised(Kind::HeapGrowth, &cut),
        Some(("openssl-ssl-new".to_owned(), Some("SSL_new".to_owned())))
    );
    assert_eq!(recognised(Kind::HeapGrowth, &[]), None);
    assert_eq!(recognised(Kind::DlopenGrowth, &[]), Some(("dlopen-again".to_owned(), None)));
}

/// Goal: what is not known has no name. Method: plain allocations, the program's and a stranger's.
#[test]
fn plain_allocations_have_no_name() {
    for lines in [
        &["keep @ server", "main @ server"][..],
        &["g_malloc @ libglib-2.0.so.0", "keep @ server", "main @ server"],
        &["operator new @ libstdc++.so.6", "app::Store::put @ server", "main @ server"],
        &["stranger_new @ libstranger.so", "keep @ server"],
        &[
            "_PyObject_Malloc @ python3.11",
            "PyDict_SetItem @ python3.11",
            "_PyEval_EvalFrameDefault @ python3.11",
        ],
    ] {
        assert_eq!(recognised(Kind::HeapGrowth, lines), None, "{lines:?}");
    }
    assert_eq!(Pattern::Leaks, Kind::ApiResultNotFreed.pattern());
}
