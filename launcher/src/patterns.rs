//! Launcher, `memguard patterns`: the fingerprints in force. In: the built-in ones, the user's folders. Out: a list, or one of
//! them explained, as text or JSON on the standard output.

use std::io::IsTerminal;

use anyhow::{Result, bail};
use memguard_patterns::{Example, Fingerprint, Library, Signature, WholeName, word};
use memguard_report::{PLAIN, Page, QUIET, STRONG};
use serde_json::{Value, json};

use crate::args;
use crate::config::{self, KEYS, Settings, Sources};
use crate::show::{print, table};
use crate::terminal;

/// Name and version of the form for programs.
const SCHEMA: &str = "memguard.patterns/1";

/// Shows what is asked for.
///
/// # Errors
/// If a folder or file is not taken, or there is no fingerprint of that name.
pub fn patterns(asked: &args::Patterns) -> Result<()> {
    let library = library(&settings(asked.folders.as_deref())?)?;
    let Some(name) = &asked.name else {
        let all = library.all();
        return print(&if asked.json { json_text(&all) } else { list(&all) });
    };
    let Some(fingerprint) = library.named(name) else {
        let meant = memguard_patterns::suggestion(library.nearest(name).as_deref());
        bail!("no fingerprint '{name}'{meant}; 'memguard patterns' lists them")
    };
    print(&if asked.json { json_text(&[fingerprint]) } else { explained(fingerprint) })
}

/// The settings, with this option instead of what file and environment say of folders.
///
/// # Errors
/// As for every configuration.
pub fn settings(patterns_dir: Option<&str>) -> Result<Settings> {
    let environment = std::env::vars_os().collect();
    let key = KEYS.iter().find(|key| key.name == "patterns_dir");
    let options = key.zip(patterns_dir).map(|(key, text)| (key, text.to_owned())).into_iter().collect();
    Ok(config::load(&Sources { environment, options, ..Sources::default() })?)
}

/// The fingerprints in force under these settings.
///
/// # Errors
/// If a folder or file is not taken.
pub fn library(settings: &Settings) -> Result<Library> {
    Ok(Library::with_folders(&settings.patterns_dir)?)
}

fn list(all: &[&Fingerprint]) -> String {
    let rows: Vec<[String; 4]> = all
        .iter()
        .map(|fingerprint| {
            let title = fingerprint.title.clone();
            [fingerprint.name.clone(), reported_as(fingerprint), origin(fingerprint).to_owned(), title]
        })
        .collect();
    table(&["NAME", "KIND", "FROM", "TITLE"], &rows)
}

fn origin(fingerprint: &Fingerprint) -> &'static str {
    if fingerprint.is_own { "own" } else { "built in" }
}

/// The kind of findings that it knows, in short.
fn reported_as(fingerprint: &Fingerprint) -> String {
    let signature = &fingerprint.signature;
    match (fingerprint.becomes, signature.kinds.as_slice()) {
        (Some(kind), _) => word(&kind),
        (None, [kind]) => word(kind),
        (None, _) => word(&signature.pattern),
    }
}

fn explained(fingerprint: &Fingerprint) -> String {
    let colour = terminal::colour(std::io::stdout().is_terminal());
    let mut page = Page::new(terminal::columns(), colour);
    page.paragraph("", PLAIN, STRONG, &format!("{}: {}", fingerprint.name, fingerprint.title));
    page.gap();
    page.paragraph("", PLAIN, PLAIN, &fingerprint.explanation);
    page.gap();
    let field = |page: &mut Page, name: &str, text: &str| {
        page.paragraph(&format!("{name:<11}"), QUIET, PLAIN, text);
    };
    field(&mut page, "mend", &fingerprint.fix);
    if let Some(said) = &fingerprint.prevalence {
        field(&mut page, "how often", &format!("{} ({})", said.text, said.source));
    }
    for (name, text) in conditions(fingerprint) {
        field(&mut page, name, &text);
    }
    if let Some(base) = &fingerprint.refines {
        field(&mut page, "refines", base);
    }
    let from =
        if fingerprint.is_own { fingerprint.file.display().to_string() } else { "built in".to_owned() };
    field(&mut page, "from", &from);
    if let Some(example) = fingerprint.examples.first().filter(|example| !example.stack.is_empty()) {
        page.gap();
        page.line(&[(QUIET, "For example, innermost function first:")]);
        for frame in &example.stack {
            let is_place = example.location.as_ref() == Some(&frame.function);
            let (style, mark) = if is_place { (STRONG, "  <- the finding's place") } else { (PLAIN, "") };
            page.line(&[(PLAIN, "  "), (style, &Example::line(frame)), (QUIET, mark)]);
        }
    }
    page.into_text()
}

/// What a finding must look like, in words.
fn conditions(fingerprint: &Fingerprint) -> Vec<(&'static str, String)> {
    let signature = &fingerprint.signature;
    let kinds: Vec<String> = signature.kinds.iter().map(word).collect();
    let kinds = if kinds.is_empty() { "any kind".to_owned() } else { kinds.join(", ") };
    let becomes = fingerprint.becomes.map(|kind| format!("; reported as {}", word(&kind)));
    let matched = format!("{}, {kinds}{}", word(&signature.pattern), becomes.unwrap_or_default());
    let mut conditions = vec![("matches", matched)];
    let Lists { library_modules, library_functions, through, frames } = Lists::of(signature);
    conditions.extend(signature.calls.as_ref().map(|calls| ("calls", calls.text().to_owned())));
    for (name, list) in
        [("library", library_modules), ("", library_functions), ("through", through), ("frames", frames)]
    {
        if !list.is_empty() {
            conditions.push((name, list.join(", ")));
        }
    }
    conditions.extend(signature.module.as_ref().map(|module| ("module", module.text().to_owned())));
    conditions
}

/// A signature's lists of expressions as they were written.
struct Lists {
    library_modules: Vec<String>,
    library_functions: Vec<String>,
    through: Vec<String>,
    frames: Vec<String>,
}

impl Lists {
    fn of(signature: &Signature) -> Self {
        let texts = |list: &[WholeName]| list.iter().map(|regex| regex.text().to_owned()).collect();
        Self {
            library_modules: texts(&signature.library_modules),
            library_functions: texts(&signature.library_functions),
            through: texts(&signature.through),
            frames: texts(&signature.frames),
        }
    }
}

fn json_text(all: &[&Fingerprint]) -> String {
    let entries: Vec<Value> = all.iter().map(|fingerprint| entry(fingerprint)).collect();
    let document = json!({"schema": SCHEMA, "fingerprints": entries});
    format!("{document:#}\n")
}

fn entry(fingerprint: &Fingerprint) -> Value {
    let signature = &fingerprint.signature;
    let lists = Lists::of(signature);
    let regex = |regex: &Option<WholeName>| regex.as_ref().map(|regex| regex.text().to_owned());
    json!({
        "name": fingerprint.name,
        "title": fingerprint.title,
        "explanation": fingerprint.explanation,
        "fix": fingerprint.fix,
        "prevalence": fingerprint.prevalence.as_ref().map(|said| json!({"text": said.text, "source": said.source})),
        "pattern": signature.pattern,
        "kinds": signature.kinds,
        "becomes": fingerprint.becomes,
        "refines": fingerprint.refines,
        "calls": regex(&signature.calls),
        "library": {"modules": lists.library_modules, "functions": lists.library_functions},
        "through": lists.through,
        "frames": lists.frames,
        "module": regex(&signature.module),
        "file": fingerprint.is_own.then(|| fingerprint.file.display().to_string()),
    })
}
