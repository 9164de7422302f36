//! What a server must know of a message before it gets it: [`MessageFacts`]. Pure.

/// The length of a text, and where it has bytes from 128 on. It is fed with the message, whose lines end in CRLF, in pieces split
/// anywhere.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::codec::MessageFacts;
///
/// let mut facts = MessageFacts::default();
/// facts.feed("Subject: x\r\n\r\nä\r\n".as_bytes());
/// assert_eq!((facts.len(), facts.header_is_8bit(), facts.body_is_8bit()), (18, false, true));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFacts {
    len: u64,
    header_is_8bit: bool,
    body_is_8bit: bool,
    at: At,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// In the header, where a line begins.
    #[default]
    Start,
    /// In the header, behind a CR where a line began.
    Cr,
    /// In a line of the header.
    Line,
    Body,
}

impl MessageFacts {
    /// Facts that were noted before.
    pub(crate) fn noted(len: u64, header_is_8bit: bool, body_is_8bit: bool) -> Self {
        Self { len, header_is_8bit, body_is_8bit, at: At::Body }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        self.len += piece.len() as u64;
        let mut rest = piece;
        while self.at != At::Body {
            let Some((&byte, after)) = rest.split_first() else { return };
            rest = after;
            self.header_is_8bit |= !byte.is_ascii();
            self.at = match (self.at, byte) {
                (At::Start | At::Cr, b'\n') => At::Body,
                (At::Start, b'\r') => At::Cr,
                (_, b'\n') => At::Start,
                _ => At::Line,
            };
        }
        self.body_is_8bit |= !rest.is_ascii();
    }

    /// Bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a fact about a message, not a container")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the header has bytes from 128 on.
    #[must_use]
    pub fn header_is_8bit(&self) -> bool {
        self.header_is_8bit
    }

    /// Whether the body has.
    #[must_use]
    pub fn body_is_8bit(&self) -> bool {
        self.body_is_8bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_body_are_told_apart_however_the_message_is_split() {
        for (message, header, body) in [
            ("Subject: x\r\n\r\nx", false, false),
            ("Subject: ä\r\n\r\nx", true, false),
            ("Subject: x\r\n\r\nä", false, true),
            ("\r\nä", false, true),
            ("ä", true, false),
            ("a\r\nä\r\n\r\n", true, false),
            ("", false, false),
        ] {
            for piece in 1..=message.len().max(1) {
                let mut facts = MessageFacts::default();
                message.as_bytes().chunks(piece).for_each(|piece| facts.feed(piece));
                let found = (facts.len(), facts.header_is_8bit(), facts.body_is_8bit());
                assert_eq!(found, (message.len() as u64, header, body), "{message:?}");
            }
        }
    }
}
