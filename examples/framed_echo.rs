//! Answers each frame with the same frame, whatever the frames look like: one handler, five codecs.
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

/// Written for any codec that can both find frames and make them.
impl<D: Decoder + Encoder> FrameHandler<D> for Echo {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        if let Err(error) = transport.send(frame) {
            transport.fail(error);
        }
    }

    /// A frame is too long, or is none: found at the first byte that makes it so. The connection is closed after this.
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
    /// Behind its length in one byte
    Int8,
    /// Behind its length in two bytes, the high one first
    Int16,
    /// Behind its length in four bytes, the high one first
    Int32,
}

/// Answers each frame with the same frame
#[derive(Parser)]
struct Args {
    /// What a frame looks like
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

    /// A codec remembers where in a frame it is, so each connection has one of its own.
    fn serve_with<D: Decoder + Encoder + Clone>(&self, codec: D) -> Result<(), Failed> {
        let reactor = self.server.reactor()?;
        let factory = move |_: &Peer| Framed::with_decoder(codec.clone(), Echo);
        cli::run(&reactor, self.server.listen.listen(&reactor, factory)?)
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| args.serve())
}
