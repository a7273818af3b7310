//! Detect, fragmentation: the allocator holds more and more memory, and the program does not need it.
//! In: deep looks at where resident memory lies. Out: one [`Suspicion`] about the process at most.
//!
//! What counts is what the allocator holds beyond the most that live blocks have needed at one time (the excess). A program
//! that has freed its start-up data, or works in waves, has no excess: its peak needed the room. The excess must grow over
//! separate spans, must not have come to rest, and must be more than the sampling of live blocks can be wrong by.

use crate::batch::Batch;
use crate::config::DetectConfig;
use crate::detector::{Detector, Subject, Suspicion};
use crate::finding::{Evidence, Kind};
use crate::words;
use memguard_model::{LiveSample, MemoryPoint, ProcessModel, Site, SiteId, StackId};
use memguard_sampling::Estimate;

/// Spans that a window is divided into, and how many of them must have grown.
const SPANS: usize = 6;
const SPANS_GROWN_MIN: usize = 4;
/// A span grew if it has this share of the mean.
const SPAN_GREW: f64 = 0.25;
/// Largest share of one span: a burst is a high-water mark.
const SPAN_SHARE_MAX: f64 = 0.6;
/// The last third grows at this share of the rate before, or growth is coming to rest.
const LAST_THIRD_MIN: f64 = 0.3;
/// Share of the run that is start-up.
const STARTUP_SHARE: f64 = 0.1;
/// Deep looks that a window needs.
const LOOKS_MIN: usize = 5;
/// Part of the allocator's growth that live blocks must leave unexplained.
const UNEXPLAINED_MIN: f64 = 0.25;
/// Standard deviations of the estimate of live bytes that growth must exceed.
const DEVIATIONS_MIN: f64 = 3.0;
/// Confidence of what is not confirmed, when it is, and at most.
const CAP_SUSPECT: f64 = 0.45;
const CONFIRMED: f64 = 0.55;
const CONFIDENCE_MAX: f64 = 0.85;
/// Growth for so many times longer than asked for is as sure as it gets.
const SURE_AGES: f64 = 4.0;
/// A busy program with many threads takes its areas one after the other until it has them all.
const PATIENCE_MAX: f64 = 8.0;
/// Threads' areas are what grows from this share on, if there are so many of them.
const ARENA_SHARE_MIN: f64 = 0.5;
const ARENAS_MIN: u64 = 4;
/// Blocks up to this size pin pages without needing them.
const SMALL_BYTES: u64 = 64 << 10;
/// A place that pins most of it has this share of small live bytes, by so many samples.
const PIN_SHARE_MIN: f64 = 0.5;
const PIN_SAMPLES_MIN: usize = 4;
/// Standard deviations to either end of a 95 % interval.
const DEVIATIONS_95: f64 = 1.96;

/// The detector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fragmentation;

impl Detector for Fragmentation {
    fn examine(&self, model: &ProcessModel, config: &DetectConfig) -> Vec<Suspicion> {
        let points = model.memory().history().points();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
        // Blocks that were never recorded would pass for free memory.
        if !last.reading.is_hooked || last.reading.unrecorded > 0 {
            return Vec::new();
        }
        let (first_ns, now_ns) = (first.reading.at_ns, last.reading.at_ns);
        let run_ns = now_ns.saturating_sub(first_ns);
        let startup_ns = first_ns + (STARTUP_SHARE * run_ns as f64) as u64;
        let windows = [startup_ns, first_ns + run_ns / 2];
        let judged = windows.into_iter().filter_map(|start_ns| {
            let window = Window::of(points, start_ns)?;
            window.is_material(config).then(|| (window.confidence(model, config), window))
        });
        let best = judged.max_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(confidence, window)| window.suspicion(model, points, confidence)).into_iter().collect()
    }

    fn looked_at_ns(&self, model: &ProcessModel) -> Option<u64> {
        model.memory().history().points().last().map(|point| point.reading.at_ns)
    }
}

