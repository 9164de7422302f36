//! `Xref`, which says where an article is (RFC 5536 3.2.14), for readers who may not know of all groups: [`XrefFilter`] and [`visible`].

use std::{borrow::Cow, fmt};

use super::GroupName;

/// The name of the field, with its colon.
const NAME: &[u8] = b"xref:";
/// Longest field that is kept: 100 groups with the longest names and numbers fit.
const FIELD_MAX: usize = 64 * 1024;

/// The value of an Xref without the groups that are not to be seen. What is no location is left out, too. `None` if nothing is left but the
/// name of the server.
pub(super) fn visible(
    value: &[u8],
    is_visible: impl Fn(&GroupName) -> bool,
) -> Option<Cow<'_, [u8]>> {
    let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut kept = words.next().unwrap_or_default().to_vec();
    let (mut shown, mut hidden) = (0, 0);
    for word in words {
        if group_of(word).is_some_and(|group| is_visible(&group)) {
            kept.push(b' ');
            kept.extend_from_slice(word);
            shown += 1;
        } else {
            hidden += 1;
        }
    }
    match (shown, hidden) {
        (_, 0) => Some(Cow::Borrowed(value)),
        (0, _) => None,
        _ => Some(Cow::Owned(kept)),
    }
}

/// The group of a location, which is `group:number`.
fn group_of(location: &[u8]) -> Option<GroupName> {
    let (group, _) = str::from_utf8(location).ok()?.rsplit_once(':')?;
    group.parse().ok()
}

/// Takes groups that a reader may not see out of the Xref of an article, which comes in pieces, split anywhere. Lines end in CRLF. An Xref in
/// which no group is left is taken out whole, and so is one of more than 64 KiB: no more than that is kept.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::XrefFilter;
///
/// let mut filter = XrefFilter::new(|group| group.as_str() != "our.secret");
/// let mut out = Vec::new();
/// filter.filter(b"Subject: a\r\nXref: news.example our.secret:7 ", &mut out);
/// filter.filter(b"misc.test:21\r\n\r\nText\r\n", &mut out);
/// filter.finish(&mut out);
/// assert_eq!(out, b"Subject: a\r\nXref: news.example misc.test:21\r\n\r\nText\r\n");
/// ```
pub struct XrefFilter<F> {
    is_visible: F,
    state: State,
    /// What was not passed on yet.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a line, or in what may be the name of the field.
    Start,
    /// In a line of another field.
    Other,
    /// In the field.
    Field,
    /// Behind a line of the field, which the next one may continue.
    LineEnd,
    /// Behind the head.
    Body,
}

impl<F: Fn(&GroupName) -> bool> XrefFilter<F> {
    /// A filter for the beginning of an article. It is asked which groups may be seen.
    pub fn new(is_visible: F) -> Self {
        Self { is_visible, state: State::Start, held: Vec::new() }
    }

    /// Whether the head is over: what follows is passed on as it is.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Body
    }

    /// Appends what of this piece may be seen to `out`.
    pub fn filter(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        while !piece.is_empty() && !self.is_done() {
            piece = self.step(piece, out);
        }
        out.extend_from_slice(piece);
    }

    /// Goes on by some bytes of the head, at most to the end of a line. Returns the rest.
    fn step<'a>(&mut self, piece: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let len = memchr::memchr(b'\n', piece).map_or(piece.len(), |at| at + 1);
        let (line, rest) = piece.split_at(len);
        let is_ended = line.ends_with(b"\n");
        match self.state {
            State::Start if self.held.is_empty() && line.starts_with(b"\r") => {
                self.state = State::Body;
                piece
            }
            State::Start => {
                self.begin(piece[0], out);
                &piece[1..]
            }
            State::LineEnd if !line.starts_with(b" ") && !line.starts_with(b"\t") => {
                self.end(out);
                piece
            }
            State::Field | State::LineEnd => {
                // One byte more than there may be is enough to know that it is too long.
                let free = (FIELD_MAX + 1).saturating_sub(self.held.len());
                self.held.extend_from_slice(&line[..line.len().min(free)]);
                self.state = if is_ended { State::LineEnd } else { State::Field };
                rest
            }
            State::Other | State::Body => {
                out.extend_from_slice(line);
                self.state = if is_ended { State::Start } else { State::Other };
                rest
            }
        }
    }

    /// A byte that may belong to the name.
    fn begin(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.held.push(byte);
        if !self.held.eq_ignore_ascii_case(&NAME[..self.held.len()]) {
            out.append(&mut self.held);
            self.state = if byte == b'\n' { State::Start } else { State::Other };
        } else if self.held.len() == NAME.len() {
            self.state = State::Field;
        }
    }

    /// The end of the field.
    fn end(&mut self, out: &mut Vec<u8>) {
        self.state = State::Start;
        let held = std::mem::take(&mut self.held);
        if held.len() > FIELD_MAX {
            return;
        }
        let (name, value) = held.split_at(NAME.len());
        match visible(value, &self.is_visible) {
            Some(Cow::Borrowed(_)) => out.extend_from_slice(&held),
            Some(Cow::Owned(value)) => {
                out.extend_from_slice(name);
                out.push(b' ');
                out.extend_from_slice(&value);
                out.extend_from_slice(b"\r\n");
            }
            None => {}
        }
    }

    /// Appends what was held back, at the end of the article.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self.state {
            State::Field | State::LineEnd => self.end(out),
            State::Start | State::Other | State::Body => out.append(&mut self.held),
        }
    }
}

