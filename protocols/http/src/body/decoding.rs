//! Decodes the content coding of a received body (RFC 9110 8.4): [`Decoding`]. Compressed input is kept until the reader wants
//! more, so the reader limits how much is decompressed.

use std::mem;

use sinew_protocols::compression::{Format, Inflate, Inflated};

use crate::codec::BodyError;

/// The supported codings, as the value of `Accept-Encoding`.
pub(crate) const CODINGS: Option<&str> = Some("gzip, deflate");

/// Decodes one content coding.
pub(crate) struct Decoding {
    /// Compressed input that is not decoded yet, and how much of it is consumed.
    input: Vec<u8>,
    used: usize,
    /// `None` for `deflate` before its second byte. It is zlib (RFC 9110 8.4.1.2), but some servers send raw data: the first two
    /// bytes decide.
    inflate: Option<Inflate>,
    /// All input is consumed, and there is no more output without more input.
    is_drained: bool,
}

impl Decoding {
    /// A decoder for this coding; `None` if it is unknown.
    pub(crate) fn new(coding: &str) -> Option<Self> {
        let inflate = match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(inflate(Format::Gzip)),
            "deflate" => None,
            _ => return None,
        };
        Some(Self { input: Vec::new(), used: 0, inflate, is_drained: true })
    }

    /// Adds compressed input.
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.input.extend_from_slice(data);
        self.is_drained = false;
    }

    /// The next piece of output, if there is one without more input.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, BodyError> {
        if let (None, [first, second, ..]) = (&self.inflate, self.input.as_slice()) {
            // RFC 1950 2.2.
            let is_zlib = first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0;
            self.inflate = Some(inflate(if is_zlib { Format::Zlib } else { Format::Raw }));
        }
        let Some(inflate) = &mut self.inflate else {
            self.is_drained = true;
            return Ok(None);
        };
        let mut rest = &self.input[self.used..];
        let inflated = inflate.inflate(&mut rest);
        self.used = self.input.len() - rest.len();
        match inflated {
            Ok(Inflated::Output(piece)) => Ok(Some(piece)),
            // Input after the end is ignored, as all browsers do.
            Ok(Inflated::End | Inflated::Incomplete) => {
                (self.used, self.is_drained) = (0, true);
                drop(mem::take(&mut self.input));
                Ok(None)
            }
            Err(error) => Err(BodyError::Coding { reason: error.to_string() }),
        }
    }

    /// Whether there is no output without more input.
    pub(crate) const fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// Marks the end of the input. An empty body is accepted: servers send it for an empty file.
    pub(crate) fn finish(&self) -> Result<(), BodyError> {
        let finished = match &self.inflate {
            Some(inflate) => inflate.finish(),
            None if self.input.is_empty() => Ok(()),
            None => Err(sinew_protocols::compression::InflateError::Truncated),
        };
        finished.map_err(|error| BodyError::Coding { reason: error.to_string() })
    }
}

/// No limit of its own: the reader of the body has one, and takes 16 KiB at a time.
fn inflate(format: Format) -> Inflate {
    Inflate::new(format).output_max(u64::MAX)
}

#[cfg(test)]
mod tests {
    use sinew_protocols::compression::{Deflate, Flush};

    use super::*;

    fn compressed(format: Format, text: &[u8]) -> Vec<u8> {
        let (mut deflate, mut input, mut out) = (Deflate::new(format, 6), text, Vec::new());
        while let Some(piece) = deflate.deflate(&mut input, Flush::Finish) {
            out.extend_from_slice(piece);
        }
        out
    }

    fn decoded(coding: &str, pieces: &[&[u8]]) -> Result<Vec<u8>, BodyError> {
        let (mut decoding, mut out) = (Decoding::new(coding).unwrap(), Vec::new());
        for piece in pieces {
            decoding.push(piece);
            while let Some(piece) = decoding.next()? {
                out.extend_from_slice(piece);
            }
            assert!(decoding.is_drained());
        }
        decoding.finish().map(|()| out)
    }

    #[test]
    fn every_split_of_each_coding() {
        let text = b"hello hello hello hello".repeat(3);
        for (coding, format) in [
            ("gzip", Format::Gzip),
            ("X-GZip", Format::Gzip),
            ("deflate", Format::Zlib),
            ("deflate", Format::Raw),
        ] {
            let data = compressed(format, &text);
            for at in 0..=data.len() {
                assert_eq!(
                    decoded(coding, &[&data[..at], &data[at..]]).unwrap(),
                    text,
                    "{coding} at {at}"
                );
            }
            assert!(decoded(coding, &[&data[..data.len() - 1]]).is_err(), "{coding} cut off");
        }
    }

    #[test]
    fn what_is_not_compressed() {
        assert!(Decoding::new("br").is_none() && Decoding::new("identity").is_none());
        assert!(matches!(decoded("gzip", &[b"hello"]), Err(BodyError::Coding { .. })));
        assert_eq!(decoded("deflate", &[]), Ok(Vec::new()));
        assert!(decoded("deflate", &[b"x"]).is_err());
    }

    #[test]
    fn a_bomb_comes_out_in_small_pieces() {
        let bomb = compressed(Format::Gzip, &vec![0; 1 << 20]);
        let mut decoding = Decoding::new("gzip").unwrap();
        decoding.push(&bomb);
        let mut pieces = 0;
        while let Some(piece) = decoding.next().unwrap() {
            assert!(piece.len() <= 16 * 1024);
            pieces += 1;
        }
        assert!(pieces >= 64);
    }
}
