//! The lines of a session: [`Link`] sends commands and receives what answers them, each within its time. It counts the responses that are
//! missing: with one missing, nothing else may be asked.

use std::{io, time::Duration};

use sinew_protocols::basic::{Frames, Line};
use sinew_transports::{AsyncStream, Transport, reactor::Reactor};

use super::{ClientConfig, Pop3Error, Stage};
use crate::pop3::codec::{Command, Status};

/// Longest line of a response. RFC 2449 4 allows 512, and servers send more.
const LINE_MAX: usize = 4 * 1024;

pub(super) struct Link {
    pub(super) reactor: Reactor,
    pub(super) config: ClientConfig,
    stream: AsyncStream,
    lines: Frames<Line>,
    /// Responses that were asked for and not read to their ends.
    missing: usize,
    /// The text of a response was begun, and has not ended.
    is_in_text: bool,
}

/// How long the server has been waited for within a text.
#[derive(Debug, Default)]
pub(super) struct Waited(Duration);

impl Link {
    pub(super) fn new(reactor: &Reactor, stream: AsyncStream, config: ClientConfig) -> Self {
        let lines = Frames::new(Line::lf_or_crlf().len_max(LINE_MAX));
        // The greeting.
        Self { reactor: reactor.clone(), config, stream, lines, missing: 1, is_in_text: false }
    }

    pub(super) fn transport(&self) -> &Transport {
        self.stream.transport()
    }

    /// Sends one command, and receives the status that is all of its response.
    pub(super) async fn ask(
        &mut self,
        stage: Stage,
        command: &Command,
    ) -> Result<Status, Pop3Error> {
        self.send(stage, [command]).await?;
        self.status(stage).await
    }

    /// Sends one command, and receives the status of a response with a text, which follows unless it is refused.
    pub(super) async fn ask_text(
        &mut self,
        stage: Stage,
        command: &Command,
    ) -> Result<(), Pop3Error> {
        self.send(stage, [command]).await?;
        self.status_of_text(stage).await.map(drop)
    }

    /// Sends commands together. No response may be missing.
    pub(super) async fn send<'a>(
        &mut self,
        stage: Stage,
        commands: impl IntoIterator<Item = &'a Command>,
    ) -> Result<(), Pop3Error> {
        if self.missing > 0 {
            return Err(Pop3Error::Unusable);
        }
        self.send_ahead(stage, commands).await
    }

    /// Sends commands while the responses to earlier ones are missing.
    pub(super) async fn send_ahead<'a>(
        &mut self,
        stage: Stage,
        commands: impl IntoIterator<Item = &'a Command>,
    ) -> Result<(), Pop3Error> {
        let mut out = Vec::new();
        for command in commands {
            command.encode(&mut out);
            self.missing += 1;
        }
        self.write(stage, &out).await
    }

    /// Sends bytes, within the time of a reply.
    pub(super) async fn write(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), Pop3Error> {
        let after = self.config.reply_timeout;
        match self.reactor.timeout(after, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(Pop3Error::TimedOut { stage, after }),
            Ok(Err(source)) => Err(Pop3Error::Lost { stage, source }),
        }
    }

    /// Receives a status that is all of a response.
    pub(super) async fn status(&mut self, stage: Stage) -> Result<Status, Pop3Error> {
        let status = self.first_line(stage, Status::parse).await?;
        let status = status.map_err(|source| Pop3Error::NotAStatus { stage, source })?;
        self.end_response();
        Ok(status)
    }

    /// Receives the status of a response whose text follows it, unless it is refused.
    pub(super) async fn status_of_text(&mut self, stage: Stage) -> Result<Status, Pop3Error> {
        if self.is_in_text {
            return Err(Pop3Error::Unusable);
        }
        let status = accepted(stage, self.status(stage).await?)?;
        self.missing += 1;
        self.is_in_text = true;
        Ok(status)
    }

    /// All of a response was received.
    pub(super) fn end_response(&mut self) {
        self.missing -= 1;
    }

    /// The text has ended.
    pub(super) fn end_text(&mut self) {
        self.missing -= 1;
        self.is_in_text = false;
    }

    /// Receives the first line of a response.
    pub(super) async fn first_line<T>(
        &mut self,
        stage: Stage,
        read: impl FnMut(&[u8]) -> T,
    ) -> Result<T, Pop3Error> {
        let mut waited = Waited::default();
        let after = self.config.reply_timeout;
        self.line(stage, &mut waited, (after, after), read).await
    }

    /// Receives a line of a text: `None` at its end.
    pub(super) async fn text_line<T>(
        &mut self,
        stage: Stage,
        waited: &mut Waited,
        mut read: impl FnMut(&[u8]) -> T,
    ) -> Result<Option<T>, Pop3Error> {
        let times = (self.config.silence_timeout, self.config.text_timeout);
        let read = |line: &[u8]| match line {
            b"." => None,
            [b'.', line @ ..] | line => Some(read(line)),
        };
        let line = self.line(stage, waited, times, read).await?;
        if line.is_none() {
            self.end_text();
        }
        Ok(line)
    }

    async fn line<T>(
        &mut self,
        stage: Stage,
        waited: &mut Waited,
        times: (Duration, Duration),
        mut read: impl FnMut(&[u8]) -> T,
    ) -> Result<T, Pop3Error> {
        loop {
            let found = self.input(stage, waited, times, |input, lines| {
                let mut rest = input;
                let line = lines.next(&mut rest);
                let line = line.map_err(|source| Pop3Error::Framing { stage, source });
                (line.map(|line| line.map(&mut read)), input.len() - rest.len())
            });
            if let Some(read) = found.await?? {
                return Ok(read);
            }
        }
    }

    /// Waits until something was received, and consumes as much of it as `take` says.
    pub(super) async fn input<T>(
        &mut self,
        stage: Stage,
        waited: &mut Waited,
        (silence, total): (Duration, Duration),
        take: impl FnOnce(&[u8], &mut Frames<Line>) -> (T, usize),
    ) -> Result<T, Pop3Error> {
        let lost = |source| Pop3Error::Lost { stage, source };
        let begun = self.reactor.now();
        let after = silence.min(total.saturating_sub(waited.0));
        let filled = self.reactor.timeout(after, self.stream.readable()).await;
        filled.map_err(|_| Pop3Error::TimedOut {
            stage,
            after: if after < silence { total } else { silence },
        })?;
        waited.0 += self.reactor.now().saturating_duration_since(begun);
        let input = self.stream.fill_buf().await.map_err(lost)?;
        if input.is_empty() {
            return Err(lost(io::ErrorKind::UnexpectedEof.into()));
        }
        let (taken, used) = take(input, &mut self.lines);
        self.stream.consume(used);
        Ok(taken)
    }

    /// Starts TLS. What was received behind the last response stays in the stream, for which it is a part of the handshake, and makes it
    /// fail.
    pub(super) async fn start_tls(&mut self, name: &str) -> Result<(), Pop3Error> {
        let tls = self.config.tls.clone();
        let after = self.config.reply_timeout;
        let started = self.reactor.timeout(after, tls.start_in(&mut self.stream, name)).await;
        let timed_out = |_| Pop3Error::TimedOut { stage: Stage::StartTls, after };
        let failed = |error: io::Error| Pop3Error::Tls { reason: error.to_string() };
        started.map_err(timed_out)?.map_err(failed)
    }
}

/// An error, if the status is `-ERR`.
pub(super) fn accepted(stage: Stage, status: Status) -> Result<Status, Pop3Error> {
    if status.is_ok() { Ok(status) } else { Err(Pop3Error::Refused { stage, status }) }
}
