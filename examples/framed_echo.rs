//! Echoes frames: one handler for five codecs.
//!
//! ```text
//! $ printf '5:hello,3:abc,101:' | nc -N 127.0.0.1 8000
//! 5:hello,3:abc,
//! $ cargo run --release --example framed_echo -- --codec netstring --max 100
//! listening on 127.0.0.1:8000
//! 127.0.0.1:38502: frame of 101 bytes announced, at most 100 allowed
//! ```

mod cli;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use cli::{Failed, ServerArgs, say};
use sinew::{
    prelude::*,
    protocols::basic::{
        Decoder, Encoder, FrameError, FrameHandler, FrameTransport, Framed, Int8, Int16, Int32,
        Line, Netstring,
    },
};

struct Echo;

/// Generic over any codec that can decode and encode frames.
impl<D: Decoder + Encoder> FrameHandler<D> for Echo {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        if let Err(error) = transport.send(frame) {
            transport.fail(error);
        }
    }

    /// A frame is too long or invalid, detected at the earliest possible byte. The connection is closed after this
    /// callback.
    fn framing_failed(&mut self, transport: &mut FrameTransport<'_, D>, error: &FrameError) {
        say!("{}: {error}", transport.peer());
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Codec {
    /// Ends in CRLF or LF
    Line,
    /// 5:hello,
    Netstring,
    /// Length prefix of one byte
    Int8,
    /// Length prefix of two bytes, big-endian
    Int16,
    /// Length prefix of four bytes, big-endian
    Int32,
}

/// Echoes frames
#[derive(Parser)]
struct Args {
    /// Format of the frames
    #[arg(long, value_name = "NAME")]
    codec: Codec,

    /// Longest frame accepted, in bytes
    #[arg(long, value_name = "N", default_value_t = 16 * 1024)]
    max: usize,

    #[command(flatten)]
    server: ServerArgs,
}

impl Args {
    fn serve(&self) -> Result<(), Failed> {
        let max = self.max;
        match self.codec {
            Codec::Line => self.serve_with(Line::lf_or_crlf().len_max(max)),
            Codec::Netstring => self.serve_with(Netstring::default().len_max(max)),
            Codec::Int8 => self.serve_with(Int8::default().len_max(max)),
            Codec::Int16 => self.serve_with(Int16::default().len_max(max)),
            Codec::Int32 => self.serve_with(Int32::default().len_max(max)),
        }
    }

    /// A codec has state, so each connection gets its own.
    fn serve_with<D: Decoder + Encoder + Clone>(&self, codec: D) -> Result<(), Failed> {
        let reactor = self.server.reactor()?;
        let factory = move |_: &Peer| Framed::with_decoder(codec.clone(), Echo);
        cli::run(&reactor, self.server.listen.listen(&reactor, factory)?)
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| args.serve())
}