/// What the allocator held beyond need at one time.
#[derive(Debug, Clone, Copy)]
struct Excess {
    at_ns: f64,
    held_bytes: f64,
    /// The most that was needed since the window began.
    need_bytes: f64,
}

impl Excess {
    fn bytes(&self) -> f64 {
        (self.held_bytes - self.need_bytes).max(0.0)
    }
}

/// Deep looks from a time until now.
#[derive(Debug)]
struct Window<'a> {
    series: Vec<Excess>,
    first: &'a MemoryPoint,
    last: &'a MemoryPoint,
}

impl<'a> Window<'a> {
    /// From the look at or before a time on.
    fn of(points: &'a [MemoryPoint], start_ns: u64) -> Option<Self> {
        let from = points.partition_point(|point| point.reading.at_ns <= start_ns).saturating_sub(1);
        let points = points.get(from..).filter(|points| points.len() >= 2)?;
        let (first, last) = (points.first()?, points.last()?);
        let mut need_bytes = 0.0_f64;
        let series = points.iter().map(|point| {
            need_bytes = need_bytes.max(point.need_peak_bytes);
            // A record was reached within the window, even if history has let go of the look that saw it.
            if point.need_most_bytes > first.need_most_bytes {
                need_bytes = need_bytes.max(point.need_most_bytes);
            }
            Excess { at_ns: point.reading.at_ns as f64, held_bytes: point.held_bytes(), need_bytes }
        });
        Some(Self { series: series.collect(), first, last })
    }

    fn start(&self) -> Excess {
        self.series[0]
    }

    fn end(&self) -> Excess {
        self.series[self.series.len() - 1]
    }

    fn span_s(&self) -> f64 {
        (self.end().at_ns - self.start().at_ns) / 1e9
    }

    /// Growth of the excess, in bytes.
    fn growth_bytes(&self) -> f64 {
        self.end().bytes() - self.start().bytes()
    }

    fn bytes_per_s(&self) -> f64 {
        self.growth_bytes() / self.span_s().max(1e-9)
    }

