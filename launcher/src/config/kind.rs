//! Launcher, configuration: the kinds of values and how their text is read.
//! In: the text of a value, from whichever source. Out: the value, put into [`Settings`] by the kind's setter.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

use super::pattern::{Pattern, PatternSet};
use super::settings::Settings;

/// How a key's text is read, the range it must lie in, and where it goes.
#[derive(Debug)]
pub enum Kind {
    /// An amount of memory. A bare number counts `unit_bytes`; `512KiB`, `100MB` say their own unit.
    Size { unit_bytes: u64, min_bytes: u64, max_bytes: u64, set: fn(&mut Settings, u64) },
    /// A length of time. A bare number counts seconds; `500ms`, `2min` say their own unit.
    Time { min_s: f64, max_s: f64, set: fn(&mut Settings, Duration) },
    /// A share between `min` and 1, or per cent.
    Share { min: f64, set: fn(&mut Settings, f64) },
    /// A share, or `none` for no limit.
    OptionalShare { min: f64, set: fn(&mut Settings, Option<f64>) },
    /// A price, zero or more.
    Price { set: fn(&mut Settings, f64) },
    /// A number of things.
    Count { min: u64, max: u64, set: fn(&mut Settings, u64) },
    /// `true` or `false`.
    Switch { set: fn(&mut Settings, bool) },
    /// Like [`Kind::Switch`], but this version cannot do what `true` asks for.
    SwitchUnavailable { why: &'static str },
    /// `all`, or names of patterns with commas between.
    Patterns { set: fn(&mut Settings, PatternSet) },
    /// A switch per pattern that this version cannot turn on; as a list, the names to turn on.
    PatternSwitchUnavailable { why: &'static str },
    /// A share, for all patterns or for one.
    PatternShare { set: fn(&mut Settings, Option<Pattern>, f64) },
    /// A size in MiB, for all patterns that are measured in memory or for one of them.
    PatternSize { set: fn(&mut Settings, Option<Pattern>, f64) },
    /// A file; nothing for none.
    File { set: fn(&mut Settings, Option<PathBuf>) },
    /// Files with colons between; nothing for none.
    Files { set: fn(&mut Settings, Vec<PathBuf>) },
    /// A folder.
    Folder { set: fn(&mut Settings, PathBuf) },
    /// Folders, with colons between.
    Folders { set: fn(&mut Settings, Vec<PathBuf>) },
    /// An address.
    Address { set: fn(&mut Settings, String) },
}

/// Why a text was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not what this kind expects; the text to show instead of the kind's own description, if any.
    Invalid(Option<String>),
    /// This version cannot do it.
    NotAvailable(&'static str),
}

const MIB: u64 = 1 << 20;

/// Between the paths of a list, as in `PATH`.
const FILES_SEPARATOR: char = ':';

const INVALID: Refusal = Refusal::Invalid(None);

impl Kind {
    /// Reads `text` and stores the value. `pattern` is given for a key that exists once per pattern.
    pub fn assign(&self, text: &str, pattern: Option<Pattern>, to: &mut Settings) -> Result<(), Refusal> {
        let text = text.trim();
        match *self {
            Self::Size { unit_bytes, min_bytes, max_bytes, set } => {
                let bytes = size_bytes(text, unit_bytes).filter(|b| (min_bytes..=max_bytes).contains(b));
                set(to, bytes.ok_or(INVALID)?);
            }
            Self::Time { min_s, max_s, set } => {
                let time = time(text).filter(|t| (min_s..=max_s).contains(&t.as_secs_f64()));
                set(to, time.ok_or(INVALID)?);
            }
            Self::Share { min, set } => set(to, share(text, min).ok_or(INVALID)?),
            Self::OptionalShare { set, .. } if text == "none" => set(to, None),
            Self::OptionalShare { min, set } => set(to, Some(share(text, min).ok_or(INVALID)?)),
            Self::Price { set } => {
                let price = number(text).filter(|price| *price >= 0.0);
                set(to, price.ok_or(INVALID)?);
            }
            Self::Count { min, max, set } => {
                let count = u64::from_str(text).ok().filter(|n| (min..=max).contains(n));
                set(to, count.ok_or(INVALID)?);
            }
            Self::Switch { set } => set(to, switch(text).ok_or(INVALID)?),
            Self::SwitchUnavailable { why } => {
                if switch(text).ok_or(INVALID)? {
                    return Err(Refusal::NotAvailable(why));
                }
            }
            Self::Patterns { set } => set(to, patterns(text)?),
            Self::PatternSwitchUnavailable { why } => {
                let wanted = match pattern {
                    Some(_) => switch(text).ok_or(Refusal::Invalid(Some("true or false".to_owned())))?,
                    None => !text.is_empty() && patterns(text)? != PatternSet::default(),
                };
                if wanted {
                    return Err(Refusal::NotAvailable(why));
                }
            }
            Self::PatternShare { set } => set(to, pattern, share(text, 0.0).ok_or(INVALID)?),
            Self::PatternSize { set } => {
                if pattern.is_some_and(|pattern| !pattern.is_memory()) {
                    return Err(Refusal::NotAvailable(
                        "this pattern is counted in things, which have no size; use min_confidence",
                    ));
                }
                let bytes = size_bytes(text, MIB).ok_or(INVALID)?;
                set(to, pattern, bytes as f64 / MIB as f64);
            }
            Self::File { set } if text.is_empty() => set(to, None),
            Self::File { set } => set(to, Some(absolute(text).ok_or(INVALID)?)),
            Self::Files { set } => {
                let files = text.split(FILES_SEPARATOR).filter(|file| !file.is_empty()).map(absolute);
                set(to, files.collect::<Option<_>>().ok_or(INVALID)?);
            }
            Self::Folder { set } if !text.is_empty() => set(to, PathBuf::from(text)),
            Self::Folders { set } => {
                let parts = text.split(':').filter(|part| !part.is_empty());
                // Whoever reads them may have gone elsewhere by then.
                let folders: Option<Vec<_>> = parts.map(|part| std::path::absolute(part).ok()).collect();
                set(to, folders.filter(|folders| !folders.is_empty()).ok_or(INVALID)?);
            }
            Self::Address { set } if !text.is_empty() => set(to, text.to_owned()),
            Self::Folder { .. } | Self::Address { .. } => return Err(INVALID),
        }
        Ok(())
    }

    /// What a right value looks like, for messages and documentation.
    pub fn expected(&self) -> String {
        match *self {
            Self::Size { unit_bytes, min_bytes, max_bytes, .. } => {
                let bare = match unit_bytes {
                    1 => "a bare number counts bytes",
                    _ => "a bare number counts MiB",
                };
                let show = |bytes| ByteSize(bytes).display().iec().to_string().replace(' ', "");
                format!(
                    "a size from {} to {} such as 512KiB or 100MiB ({bare})",
                    show(min_bytes),
                    show(max_bytes)
                )
            }
            Self::Time { min_s, max_s, .. } => {
                format!(
                    "a time from {min_s} s to {max_s} s such as 500ms or 1s (a bare number counts seconds)"
                )
            }
            Self::Share { min, .. } => format!("a number from {min} to 1"),
            Self::OptionalShare { min, .. } => {
                format!("a share from {min} to 1, per cent such as 1%, or none")
            }
            Self::Price { .. } => "a number, zero or more".to_owned(),
            Self::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Switch { .. } | Self::SwitchUnavailable { .. } => "true or false".to_owned(),
            Self::Patterns { .. } => {
                let names: Vec<_> = PatternSet::all().iter().map(Pattern::name).collect();
                format!("all, or names out of {}, with commas between", names.join(" "))
            }
            Self::PatternSwitchUnavailable { .. } => {
                "true or false; names of patterns with commas between where no pattern is in the key"
                    .to_owned()
            }
            Self::PatternShare { .. } => "a number from 0 to 1".to_owned(),
            Self::PatternSize { .. } => {
                "a size such as 512KiB or 10MiB (a bare number counts MiB)".to_owned()
            }
            Self::File { .. } => "a file".to_owned(),
            Self::Files { .. } => "files, with colons between".to_owned(),
            Self::Folder { .. } => "a folder".to_owned(),
            Self::Folders { .. } => "a folder, or several with colons between".to_owned(),
            Self::Address { .. } => "an address".to_owned(),
        }
    }
}

impl Kind {
    /// A value of the configuration file, where a relative path is meant relative to the file.
    pub fn relative_to(&self, folder: &Path, text: String) -> String {
        let joined = |text: &str| folder.join(text).to_string_lossy().into_owned();
        match self {
            Self::Folder { .. } | Self::File { .. } if !text.is_empty() => joined(&text),
            Self::Files { .. } | Self::Folders { .. } => {
                let files = text.split(FILES_SEPARATOR).filter(|file| !file.is_empty()).map(joined);
                files.collect::<Vec<_>>().join(&FILES_SEPARATOR.to_string())
            }
            _ => text,
        }
    }

    /// What stands between the items of a list.
    pub fn separator(&self) -> char {
        if matches!(self, Self::Files { .. } | Self::Folders { .. }) { FILES_SEPARATOR } else { ',' }
    }
}

/// Collectors in the background have another working directory.
fn absolute(text: &str) -> Option<PathBuf> {
    std::path::absolute(text).ok()
}

/// A finite decimal number. Rust would also take `inf` and `nan`.
fn number(text: &str) -> Option<f64> {
    f64::from_str(text).ok().filter(|number| number.is_finite())
}

fn size_bytes(text: &str, unit_bytes: u64) -> Option<u64> {
    match number(text) {
        Some(bare) if bare >= 0.0 => Some((bare * unit_bytes as f64).round() as u64),
        Some(_) => None,
        None => ByteSize::from_str(text).ok().map(|size| size.0),
    }
}

fn time(text: &str) -> Option<Duration> {
    match number(text) {
        Some(bare) => Duration::try_from_secs_f64(bare).ok(),
        None => humantime::parse_duration(text).ok(),
    }
}

fn share(text: &str, min: f64) -> Option<f64> {
    let share = match text.strip_suffix('%') {
        Some(per_cent) => number(per_cent.trim_end())? / 100.0,
        None => number(text)?,
    };
    (min..=1.0).contains(&share).then_some(share)
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn patterns(text: &str) -> Result<PatternSet, Refusal> {
    if text == "all" {
        return Ok(PatternSet::all());
    }
    let mut set = PatternSet::default();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let Some(pattern) = Pattern::named(name) else {
            let meant = memguard_patterns::nearest(name, Pattern::all().map(Pattern::name));
            let expected =
                meant.map(|meant| format!("a known pattern; did you mean '{meant}' for '{name}'?"));
            return Err(Refusal::Invalid(expected));
        };
        set = set.with(pattern);
    }
    if set == PatternSet::default() { Err(INVALID) } else { Ok(set) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_units_and_bare_numbers() {
        let cases = [
            ("512KiB", Some(512 << 10)),
            ("1MiB", Some(MIB)),
            ("100MB", Some(100_000_000)),
            ("524288B", Some(524_288)),
            ("100", Some(100 * MIB)),
            ("0.5", Some(MIB / 2)),
            ("-1", None),
            ("inf", None),
            ("lots", None),
            ("", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size_bytes(text, MIB), bytes, "{text}");
        }
        assert_eq!(size_bytes("4096", 1), Some(4096));
    }

    #[test]
    fn times_take_units_and_bare_seconds() {
        assert_eq!(time("1s"), Some(Duration::from_secs(1)));
        assert_eq!(time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(time("0.1"), Some(Duration::from_millis(100)));
        for text in ["-1", "nan", "soon", ""] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn shares_take_per_cent() {
        assert_eq!(share("1%", 0.001), Some(0.01));
        assert_eq!(share("0.01", 0.001), Some(0.01));
        for text in ["0", "101%", "2", "%", "nan"] {
            assert_eq!(share(text, 0.001), None, "{text}");
        }
    }

    #[test]
    fn pattern_lists_name_the_wrong_one() {
        assert_eq!(patterns("all"), Ok(PatternSet::all()));
        assert_eq!(patterns("handles, timers").map(|set| set.to_string()), Ok("handles,timers".to_owned()));
        let Err(Refusal::Invalid(Some(expected))) = patterns("handles,timer") else { panic!("taken") };
        assert!(expected.contains("'timers'"), "{expected}");
        assert_eq!(patterns(","), Err(INVALID));
    }
}
