//! Durations and sizes as people write them: `30s`, `5m`, `64k`, `1M`. Pure.

use std::{fmt, str::FromStr, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use sinew::reactor::Excerpt;

/// A duration: `500ms`, `30s`, `5m`, `2h`, `1d`; a number alone is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval(pub(crate) Duration);

/// A number of bytes: `4096`, `64k`, `1M`, `2G`, in powers of 1,024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// Text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuantityError {
    #[error("{:?} is not a duration; write a number and ms, s, m, h or d, as in 30s", Excerpt::new(.0))]
    Interval(String),
    #[error("{:?} is not a size; write a number of bytes, or one with k, M or G, as in 64k", Excerpt::new(.0))]
    Size(String),
}

impl Interval {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// The number at the start, and the unit after it.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

impl FromStr for Interval {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let milliseconds = split(text).and_then(|(number, unit)| {
            let factor: u64 = match unit {
                "ms" => 1,
                "" | "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            number.checked_mul(factor)
        });
        let milliseconds = milliseconds.ok_or_else(|| QuantityError::Interval(text.to_owned()))?;
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

impl FromStr for Size {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bytes = split(text).and_then(|(number, unit)| {
            let shift = match unit {
                "" => 0,
                "k" | "K" => 10,
                "M" => 20,
                "G" => 30,
                _ => return None,
            };
            number.checked_mul(1 << shift)
        });
        bytes.map(Self).ok_or_else(|| QuantityError::Size(text.to_owned()))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if milliseconds > 0 && milliseconds.is_multiple_of(factor) {
                return write!(f, "{}{unit}", milliseconds / factor);
            }
        }
        write!(f, "{milliseconds}ms")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("G", 30), ("M", 20), ("k", 10)] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// Reads a string, or a number as if it were a string.
struct Quantity(&'static str);

impl Visitor<'_> for Quantity {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Quantity("a duration, as \"30s\""))?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(Quantity("a size, as \"64k\""))?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, milliseconds, written) in [
            ("500ms", 500, "500ms"),
            ("30s", 30_000, "30s"),
            ("30", 30_000, "30s"),
            ("5m", 300_000, "5m"),
            ("90s", 90_000, "90s"),
            ("2h", 7_200_000, "2h"),
            ("1d", 86_400_000, "1d"),
            ("0", 0, "0ms"),
        ] {
            let read: Interval = text.parse().unwrap();
            assert_eq!(read.0, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(read.to_string(), written, "{text}");
        }
        for text in [
            "",
            "s",
            "5 m",
            "-1s",
            "1.5s",
            "5M",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("0", 0, "0"),
            ("1000", 1000, "1000"),
            ("64k", 65_536, "64k"),
            ("1M", 1 << 20, "1M"),
            ("2G", 2 << 30, "2G"),
        ] {
            let read: Size = text.parse().unwrap();
            assert_eq!(read.0, bytes, "{text}");
            assert_eq!(read.to_string(), written, "{text}");
        }
        for text in ["", "k", "1kb", "-1", "1.5M", "18446744073709551615G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
