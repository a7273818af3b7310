//! Launcher, command line: what the user asked for.
//! In: the arguments. Out: a [`Command`], or a [`Reply`] that ends the start at once (help, version, misuse).
//!
//! Options that are configuration keys are not written here: they come from [`KEYS`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::{KEYS, Key};
use crate::errors::{EXIT_OTHER, EXIT_RUN};

/// Finds what a running Linux program holds and will never give back.
#[derive(Debug, Parser)]
#[command(name = "memguard", version, subcommand_required = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// The commands of this version.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch a command and all its children
    Run(Run),
    /// Watch a running process from outside
    Attach(Attach),
    /// Tell whether a command can be watched here, and if not, why
    Doctor(Doctor),
    /// Show what a session found
    Report(Report),
    /// Add a suppression for a finding to a file
    Suppress(Suppress),
    /// List the fingerprints by which leaks are called by name, or explain one
    Patterns(Patterns),
    /// Write a fingerprint of your own from a finding
    Learn(Learn),
    /// Judge recordings again, in virtual time
    Replay(Replay),
    /// List the sessions, newest first
    List(List),
    /// Watch a small leaking service and show its report
    Demo(Demo),
    /// Remove old sessions that have ended
    Clean(Clean),
    /// Collect in the background
    #[command(hide = true)]
    Collect(Collect),
}

/// `memguard run`.
#[derive(Debug, Args)]
#[command(override_usage = "memguard run [OPTIONS] -- CMD [ARGS...]")]
pub struct Run {
    /// Configuration file [default: ./memguard.toml, else ~/.config/memguard/memguard.toml, if they exist]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Name of the session, to ask for it later
    #[arg(long, value_name = "NAME", value_parser = session_name)]
    pub name: Option<String>,
    /// Exit with 23 if a new finding has at least this confidence and the program itself succeeded
    #[arg(long, value_name = "CONFIDENCE", num_args = 0..=1, require_equals = true,
          default_missing_value = "0.7", value_parser = confidence)]
    pub fail_on_leak: Option<f64>,
    /// No summary at the end, and no word on how it is watched
    #[arg(long, short)]
    pub quiet: bool,
    /// Options that are configuration keys.
    #[command(flatten)]
    pub keys: KeyOptions,
    /// The command to watch, with its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// `memguard attach`.
#[derive(Debug, Args)]
#[command(override_usage = "memguard attach [OPTIONS] PID")]
pub struct Attach {
    /// Configuration file [default: ./memguard.toml, else ~/.config/memguard/memguard.toml, if they exist]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Name of the session, to ask for it later
    #[arg(long, value_name = "NAME", value_parser = session_name)]
    pub name: Option<String>,
    /// No summary at the end, and no word on how it is watched
    #[arg(long, short)]
    pub quiet: bool,
    /// Options that are configuration keys.
    #[command(flatten)]
    pub keys: KeyOptions,
    /// The process to watch
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: i32,
}

/// `memguard doctor`.
#[derive(Debug, Args)]
#[command(override_usage = "memguard doctor [OPTIONS] [-- CMD [ARGS...]]")]
pub struct Doctor {
    /// For programs: memguard.doctor/1
    #[arg(long)]
    pub json: bool,
    /// Where the sessions are.
    #[command(flatten)]
    pub place: Place,
    /// The command that is to be watched, with its arguments
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// `memguard report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Id, beginning of an id, or name of the session
    #[arg(default_value = "latest")]
    pub session: String,
    /// Same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write to this file instead of the standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave out findings less sure than this, 0 to 1, of patterns without a threshold of their own [default: as configured, 0.5]
    #[arg(long, value_name = "CONFIDENCE", value_parser = confidence)]
    pub min_confidence: Option<f64>,
    /// An earlier 'memguard report --json': what it has found is known, unless it has become clearly worse
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<String>,
    /// Files of suppressions.
    #[arg(
        long,
        value_name = "FILE",
        help = "Files of suppressions, in MemGuard's, LeakSanitizer's or Valgrind's format; may be repeated"
    )]
    pub suppressions: Vec<String>,
    /// Where the sessions are.
    #[command(flatten)]
    pub place: Place,
}

impl Report {
    /// The form asked for.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs: memguard.report/1
    Json,
}

