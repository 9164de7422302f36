//! Durations in seconds, formatted and parsed without loss. Pure.

use std::{fmt, time::Duration};

/// A duration in seconds, with as many decimal places as needed.
pub(super) struct Seconds(pub(super) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = format!("{:09}", self.0.subsec_nanos());
        match nanos.trim_end_matches('0') {
            "" => write!(f, "{}", self.0.as_secs()),
            places => write!(f, "{}.{places}", self.0.as_secs()),
        }
    }
}

/// Parses the output of [`Seconds`]; `None` for other formats, which may be valid durations, too.
pub(super) fn read(text: &str) -> Option<Duration> {
    let (secs, places) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if places.len() > 9 || !is_digits(secs) || !is_digits(places) {
        return None;
    }
    let nanos = format!("{places:0<9}").parse().ok()?;
    Some(Duration::new(secs.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip() {
        let cases = [
            (Duration::ZERO, "0"),
            (Duration::from_millis(1500), "1.5"),
            (Duration::from_nanos(1), "0.000000001"),
            (Duration::new(123_456_789, 123_456_789), "123456789.123456789"),
            (Duration::MAX, "18446744073709551615.999999999"),
        ];
        for (time, text) in cases {
            assert_eq!(Seconds(time).to_string(), text);
            assert_eq!(read(text), Some(time), "{text}");
        }
        for other in ["", ".", "-1", "1e3", "1.0000000001", "18446744073709551616", "+1"] {
            assert_eq!(read(other), None, "{other:?}");
        }
        assert_eq!(read("5."), Some(Duration::from_secs(5)));
    }
}
