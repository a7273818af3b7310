//! Detect, words: numbers as people read them.
//! In: bytes, seconds, shares. Out: short text with a unit.

/// Bytes with a binary unit.
pub(crate) fn bytes(value: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = value;
    let mut unit = 0;
    while value.abs() >= 1024.0 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value.abs() < 100.0);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A span of time.
pub(crate) fn seconds(value: f64) -> String {
    match value {
        v if v < 1.0 => format!("{:.0} ms", v * 1000.0),
        v if v < 10.0 => format!("{v:.1} s"),
        v if v < 120.0 => format!("{v:.0} s"),
        v if v < 7200.0 => format!("{:.0} min", v / 60.0),
        v if v < 172_800.0 => format!("{:.1} h", v / 3600.0),
        v => format!("{:.1} days", v / 86_400.0),
    }
}

/// A number of objects.
pub(crate) fn count(value: f64) -> String {
    format!("{:.0}", value.max(0.0))
}

/// A whole number with commas between the thousands.
pub(crate) fn grouped(value: f64) -> String {
    let digits = count(value);
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent.
pub(crate) fn percent(value: f64) -> String {
    let value = 100.0 * value;
    let digits = usize::from(value < 10.0 && value > 0.05);
    format!("{value:.digits$} %")
}

#[cfg(test)]
mod tests {
    /// Goal: short, with unit. Method: one value per form.
    #[test]
    fn forms() {
        assert_eq!(super::bytes(512.0), "512 B");
        assert_eq!(super::bytes(20.0 * 1_048_576.0), "20.0 MiB");
        assert_eq!(super::seconds(0.25), "250 ms");
        assert_eq!(super::seconds(90.0), "90 s");
        assert_eq!(super::seconds(86_400.0 * 3.0), "3.0 days");
        assert_eq!(super::percent(0.012), "1.2 %");
        assert_eq!(super::grouped(1_234_567.0), "1,234,567");
        assert_eq!(super::grouped(999.0), "999");
    }
}
