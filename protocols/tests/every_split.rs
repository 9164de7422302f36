//! Every receiver, fed in every way that a network might cut its input.

use sinew_protocols::{
    basic::{
        Decoder, Fixed, FixedReceiver, FrameError, FrameHandler, FrameTransport, Framed,
        Int8Receiver, Int16Receiver, Int32Receiver, Line, LineReceiver, NetstringReceiver,
    },
    wire::{Discard, Echo},
};
use sinew_transports::testing::every_split;

/// Answers each frame with the frame in brackets, and a fault with its kind.
struct Tell;

impl<D: Decoder> FrameHandler<D> for Tell {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        transport.write(b"[");
        transport.write(frame);
        transport.write(b"]");
    }

    fn framing_failed(&mut self, transport: &mut FrameTransport<'_, D>, error: &FrameError) {
        transport.write(format!("!{error}").as_bytes());
    }
}

/// Pauses after each frame, and goes on from a timer.
struct Pauses;

impl<D: Decoder> FrameHandler<D> for Pauses {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        transport.write(frame);
        transport.write(b";");
        transport.pause_reading();
        transport.call_later(std::time::Duration::from_millis(1));
    }

    fn timer_fired(&mut self, transport: &mut FrameTransport<'_, D>, _: sinew_transports::TimerId) {
        transport.resume_reading();
    }
}

#[test]
fn lines() {
    every_split(|| LineReceiver::new(Tell), b"one\r\n\r\nt\rw\no\r\nrest", b"[one][][t\rw\no]");
    let short = || Framed::with_decoder(Line::default().len_max(4), Tell);
    every_split(short, b"1234\r\n12345\r\n1\r\n", b"[1234]!line longer than 4 bytes");
    let lax = || Framed::with_decoder(Line::lf_or_crlf(), Tell);
    every_split(lax, b"one\ntwo\r\n\n\r\nthree", b"[one][two][][]");
    let odd = || Framed::with_decoder(Line::new(b"aab"), Tell);
    every_split(odd, b"aaabaabxaab", b"[a][][x]");
}

#[test]
fn netstrings() {
    every_split(|| NetstringReceiver::new(Tell), b"5:hello,0:,3:a,b,2:x", b"[hello][][a,b]");
}

#[test]
fn length_prefixes() {
    every_split(|| Int8Receiver::new(Tell), b"\x03abc\x00\x01d\x05ef", b"[abc][][d]");
    every_split(|| Int16Receiver::new(Tell), b"\x00\x03abc\x00\x00\x00\x01d\x00", b"[abc][][d]");
    every_split(|| Int32Receiver::new(Tell), b"\0\0\0\x02ab\0\0\0\0\0\0", b"[ab][]");
}

#[test]
fn frames_of_one_size() {
    every_split(|| FixedReceiver::with_decoder(Fixed::new(3), Tell), b"abcdefgh", b"[abc][def]");
}

#[test]
fn with_a_pause_after_each_frame() {
    every_split(|| LineReceiver::new(Pauses), b"a\r\nb\r\nc\r\nd\r\n", b"a;b;c;d;");
    every_split(|| NetstringReceiver::new(Pauses), b"1:a,1:b,1:c,2", b"a;b;c;");
}

#[test]
fn small_services() {
    every_split(|| Echo, b"hello, world", b"hello, world");
    every_split(|| Discard, b"hello, world", b"");
}
