//! Report: numbers for people.
//! In: numbers in the document's units. Out: short text with the unit that suits their size.

/// Bytes in what the document calls `mb`.
pub const BYTES_PER_MB: f64 = 1_048_576.0;
/// `mb` in what the document calls `gb`.
pub const MB_PER_GB: f64 = 1024.0;
/// Hours in the month that costs are given for.
pub const HOURS_PER_MONTH: f64 = 24.0 * 30.0;

/// `value` with at most `decimals` decimals; 0 for what is no number.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    if !value.is_finite() {
        return 0.0;
    }
    let factor = 10_f64.powi(decimals);
    let scaled = (value * factor).round();
    // Adding zero turns -0.0 into 0.0. Numbers too large to scale have no decimals anyway.
    if scaled.is_finite() { scaled / factor + 0.0 } else { value }
}

/// `0.4 MiB`, `12 KiB`, `3.2 GiB`, `0 B`.
pub fn size(mb: f64) -> String {
    let bytes = mb * BYTES_PER_MB;
    let magnitude = bytes.abs();
    let (value, unit) = if magnitude < 1023.5 {
        (bytes, "B")
    } else if magnitude < 1023.5 * 1024.0 {
        (bytes / 1024.0, "KiB")
    } else if magnitude < 1023.5 * BYTES_PER_MB {
        (mb, "MiB")
    } else if magnitude < 1023.5 * BYTES_PER_MB * 1024.0 {
        (mb / 1024.0, "GiB")
    } else {
        (mb / 1024.0 / 1024.0, "TiB")
    };
    if unit == "B" { format!("{value:.0} B") } else { format!("{} {unit}", number(value)) }
}

/// `1.2 to 3.4 MiB`: both ends in the unit of the upper one; one value if they read the same.
pub fn size_range(low_mb: f64, high_mb: f64) -> String {
    let (low, high) = (size(low_mb), size(high_mb));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((low_value, low_unit)), Some((_, high_unit))) if low_unit == high_unit => {
            if low == high {
                high
            } else {
                format!("{low_value} to {high}")
            }
        }
        _ => format!("{low} to {high}"),
    }
}

/// Three figures at most, thousands separated: `0.42`, `3.2`, `97`, `12,300`.
pub fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 999.5 {
        return thousands(rounded(value, 0));
    }
    let text = if magnitude >= 99.95 {
        format!("{value:.0}")
    } else if !(0.005..9.995).contains(&magnitude) {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// `$47.20`, `$1,200`, `less than $0.01`.
pub fn dollars(usd: f64) -> String {
    if usd <= 0.0 {
        "$0".to_owned()
    } else if usd < 0.01 {
        "less than $0.01".to_owned()
    } else if usd < 999.5 {
        format!("${usd:.2}")
    } else {
        format!("${}", thousands(rounded(usd, 0)))
    }
}

/// `0.4 s`, `61 s`, `3 min 20 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        return format!("{} s", number(rounded(seconds, 1)));
    }
    let whole = seconds.round() as u64;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match whole {
        0..100 => format!("{whole} s"),
        100..3600 => two(whole / 60, "min", whole % 60, "s"),
        3600..86_400 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

/// `1 leak`, `2 leaks`: `many` is the whole word.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count as f64), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: every unit is used in its range, and no value reads `1024`.
    #[test]
    fn sizes() {
        let cases = [
            (0.0, "0 B"),
            (100.0 / BYTES_PER_MB, "100 B"),
            (1023.9 / BYTES_PER_MB, "1 KiB"),
            (12.0 / 1024.0, "12 KiB"),
            (0.4, "410 KiB"),
            (1.0, "1 MiB"),
            (3.249, "3.25 MiB"),
            (412.3, "412 MiB"),
            (1023.9, "1 GiB"),
            (-20.0, "-20 MiB"),
            (5e9, "4,768 TiB"),
        ];
        for (mb, expected) in cases {
            assert_eq!(size(mb), expected, "{mb}");
        }
        assert_eq!(size_range(1.25, 3.5), "1.25 to 3.5 MiB");
        assert_eq!(size_range(0.5, 3.5), "512 KiB to 3.5 MiB");
        assert_eq!(size_range(2.0, 2.0), "2 MiB");
    }

    /// Goal: numbers, money, time and plural read as a person would write them.
    #[test]
    fn words() {
        assert_eq!(number(97.0), "97");
        assert_eq!(number(0.2), "0.2");
        assert_eq!(number(12_345.6), "12,346");
        assert_eq!(number(0.0), "0");
        assert_eq!(dollars(47.2), "$47.20");
        assert_eq!(dollars(0.001), "less than $0.01");
        assert_eq!(dollars(1234.5), "$1,235");
        assert_eq!(duration(61.0), "61 s");
        assert_eq!(duration(0.44), "0.4 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7800.0), "2 h 10 min");
        assert_eq!(duration(86_400.0 * 3.0), "3 d");
        assert_eq!(plural(1, "leak", "leaks"), "1 leak");
        assert_eq!(plural(1200, "leak", "leaks"), "1,200 leaks");
        assert!((rounded(f64::NAN, 2) - 0.0).abs() < f64::EPSILON);
    }
}
