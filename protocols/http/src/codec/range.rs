//! Byte ranges (RFC 9110 14): [`ranges`] parses the `Range` field.

use sinew_transports::reactor::error_debug;

/// A range of bytes of a representation; `start <= last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// The last byte, inclusive.
    pub last: u64,
}

impl ByteRange {
    /// The length in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> u64 {
        self.last - self.start + 1
    }
}

/// None of the requested ranges is within the representation: 416 (RFC 9110 15.5.17).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no requested range is within the {len} bytes of the representation")]
#[non_exhaustive]
pub struct Unsatisfiable {
    /// The length of the representation in bytes.
    pub len: u64,
}

error_debug!(Unsatisfiable);

/// The ranges that a `Range` field requests of a representation of `len` bytes, in the requested order. `None` if the field is to
/// be ignored and the whole sent: its unit is not `bytes`, it is malformed, or it requests more than `ranges_max` ranges or more
/// bytes than there are, as only an attacker does (RFC 9110 14.2, 17.15).
///
/// # Errors
///
/// [`Unsatisfiable`] if no range is within the representation.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::{ByteRange, ranges};
///
/// assert_eq!(ranges("bytes=0-1,-2", 10, 8)?, Some(vec![ByteRange { start: 0, last: 1 }, ByteRange { start: 8, last: 9 }]));
/// assert_eq!(ranges("lines=1-2", 10, 8)?, None);
/// assert!(ranges("bytes=10-", 10, 8).is_err());
/// # Ok::<(), sinew_http::codec::Unsatisfiable>(())
/// ```
pub fn ranges(
    value: &str,
    len: u64,
    ranges_max: usize,
) -> Result<Option<Vec<ByteRange>>, Unsatisfiable> {
    let Some((unit, set)) = value.split_once('=') else { return Ok(None) };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ok(None);
    }
    let mut found = Vec::new();
    let (mut asked, mut bytes) = (0, 0_u64);
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        asked += 1;
        let Some(range) = parse(spec, len) else { return Ok(None) };
        if asked > ranges_max {
            return Ok(None);
        }
        if let Some(range) = range {
            bytes = bytes.saturating_add(range.len());
            found.push(range);
        }
    }
    match () {
        () if asked == 0 || bytes > len => Ok(None),
        () if found.is_empty() => Err(Unsatisfiable { len }),
        () => Ok(Some(found)),
    }
}

/// `None` if it is malformed, `Some(None)` if it is past the end.
fn parse(spec: &str, len: u64) -> Option<Option<ByteRange>> {
    let (start, last) = spec.split_once('-')?;
    let end = len.checked_sub(1);
    Some(match (start, last) {
        ("", suffix) => match number(suffix)? {
            0 => None,
            suffix => end.map(|last| ByteRange { start: len.saturating_sub(suffix), last }),
        },
        (start, "") => {
            let start = number(start)?;
            end.filter(|end| start <= *end).map(|last| ByteRange { start, last })
        }
        (start, last) => {
            let (start, last) = (number(start)?, number(last)?);
            if start > last {
                return None;
            }
            end.filter(|end| start <= *end).map(|end| ByteRange { start, last: last.min(end) })
        }
    })
}

/// Digits only. A number that overflows is larger than any representation.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        type Expected<'a> = Result<Option<&'a [(u64, u64)]>, ()>;
        let cases: [(&str, Expected<'_>); 25] = [
            ("bytes=0-0", Ok(Some(&[(0, 0)]))),
            ("bytes=0-9", Ok(Some(&[(0, 9)]))),
            ("bytes=5-", Ok(Some(&[(5, 9)]))),
            ("bytes=5-99", Ok(Some(&[(5, 9)]))),
            ("bytes=-3", Ok(Some(&[(7, 9)]))),
            ("bytes=-99", Ok(Some(&[(0, 9)]))), // range_suffix_longer_than_file
            ("bytes=-0", Err(())),
            ("bytes=10-", Err(())),
            ("bytes=10-11,99-", Err(())),
            ("bytes=10-,0-1", Ok(Some(&[(0, 1)]))),
            ("Bytes = 0-1 , 3-4", Ok(Some(&[(0, 1), (3, 4)]))),
            ("bytes=3-4,0-1", Ok(Some(&[(3, 4), (0, 1)]))),
            ("bytes=99999999999999999999-", Err(())),
            ("bytes=0-99999999999999999999", Ok(Some(&[(0, 9)]))),
            ("bytes=", Ok(None)),
            ("bytes", Ok(None)),
            ("bytes=,", Ok(None)),
            ("bytes=2-1", Ok(None)),
            ("bytes=a-b", Ok(None)),
            ("bytes=+1-2", Ok(None)),
            ("bytes=1", Ok(None)),
            ("bytes=--1", Ok(None)),
            ("lines=0-1", Ok(None)),
            ("bytes=0-0,1-1,2-2,3-3,4-4", Ok(None)), // more than four
            ("bytes=0-9,0-9", Ok(None)),             // more than the representation
        ];
        for (value, expected) in cases {
            let found = ranges(value, 10, 4).map_err(|error| assert_eq!(error.len, 10));
            let found = found.map(|ranges| {
                ranges.map(|all| {
                    all.iter().map(|range| (range.start, range.last)).collect::<Vec<_>>()
                })
            });
            assert_eq!(
                found.as_ref().map(Option::as_deref),
                expected.as_ref().map(|e| *e),
                "{value}"
            );
        }
        assert!(ranges("bytes=0-", 0, 4).is_err() && ranges("bytes=-5", 0, 4).is_err());
    }
}
