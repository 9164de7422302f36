//! Numbers and names as they are shown to people. Pure.

use sinew::reactor::Excerpt;

/// Bytes in powers of 1,024: `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// A number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A time in microseconds: `250 µs`, `1.5 ms`, `2.00 s`.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// A long time in milliseconds, in its two largest units: `3 h 20 min`.
pub(crate) fn age(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// A name from outside, made safe for a terminal and without the path of its type: `chat::Member` for
/// `program::chat::Member`.
pub(crate) fn name(text: &str) -> String {
    let safe = Excerpt::new(text).to_string();
    // Only the path before the first generic argument is shortened.
    let (path, rest) = safe.split_at(safe.find('<').unwrap_or(safe.len()));
    let parts: Vec<_> = path.split("::").collect();
    let kept = parts[parts.len().saturating_sub(2)..].join("::");
    format!("{kept}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_units() {
        let of_bytes = [0, 1_023, 1_024, 1_536 << 10, u64::MAX].map(bytes);
        assert_eq!(of_bytes, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16.0 EiB"]);
        let counts = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([999, 1_500, 2_000_000].map(micros), ["999 µs", "1.5 ms", "2.00 s"]);
        let ages = [999, 61_000, 3_600_000 + 61_000, 90_000_000].map(age);
        assert_eq!(ages, ["0 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn names_are_short_and_safe() {
        assert_eq!(name("program::chat::Member"), "chat::Member");
        assert_eq!(name("Member"), "Member");
        assert_eq!(name("a::b::Framed<c::d::Lines>"), "b::Framed<c::d::Lines>");
        assert_eq!(name("x\u{1b}[2J"), r"x\u{1b}[2J");
    }
}
