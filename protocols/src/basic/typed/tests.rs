//! Tests of typed frames: each frame is parsed once, and a frame that cannot be parsed does not end the stream.

use std::{cell::RefCell, rc::Rc};

use sinew_testkit::testing::every_split;
use sinew_transports::{Protocol, Transport};

use super::*;
use crate::basic::{FrameTransport, Framed, Line, TypedHandler};

/// Packets of a type byte, a length byte and a payload: finding the end already reads what the parser needs.
#[derive(Debug, Clone, Default)]
struct Packets {
    kind: Option<u8>,
    len: Option<usize>,
    seen: usize,
    parsed: Rc<RefCell<usize>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Packet<'a> {
    Text(&'a str),
    Number(u64),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum PacketError {
    #[error("kind {0}")]
    Kind(u8),
    #[error("no text")]
    Text,
}

impl Decoder for Packets {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        for (at, byte) in input.iter().enumerate() {
            self.seen += 1;
            match (self.kind, self.len) {
                (None, _) => self.kind = Some(*byte),
                (_, None) => self.len = Some(usize::from(*byte)),
                _ => {}
            }
            if self.len.is_some_and(|len| self.seen == len + 2) {
                let payload = 2..self.seen;
                (self.len, self.seen) = (None, 0);
                return Ok(Decoded::Frame { consumed: at + 1, payload });
            }
        }
        Ok(Decoded::Incomplete)
    }

    fn reset(&mut self) {
        (self.kind, self.len, self.seen) = (None, None, 0);
    }
}

impl TypedDecoder for Packets {
    type Frame<'a> = Packet<'a>;
    type Error = PacketError;

    fn parse<'a>(&mut self, payload: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        *self.parsed.borrow_mut() += 1;
        // The type was read while looking for the end of the frame.
        match self.kind.take().expect("a frame was decoded") {
            b't' => str::from_utf8(payload).map(Packet::Text).map_err(|_| PacketError::Text),
            b'n' => {
                Ok(Packet::Number(payload.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))))
            }
            kind => Err(PacketError::Kind(kind)),
        }
    }
}

struct Report;

impl TypedHandler<Packets> for Report {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, Packets>, packet: Packet<'_>) {
        transport.write(format!("{packet:?};").as_bytes());
    }

    fn frame_refused(&mut self, transport: &mut FrameTransport<'_, Packets>, error: PacketError) {
        transport.write(format!("!{error};").as_bytes());
    }
}

#[test]
fn a_decoder_passes_its_state_to_the_parser() {
    let input = b"t\x02hin\x02\x01\x00x\x01at\x01\xfft\x00n\x05ab";
    let expected = b"Text(\"hi\");Number(256);!kind 120;!no text;Text(\"\");";
    every_split(|| Framed::typed(Packets::default(), Report), input, expected);
}

#[test]
fn each_frame_is_parsed_once() {
    let packets = Packets::default();
    let parsed = packets.parsed.clone();
    let mut framed = Framed::typed(packets, Report);
    let (transport, wire) = Transport::memory();
    for byte in b"t\x02hin\x01\x05" {
        framed.data_received(&transport, &[*byte]);
    }
    assert_eq!((wire.sent(), *parsed.borrow()), (b"Text(\"hi\");Number(5);".to_vec(), 2));
}

/// A number per line.
#[derive(Default)]
struct Numbers;

impl Parse for Numbers {
    type Frame<'a> = u32;
    type Error = std::num::ParseIntError;

    fn parse(&mut self, line: &[u8]) -> Result<u32, Self::Error> {
        String::from_utf8_lossy(line).parse()
    }
}

struct Double;

impl TypedHandler<Parsed<Line, Numbers>> for Double {
    fn frame_received(
        &mut self,
        transport: &mut FrameTransport<'_, Parsed<Line, Numbers>>,
        n: u32,
    ) {
        transport.send((2 * n).to_string()).expect("a number is a valid line");
    }
}

/// A frame that cannot be parsed ends the connection with its error by default.
#[test]
fn an_unparsable_frame_ends_the_connection_by_default() {
    let make = || Framed::typed(Parsed::<Line, Numbers>::default(), Double);
    every_split(make, b"1\r\n20\r\nx\r\n3\r\n", b"2\r\n40\r\n");
}