impl<F> fmt::Debug for XrefFilter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XrefFilter").field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shown(group: &GroupName) -> bool {
        !group.as_str().starts_with("b.")
    }

    fn filtered(text: &[u8], piece: usize) -> Vec<u8> {
        let (mut filter, mut out) = (XrefFilter::new(is_shown), Vec::new());
        text.chunks(piece).for_each(|piece| filter.filter(piece, &mut out));
        filter.finish(&mut out);
        out
    }

    #[test]
    fn groups_are_left_out_however_the_text_is_split() {
        for (text, expect) in [
            (
                "Xref: h a.x:1 b.y:2\r\n\r\nXref: h b.y:2\r\n",
                "Xref: h a.x:1\r\n\r\nXref: h b.y:2\r\n",
            ),
            (
                "A: 1\r\nxREF: h b.y:2\r\n\ta.x:1\r\nB: 2\r\n\r\n",
                "A: 1\r\nxREF: h a.x:1\r\nB: 2\r\n\r\n",
            ),
            ("A: 1\r\nXref: h b.y:2\r\nB: 2\r\n\r\n", "A: 1\r\nB: 2\r\n\r\n"),
            ("Xref:  h\ta.x:1\r\n  c.z:3\r\n\r\n", "Xref:  h\ta.x:1\r\n  c.z:3\r\n\r\n"),
            ("Xref: h a.x:1 b.y:\r\n\r\n", "Xref: h a.x:1\r\n\r\n"),
            ("Xref: h a.x:1 b.y\r\nXref: h b.z:1 a.x:3\r\n", "Xref: h a.x:1\r\nXref: h a.x:3\r\n"),
            ("Xref: h\r\n\r\n", "Xref: h\r\n\r\n"),
            (
                "Xrefs: b.y:1\r\nX: b.y:2\r\n Xref: b.y:2\r\n\r\n",
                "Xrefs: b.y:1\r\nX: b.y:2\r\n Xref: b.y:2\r\n\r\n",
            ),
            ("\r\nXref: h b.y:2\r\n", "\r\nXref: h b.y:2\r\n"),
            ("Xref: h b.y:2 a.x:1", "Xref: h a.x:1\r\n"),
            ("Xre", "Xre"),
            ("", ""),
        ] {
            for piece in 1..=text.len().max(1) {
                let out = filtered(text.as_bytes(), piece);
                assert_eq!(
                    out.escape_ascii().to_string(),
                    expect.as_bytes().escape_ascii().to_string(),
                    "{text:?} in pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn a_field_that_is_too_long_is_left_out_and_not_kept() {
        let mut filter = XrefFilter::new(is_shown);
        let mut out = Vec::new();
        filter.filter(b"A: 1\r\nXref: h", &mut out);
        for at in 0..20_000 {
            filter.filter(format!(" a.x:{at}\r\n").as_bytes(), &mut out);
            assert!(filter.held.len() <= FIELD_MAX + 1);
        }
        filter.filter(b"B: 2\r\n\r\n", &mut out);
        assert_eq!(out, b"A: 1\r\nB: 2\r\n\r\n");
        let longest = format!("Xref: h {}\r\n", "a".repeat(FIELD_MAX - 10));
        assert_eq!(longest.len(), FIELD_MAX);
        assert_eq!(filtered(longest.as_bytes(), 1_000), b"", "it is no location");
        let longest = format!("Xref: h{}a.x:1\r\n", " ".repeat(FIELD_MAX - 14));
        assert_eq!(longest.len(), FIELD_MAX);
        assert_eq!(filtered(longest.as_bytes(), 1_000), longest.as_bytes());
    }
}
