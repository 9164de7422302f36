//! Lines of listings: [`Listed`], a number and a size (LIST, STAT) or a number and a [`UniqueId`] (UIDL). Pure.

use super::UniqueId;

/// A line of a listing: what is said of the message with this number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed<T> {
    /// The number of the message in this session, from 1.
    pub number: u32,
    /// Its size in bytes, or its unique id.
    pub value: T,
}

/// Why a line is not one of a listing.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// It does not begin with the number of a message.
    #[error("a line of a listing without the number of a message")]
    Number,
    /// It has no size.
    #[error("a line of a listing without a size")]
    Size,
    /// It has no unique id.
    #[error("a line of a listing without a unique id")]
    UniqueId,
}

sinew_transports::reactor::error_debug!(ListingError);

impl Listed<u64> {
    /// Reads a line of LIST, or what follows `+OK` in its short form. More words are ignored (RFC 1939 5: they may follow).
    ///
    /// # Errors
    ///
    /// [`ListingError`].
    pub fn size(line: &[u8]) -> Result<Self, ListingError> {
        let mut words = words(line);
        let number = number(words.next()).ok_or(ListingError::Number)?;
        let value = digits(words.next()).ok_or(ListingError::Size)?;
        Ok(Self { number, value })
    }
}

impl Listed<UniqueId> {
    /// Reads a line of UIDL, or what follows `+OK` in its short form.
    ///
    /// # Errors
    ///
    /// [`ListingError`].
    pub fn unique_id(line: &[u8]) -> Result<Self, ListingError> {
        let mut words = words(line);
        let number = number(words.next()).ok_or(ListingError::Number)?;
        let word = words.next().and_then(|word| str::from_utf8(word).ok());
        let value = word.and_then(|word| word.parse().ok()).ok_or(ListingError::UniqueId)?;
        Ok(Self { number, value })
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty())
}

fn digits(word: Option<&[u8]>) -> Option<u64> {
    let text = str::from_utf8(word?).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn number(word: Option<&[u8]>) -> Option<u32> {
    digits(word).and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0)
}

/// The count and the size of STAT.
pub(crate) fn parse_stat(text: &[u8]) -> Option<(u32, u64)> {
    let mut words = words(text);
    let messages = digits(words.next()).and_then(|count| u32::try_from(count).ok())?;
    Some((messages, digits(words.next())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_listings() {
        for (line, expected) in [
            ("1 120", Ok((1, 120))),
            ("2  200 extra", Ok((2, 200))),
            (" 3\t7", Ok((3, 7))),
            ("4 18446744073709551615", Ok((4, u64::MAX))),
            ("", Err(ListingError::Number)),
            ("0 1", Err(ListingError::Number)),
            ("x 1", Err(ListingError::Number)),
            ("4294967296 1", Err(ListingError::Number)),
            ("1", Err(ListingError::Size)),
            ("1 -5", Err(ListingError::Size)),
            ("1 18446744073709551616", Err(ListingError::Size)),
        ] {
            let found = Listed::size(line.as_bytes()).map(|listed| (listed.number, listed.value));
            assert_eq!(found, expected, "{line:?}");
        }
        for (line, expected) in [
            ("1 abc", Ok((1, "abc"))),
            ("1 <x@y> more", Ok((1, "<x@y>"))),
            ("abc", Err(ListingError::Number)),
            ("1", Err(ListingError::UniqueId)),
            ("1 \u{e4}", Err(ListingError::UniqueId)),
        ] {
            let found = Listed::unique_id(line.as_bytes());
            let found = found.as_ref().map(|listed| (listed.number, listed.value.as_str()));
            assert_eq!(found.map_err(|error| *error), expected, "{line:?}");
        }
        assert_eq!(parse_stat(b"2 320"), Some((2, 320)));
        assert_eq!(parse_stat(b"0 0 octets"), Some((0, 0)));
        assert_eq!(parse_stat(b"2"), None);
    }
}
