//! The messages of OSCAR: [`Snac`], by family and subtype. Pure.

use super::Reader;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snac<'a> {
    /// What it is.
    pub kind: Kind,
    /// Bit 0: more of the answer follows. Bit 15: the data begin with a list that is to be skipped.
    pub flags: u16,
    /// Of a question, and again of its answer.
    pub request: u32,
    /// What depends on the kind.
    pub data: &'a [u8],
}

/// The family and the subtype of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub u16, pub u16);

impl<'a> Snac<'a> {
    /// The message in the data of a frame. `None` if they are too short.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let kind = Kind(reader.u16()?, reader.u16()?);
        let (flags, request) = (reader.u16()?, reader.u32()?);
        if flags & 0x8000 != 0 {
            let len = reader.u16()?;
            reader.bytes(len.into())?;
        }
        Some(Self { kind, flags: flags & 0x7fff, request, data: reader.rest() })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Kind(family, subtype) = self.kind;
        let mut bytes = Vec::with_capacity(10 + self.data.len());
        bytes.extend(family.to_be_bytes());
        bytes.extend(subtype.to_be_bytes());
        bytes.extend((self.flags & 0x7fff).to_be_bytes());
        bytes.extend(self.request.to_be_bytes());
        bytes.extend(self.data);
        bytes
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x}/{:02x}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_both_ways() {
        let snac = Snac { kind: Kind(4, 7), flags: 1, request: 0x8000_0001, data: b"data" };
        let bytes = snac.encode();
        assert_eq!(bytes, b"\0\x04\0\x07\0\x01\x80\0\0\x01data");
        assert_eq!(Snac::parse(&bytes), Some(snac));
        assert_eq!(Snac::parse(&bytes[..9]), None);
        // A list in front, which is skipped.
        let skipped = Snac::parse(b"\0\x04\0\x07\x80\x01\x80\0\0\x01\0\x02..data");
        assert_eq!(skipped, Some(snac));
        assert_eq!(Snac::parse(b"\0\x04\0\x07\x80\0\0\0\0\x01\0\x03.."), None);
    }
}
