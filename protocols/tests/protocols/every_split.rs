//! Every receiver, with its input split at every point and in other ways that a network may split it.

use std::time::{Duration, UNIX_EPOCH};

use sinew_protocols::{
    basic::{
        Decoder, DotStuffed, Fixed, FixedReceiver, FrameError, FrameHandler, FrameTransport,
        Framed, Int8Receiver, Int16Receiver, Int32Receiver, Line, LineHandler, LineReceiver,
        LineTransport, NetstringReceiver, Unstuffed,
    },
    wire::{Chargen, Daytime, Discard, Echo, Qotd, Time},
};
use sinew_testkit::testing::every_split;
use sinew_transports::{TimerId, reactor::Reactor};

/// Answers each frame with the frame in brackets, and a framing error with its text.
struct Report;

impl<D: Decoder> FrameHandler<D> for Report {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        transport.write(b"[");
        transport.write(frame);
        transport.write(b"]");
    }

    fn framing_failed(&mut self, transport: &mut FrameTransport<'_, D>, error: &FrameError) {
        transport.write(format!("!{error}").as_bytes());
    }
}

/// Pauses after each frame, and resumes from a timer.
struct Pauses;

impl<D: Decoder> FrameHandler<D> for Pauses {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        transport.write(frame);
        transport.write(b";");
        transport.pause_reading();
        transport.call_later(Duration::from_millis(1));
    }

    fn timer_fired(&mut self, transport: &mut FrameTransport<'_, D>, _: TimerId) {
        transport.resume_reading();
    }
}

#[test]
fn lines() {
    every_split(|| LineReceiver::new(Report), b"one\r\n\r\nt\rw\no\r\nrest", b"[one][][t\rw\no]");
    let short = || Framed::with_decoder(Line::default().len_max(4), Report);
    every_split(short, b"1234\r\n12345\r\n1\r\n", b"[1234]!line longer than 4 bytes");
    let lenient = || Framed::with_decoder(Line::lf_or_crlf(), Report);
    every_split(lenient, b"one\ntwo\r\n\n\r\nthree", b"[one][two][][]");
    let strict = || Framed::with_decoder(Line::strict_crlf(), Report);
    every_split(strict, b"one\r\n\r\nt\rwo\r\n", b"[one][]!bare CR where CRLF is required");
    every_split(strict, b"one\r\ntwo\nthree\r\n", b"[one]!bare LF where CRLF is required");
    let odd = || Framed::with_decoder(Line::new(b"aab"), Report);
    every_split(odd, b"aaabaabxaab", b"[a][][x]");
}

#[test]
fn netstrings() {
    every_split(|| NetstringReceiver::new(Report), b"5:hello,0:,3:a,b,2:x", b"[hello][][a,b]");
}

#[test]
fn length_prefixes() {
    every_split(|| Int8Receiver::new(Report), b"\x03abc\x00\x01d\x05ef", b"[abc][][d]");
    every_split(|| Int16Receiver::new(Report), b"\x00\x03abc\x00\x00\x00\x01d\x00", b"[abc][][d]");
    every_split(|| Int32Receiver::new(Report), b"\0\0\0\x02ab\0\0\0\0\0\0", b"[ab][]");
}

#[test]
fn frames_of_one_size() {
    every_split(|| FixedReceiver::with_decoder(Fixed::new(3), Report), b"abcdefgh", b"[abc][def]");
}

#[test]
fn frames_with_a_pause_after_each() {
    every_split(|| LineReceiver::new(Pauses), b"a\r\nb\r\nc\r\nd\r\n", b"a;b;c;d;");
    every_split(|| NetstringReceiver::new(Pauses), b"1:a,1:b,1:c,2", b"a;b;c;");
}

/// Line mode, and dot-stuffed text after the line `DATA`; answers each line and the whole text.
#[derive(Default)]
struct Mail {
    decoder: DotStuffed,
    text: Vec<u8>,
}

impl LineHandler for Mail {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        transport.write(&[b"<", line, b">"].concat());
        if line == b"DATA" {
            transport.set_raw_mode();
        }
    }

    fn raw_received(&mut self, transport: &mut LineTransport<'_>, mut data: &[u8]) {
        loop {
            match self.decoder.decode(&mut data) {
                Ok(Unstuffed::Text(text)) => self.text.extend_from_slice(text),
                Ok(Unstuffed::Incomplete) => return,
                Ok(Unstuffed::End) => {
                    transport.write(&[b"(", &std::mem::take(&mut self.text)[..], b")"].concat());
                    return transport.set_line_mode(data);
                }
                Err(error) => {
                    transport.write(format!("!{error}").as_bytes());
                    return transport.fail(error);
                }
            }
        }
    }
}

#[test]
fn dot_stuffed_text() {
    let lenient = || LineReceiver::new(Mail { decoder: DotStuffed::lenient(), ..Mail::default() });
    let strict = || LineReceiver::new(Mail::default());
    let mail = b"DATA\r\n..a\r\nb\r\n.\r\nDATA\r\n.\r\nQUIT\r\n";
    for make in [lenient, strict] {
        every_split(make, mail, b"<DATA>(.a\r\nb\r\n)<DATA>()<QUIT>");
    }
    let fault = b"<DATA>!bare CR where CRLF is required";
    every_split(strict, b"DATA\r\none\r\n.\r\r\nMAIL\r\n", fault);
    every_split(lenient, b"DATA\r\none\n.\nQUIT\r\n", b"<DATA>(one\n)<QUIT>");
}

#[test]
fn small_services() {
    every_split(|| Echo, b"hello, world", b"hello, world");
    every_split(|| Discard, b"hello, world", b"");
}

/// Services that send unsolicited data ignore their input, and cope with a peer that reads a few bytes at a time.
#[test]
fn small_services_that_speak_first() {
    let input = b"hello, world";
    let quote = "Events, dear boy, events.\r\n".repeat(20);
    every_split(|| Qotd::new(quote.clone()), input, quote.as_bytes());
    let time = |_: &_| UNIX_EPOCH + Duration::from_secs(784_111_777);
    every_split(|| Daytime::with_clock(time), input, b"Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    every_split(|| Time::with_clock(time), input, &2_993_100_577_u32.to_be_bytes());
    // The clock of a simulated reactor always starts at the same time.
    let now = Reactor::simulated(0).wall_clock();
    every_split(Daytime::default, input, Daytime::line(now).as_bytes());
    every_split(Time::default, input, &Time::seconds_since_1900(now).to_be_bytes());
}

#[test]
fn chargen_sends_page_after_page() {
    let line = |n: usize| (n..n + 72).map(|at| b' ' + (at % 95) as u8).chain(*b"\r\n");
    let page: Vec<u8> = (0..95).flat_map(line).collect();
    every_split(|| Chargen::pages(0), b"hello", b"");
    every_split(|| Chargen::pages(3), b"hello", &page.repeat(3));
}
