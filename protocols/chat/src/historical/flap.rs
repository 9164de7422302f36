//! FLAP, the frames of OSCAR and TOC: [`Flap`] and its codec. Pure.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | `*` |
//! | 1 | the channel |
//! | 2 | a number that counts the frames of a sender |
//! | 2 | the length of the data |
//!
//! All numbers are in network order. Source: "The OSCAR Protocol", AOL, 2008, "FLAP".

use sinew_protocols::basic::{Decoded, Decoder, FrameError};

/// Longest data of a frame: as long as OSCAR allows, which is less than the length can say.
pub const DATA_MAX: usize = 8 * 1024;

const MARK: u8 = b'*';
const HEAD: usize = 6;

/// What the data of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channel {
    /// 1: the beginning of a session.
    SignOn,
    /// 2: data.
    Data,
    /// 3: an error, which ends the session.
    Error,
    /// 4: the end of a session.
    SignOff,
    /// 5: nothing, so that the connection is kept.
    KeepAlive,
}

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap<'a> {
    /// What it is.
    pub channel: Channel,
    /// The number of the frame, which wraps.
    pub sequence: u16,
    /// The data.
    pub data: &'a [u8],
}

impl Channel {
    const ALL: [Self; 5] = [Self::SignOn, Self::Data, Self::Error, Self::SignOff, Self::KeepAlive];

    const fn number(self) -> u8 {
        self as u8 + 1
    }

    fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.number() == number)
    }
}

impl<'a> Flap<'a> {
    /// The frame in these bytes, which are one frame of [`Flaps`]. `None` if they are not.
    #[must_use]
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let (head, data) = frame.split_first_chunk::<HEAD>()?;
        let [mark, channel, s1, s0, l1, l0] = *head;
        let is_whole = mark == MARK && usize::from(u16::from_be_bytes([l1, l0])) == data.len();
        let channel = Channel::of_number(channel).filter(|_| is_whole)?;
        Some(Self { channel, sequence: u16::from_be_bytes([s1, s0]), data })
    }

    /// The bytes of the frame. `None` if the data are longer than [`DATA_MAX`].
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let len = u16::try_from(self.data.len()).ok().filter(|_| self.data.len() <= DATA_MAX)?;
        let mut bytes = Vec::with_capacity(HEAD + self.data.len());
        bytes.extend([MARK, self.channel.number()]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(len.to_be_bytes());
        bytes.extend(self.data);
        Some(bytes)
    }
}

/// Finds frames. The payload of each is the whole frame, for [`Flap::parse`]. Ends with an error at a frame that does not begin with `*`,
/// is of no known channel, or is longer than [`DATA_MAX`].
#[derive(Clone, Debug, Default)]
pub struct Flaps {
    head: [u8; HEAD],
    seen: usize,
}

impl Decoder for Flaps {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        let mut at = 0;
        while self.seen < HEAD {
            let Some(&byte) = input.get(at) else { return Ok(Decoded::Incomplete) };
            match self.seen {
                0 if byte != MARK => {
                    return Err(FrameError::Invalid("a frame of FLAP begins with *"));
                }
                1 if Channel::of_number(byte).is_none() => {
                    return Err(FrameError::Invalid("FLAP has channels 1 to 5"));
                }
                _ => {}
            }
            self.head[self.seen] = byte;
            self.seen += 1;
            at += 1;
        }
        let len = usize::from(u16::from_be_bytes([self.head[4], self.head[5]]));
        if len > DATA_MAX {
            return Err(FrameError::FrameTooLong { len: len as u64, max: DATA_MAX });
        }
        let missing = HEAD + len - self.seen;
        if input.len() - at < missing {
            self.seen += input.len() - at;
            return Ok(Decoded::Incomplete);
        }
        self.reset();
        Ok(Decoded::Frame { consumed: at + missing, payload: 0..HEAD + len })
    }

    fn reset(&mut self) {
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use sinew_protocols::basic::Frames;

    use super::*;

    #[test]
    fn frames_are_found_however_they_are_split() {
        let frames = [
            Flap { channel: Channel::SignOn, sequence: 0, data: &[0, 0, 0, 1] },
            Flap { channel: Channel::Data, sequence: 0xffff, data: &[7; DATA_MAX] },
            Flap { channel: Channel::KeepAlive, sequence: 1, data: b"" },
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().unwrap()).collect();
        for size in [1, 2, 5, 6, 7, 100, bytes.len()] {
            let (mut decoder, mut found) = (Frames::new(Flaps::default()), Vec::new());
            for mut piece in bytes.chunks(size) {
                while let Some(frame) = decoder.next(&mut piece).unwrap() {
                    found.push(frame.to_vec());
                }
            }
            let found: Vec<_> = found.iter().map(|frame| Flap::parse(frame).unwrap()).collect();
            assert_eq!(found, frames, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_at_once() {
        let bad: [&[u8]; 4] = [b"+", b"*\0", b"*\x06", b"*\x02\0\0\x20\x01"];
        for bytes in bad {
            let mut decoder = Flaps::default();
            let last = bytes.len() - 1;
            assert_eq!(decoder.decode(&bytes[..last]), Ok(Decoded::Incomplete), "{bytes:?}");
            assert!(decoder.decode(&bytes[last..]).is_err(), "{bytes:?}");
        }
        assert_eq!(
            Flap { channel: Channel::Data, sequence: 0, data: &[0; DATA_MAX + 1] }.encode(),
            None
        );
        assert_eq!(Flap::parse(b"*\x02\0\0\0\x01"), None);
    }
}
