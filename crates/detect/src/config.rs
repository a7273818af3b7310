//! Detect, configuration: the few numbers in which watching a service and watching a test run differ.
//! In: chosen by the launcher. Out: read by detectors and [`crate::Verdicts`].

/// How patient the detectors are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectConfig {
    /// Youngest age at which an object counts as staying, in seconds.
    pub min_age_s: f64,
    /// Age below which a process never has a finding of 0.5 or more from growth alone, in seconds.
    pub maturity_s: f64,
    /// Shortest time between two looks that count as separate, in seconds.
    pub look_gap_s: f64,
    /// Looks that must agree before a suspicion becomes a finding of 0.5 or more.
    pub looks_to_confirm: u32,
    /// Fewest staying samples of a site for which growth is judged at all.
    pub samples_min: usize,
    /// A site whose leaked bytes are not surely above this is not worth a finding.
    pub leaked_bytes_min: f64,
    /// Rate of growth, in bytes per second, above which a young process is more likely filling its data set
    /// than leaking: it must be older by as much as the rate is higher.
    pub fill_bytes_per_s: f64,
    /// Growth slower than this, in bytes per second, does no harm for hours: it may be watched for longer
    /// before it is shown, which tells the filling of a cache from a leak.
    pub slow_bytes_per_s: f64,
    /// Span of growth that is asked for at a quarter of the slow rate and below, in seconds.
    pub slow_maturity_s: f64,
    /// Bytes of a leak by which it is to be shown, however slow it was.
    pub shown_bytes: f64,
    /// Youngest age at which a handle or any other resource is suspect, in seconds.
    pub handles_max_age_s: f64,
    /// Age of the process below which growth of resources is not shown, in multiples of that age: long enough for a
    /// pool or a cache that fills at once to be seen full.
    pub handles_maturity_ages: f64,
    /// Fewest overdue resources of a place for which growth is judged.
    pub handles_samples_min: usize,
    /// Looks that must agree before growth of resources becomes a finding of 0.5 or more.
    pub handles_looks_to_confirm: u32,
    /// Growth of what the allocator holds beyond need that is worth a finding, in bytes.
    pub fragmentation_bytes_min: f64,
    /// Share of anonymous resident memory that the allocator must hold free.
    pub fragmentation_share_min: f64,
    /// Mean sampling interval in bytes; 0 when every allocation is recorded.
    pub sample_interval_bytes: f64,
}

/// How long growth must have gone on of what the program still points at, by its rate: shares of the slow rate
/// ([`DetectConfig::slow_bytes_per_s`]), with multiples of [`DetectConfig::slow_maturity_s`], in equal ratios between. Caches and data
/// sets fill for that long: what comes to half a gigabyte in a quarter of an hour has that, what takes hours has three, what
/// comes to 200 MB a day, at the pace of the day's load itself, has two whole days, and what takes longer a whole week.
const KNOWN_PATIENCE: [(f64, f64); 6] =
    [(2.9, 0.25), (0.75, 1.0), (0.1875, 3.0), (0.047, 3.0), (0.012, 48.0), (0.003, 168.0)];
/// Share of the slow rate from which up growth of what the program still points at needs no more time than any other.
const KNOWN_FAST: f64 = 3.0;
/// Share of the slow rate below which it is tolerated: with 200 kB/s it would be a month before it came to a gigabyte.
const KNOWN_TOLERATED: f64 = 0.002;

impl DetectConfig {
    /// A production service: a look a second, a sample per 512 KiB.
    pub const fn guard() -> Self {
        Self {
            min_age_s: 2.0,
            maturity_s: 8.0,
            look_gap_s: 1.0,
            looks_to_confirm: 4,
            samples_min: 6,
            leaked_bytes_min: 1_048_576.0,
            fill_bytes_per_s: 8e6,
            slow_bytes_per_s: 200e3,
            slow_maturity_s: 3600.0,
            shown_bytes: 18e6,
            handles_max_age_s: 60.0,
            handles_maturity_ages: 4.0,
            handles_samples_min: 8,
            handles_looks_to_confirm: 4,
            fragmentation_bytes_min: 16.0 * 1_048_576.0,
            fragmentation_share_min: 0.25,
            sample_interval_bytes: 524_288.0,
        }
    }

    /// A test run: ten looks a second, every allocation recorded.
    pub const fn aggressive() -> Self {
        Self {
            min_age_s: 0.3,
            maturity_s: 1.5,
            look_gap_s: 0.1,
            looks_to_confirm: 4,
            samples_min: 24,
            leaked_bytes_min: 1024.0,
            fill_bytes_per_s: 2e6,
            slow_bytes_per_s: 0.0,
            slow_maturity_s: 1.5,
            shown_bytes: 0.0,
            handles_max_age_s: 2.0,
            handles_maturity_ages: 2.75,
            handles_samples_min: 3,
            handles_looks_to_confirm: 2,
            fragmentation_bytes_min: 4.0 * 1_048_576.0,
            fragmentation_share_min: 0.25,
            sample_interval_bytes: 0.0,
        }
    }

    /// As a process is watched: everything recorded or not, the mean sampling interval, the age limit of handles.
    pub fn of(aggressive: bool, sample_bytes: u64, handles_max_age_s: f64) -> Self {
        let base = if aggressive { Self::aggressive() } else { Self::guard() };
        Self { sample_interval_bytes: sample_bytes as f64, handles_max_age_s, ..base }
    }

    /// Span of growth of resources that is asked for before it is shown, in seconds.
    pub fn handles_maturity_s(&self) -> f64 {
        self.handles_maturity_ages * self.handles_max_age_s
    }

    /// Span of growth at this rate that is asked for before it is shown, in seconds: between the slow rate and
    /// a quarter of it, from [`Self::maturity_s`] to [`Self::slow_maturity_s`] in equal ratios, but no longer than
    /// it takes to leak [`Self::shown_bytes`].
    pub fn maturity_at(&self, bytes_per_s: f64) -> f64 {
        let quarters = (self.slow_bytes_per_s / bytes_per_s.max(1e-9)).max(1.0).ln() / 4_f64.ln();
        let patient = self.maturity_s * (self.slow_maturity_s / self.maturity_s).powf(quarters.min(1.0));
        patient.min((self.shown_bytes / bytes_per_s.max(1e-9)).max(self.maturity_s))
    }

    /// The same where the program still points at what grows: it may be meant. Without end where it is so slow that it is
    /// tolerated.
    pub fn maturity_known_at(&self, bytes_per_s: f64) -> f64 {
        if self.slow_bytes_per_s <= 0.0 {
            return self.maturity_s;
        }
        let share = bytes_per_s.max(1e-9) / self.slow_bytes_per_s;
        if share < KNOWN_TOLERATED {
            return f64::INFINITY;
        }
        let mut from = (KNOWN_FAST, self.maturity_s);
        if share >= from.0 {
            return from.1;
        }
        for (at, hours) in KNOWN_PATIENCE {
            let to = (at, hours * self.slow_maturity_s);
            if share >= to.0 {
                let way = (share / from.0).ln() / (to.0 / from.0).ln();
                return from.1 * (to.1 / from.1).powf(way);
            }
            from = to;
        }
        from.1
    }
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self::guard()
    }
}
