//! Messages of SASL in the pieces of AUTHENTICATE (IRCv3 SASL): [`sasl_pieces`] and [`SaslText`]. Pure.

/// Longest piece; one that is shorter is the last.
pub(crate) const PIECE_MAX: usize = 400;

/// A message in base64 as the arguments of AUTHENTICATE. An empty one is `+`; one whose last piece is full is followed by `+`.
#[must_use]
pub fn sasl_pieces(encoded: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = encoded;
    while rest.len() >= PIECE_MAX {
        let (piece, behind) = rest.split_at(PIECE_MAX);
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(if rest.is_empty() { "+" } else { rest });
    pieces
}

/// Puts a message together from its pieces.
#[derive(Clone, Debug, Default)]
pub struct SaslText(Vec<u8>);

/// A message of SASL is too long.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of SASL is longer than {max} bytes in base64, or a piece of it than 400")]
pub struct SaslTooLong {
    /// The limit.
    pub max: usize,
}

sinew_transports::reactor::error_debug!(SaslTooLong);

impl SaslText {
    /// Takes the argument of an AUTHENTICATE. Returns the whole message, in base64, when it was the last piece.
    ///
    /// # Errors
    ///
    /// [`SaslTooLong`]: the message has more than `max` bytes. What was received of it is dropped.
    pub fn push(&mut self, piece: &[u8], max: usize) -> Result<Option<Vec<u8>>, SaslTooLong> {
        if piece.len() > PIECE_MAX || self.0.len() + piece.len() > max {
            self.0 = Vec::new();
            return Err(SaslTooLong { max });
        }
        if piece != b"+" {
            self.0.extend_from_slice(piece);
        }
        Ok((piece.len() < PIECE_MAX).then(|| std::mem::take(&mut self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_round_trip() {
        for len in [0, 1, 399, 400, 401, 800, 1_000] {
            let encoded = "A".repeat(len);
            let mut text = SaslText::default();
            let pieces = sasl_pieces(&encoded);
            let (last, front) = pieces.split_last().unwrap();
            for piece in front {
                assert_eq!(text.push(piece.as_bytes(), 1_000), Ok(None), "{len}");
            }
            assert_eq!(text.push(last.as_bytes(), 1_000), Ok(Some(encoded.into_bytes())), "{len}");
        }
        let mut text = SaslText::default();
        assert_eq!(text.push(&[b'A'; 400], 500), Ok(None));
        assert_eq!(text.push(&[b'A'; 400], 500), Err(SaslTooLong { max: 500 }));
        assert_eq!(text.push(b"AA==", 500), Ok(Some(b"AA==".to_vec())));
    }
}
