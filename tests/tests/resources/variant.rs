//! Resources, variants: one behaviour of a target with several. In: what its source says. Out: how to run it, and what must
//! be seen.

use std::ffi::OsString;
use std::fmt;

use memguard_tests::process::Process;
use memguard_tests::report::{Finding, Report, SHOWN};
use memguard_tests::targets::{Expectation, Leak, expectation, folder, said, target};
use memguard_tests::watched::{Place, Watched, plain};

/// A program and what it is told to do.
#[derive(Debug, Clone)]
pub struct Variant {
    source: &'static str,
    what: String,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.source, self.what)
    }
}

impl Variant {
    /// Every variant that the source of a leaking program marks.
    pub fn leaking(source: &'static str) -> Vec<Self> {
        let Expectation::Leak(leaks) = expectation(source, source) else { panic!("{source} does not leak") };
        leaks.into_iter().map(|leak| Self { source, what: leak.function }).collect()
    }

    /// Every variant that the source of a healthy program names.
    pub fn healthy(source: &'static str) -> Vec<Self> {
        assert_eq!(expectation(source, source), Expectation::Silence, "{source}");
        let names = said(source, "what: ").into_iter().flatten();
        names.map(|what| Self { source, what }).collect()
    }

    fn is_python(&self) -> bool {
        self.source.rsplit_once('.').is_some_and(|(_, ending)| ending == "py")
    }

    /// The command that runs it.
    fn command(&self, arguments: &[&str]) -> Vec<OsString> {
        let (stem, ending) = self.source.rsplit_once('.').expect("a source has an ending");
        let mut words: Vec<OsString> = match ending {
            "py" => vec!["/usr/bin/python3".into(), folder().join(self.source).into()],
            _ => vec![target(stem).into()],
        };
        words.extend(["--what".into(), OsString::from(&self.what)]);
        words.extend(arguments.iter().map(OsString::from));
        words
    }

    /// Runs it under watch: it must say what it says alone.
    pub fn watch(&self, options: &[&str], arguments: &[&str]) -> Result<Watched, String> {
        let watched = Place::new().watch(options, &self.command(arguments));
        let ended = &watched.ended;
        if ended.code != 0 {
            return Err(format!("it ended with {ended:?}"));
        }
        Ok(watched)
    }

    /// What it says alone, in no time.
    pub fn alone(&self, arguments: &[&str]) -> String {
        let words = self.command(arguments);
        let mut command = plain(&words[0]);
        command.args(&words[1..]);
        let ended = Process::run(command);
        assert_eq!(ended.code, 0, "{self}: {ended:?}");
        ended.stdout
    }

    /// What the source says of this variant after a word, kinds apart.
    fn said(&self, word: &str) -> Vec<String> {
        let lines = said(self.source, word).into_iter();
        let mine = lines.filter(|line| line.first() == Some(&self.what));
        let kinds = mine.flat_map(|line| line.into_iter().skip(1));
        kinds.flat_map(|kinds| kinds.split('|').map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn leak(&self) -> Leak {
        let Expectation::Leak(leaks) = expectation(self.source, self.source) else { panic!("{self}") };
        leaks.into_iter().find(|leak| leak.function == self.what).expect("it is marked")
    }

    /// The finding of its leak, if it is shown. Anything else that is shown and not said to be beside it is an error.
    pub fn judge<'a>(&self, report: &'a Report) -> Result<Option<Finding<'a>>, String> {
        let (kinds, beside, leak) = (self.said("kind: "), self.said("also: "), self.leak());
        let is_one_of = |finding: &Finding<'_>, list: &[String]| list.iter().any(|k| k == finding.kind());
        // Python's functions are not on the C stack; who loads libraries is not known, dlopen is not hooked.
        let is_there = |finding: &Finding<'_>| {
            self.is_python()
                || finding.kind() == "dlopen-growth"
                || finding.place().is_some_and(|place| {
                    place.is_in(&leak.function)
                        && place.file() == Some(&leak.file)
                        && place.line().is_some_and(|line| line.abs_diff(leak.line) <= 2)
                })
        };
        let shown = report.findings(SHOWN);
        let fits = |finding: &&Finding<'_>| is_one_of(finding, &kinds) && is_there(finding);
        let stranger = shown.iter().find(|finding| !fits(finding) && !is_one_of(finding, &beside));
        if let Some(stranger) = stranger {
            return Err(format!("[{stranger}] is not one of {kinds:?} in {leak:?}, nor of {beside:?}"));
        }
        Ok(shown.iter().find(fits).copied())
    }
}
