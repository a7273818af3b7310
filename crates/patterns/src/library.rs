//! Patterns: all fingerprints together. In: the user's folders, findings. Out: the fingerprint that knows a finding.
//!
//! Of several that match one wins: the user's own before the built-in; then the one whose place lies furthest out (who calls
//! a library that calls a library is at fault, not the library between them); then the one that asks for more functions;
//! then the one with the longer expressions; then by name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use memguard_detect::{Kind, Pattern};
use memguard_symbolize::Frame;
use serde::Serialize;

use crate::builtin::FILES;
use crate::error::{LoadError, Problem, nearest};
use crate::file::{Trust, parse};
use crate::fingerprint::Fingerprint;
use crate::signature::Match;

/// A file beyond this holds something else.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The built-in ones. That all of them load is tested; one that does not is left out, and nothing else is lost.
static BUILT_IN: LazyLock<Vec<Fingerprint>> = LazyLock::new(|| {
    let parsed =
        FILES.iter().filter_map(|(name, text)| parse(text, Path::new(name), &[], Trust::Checked).ok());
    parsed.flatten().map(|fingerprint| Fingerprint { is_own: false, ..fingerprint }).collect()
});

/// The fingerprints in force.
#[derive(Debug, Clone, Default)]
pub struct Library {
    own: Vec<Fingerprint>,
}

/// A finding with a name.
#[derive(Debug, Clone, Copy)]
pub struct Recognised<'a> {
    /// The fingerprint that knows it.
    pub fingerprint: &'a Fingerprint,
    /// Where in the stack.
    pub found: Match,
}

impl Library {
    /// The built-in fingerprints and those of `*.toml` in these folders. One of the same name as a built-in replaces it.
    ///
    /// # Errors
    /// The first thing that is wrong with a folder or a file.
    pub fn with_folders(folders: &[PathBuf]) -> Result<Self, LoadError> {
        let mut own: BTreeMap<String, Fingerprint> = BTreeMap::new();
        for folder in folders {
            for path in files(folder)? {
                let text = read(&path)?;
                for fingerprint in Self::parse(&text, &path)? {
                    if let Some(first) = own.get(&fingerprint.name) {
                        let problem = Problem::Duplicate(first.file.clone());
                        return Err(LoadError { path, line: None, name: Some(fingerprint.name), problem });
                    }
                    own.insert(fingerprint.name.clone(), fingerprint);
                }
            }
        }
        Ok(Self { own: own.into_values().collect() })
    }

    fn iter(&self) -> impl Iterator<Item = &Fingerprint> {
        let stays = |fingerprint: &&Fingerprint| by_name(&self.own, &fingerprint.name).is_none();
        self.own.iter().chain(BUILT_IN.iter().filter(stays))
    }

    /// What a file of the user's own with this text holds.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Vec<Fingerprint>, LoadError> {
        parse(text, path, &BUILT_IN, Trust::Unchecked)
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<&Fingerprint> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&Fingerprint> {
        by_name(&self.own, name).or_else(|| by_name(&BUILT_IN, name))
    }

    /// The name that a typing error most likely meant.
    pub fn nearest(&self, name: &str) -> Option<String> {
        nearest(name, self.iter().map(|fingerprint| fingerprint.name.as_str()))
    }

    /// The frame outside of the libraries that fingerprints know, where the program called one of them.
    pub fn place(&self, stack: &[Frame]) -> Option<usize> {
        self.iter().filter_map(|fingerprint| fingerprint.signature.place(stack)?.location).max()
    }

    /// The fingerprint that knows a finding, if there is one.
    pub fn recognise(&self, pattern: Pattern, kind: Kind, stack: &[Frame]) -> Option<Recognised<'_>> {
        let matching = self.iter().filter_map(|fingerprint| {
            let found = fingerprint.signature.find(pattern, kind, stack)?;
            Some(Recognised { fingerprint, found })
        });
        matching.max_by_key(|Recognised { fingerprint, found }| {
            let signature = &fingerprint.signature;
            let name = Reverse(fingerprint.name.as_str());
            (fingerprint.is_own, found.location, signature.functions(), signature.length(), name)
        })
    }
}

/// The one of this name.
pub(crate) fn by_name<'a>(list: &'a [Fingerprint], name: &str) -> Option<&'a Fingerprint> {
    list.iter().find(|fingerprint| fingerprint.name == name)
}

/// The word that stands for a pattern or kind in files and reports.
pub fn word(value: &impl Serialize) -> String {
    // The form of the value alone: no table, no quotes.
    toml::Value::try_from(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The files of a folder in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let wrong = |problem| LoadError { path: folder.to_owned(), line: None, name: None, problem };
    if folder.is_file() {
        return Err(wrong(Problem::NotAFolder));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| wrong(Problem::Unreadable(error)))? {
        let path = entry.map_err(|error| wrong(Problem::Unreadable(error)))?.path();
        // Editors keep drafts under names with a dot in front.
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|ending| ending == "toml") && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, LoadError> {
    let wrong = |problem| LoadError { path: path.to_owned(), line: None, name: None, problem };
    let metadata = fs::metadata(path).map_err(|error| wrong(Problem::Unreadable(error)))?;
    // Waiting on a pipe or reading a device would never end.
    if !metadata.is_file() {
        return Err(wrong(Problem::Unreadable(std::io::Error::other("it is not a regular file"))));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(wrong(Problem::TooLarge(FILE_BYTES_MAX)));
    }
    fs::read_to_string(path).map_err(|error| wrong(Problem::Unreadable(error)))
}
