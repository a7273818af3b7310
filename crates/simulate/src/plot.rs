//! Simulate, plot: the reliability diagram.
//! In: calibrations. Out: an SVG that reads on light and dark ground.

use crate::calibration::{Calibration, Proportion};
use std::fmt::Write;

const SIDE: f64 = 320.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 16.0;
const INKS: [&str; 3] = ["#d9480f", "#1c7ed6", "#868e96"];

fn x(share: f64) -> f64 {
    LEFT + SIDE * share
}

fn y(share: f64) -> f64 {
    TOP + SIDE * (1.0 - share)
}

/// Confidence against the share that was real, with 95 % intervals; one series for each named calibration.
pub fn reliability_svg<'a>(series: impl Iterator<Item = (&'static str, &'a Calibration)>) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Reliability: confidence against the share of findings that were real</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        LEFT + SIDE + 16.0,
        TOP + SIDE + 56.0
    );
    for tenth in 0..=10 {
        let share = f64::from(tenth) / 10.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}V{:.1}M{:.1} {:.1}H{:.1}\" stroke=\"#e9ecef\"/>",
            x(share),
            y(0.0),
            y(1.0),
            x(0.0),
            y(share),
            x(1.0)
        );
        if tenth % 2 == 0 {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share:.1}</text>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.1}</text>",
                x(share),
                y(0.0) + 16.0,
                x(0.0) - 6.0,
                y(share) + 4.0
            );
        }
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#adb5bd\" stroke-dasharray=\"4 4\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">confidence</text>\n\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">share that was real</text>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0),
        x(0.5),
        y(0.0) + 34.0,
        y(0.5)
    );
    for (index, (name, calibration)) in series.enumerate() {
        let ink = INKS[index % INKS.len()];
        let aside = 3.0 * (index as f64 - 1.0);
        let _ = writeln!(svg, "<g stroke=\"{ink}\" fill=\"{ink}\">");
        for bin in calibration.bins.iter().filter(|bin| bin.findings > 0) {
            let real = Proportion::of(bin.real, bin.findings);
            let at = x(bin.mean_confidence) + aside;
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {:.1}V{:.1}\"/><circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3\"><title>{name}: {} findings</title></circle>",
                y(real.low),
                y(real.high),
                y(bin.share()),
                bin.findings
            );
        }
        let _ = writeln!(
            svg,
            "</g>\n<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{ink}\">{name}</text>",
            x(0.0) + 110.0 * index as f64,
            y(0.0) + 52.0
        );
    }
    svg + "</svg>\n"
}
