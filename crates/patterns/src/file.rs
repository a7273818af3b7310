//! Patterns: one file of fingerprints, `docs/patterns.md` in types. In: the file's text. Out: fingerprints, or what is wrong
//! with the first that is wrong.

use std::path::Path;

use memguard_detect::{Kind, Pattern};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::error::{LoadError, Problem};
use crate::example::Example;
use crate::fingerprint::{Fingerprint, Prevalence};
use crate::library::by_name;
use crate::signature::Signature;
use crate::whole_name::WholeName;

/// What a file holds.
const TABLE: &str = "fingerprint";

/// Whether a file was checked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// By the tests: neither expressions nor examples are looked at.
    Checked,
    /// Everything is to be looked at.
    Unchecked,
}

/// One `[[fingerprint]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    title: String,
    explanation: String,
    fix: String,
    prevalence: Option<PrevalenceForm>,
    refines: Option<String>,
    pattern: Option<Pattern>,
    kinds: Option<Vec<Kind>>,
    becomes: Option<Kind>,
    calls: Option<String>,
    library: Option<LibraryForm>,
    #[serde(default)]
    through: Vec<String>,
    #[serde(default)]
    frames: Vec<String>,
    module: Option<String>,
    #[serde(default)]
    example: Vec<ExampleForm>,
    #[serde(default)]
    counterexample: Vec<ExampleForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrevalenceForm {
    text: String,
    source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LibraryForm {
    modules: Vec<String>,
    functions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleForm {
    kind: Kind,
    #[serde(default)]
    stack: Vec<String>,
    location: Option<String>,
}

/// The fingerprints of one file. `path` names it in messages; `earlier` are those that a fingerprint may refine.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(
    text: &str,
    path: &Path,
    earlier: &[Fingerprint],
    trust: Trust,
) -> Result<Vec<Fingerprint>, LoadError> {
    let at = |offset: Option<usize>, name: Option<&str>, problem: Problem| LoadError {
        path: path.to_owned(),
        line: offset.map(|offset| line(text, offset)),
        name: name.map(str::to_owned),
        problem,
    };
    let start = |error: &toml::de::Error| error.span().map(|span| span.start);
    let document = DeTable::parse(text)
        .map_err(|error| at(start(&error), None, Problem::Syntax(one_line(error.message()))))?;
    let mut found: Vec<Fingerprint> = Vec::new();
    for (offset, entry) in
        entries(document.into_inner()).map_err(|(offset, problem)| at(Some(offset), None, problem))?
    {
        let name = name(&entry);
        let form = Form::deserialize(ValueDeserializer::from(entry));
        let form = form.map_err(|error| {
            at(start(&error).or(Some(offset)), name.as_deref(), Problem::Form(in_our_words(error.message())))
        })?;
        let fingerprint = fingerprint(form, path, earlier, trust)
            .map_err(|problem| at(Some(offset), name.as_deref(), problem))?;
        if by_name(&found, &fingerprint.name).is_some() {
            return Err(at(Some(offset), name.as_deref(), Problem::Duplicate(path.to_owned())));
        }
        found.push(fingerprint);
    }
    Ok(found)
}

/// The entries with their offsets; a file that holds anything else is not one of ours.
fn entries(document: DeTable<'_>) -> Result<Vec<(usize, Spanned<DeValue<'_>>)>, (usize, Problem)> {
    let mut entries = Vec::new();
    for (key, value) in document {
        let offset = key.span().start;
        let unknown = || {
            Problem::Form(format!("unknown key '{}'; a file holds [[fingerprint]] entries", key.get_ref()))
        };
        match value.into_inner() {
            DeValue::Array(items) if key.get_ref() == TABLE => {
                entries.extend(items.into_iter().map(|item| (item.span().start, item)));
            }
            DeValue::Table(_) if key.get_ref() == TABLE => {
                return Err((
                    offset,
                    Problem::Form("write [[fingerprint]] instead of [fingerprint]".to_owned()),
                ));
            }
            _ => return Err((offset, unknown())),
        }
    }
    if entries.is_empty() {
        return Err((0, Problem::Form("holds no [[fingerprint]]".to_owned())));
    }
    Ok(entries)
}

fn name(entry: &Spanned<DeValue<'_>>) -> Option<String> {
    entry.get_ref().as_table()?.get("name")?.get_ref().as_str().map(str::to_owned)
}

fn fingerprint(
    form: Form,
    path: &Path,
    earlier: &[Fingerprint],
    trust: Trust,
) -> Result<Fingerprint, Problem> {
    if !is_name(&form.name) {
        return Err(Problem::Name);
    }
    for (key, text, advice) in [
        ("title", &form.title, "say in a few words what it is"),
        ("explanation", &form.explanation, "say what goes wrong"),
        ("fix", &form.fix, "say what is to be done"),
    ] {
        if text.trim().is_empty() {
            return Err(Problem::Empty(key, advice));
        }
    }
    let base = match &form.refines {
        Some(wanted) => Some(base(wanted, earlier)?),
        None => None,
    };
    let signature = signature(&form, base, trust)?;
    let becomes = form.becomes.or_else(|| base?.becomes);
    check_kinds(&signature, becomes)?;
    let example = |form: ExampleForm| {
        let stack = form.stack.iter().map(|line| Example::frame(line)).collect::<Result<_, _>>()?;
        Ok(Example { kind: form.kind, stack, location: form.location })
    };
    let examples: Vec<Example> = form.example.into_iter().map(example).collect::<Result<_, Problem>>()?;
    let counterexamples: Vec<Example> =
        form.counterexample.into_iter().map(example).collect::<Result<_, Problem>>()?;
    if trust == Trust::Unchecked {
        for (example, number) in examples.iter().zip(1..) {
            example.check(&signature, number)?;
        }
        for (example, number) in counterexamples.iter().zip(1..) {
            example.check_not(&signature, number)?;
        }
    }
    Ok(Fingerprint {
        name: form.name,
        title: plain(&form.title),
        explanation: plain(&form.explanation),
        fix: plain(&form.fix),
        prevalence: form
            .prevalence
            .map(|said| Prevalence { text: plain(&said.text), source: plain(&said.source) }),
        becomes,
        refines: form.refines,
        signature,
        examples,
        counterexamples,
        file: path.to_owned(),
        is_own: true,
    })
}

fn base<'a>(wanted: &str, earlier: &'a [Fingerprint]) -> Result<&'a Fingerprint, Problem> {
    let known = earlier.iter().map(|fingerprint| fingerprint.name.as_str());
    let unknown = || Problem::RefinesUnknown {
        found: wanted.to_owned(),
        nearest: crate::error::nearest(wanted, known),
    };
    let base = by_name(earlier, wanted).ok_or_else(unknown)?;
    match base.refines {
        Some(_) => Err(Problem::RefinesRefined(wanted.to_owned())),
        None => Ok(base),
    }
}