/// `memguard suppress`.
#[derive(Debug, Args)]
#[command(override_usage = "memguard suppress [SESSION] FINDING-ID --reason TEXT --output FILE")]
pub struct Suppress {
    /// The finding's id in a report, or its beginning; before it, the session if it is not the latest
    #[arg(value_name = "FINDING-ID", required = true, num_args = 1..=2)]
    words: Vec<String>,
    /// Why it may stay, for those who read the file later
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// The last day on which it is to be suppressed, as 2027-03-31 (UTC)
    #[arg(long, value_name = "DATE")]
    pub expires: Option<String>,
    /// The file.
    #[arg(
        long,
        short,
        value_name = "FILE",
        help = "The file, in MemGuard's own format; made if it does not exist"
    )]
    pub output: PathBuf,
    /// Where the sessions are.
    #[command(flatten)]
    pub place: Place,
}

/// `memguard patterns`.
#[derive(Debug, Args)]
pub struct Patterns {
    /// Name of a fingerprint, to explain it
    pub name: Option<String>,
    /// For programs: memguard.patterns/1
    #[arg(long)]
    pub json: bool,
    /// Folders with fingerprints of your own, with colons between [env: `MEMGUARD_PATTERNS_DIR`]
    #[arg(long, value_name = "DIR")]
    pub patterns_dir: Option<String>,
}

/// `memguard learn`.
#[derive(Debug, Args)]
#[command(override_usage = "memguard learn [OPTIONS] [SESSION] FINDING-ID")]
pub struct Learn {
    /// Session (the latest one where it is left out), and the finding's id or the beginning of it
    #[arg(value_name = "[SESSION] FINDING-ID", required = true, num_args = 1..=2)]
    pub words: Vec<String>,
    /// Name of the fingerprint [default: made from the program's and the function's name]
    #[arg(long, value_name = "NAME", value_parser = fingerprint_name)]
    pub name: Option<String>,
    /// What it is, in a few words
    #[arg(long, value_name = "TEXT", value_parser = some_text)]
    pub title: Option<String>,
    /// What is to be done about it [default: what the finding says]
    #[arg(long, value_name = "TEXT", value_parser = some_text)]
    pub fix: Option<String>,
    /// Write to this file, or to the standard output if it is -
    #[arg(long, short, value_name = "FILE", conflicts_with = "patterns_dir")]
    pub output: Option<PathBuf>,
    /// Write NAME.toml into this folder, the first of several [env: `MEMGUARD_PATTERNS_DIR`; without it and without
    /// --output: the standard output]
    #[arg(long, value_name = "DIR")]
    pub patterns_dir: Option<String>,
    /// Where the sessions are.
    #[command(flatten)]
    pub place: Place,
}

impl Suppress {
    /// The session.
    pub fn session(&self) -> &str {
        if let [session, _] = &self.words[..] { session } else { "latest" }
    }

    /// The finding's id, or its beginning.
    pub fn finding(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }
}

impl Learn {
    /// The session that is meant.
    pub fn session(&self) -> &str {
        match self.words.as_slice() {
            [session, _] => session,
            _ => "latest",
        }
    }

    /// The finding that is meant.
    pub fn finding(&self) -> &str {
        self.words.last().map(String::as_str).unwrap_or_default()
    }
}

/// `memguard replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// For programs: memguard.replay/1
    #[arg(long)]
    pub json: bool,
    /// Recordings: record-PID.jsonl.gz in the directory of a session that was run with --record
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// `memguard list`.
#[derive(Debug, Args)]
pub struct List {
    /// Where the sessions are.
    #[command(flatten)]
    pub place: Place,
}

/// `memguard demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where the session is kept.
    #[command(flatten)]
    pub place: Place,
}

/// `memguard clean`.
#[derive(Debug, Args)]
pub struct Clean {
    /// Keep this many of the newest sessions
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub keep: usize,
    /// Remove only sessions that began more than this many days ago
    #[arg(long, value_name = "DAYS")]
    pub older_than: Option<u32>,
    /// Where the sessions are.
    #[command(flatten)]
    pub place: Place,
}

/// `memguard collect`, which nobody types.
#[derive(Debug, Args)]
pub struct Collect {
    /// Directory of the session; without it, the process that asks is on descriptor 3
    #[arg(long, value_name = "DIR")]
    pub session: Option<PathBuf>,
    /// File by which processes of the same service find the session
    #[arg(long, value_name = "FILE", requires = "session")]
    pub rendezvous: Option<PathBuf>,
}

