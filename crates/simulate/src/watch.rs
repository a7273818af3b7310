//! Simulate, watching: a program in virtual time, looked at as a collector would.
//! In: a program, a pace, a configuration. Out: its [`Outcome`].

use crate::outcome::Outcome;
use crate::process::Process;
use crate::program::{Drawn, Program};
use crate::world::World;
use memguard_detect::{DetectConfig, Verdicts, Wanted};
use memguard_model::{ProcessModel, SiteId, Trace};
use memguard_sampling::Rng;

/// Time between two looks through memory: what a collector keeps to in guard mode, or so many of its looks.
const TRACE_GAP_S: f64 = 3.0;
const TRACE_GAP_POLLS: f64 = 4.0;

impl Program {
    /// Looks at the program every `poll_s`.
    pub fn watch(&self, rng: &mut Rng, poll_s: f64, end_s: f64, config: DetectConfig) -> Outcome {
        let drawn = self.draw(rng, config.sample_interval_bytes as u64);
        watch(self, &drawn, poll_s, end_s, config)
    }
}

impl World {
    /// Looks at what a program holds beside memory every `poll_s`.
    pub fn watch(self, poll_s: f64, end_s: f64, config: DetectConfig) -> Outcome {
        watch(&self.into(), &[], poll_s, end_s, config)
    }
}

/// Looks at a program of which these samples were drawn, every `poll_s`.
pub(crate) fn watch(
    program: &Program,
    drawn: &[Drawn],
    poll_s: f64,
    end_s: f64,
    config: DetectConfig,
) -> Outcome {
    let interval = config.sample_interval_bytes as u64;
    let world = program.world.in_order();
    let mut process = Process::default();
    let mut model = ProcessModel::new();
    let mut verdicts = Verdicts::new(config);
    let mut outcome = Outcome::default();
    let mut births = drawn.iter().peekable();
    let mut traced_s = 0.0;
    // The last look may come up to half a poll late.
    let looks = (end_s / poll_s + 0.5).ceil() as u64 - 1;
    for look in 1..=looks {
        let now_s = look as f64 * poll_s;
        while let Some(next) = births.next_if(|next| next.birth.at_s <= now_s) {
            process.born(next);
        }
        process.bury(now_s);
        if let Some(share) = program.cpu_share {
            model.absorb_cpu((now_s * share * 1e9) as u64);
        }
        model.absorb_sample_interval((now_s * 1e9) as u64, interval * program.thinned_at(now_s));
        model.absorb(&process.reading(now_s, program.resident_at(now_s)), &|stack| SiteId(stack.0));
        if !world.is_empty() {
            model.absorb_resources(&world.reading(now_s, poll_s), &|stack| SiteId(stack.0));
        }
        outcome.add(verdicts.look(&model), now_s);
        if now_s >= traced_s + TRACE_GAP_S.min(TRACE_GAP_POLLS * poll_s) {
            traced_s = now_s;
            let trace = |wanted: &Wanted| {
                let is_referenced = !process.lost().contains(&wanted.address);
                let trace = Trace { born_ns: wanted.born_ns, address: wanted.address, is_referenced };
                (wanted.site, trace)
            };
            let traces: Vec<_> = verdicts.to_trace(&model).iter().map(trace).collect();
            if !traces.is_empty() {
                model.absorb_traces((now_s * 1e9) as u64, traces);
            }
        }
    }
    outcome.add_scores(verdicts.scores());
    outcome
}