/// What is not said is as in the fingerprint that is refined.
fn signature(form: &Form, base: Option<&Fingerprint>, trust: Trust) -> Result<Signature, Problem> {
    let whole = |key, text: &str| match trust {
        Trust::Checked => Ok(WholeName::unchecked(text)),
        Trust::Unchecked => WholeName::new(key, text),
    };
    let base = base.map(|base| &base.signature);
    let one = |key, text: &Option<String>, base: Option<&Option<WholeName>>| match text {
        Some(text) => whole(key, text).map(Some),
        None => Ok(base.cloned().flatten()),
    };
    let many = |key, texts: &[String], base: Option<&Vec<WholeName>>| match (texts, base) {
        ([], Some(base)) => Ok(base.clone()),
        (texts, _) => texts.iter().map(|text| whole(key, text)).collect::<Result<Vec<_>, _>>(),
    };
    let (modules, functions) =
        form.library.as_ref().map_or((&[][..], &[][..]), |l| (&l.modules, &l.functions));
    let pattern = form.pattern.or(base.map(|base| base.pattern)).or(form.kinds.as_ref().and_then(|kinds| {
        // One kind is enough to tell.
        kinds.first().map(|kind| kind.pattern())
    }));
    let signature = Signature {
        pattern: pattern.ok_or(Problem::MatchesEverything)?,
        kinds: form.kinds.clone().or_else(|| base.map(|base| base.kinds.clone())).unwrap_or_default(),
        calls: one("calls", &form.calls, base.map(|base| &base.calls))?,
        library_modules: many("library.modules", modules, base.map(|base| &base.library_modules))?,
        library_functions: many("library.functions", functions, base.map(|base| &base.library_functions))?,
        through: many("through", &form.through, base.map(|base| &base.through))?,
        frames: many("frames", &form.frames, base.map(|base| &base.frames))?,
        module: one("module", &form.module, base.map(|base| &base.module))?,
    };
    if signature.kinds.is_empty() && signature.functions() == 0 && signature.module.is_none() {
        return Err(Problem::MatchesEverything);
    }
    if form.library.is_some() && signature.calls.is_none() {
        return Err(Problem::LibraryWithoutCalls);
    }
    Ok(signature)
}

fn check_kinds(signature: &Signature, becomes: Option<Kind>) -> Result<(), Problem> {
    let kinds = signature.kinds.iter().map(|kind| ("kinds", *kind));
    let foreign = kinds
        .chain(becomes.map(|kind| ("becomes", kind)))
        .find(|(_, kind)| kind.pattern() != signature.pattern);
    let Some((key, kind)) = foreign else { return Ok(()) };
    Err(Problem::ForeignKind {
        key,
        kind: crate::library::word(&kind),
        of: crate::library::word(&kind.pattern()),
        pattern: crate::library::word(&signature.pattern),
    })
}

/// Whether a fingerprint may be called so.
pub fn is_name(text: &str) -> bool {
    let letters = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.len() <= 80 && text.split('-').all(letters)
}

/// A text over several lines is one paragraph.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

/// What the parser calls by the names of its own language.
fn in_our_words(message: &str) -> String {
    one_line(message)
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("unknown variant", "unknown value")
}

fn line(text: &str, offset: usize) -> usize {
    text.as_bytes().get(..offset).unwrap_or_default().split(|byte| *byte == b'\n').count()
}
