//! Simulate, command: `memguard-simulate table`, `calibrate` and `list`.
//! In: arguments. Out: tables on the standard output, in a document, as JSON.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use memguard_simulate::{
    Modes, Run, Scenario, SimulateError, Split, Table, Truth, check_docs, fitted_source, judge_all,
    render_markdown, scenarios, update_docs,
};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Threads at most.
const THREADS_MAX: usize = 2;

/// Programs in virtual time: what the detectors get right and wrong, and what naive rules do.
#[derive(Debug, Parser)]
#[command(name = "memguard-simulate", subcommand_required = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Name every scenario
    List(Chosen),
    /// Run scenarios and print error rates
    Table(TableOptions),
    /// Fit the map from score to confidence, on the fit families alone
    Calibrate(CalibrateOptions),
}

/// Which scenarios.
#[derive(Debug, Args)]
struct Chosen {
    /// Families that rules were fitted to, or those that they are only measured by
    #[arg(long, value_enum, default_value = "all")]
    split: SplitOption,
    /// One mode alone
    #[arg(long, value_enum)]
    mode: Option<ModeOption>,
    /// Scenarios whose name fits this pattern (* and ?)
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
}

#[derive(Debug, Args)]
struct TableOptions {
    /// Seeds for each scenario
    #[arg(long, value_name = "N", default_value_t = 8)]
    seeds: u64,
    /// Which scenarios.
    #[command(flatten)]
    chosen: Chosen,
    /// Write memguard.simulation/1 to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables into this document, and the plot beside it
    #[arg(long, value_name = "FILE")]
    update_docs: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CalibrateOptions {
    /// Seeds for each scenario
    #[arg(long, value_name = "N", default_value_t = 8)]
    seeds: u64,
    /// Write the source to this file (crates/detect/src/calibration.rs)
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitOption {
    /// Rules may be fitted to them
    Fit,
    /// Rules are only measured by them
    Test,
    /// Both
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeOption {
    /// Production
    Guard,
    /// Tests
    Aggressive,
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::List(chosen) => list(&chosen),
        Command::Table(options) => table(&options),
        Command::Calibrate(options) => calibrate(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "memguard-simulate: {error:#}");
            ExitCode::from(2)
        }
    }
}

impl Chosen {
    /// Scenarios in the modes asked for.
    fn runs(&self) -> Result<Vec<Run>, SimulateError> {
        let only = self.only.as_deref().map(|text| {
            glob::Pattern::new(text)
                .map_err(|error| SimulateError::Glob { glob: text.to_owned(), why: error.msg.to_owned() })
        });
        let only = only.transpose()?;
        let split = |of: Split| match self.split {
            SplitOption::All => true,
            SplitOption::Fit => of == Split::Fit,
            SplitOption::Test => of == Split::Test,
        };
        let mode = |name: &str| match self.mode {
            None => true,
            Some(ModeOption::Guard) => name == "guard",
            Some(ModeOption::Aggressive) => name == "aggressive",
        };
        let all = scenarios::all().into_iter();
        let named =
            all.filter(|of| split(of.split) && only.as_ref().is_none_or(|glob| glob.matches(&of.name)));
        let runs: Vec<Run> = named.flat_map(|of| of.runs()).filter(|run| mode(run.mode.name)).collect();
        if runs.is_empty() { Err(SimulateError::NoScenario) } else { Ok(runs) }
    }

    fn is_everything(&self) -> bool {
        self.only.is_none() && self.mode.is_none() && self.split == SplitOption::All
    }
}

fn list(chosen: &Chosen) -> Result<()> {
    let mut text = String::new();
    let mut before = String::new();
    for Run { scenario, .. } in chosen.runs()? {
        if before != scenario.name {
            text += &line(&scenario);
            before = scenario.name;
        }
    }
    print(&text)
}

fn line(scenario: &Scenario) -> String {
    let modes = match scenario.modes {
        Modes::Guard => "guard",
        Modes::Aggressive => "aggressive",
        Modes::Both => "both",
    };
    let split = if scenario.split == Split::Test { "test" } else { "fit" };
    let truth = match &scenario.truth {
        Truth::Healthy => "healthy".to_owned(),
        Truth::Ambiguous => "ambiguous".to_owned(),
        Truth::Leak(kinds) => format!("leak: {}", kinds.join(" or ")),
    };
    format!("{:60} {modes:10} {split:4} {:22} {truth}\n", scenario.name, scenario.family)
}

fn table(options: &TableOptions) -> Result<()> {
    if options.seeds == 0 {
        return Err(SimulateError::NoSeeds.into());
    }
    if let Some(path) = &options.update_docs {
        if !options.chosen.is_everything() {
            return Err(SimulateError::PartOfDocument.into());
        }
        check_docs(path)?;
    }
    let runs = options.chosen.runs()?;
    let results = judge_all(&runs, options.seeds, threads());
    let table = Table::of(&runs, &results, options.seeds);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&table)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match &options.update_docs {
        Some(path) => Ok(update_docs(path, &table)?),
        None => print(&render_markdown(&table)),
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

fn calibrate(options: &CalibrateOptions) -> Result<()> {
    let seeds = options.seeds;
    if seeds == 0 {
        return Err(SimulateError::NoSeeds.into());
    }
    let fit = Chosen { split: SplitOption::Fit, mode: None, only: None };
    let results = judge_all(&fit.runs()?, seeds, threads());
    let source = fitted_source(&results, &format!("memguard-simulate calibrate --seeds {seeds}"));
    match &options.write {
        Some(path) => {
            std::fs::write(path, source).with_context(|| format!("cannot write {}", path.display()))
        }
        None => print(&source),
    }
}

/// A reader that stops reading is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to the standard output"),
    }
}