    /// The part of what the allocator took from the kernel that no need explains.
    fn unexplained_share(&self) -> f64 {
        let held = self.end().held_bytes - self.start().held_bytes;
        let need = self.end().need_bytes - self.start().need_bytes;
        if held > 0.0 { (1.0 - need / held).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Standard deviation of the growth, from the sampling of live blocks.
    fn deviation_bytes(&self) -> f64 {
        (self.first.reading.live_variance + self.last.reading.live_variance).max(0.0).sqrt()
    }

    fn is_material(&self, config: &DetectConfig) -> bool {
        let growth = self.growth_bytes();
        let free_share = self.last.reading.free_bytes() / (self.last.reading.anonymous_bytes as f64).max(1.0);
        growth >= config.fragmentation_bytes_min
            && self.last.is_allocated_since(self.first)
            && growth >= DEVIATIONS_MIN * self.deviation_bytes()
            && free_share >= config.fragmentation_share_min
            && self.unexplained_share() >= UNEXPLAINED_MIN
    }

    /// The excess at the last look before a time, in bytes. Not between two looks: a jump would be in two spans.
    fn excess_at(&self, at_ns: f64) -> f64 {
        let next = self.series.partition_point(|point| point.at_ns <= at_ns);
        self.series.get(next.saturating_sub(1)).map_or(0.0, Excess::bytes)
    }

    /// Growth in each of the equal spans.
    fn spans(&self) -> [f64; SPANS] {
        let (start, end) = (self.start().at_ns, self.end().at_ns);
        let at = |part: usize| self.excess_at(start + (end - start) * part as f64 / SPANS as f64);
        std::array::from_fn(|span| at(span + 1) - at(span))
    }

    fn spans_grown(&self) -> usize {
        let mean = self.growth_bytes() / SPANS as f64;
        self.spans().iter().filter(|grown| **grown >= SPAN_GREW * mean).count()
    }

    /// Rate of the last third over the rate before it.
    fn last_third(&self) -> f64 {
        let spans = self.spans();
        let earlier: f64 = spans[..SPANS - SPANS / 3].iter().sum();
        let late: f64 = spans[SPANS - SPANS / 3..].iter().sum();
        if earlier > 0.0 { (2.0 * late / earlier).max(0.0) } else { 1.0 }
    }

    /// How sure it is that the allocator goes on taking what is not needed.
    fn confidence(&self, model: &ProcessModel, config: &DetectConfig) -> f64 {
        let largest = self.spans().into_iter().fold(0.0, f64::max) / self.growth_bytes().max(1.0);
        let spread = self.spans_grown() >= SPANS_GROWN_MIN && largest <= SPAN_SHARE_MAX;
        let rests = self.last_third() < LAST_THIRD_MIN;
        let age_s = self.end().at_ns / 1e9;
        let rate = self.bytes_per_s();
        let patience = Batch::of(model).patience(rate, config.fill_bytes_per_s).min(PATIENCE_MAX);
        let wanted_s = config.maturity_at(rate) * patience;
        let seen = self.series.len() >= LOOKS_MIN;
        if !(spread && seen) || rests || age_s < wanted_s {
            let grown = self.spans_grown() as f64 / SPANS as f64;
            return CAP_SUSPECT * grown * self.last_third().min(1.0);
        }
        let lasted = ((age_s / wanted_s - 1.0) / (SURE_AGES - 1.0)).clamp(0.0, 1.0);
        CONFIRMED + (CONFIDENCE_MAX - CONFIRMED) * lasted * self.unexplained_share()
    }

    fn suspicion(&self, model: &ProcessModel, points: &[MemoryPoint], confidence: f64) -> Suspicion {
        let reading = &self.last.reading;
        // What has been lost since the process was first watched, the part before the window included.
        let whole = Window::of(points, 0);
        let bytes = whole.map_or(0.0, |whole| whole.growth_bytes()).max(self.growth_bytes());
        let deviation = self.deviation_bytes();
        let pinning = pinning(model);
        let (site, stack) = pinning.map_or((SiteId(0), StackId(0)), |pin| (pin.site, pin.stack));
        let by_threads = self.is_by_threads();
        Suspicion {
            subject: Subject::Process(Kind::AllocatorFragmentation),
            kind: Kind::AllocatorFragmentation,
            site,
            stack,
            bytes: Estimate {
                value: bytes,
                low: (bytes - DEVIATIONS_95 * deviation).max(0.0),
                high: bytes + DEVIATIONS_95 * deviation,
            },
            count: Estimate { value: 0.0, low: 0.0, high: 0.0 },
            bytes_per_s: self.bytes_per_s(),
            count_per_s: 0.0,
            growing: None,
            at_once: confidence,
            detail: detail(
                bytes,
                reading.free_bytes(),
                reading.needed_bytes(),
                by_threads,
                pinning.is_some(),
            ),
            suggested_fix: suggested_fix(by_threads).to_owned(),
            evidence: self.evidence(pinning),
        }
    }

    /// Whether it is the areas of threads that have grown.
    fn is_by_threads(&self) -> bool {
        let (first, last) = (&self.first.reading, &self.last.reading);
        let arenas = last.arena_bytes as f64 - first.arena_bytes as f64;
        let all = last.allocator_bytes as f64 - first.allocator_bytes as f64;
        last.arenas >= ARENAS_MIN && arenas >= ARENA_SHARE_MIN * all.max(1.0)
    }

    fn evidence(&self, pinning: Option<Pinning>) -> Vec<Evidence> {
        let (first, last) = (&self.first.reading, &self.last.reading);
        let fact = |what: &str, value: String| Evidence { what: what.to_owned(), value };
        let (start, end) = (self.start(), self.end());
        let noise = DEVIATIONS_95 * last.live_variance.max(0.0).sqrt();
        let live = |bytes: f64| words::bytes(bytes.max(0.0));
        let mut facts = vec![
            fact(
                "live blocks, 95 % interval",
                format!("{} to {}", live(last.live_bytes - noise), live(last.live_bytes + noise)),
            ),
            fact("held by the allocator", words::bytes(last.allocator_bytes as f64)),
            fact("of it free", words::bytes(last.free_bytes())),
            fact(
                "grown in the window: held, most needed",
                format!(
                    "{}, {}",
                    words::bytes(end.held_bytes - start.held_bytes),
                    words::bytes(end.need_bytes - start.need_bytes)
                ),
            ),
            fact("share of that growth that no need explains", words::percent(self.unexplained_share())),
            fact("window", words::seconds(self.span_s())),
            fact("spans of the window that grew", format!("{} of {SPANS}", self.spans_grown())),
            fact("rate of the last third over the rate before", format!("{:.2}", self.last_third())),
            fact("areas of threads, at first and now", format!("{} and {}", first.arenas, last.arenas)),
            fact("threads, at first and now", format!("{} and {}", first.threads, last.threads)),
        ];
        if last.lazy_free_bytes > 0 {
            facts.push(fact(
                "of it offered to the kernel already, and not counted",
                words::bytes(last.lazy_free_bytes as f64),
            ));
        }
        if let Some(pin) = pinning {
            facts.push(fact("share of small old blocks that are from this place", words::percent(pin.share)));
        }
        facts
    }
}

/// The place whose small blocks keep pages.
#[derive(Debug, Clone, Copy)]
struct Pinning {
    site: SiteId,
    stack: StackId,
    share: f64,
}

/// The place that has most of the small live blocks from before the last tenth of the run, if one has.
fn pinning(model: &ProcessModel) -> Option<Pinning> {
    let now_ns = model.now_ns();
    let old = |site: &'_ Site| -> Vec<LiveSample> {
        let is_old = |sample: &&LiveSample| sample.born_ns <= now_ns - now_ns / 10;
        let small = |sample: &&LiveSample| sample.size_bytes < SMALL_BYTES;
        site.live().iter().filter(is_old).filter(small).copied().collect()
    };
    let weigh = |samples: &[LiveSample]| -> f64 { samples.iter().map(LiveSample::estimated_bytes).sum() };
    let places = model.sites().map(|site| {
        let samples = old(site);
        (weigh(&samples), site.id(), samples)
    });
    let places: Vec<_> = places.collect();
    let all: f64 = places.iter().map(|(bytes, ..)| bytes).sum();
    let (bytes, site, samples) = places.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let share = bytes / all.max(1.0);
    let is_known = site != SiteId(0) && share >= PIN_SHARE_MIN && samples.len() >= PIN_SAMPLES_MIN;
    let stack = Site::heaviest_stack(&samples).filter(|_| is_known)?;
    Some(Pinning { site, stack, share })
}

fn detail(bytes: f64, free: f64, needed: f64, by_threads: bool, is_pinned: bool) -> String {
    let whose = if by_threads { ", most of it in areas that it made for threads" } else { "" };
    let pinned = if is_pinned { "; blocks from here keep most of it from being given back" } else { "" };
    format!(
        "the allocator holds {} that the program never needed at one time, and growth goes on: {} are free beside {} \
         of live blocks{whose}{pinned}",
        words::bytes(bytes),
        words::bytes(free),
        words::bytes(needed),
    )
}

fn suggested_fix(by_threads: bool) -> &'static str {
    if by_threads {
        "Every thread that allocates gets an area of its own, which keeps what was freed in it: limit their number with \
         MALLOC_ARENA_MAX=2 (or mallopt(M_ARENA_MAX, 2)), call malloc_trim(0) when a wave of work is over, or use jemalloc"
    } else {
        "This is no leak: freed blocks lie between living ones and cannot be given back. Call malloc_trim(0) when load is \
         low; set MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD) so that large \
         blocks are mapped and unmapped; take long-lived small blocks from a pool of their own; or use jemalloc"
    }
}