/// Where the sessions are.
#[derive(Debug, Args)]
pub struct Place {
    /// Folder of the sessions [env: `MEMGUARD_DIR`]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The options given that are configuration keys, with their text. Their meaning is `config`'s affair.
#[derive(Debug, Default)]
pub struct KeyOptions(pub Vec<(&'static Key, String)>);

/// The answer to a command line that starts nothing: text and exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// Help or version for the standard output; else one line for the standard error.
    pub text: String,
    /// 0 for help and version.
    pub exit_code: u8,
}

/// Reads a command line; the first argument is the program's own name.
///
/// # Errors
/// Help, version and misuse, all as a [`Reply`] to print before ending.
pub fn parse(arguments: &[OsString]) -> Result<Command, Reply> {
    let parsed = CommandLine::try_parse_from(arguments).map_err(|error| reply(&error, arguments))?;
    Ok(match parsed.command {
        Command::Report(report) if report.json => Command::Report(Report { format: Format::Json, ..report }),
        command => command,
    })
}

fn reply(error: &clap::Error, arguments: &[OsString]) -> Reply {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Reply { text: error.to_string(), exit_code: 0 };
    }
    let first = arguments.get(1).and_then(|argument| argument.to_str()).unwrap_or_default();
    let command = CommandLine::command_names().find(|name| *name == first);
    let exit_code = if command == Some("run") { EXIT_RUN } else { EXIT_OTHER };
    let what = match (error.kind(), command) {
        (ErrorKind::MissingRequiredArgument, Some("run")) => {
            "no command to run: write it after --, as in 'memguard run -- ./service'".to_owned()
        }
        (ErrorKind::MissingRequiredArgument, Some("attach")) => {
            "no process to watch: give its number, as in 'memguard attach 4711'".to_owned()
        }
        (ErrorKind::MissingRequiredArgument, Some("suppress")) => {
            "FINDING-ID, --reason and --output are needed, as in 'memguard suppress 15f08b0c --reason \"cache, by \
             design\" -o known.toml'"
                .to_owned()
        }
        (ErrorKind::MissingRequiredArgument, Some("learn")) => {
            "no finding to learn from: give its id, as 'memguard report' shows it".to_owned()
        }
        (ErrorKind::MissingRequiredArgument, Some("replay")) => {
            "no recording to judge: name its file, as in 'memguard replay record-4711.jsonl.gz'".to_owned()
        }
        (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
            "no command given: 'memguard run -- ./service' watches a program".to_owned()
        }
        _ => condensed(&error.to_string()),
    };
    let help = command.map_or_else(|| "memguard --help".to_owned(), |name| format!("memguard {name} --help"));
    Reply { text: format!("{what}; try '{help}'"), exit_code }
}

/// The parser's message and its tips, without usage and on one line.
fn condensed(message: &str) -> String {
    let kept = message.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let kept = kept.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let mut line = String::new();
    for part in kept {
        let (joint, part) = match part.strip_prefix("tip: ") {
            Some(tip) => ("; ", tip),
            None => (" ", part),
        };
        if !line.is_empty() {
            line.push_str(joint);
        }
        line.push_str(part);
    }
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

impl CommandLine {
    fn command_names() -> impl Iterator<Item = &'static str> {
        [
            "run", "attach", "doctor", "report", "suppress", "patterns", "learn", "replay", "list", "demo",
            "clean",
        ]
        .into_iter()
    }
}

impl Args for KeyOptions {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for key in KEYS {
            let Some(option) = key.option else { continue };
            let mut arg =
                Arg::new(key.name).long(option).help(key.option_help()).help_heading("Configuration");
            arg = if key.is_flag() {
                arg.action(ArgAction::SetTrue)
            } else if key.is_repeatable() {
                arg.action(ArgAction::Append).value_name(key.value_name)
            } else {
                arg.action(ArgAction::Set).value_name(key.value_name).allow_hyphen_values(true)
            };
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KeyOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for key in KEYS.iter().filter(|key| key.option.is_some()) {
            if key.is_flag() {
                given.extend(matches.get_flag(key.name).then(|| (key, "true".to_owned())));
            } else if key.is_repeatable() {
                let values = matches.get_many::<String>(key.name).into_iter().flatten();
                let values: Vec<&str> = values.map(String::as_str).collect();
                let list = values.join(&key.kind.separator().to_string());
                given.extend((!values.is_empty()).then_some((key, list)));
            } else {
                given.extend(matches.get_one::<String>(key.name).map(|text| (key, text.clone())));
            }
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn confidence(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("expected a few words that say why".to_owned());
    }
    Ok(text.to_owned())
}

fn fingerprint_name(text: &str) -> Result<String, String> {
    let expected = "expected small letters, digits and single dashes, such as 'server-lost-session'";
    if memguard_patterns::is_name(text) { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("expected a text".to_owned()) } else { Ok(text.to_owned()) }
}

fn session_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits = (1..=64).contains(&text.len()) && text.chars().all(allowed) && text != "latest";
    let expected = "expected up to 64 letters, digits, dots, dashes or underscores, and not 'latest'";
    if fits { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(line: &str) -> Result<Command, Reply> {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn misuse(line: &str) -> (String, u8) {
        let reply = parse_text(line).expect_err(line);
        assert!(!reply.text.contains('\n'), "{}", reply.text);
        (reply.text, reply.exit_code)
    }

    #[test]
    fn the_command_keeps_its_own_options() {
        for line in ["memguard run --quiet -- prog --quiet -x", "memguard run --quiet prog --quiet -x"] {
            let Ok(Command::Run(run)) = parse_text(line) else { panic!("{line}") };
            assert_eq!(run.command, ["prog", "--quiet", "-x"]);
            assert!(run.quiet);
        }
    }

    #[test]
    fn options_of_keys_arrive_as_text() {
        let line = "memguard run --aggressive --threshold 5MiB --fail-on-leak --overhead-budget 1% -- prog";
        let Ok(Command::Run(run)) = parse_text(line) else { panic!("{line}") };
        let given: Vec<_> = run.keys.0.iter().map(|(key, text)| (key.name, text.as_str())).collect();
        assert_eq!(given, [("aggressive", "true"), ("threshold_mb", "5MiB"), ("overhead_budget", "1%")]);
        assert_eq!(run.fail_on_leak, Some(0.7));
    }

    #[test]
    fn misuse_is_one_line_with_the_right_code() {
        let (text, code) = misuse("memguard run");
        assert!(text.starts_with("no command to run: ") && code == 125, "{text}");
        let (text, code) = misuse("memguard run --poll-intervall 1 -- prog");
        assert!(text.contains("'--poll-interval'") && text.ends_with("try 'memguard run --help'"), "{text}");
        assert_eq!(code, 125);
        assert_eq!(misuse("memguard run --fail-on-leak=2 -- prog").1, 125);
        assert_eq!(misuse("memguard run --name a/b -- prog").1, 125);
        assert_eq!(misuse("memguard report --min-confidence x").1, 2);
        assert_eq!(misuse("memguard report --json --format text").1, 2);
        assert_eq!(misuse("memguard").1, 2);
        assert!(misuse("memguard suppress abc -o x").0.starts_with("FINDING-ID, --reason and --output"));
        assert_eq!(misuse("memguard suppress a b c --reason r -o x").1, 2);
        assert_eq!(misuse("memguard rum -- prog").1, 2);
    }

    #[test]
    fn json_is_short_for_its_format() {
        let Ok(Command::Report(report)) = parse_text("memguard report --json") else { panic!() };
        assert_eq!((report.format, report.session.as_str()), (Format::Json, "latest"));
        let Ok(Command::Report(report)) = parse_text("memguard report abc --format json") else { panic!() };
        assert_eq!((report.format, report.session.as_str()), (Format::Json, "abc"));
    }

    #[test]
    fn a_finding_may_be_named_with_its_session() {
        for (line, session, finding) in [
            ("memguard suppress 15f0 --reason r -o x", "latest", "15f0"),
            ("memguard suppress api 15f0 --reason r -o x", "api", "15f0"),
        ] {
            let Ok(Command::Suppress(asked)) = parse_text(line) else { panic!("{line}") };
            assert_eq!((asked.session(), asked.finding()), (session, finding));
        }
    }

    #[test]
    fn files_of_suppressions_make_a_list() {
        let line = "memguard run --suppressions a.toml --baseline b.json --suppressions c.supp -- prog";
        let Ok(Command::Run(run)) = parse_text(line) else { panic!("{line}") };
        let given: Vec<_> = run.keys.0.iter().map(|(key, text)| (key.name, text.as_str())).collect();
        assert_eq!(given, [("baseline", "b.json"), ("suppressions", "a.toml:c.supp")]);
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for line in ["memguard --help", "memguard --version", "memguard run --help"] {
            assert_eq!(parse_text(line).expect_err(line).exit_code, 0);
        }
    }
}
