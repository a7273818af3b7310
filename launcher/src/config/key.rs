//! Launcher, configuration: one key's definition and how it is shown.
//! In: rows of [`KEYS`](super::KEYS). Out: environment name, help line, documentation row.

use super::kind::Kind;

/// One configuration key: everything that parsing, `--help` and the documentation need.
#[derive(Debug)]
pub struct Key {
    /// Name in `memguard.toml`, with dots for tables. A last part `<pattern>` stands for every pattern.
    pub name: &'static str,
    /// Long option of `memguard run`, without dashes.
    pub option: Option<&'static str>,
    /// Placeholder of the option's value in `--help`; empty for a switch.
    pub value_name: &'static str,
    /// How its text is read and where the value goes.
    pub kind: Kind,
    /// Default in guard mode, written as a user would write it; empty where absence is the default.
    pub default: &'static str,
    /// Default with `--aggressive`.
    pub aggressive: &'static str,
    /// One sentence without full stop.
    pub help: &'static str,
}

/// The last part of a key that exists once per pattern.
pub const PER_PATTERN: &str = ".<pattern>";

impl Key {
    /// The environment variable, without the part for a single pattern.
    pub fn variable(&self) -> String {
        let name = self.name.trim_end_matches(PER_PATTERN);
        format!("MEMGUARD_{}", name.to_uppercase().replace('.', "_"))
    }

    /// Whether it takes no value on the command line.
    pub fn is_flag(&self) -> bool {
        self.value_name.is_empty()
    }

    /// Whether the option may be given more than once; the values make a list.
    pub fn is_repeatable(&self) -> bool {
        matches!(self.kind, Kind::Files { .. })
    }

    /// What `--help` says about the option.
    pub fn option_help(&self) -> String {
        format!("{} [{}; file: {}; env: {}]", self.help, self.defaults_text(), self.name, self.variable())
    }

    /// The row of the table in `docs/configuration.md`.
    #[cfg(test)]
    pub fn documentation_row(&self) -> String {
        let option = match self.option {
            Some(option) if self.is_flag() => format!("`--{option}`"),
            Some(option) => format!("`--{option} {}`", self.value_name),
            None => String::new(),
        };
        let code = |text: &str| if text.is_empty() { "none".to_owned() } else { format!("`{text}`") };
        format!(
            "| `{}` | `{}` | {option} | {} | {} | {} | {} |",
            self.name,
            self.variable(),
            code(self.default),
            code(self.aggressive),
            self.kind.expected(),
            self.help,
        )
    }

    fn defaults_text(&self) -> String {
        let text = |value: &'static str| if value.is_empty() { "none" } else { value };
        if self.default == self.aggressive {
            format!("default: {}", text(self.default))
        } else {
            format!("default: {}, with --aggressive: {}", text(self.default), text(self.aggressive))
        }
    }
}
