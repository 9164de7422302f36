//! Line ends of messages: what is stored with bare LFs is given as text whose lines end in CRLF. Pure.

use memchr::memchr_iter;

/// Gives each bare LF its CR, across the pieces of a text. A bare CR stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToCrlf {
    after_cr: bool,
}

impl ToCrlf {
    /// How many bytes the next piece has with CRLFs.
    pub(crate) fn count(&mut self, piece: &[u8]) -> u64 {
        let bare = memchr_iter(b'\n', piece).filter(|at| self.is_bare(piece, *at)).count();
        self.note(piece);
        (piece.len() + bare) as u64
    }

    /// Appends the next piece with CRLFs.
    pub(crate) fn convert(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for at in memchr_iter(b'\n', piece).filter(|at| self.is_bare(piece, *at)) {
            out.extend_from_slice(&piece[done..at]);
            out.push(b'\r');
            done = at;
        }
        out.extend_from_slice(&piece[done..]);
        self.note(piece);
    }

    fn is_bare(self, piece: &[u8], at: usize) -> bool {
        match at {
            0 => !self.after_cr,
            at => piece[at - 1] != b'\r',
        }
    }

    fn note(&mut self, piece: &[u8]) {
        if let Some(last) = piece.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_lfs_get_a_cr() {
        for (text, expected) in [
            ("", ""),
            ("\n", "\r\n"),
            ("\r\n", "\r\n"),
            ("a\nb\r\n\n\rc\r\r\nd\r", "a\r\nb\r\n\r\n\rc\r\r\nd\r"),
        ] {
            for at in 0..=text.len() {
                let (front, back) = text.as_bytes().split_at(at);
                let (mut converter, mut counter) = (ToCrlf::default(), ToCrlf::default());
                let mut out = Vec::new();
                converter.convert(front, &mut out);
                converter.convert(back, &mut out);
                assert_eq!(str::from_utf8(&out), Ok(expected));
                assert_eq!(counter.count(front) + counter.count(back), expected.len() as u64);
            }
        }
    }
}
