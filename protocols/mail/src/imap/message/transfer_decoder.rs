//! Undoes transfer encodings (RFC 2045 6): [`TransferDecoder`]. Pure; given the content in pieces of any size; reads anything.

/// Undoes a transfer encoding. What is malformed is left out (base64) or stays as it is (quoted-printable).
#[derive(Clone, Debug)]
pub struct TransferDecoder(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Identity,
    Base64 { bits: u32, len: u8, has_ended: bool },
    QuotedPrintable(Quoted),
}

#[derive(Clone, Copy, Debug)]
enum Quoted {
    Text,
    Equals,
    /// The end of a line that goes on.
    Cr,
    Hex(u8),
}

impl TransferDecoder {
    /// For the encoding that a `Content-Transfer-Encoding` names; none is 7bit. `None` for one that is not known.
    #[must_use]
    pub fn new(encoding: Option<&[u8]>) -> Option<Self> {
        let encoding = encoding.unwrap_or(b"7bit").to_ascii_lowercase();
        Some(Self(match &encoding[..] {
            b"7bit" | b"8bit" | b"binary" => Kind::Identity,
            b"base64" => Kind::Base64 { bits: 0, len: 0, has_ended: false },
            b"quoted-printable" => Kind::QuotedPrintable(Quoted::Text),
            _ => return None,
        }))
    }

    /// The next piece. What it means is added to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Identity => out.extend_from_slice(piece),
            Kind::Base64 { bits, len, has_ended } => {
                for &byte in piece {
                    let Some(value) = base64_value(byte) else {
                        *has_ended |= byte == b'=';
                        continue;
                    };
                    // A second text behind the padding is a part of the content for most readers.
                    if std::mem::take(has_ended) {
                        (*bits, *len) = (0, 0);
                    }
                    *bits = *bits << 6 | u32::from(value);
                    *len += 6;
                    if *len >= 8 {
                        *len -= 8;
                        out.push((*bits >> *len) as u8);
                    }
                }
            }
            Kind::QuotedPrintable(state) => {
                for &byte in piece {
                    *state = quoted(*state, byte, out);
                }
            }
        }
    }

    /// The content has ended.
    pub fn finish(self, out: &mut Vec<u8>) {
        if let Kind::QuotedPrintable(Quoted::Hex(first)) = self.0 {
            out.extend([b'=', first]);
        }
    }
}

fn quoted(state: Quoted, byte: u8, out: &mut Vec<u8>) -> Quoted {
    match (state, byte) {
        (Quoted::Text | Quoted::Cr, b'=') => return Quoted::Equals,
        (Quoted::Cr, b'\n') | (Quoted::Equals, b'\n') => return Quoted::Text,
        (Quoted::Equals, b'\r') => return Quoted::Cr,
        (Quoted::Equals, byte) if byte.is_ascii_hexdigit() => return Quoted::Hex(byte),
        (Quoted::Equals, byte) => out.extend([b'=', byte]),
        (Quoted::Hex(first), second) if second.is_ascii_hexdigit() => {
            out.push(hex_value(first) << 4 | hex_value(second));
        }
        (Quoted::Hex(first), second) => {
            out.extend([b'=', first]);
            return quoted(Quoted::Text, second, out);
        }
        (Quoted::Text | Quoted::Cr, byte) => out.push(byte),
    }
    Quoted::Text
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn base64_value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(encoding: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let mut decoder =
            TransferDecoder::new(Some(encoding.as_bytes())).expect("a known encoding");
        let mut out = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn encodings_in_all_pieces() {
        let cases: &[(&str, &[u8], &[u8])] = &[
            ("7bit", b"a\r\nb", b"a\r\nb"),
            ("BASE64", b"aGVs\r\nbG8=\r\n", b"hello"),
            ("base64", b"aGVsbG8", b"hello"),
            ("base64", b"aA==aQ==", b"hi"),
            ("base64", b"a!G-V_sbG8=", b"hello"),
            ("base64", b"====", b""),
            ("quoted-printable", b"a=3D=\r\nb=20=\nc", b"a=b c"),
            ("quoted-printable", b"=c3=A9", b"\xc3\xa9"),
            ("quoted-printable", b"=zz=4=4x=", b"=zz=4=4x"),
        ];
        for (encoding, text, expected) in cases {
            for at in 0..=text.len() {
                let (first, second) = text.split_at(at);
                assert_eq!(decoded(encoding, &[first, second]), *expected, "{encoding} {at}");
            }
        }
        assert!(TransferDecoder::new(Some(b"x-uuencode")).is_none());
    }

    proptest! {
        #[test]
        fn base64_round_trip(bytes: Vec<u8>, at in 0_usize..64) {
            let text = data_encoding::BASE64_MIME.encode(&bytes);
            let (first, second) = text.as_bytes().split_at(at.min(text.len()));
            prop_assert_eq!(decoded("base64", &[first, second]), bytes);
        }
    }
}
