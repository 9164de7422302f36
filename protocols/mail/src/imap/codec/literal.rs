//! Announcements of literals: [`LiteralHead`].

/// The announcement of a literal at the end of a line: `{310}`, `{310+}`, `~{310}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiteralHead {
    /// How many bytes are announced. A limit to check, not a size to allocate.
    pub len: u64,
    /// Whether the sender waits for a continuation. From servers, this says nothing.
    pub is_synchronizing: bool,
    /// Whether it may have NULs: `~{310}` (RFC 3516).
    pub is_binary: bool,
}

impl LiteralHead {
    /// The announcement at the end of a line, and where it begins. `Err` if its number is too large for 63 bits.
    #[allow(clippy::result_unit_err, reason = "there is one reason")]
    pub(super) fn at_end(line: &[u8]) -> Result<Option<(usize, Self)>, ()> {
        let Some(inner) = line.strip_suffix(b"}") else { return Ok(None) };
        let (inner, is_synchronizing) = match inner.strip_suffix(b"+") {
            Some(inner) => (inner, false),
            None => (inner, true),
        };
        let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (front, digits) = inner.split_at(inner.len() - digits);
        let Some(front) = front.strip_suffix(b"{").filter(|_| !digits.is_empty()) else {
            return Ok(None);
        };
        let is_binary = front.ends_with(b"~");
        let len = number(digits).ok_or(())?;
        let at = front.len() - usize::from(is_binary);
        Ok(Some((at, Self { len, is_synchronizing, is_binary })))
    }
}

/// Decimal digits as a number of at most 63 bits (`number64` of RFC 9051).
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        let number = number.checked_mul(10)?.checked_add(digit)?;
        (number <= i64::MAX.unsigned_abs()).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_at_the_end_of_a_line() {
        let head =
            |len, is_synchronizing, is_binary| LiteralHead { len, is_synchronizing, is_binary };
        for (line, expected) in [
            ("a {0}", Some((2, head(0, true, false)))),
            ("{310+}", Some((0, head(310, false, false)))),
            ("x ~{5}", Some((2, head(5, true, true)))),
            ("x ~{5+}", Some((2, head(5, false, true)))),
            ("\"{5}\"", None),
            ("{}", None),
            ("{+}", None),
            ("{-1}", None),
            ("{5 }", None),
            ("5}", None),
            ("{5", None),
            ("}", None),
            ("", None),
            ("{9223372036854775807}", Some((0, head(i64::MAX.unsigned_abs(), true, false)))),
        ] {
            assert_eq!(LiteralHead::at_end(line.as_bytes()), Ok(expected), "{line}");
        }
        assert_eq!(LiteralHead::at_end(b"{9223372036854775808}"), Err(()));
        assert_eq!(LiteralHead::at_end(b"{99999999999999999999999999}"), Err(()));
    }
}
