//! Which part of an article is sent: [`Part`], and [`PartFilter`], which finds it in pieces of the text.

/// A part of an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// All of it.
    Article,
    /// The head, without the empty line.
    Head,
    /// The body, from behind the empty line on.
    Body,
    /// Nothing: only whether it is there.
    Stat,
}

impl Part {
    /// The command that asks for it.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Article => "ARTICLE",
            Self::Head => "HEAD",
            Self::Body => "BODY",
            Self::Stat => "STAT",
        }
    }

    /// The code of the response that has it.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Article => 220,
            Self::Head => 221,
            Self::Body => 222,
            Self::Stat => 223,
        }
    }
}

/// Passes a part of an article on, which comes in pieces, split anywhere. Lines end in CRLF. Keeps no bytes.
#[derive(Clone, Debug)]
pub struct PartFilter {
    part: Part,
    /// How much of the CRLF CRLF was seen. The first line may be empty: then there is no head.
    seen: usize,
    is_body: bool,
}

impl PartFilter {
    /// A filter for the beginning of an article.
    #[must_use]
    pub fn new(part: Part) -> Self {
        Self { part, seen: 2, is_body: false }
    }

    /// What of this piece is in the part. The empty line belongs to neither head nor body; its CRLF may be passed on as the
    /// end of the last line of the head.
    pub fn filter<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        match self.part {
            Part::Article => return piece,
            Part::Stat => return &[],
            Part::Head | Part::Body => {}
        }
        let mut at = 0;
        while !self.is_body && at < piece.len() {
            self.seen = match (self.seen, piece[at]) {
                (0 | 2, b'\r') => self.seen + 1,
                (1 | 3, b'\n') => self.seen + 1,
                (_, b'\r') => 1,
                _ => 0,
            };
            at += 1;
            self.is_body = self.seen == 4;
            if self.seen == 3 && self.part == Part::Head {
                // It is the CR of the empty line, or of a line that is none: the latter does not occur.
                let end = at - 1;
                return self.end_of_head(piece, end);
            }
        }
        if self.part == Part::Body { &piece[at..] } else { &piece[..at] }
    }

    fn end_of_head<'a>(&mut self, piece: &'a [u8], end: usize) -> &'a [u8] {
        self.part = Part::Stat;
        &piece[..end]
    }

    /// Whether nothing of what follows is in the part.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.part == Part::Stat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(part: Part, text: &[u8], piece: usize) -> Vec<u8> {
        let mut filter = PartFilter::new(part);
        text.chunks(piece).flat_map(|piece| filter.filter(piece).to_vec()).collect()
    }

    #[test]
    fn parts_are_found_however_they_are_split() {
        let cases: [(&[u8], &[u8], &[u8]); 5] = [
            (
                b"a: b\r\nc: d\r\n\r\nbody\r\n\r\nmore\r\n",
                b"a: b\r\nc: d\r\n",
                b"body\r\n\r\nmore\r\n",
            ),
            (b"a: b\r\n\r\n", b"a: b\r\n", b""),
            (b"a: b\r\n", b"a: b\r\n", b""),
            (b"\r\nbody\r\n", b"", b"body\r\n"),
            (b"a: b\r\n\r\n\r\n", b"a: b\r\n", b"\r\n"),
        ];
        for (text, head, body) in cases {
            for piece in 1..=text.len() {
                let named = format!("{} in pieces of {piece}", text.escape_ascii());
                assert_eq!(filtered(Part::Head, text, piece), head, "{named}");
                assert_eq!(filtered(Part::Body, text, piece), body, "{named}");
                assert_eq!(filtered(Part::Article, text, piece), text, "{named}");
                assert_eq!(filtered(Part::Stat, text, piece), b"", "{named}");
            }
        }
    }
}
