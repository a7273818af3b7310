//! Launcher, `memguard learn`: a fingerprint of the user's own, from a finding that they confirm. In: a stored report, an id.
//! Out: a TOML file as in docs/patterns.md, which never replaces another.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use memguard_patterns::{Lesson, Library};
use memguard_report::{FrameRole, Report, ReportFinding, StackFrame};
use memguard_symbolize::Frame;

use crate::session::Store;
use crate::show::{finding_named, print, read};
use crate::{args, collect, patterns};

/// Longest name that is made up.
const NAME_BYTES_MAX: usize = 60;

/// Learns from one finding.
///
/// # Errors
/// If there is no such session or finding, it has nothing to be recognised by, or the file is there already.
pub fn learn(store: &Store, asked: &args::Learn) -> Result<()> {
    let settings = patterns::settings(asked.patterns_dir.as_deref())?;
    let library = patterns::library(&settings)?;
    let session = collect::recover(store.open(asked.session())?)?;
    let report = read(&session)?;
    let finding = finding_named(&report, asked.finding())?;
    let functions = functions(finding)?;
    let name = asked.name.clone().unwrap_or_else(|| made_up_name(&report, &functions[0]));
    if let Some(taken) = library.named(&name) {
        let by = if taken.is_own { taken.file.display().to_string() } else { "built in".to_owned() };
        bail!("there is a fingerprint '{name}' already ({by}); give another name with --name");
    }
    let text = text(finding, &report, &functions, &name, &library, asked)?;
    let into_folder = || settings.patterns_dir.first().map(|folder| folder.join(format!("{name}.toml")));
    match asked.output.clone().or_else(into_folder) {
        None => print(&text),
        Some(path) if path == Path::new("-") => print(&text),
        Some(path) => {
            write_new(&path, &text)?;
            print(&format!("{}: fingerprint {name}; {}\n", path.display(), advice(&path)))
        }
    }
}

/// The program's own functions from the finding's place outwards; the place itself must have a name.
fn functions(finding: &ReportFinding) -> Result<Vec<String>> {
    let mut own = finding.stack.iter().filter(|frame| frame.role == FrameRole::Application);
    let Some(place) = own.next() else {
        bail!(
            "finding {} has no function of the program on its stack: nothing to recognise it by",
            finding.id
        )
    };
    if !frame(place).is_named() {
        bail!(
            "the place of finding {} has no name ({}): build the program with symbols or install its debug file, and \
             run it again",
            finding.id,
            place.function
        );
    }
    let named = own.filter(|outer| frame(outer).is_named());
    Ok(std::iter::once(place).chain(named).map(|frame| frame.function.clone()).collect())
}

fn frame(source: &StackFrame) -> Frame {
    Frame {
        function: source.function.clone(),
        file: source.file.clone(),
        line: source.line,
        module: source.module.clone(),
        address: 0,
        inlined: source.inlined,
    }
}

/// `server-accept-one`: the program and the function.
fn made_up_name(report: &Report, function: &str) -> String {
    let program = report.session.command.first().map(Path::new);
    let program = program.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let mut name = String::new();
    for character in format!("{program} {function}").chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() >= NAME_BYTES_MAX {
            break;
        }
    }
    let name = name.trim_matches('-');
    if name.is_empty() { "learned".to_owned() } else { name.to_owned() }
}

/// The file's text, which loads and knows the finding.
fn text(
    finding: &ReportFinding,
    report: &Report,
    functions: &[String],
    name: &str,
    library: &Library,
    asked: &args::Learn,
) -> Result<String> {
    let known = finding.fingerprint.as_ref().and_then(|known| library.named(&known.name));
    if let Some(known) = known.filter(|known| known.is_own) {
        bail!("finding {} is known as '{}' already, by {}", finding.id, known.name, known.file.display());
    }
    // One that names a library's function says where the program begins; that of a kind alone adds nothing.
    let refines = known.filter(|known| known.signature.functions() > 0);
    let what = refines.map_or(finding.kind.as_str(), |known| known.title.as_str());
    let title = asked.title.clone().unwrap_or_else(|| format!("{what}, in {}", functions[0]));
    let fix = asked.fix.as_deref().unwrap_or(&finding.suggested_fix);
    let learned =
        format!("Learned from finding {} of session {}: {}.", finding.id, report.session.id, finding.detail);
    let explanation = refines.map_or(learned.clone(), |known| format!("{} {learned}", known.explanation));
    let stack: Vec<Frame> = finding.stack.iter().map(frame).collect();
    let text = memguard_patterns::learn(&Lesson {
        name,
        title: &title,
        explanation: &explanation,
        fix: if fix.trim().is_empty() { "to be written" } else { fix },
        pattern: &finding.pattern,
        kind: &finding.kind,
        refines: refines.map(|known| known.name.as_str()),
        functions,
        stack: &stack,
    });
    Library::parse(&text, Path::new("the learned file"))
        .context("nothing can be learned from this finding")?;
    Ok(text)
}

/// Writes a file that was not there.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let path = std::path::absolute(path)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    match made.and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already; give another name with --name or another file with -o",
                path.display()
            )
        }
        written => written.with_context(|| format!("cannot write {}", path.display())),
    }
}

/// How the file is used.
fn advice(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    if path.extension().is_some_and(|ending| ending == "toml") {
        format!("'memguard run --patterns-dir {} -- CMD' knows it", folder.display())
    } else {
        "rename it to NAME.toml: only such files are read".to_owned()
    }
}
