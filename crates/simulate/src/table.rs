//! Simulate, tables: results as text for people (Markdown) and for programs (JSON).
//! In: runs and their results. Out: a [`Table`], and its words.

use crate::calibration::{BINS, Calibration, Proportion};
use crate::judge::{Label, RunResult};
use crate::naive::Rule;
use crate::scenario::{Run, Split};
use crate::tally::{Row, Totals};
use serde::Serialize;
use std::fmt::Write;

/// Totals over a part of the scenarios.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Which.
    pub name: &'static str,
    /// Runs that were healthy or leaked.
    pub runs: usize,
    /// The verdicts first, then each naive rule.
    pub totals: Vec<Totals>,
}

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// `memguard.simulation/1`.
    pub schema: &'static str,
    /// Seeds for each row.
    pub seeds: u64,
    /// Scenarios, each in one mode.
    pub rows: Vec<Row>,
    /// Totals: test families, fit families, all.
    pub parts: Vec<Part>,
}

impl Table {
    /// From results in the order of runs.
    pub fn of(runs: &[Run], results: &[Vec<RunResult>], seeds: u64) -> Self {
        let rows = runs.iter().zip(results).map(|(run, results)| Row::of(run, results)).collect();
        let part = |name, wanted: &dyn Fn(Split) -> bool| {
            let chosen = runs.iter().zip(results).filter(|(run, _)| wanted(run.scenario.split));
            let chosen: Vec<&RunResult> =
                chosen.flat_map(|(_, results)| results).filter(|of| of.label != Label::Ambiguous).collect();
            let rules = Rule::ALL.iter().map(|rule| Totals::of_rule(*rule, &chosen));
            let totals = std::iter::once(Totals::of_verdicts(&chosen)).chain(rules).collect();
            Part { name, runs: chosen.len(), totals }
        };
        let parts = [
            part("test families", &|split| split == Split::Test),
            part("fit families", &|split| split == Split::Fit),
            part("all", &|_| true),
        ];
        let parts = parts.into_iter().filter(|part| part.runs > 0).collect();
        Self { schema: "memguard.simulation/1", seeds, rows, parts }
    }

    /// Calibration over all scenarios, in how many findings.
    pub fn calibrations(&self) -> impl Iterator<Item = (&'static str, &Calibration)> {
        self.parts.iter().filter_map(|part| Some((part.name, part.totals.first()?.calibration.as_ref()?)))
    }
}

/// All tables in Markdown.
pub fn render_markdown(table: &Table) -> String {
    let mut text = String::new();
    for part in &table.parts {
        let _ = writeln!(text, "### Totals: {} ({} runs)\n", part.name, part.runs);
        text += &totals(part);
        text.push('\n');
    }
    for (name, calibration) in table.calibrations() {
        let _ = writeln!(text, "### Reliability: {name}\n");
        text += &reliability(calibration);
        text.push('\n');
    }
    for (title, label) in
        [("Healthy", Label::Healthy), ("Leaks", Label::Leak), ("Nobody can tell", Label::Ambiguous)]
    {
        let rows: Vec<&Row> = table.rows.iter().filter(|row| row.label == label).collect();
        if !rows.is_empty() {
            let _ = writeln!(text, "### {title}, {} seeds a row\n", table.seeds);
            text += &scenarios(&rows, label);
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn totals(part: &Part) -> String {
    let mut text = "| rule | precision at 0.9 | at 0.7 | at 0.5 | recall | ever found | healthy runs accused at the end | ever accused | kind right |\n\
                    |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for totals in &part.totals {
        let precision = |bar: f64| {
            let found = totals.precision.iter().find(|(own, _)| (own - bar).abs() < 1e-9);
            found.map_or_else(String::new, |(_, of)| with_interval(of))
        };
        let kind = totals.kind_right.as_ref().map_or_else(String::new, with_interval);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {kind} |",
            totals.rule,
            precision(0.9),
            precision(0.7),
            precision(0.5),
            with_interval(&totals.recall),
            with_interval(&totals.recall_ever),
            with_interval(&totals.false_runs),
            with_interval(&totals.false_runs_ever),
        );
    }
    text
}

fn with_interval(of: &Proportion) -> String {
    match of.share {
        None => "none".to_owned(),
        Some(share) => format!("{share:.3} ({:.3} to {:.3}; n = {})", of.low, of.high, of.trials),
    }
}

fn reliability(calibration: &Calibration) -> String {
    let mut text = format!(
        "Brier score {:.3} over places (one without a finding counts as 0), {:.3} over findings; expected calibration error \
         {:.3} over findings.\n\n| confidence | findings | mean confidence | real | 95 % interval |\n|---|---|---|---|---|\n",
        calibration.brier_places, calibration.brier_findings, calibration.expected_error
    );
    for (index, bin) in calibration.bins.iter().enumerate().filter(|(_, bin)| bin.findings > 0) {
        let (low, high) = (index as f64 / BINS as f64, (index + 1) as f64 / BINS as f64);
        let real = Proportion::of(bin.real, bin.findings);
        let _ = writeln!(
            text,
            "| {low:.1} to {high:.1} | {} | {:.2} | {:.2} | {:.2} to {:.2} |",
            bin.findings,
            bin.mean_confidence,
            bin.share(),
            real.low,
            real.high
        );
    }
    text
}

fn scenarios(rows: &[&Row], label: Label) -> String {
    let leaks = label == Label::Leak;
    let mut text = String::from("| scenario | mode | family | at end | ever | confidence |");
    text += if leaks { " delay | kind right |" } else { "" };
    text += " regression | M-K | H-R | Scalene | age | minima |\n|---|---|---|---|---|---|";
    text += if leaks { "---|---|" } else { "" };
    text += "---|---|---|---|---|---|\n";
    for row in rows {
        let split = if row.is_test { "test" } else { "fit" };
        let Row { name, mode, shown, confidence, .. } = row;
        let _ = write!(
            text,
            "| {name} | {mode} | {split} | {:.2} | {:.2} | {confidence:.2} |",
            shown.last, shown.ever
        );
        if leaks {
            let delay = row.delay_s.map_or_else(|| "-".to_owned(), span);
            let kind = row.kind_right.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}"));
            let _ = write!(text, " {delay} | {kind} |");
        }
        for said in &row.naive {
            let _ = write!(text, " {:.2} |", said.last);
        }
        text.push('\n');
    }
    text
}

/// A span of time.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
