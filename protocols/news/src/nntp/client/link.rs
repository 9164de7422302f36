//! The lines of a connection: [`Link`] sends commands and receives responses, each within its time.

use std::{io, time::Duration};

use sinew_protocols::basic::{DotStuffed, Frames, Line, Unstuffed};
use sinew_transports::{AsyncStream, Transport, reactor::Reactor};

use super::{ClientConfig, NewsError};
use crate::nntp::{
    codec::{Command, Response},
    compression::Compression,
    stream::NewsStream,
};

/// How many bytes may be inflated beside the longest line before it is complete.
const SPARE: u64 = 1024 * 1024;

pub(super) struct Link {
    pub(super) reactor: Reactor,
    pub(super) config: ClientConfig,
    pub(super) stream: NewsStream,
    lines: Frames<Line>,
}

impl Link {
    pub(super) fn new(reactor: &Reactor, stream: AsyncStream, config: ClientConfig) -> Self {
        let lines = Frames::new(Line::lf_or_crlf().len_max(config.line_max));
        let stream = NewsStream::new(stream);
        Self { reactor: reactor.clone(), config, stream, lines }
    }

    pub(super) fn transport(&self) -> &Transport {
        self.stream.transport()
    }

    /// Sends one command and receives the first line of its response.
    pub(super) async fn ask(
        &mut self,
        verb: &'static str,
        command: &Command,
    ) -> Result<Response, NewsError> {
        self.write(verb, format!("{command}\r\n").as_bytes()).await?;
        self.response(verb).await
    }

    /// Sends bytes. The server must take some within the time of a response.
    pub(super) async fn write(
        &mut self,
        command: &'static str,
        bytes: &[u8],
    ) -> Result<(), NewsError> {
        let encoded = self.stream.encoded(bytes);
        let mut bytes = &encoded[..];
        let after = self.config.response_timeout;
        while !bytes.is_empty() {
            let written = self.reactor.timeout(after, self.stream.plain.write(bytes)).await;
            match written {
                Ok(Ok(len)) => bytes = &bytes[len..],
                Err(_) => return Err(NewsError::TimedOut { command, after }),
                // The server may have said why it goes.
                Ok(Err(source)) => {
                    return match self.response(command).await {
                        Ok(response) if response.is_refusal() => {
                            Err(NewsError::Refused { command, response })
                        }
                        _ => Err(NewsError::Lost { command, source }),
                    };
                }
            }
        }
        Ok(())
    }

    /// Receives the first line of a response.
    pub(super) async fn response(&mut self, command: &'static str) -> Result<Response, NewsError> {
        let line = self.line(command).await?;
        Response::parse(&line).map_err(|source| NewsError::NotAResponse { command, source })
    }

    /// Receives a line, within the time of a response.
    pub(super) async fn line(&mut self, command: &'static str) -> Result<Vec<u8>, NewsError> {
        let after = self.config.response_timeout;
        let reactor = self.reactor.clone();
        let received = reactor.timeout(after, self.receive_line(command)).await;
        received.unwrap_or(Err(NewsError::TimedOut { command, after }))
    }

    async fn receive_line(&mut self, command: &'static str) -> Result<Vec<u8>, NewsError> {
        let lost = |source| NewsError::Lost { command, source };
        loop {
            let input = self.stream.fill_buf().await.map_err(lost)?;
            if input.is_empty() {
                return Err(lost(io::ErrorKind::UnexpectedEof.into()));
            }
            let mut rest = input;
            let line = self.lines.next(&mut rest).map(|line| line.map(<[u8]>::to_vec));
            let line = line.map_err(|source| NewsError::Framing { command, source })?;
            let used = input.len() - rest.len();
            self.stream.consume(used);
            if let Some(line) = line {
                self.stream.renew_budget();
                return Ok(line);
            }
        }
    }

    /// Receives the next piece of a text into `out`, which is not whole lines. Returns whether the text has ended.
    pub(super) async fn text(
        &mut self,
        command: &'static str,
        within: Duration,
        dots: &mut DotStuffed,
        out: &mut Vec<u8>,
    ) -> Result<bool, NewsError> {
        let lost = |source| NewsError::Lost { command, source };
        let after = self.config.response_timeout.min(within);
        let input = self.reactor.timeout(after, self.stream.fill_buf()).await;
        let input = input.map_err(|_| NewsError::TimedOut { command, after })?.map_err(lost)?;
        if input.is_empty() {
            return Err(lost(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut rest = input;
        let is_end = loop {
            let step = dots.decode(&mut rest);
            match step.map_err(|source| NewsError::Framing { command, source })? {
                Unstuffed::Text(piece) => out.extend_from_slice(piece),
                Unstuffed::Incomplete => break false,
                Unstuffed::End => break true,
            }
        };
        let used = input.len() - rest.len();
        self.stream.consume(used);
        // Pieces are taken one by one, as fast as somebody wants them.
        self.stream.renew_budget();
        Ok(is_end)
    }

    /// Compresses what follows.
    pub(super) fn compress(&mut self) {
        let budget = (self.config.line_max as u64).saturating_add(SPARE);
        if let Some(compression) = Compression::new(budget) {
            self.stream.compress(compression);
        }
    }

    /// Starts TLS. What was received behind the last response stays in the stream, for which it is a part of the handshake, and makes
    /// it fail.
    pub(super) async fn start_tls(&mut self, name: &str) -> Result<(), NewsError> {
        let tls = self.config.tls.clone();
        let after = self.config.response_timeout;
        let started = self.reactor.timeout(after, tls.start_in(&mut self.stream.plain, name)).await;
        let timed_out = |_| NewsError::TimedOut { command: "STARTTLS", after };
        let failed = |error: io::Error| NewsError::Tls { reason: error.to_string() };
        started.map_err(timed_out)?.map_err(failed)
    }
}
