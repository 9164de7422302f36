//! The lines of a connection: [`Link`] sends commands and receives replies, each within its time.

use std::{fmt::Write, future::Future, io, pin::pin};

use sinew_protocols::basic::{Frames, Line};
use sinew_transports::{AsyncStream, Transport, reactor::Reactor};

use super::{ClientConfig, SmtpError, Stage};
use crate::smtp::codec::{Command, Reply, ReplyDecoder};

/// Longest line of a reply. RFC 5321 4.5.3.1.5 allows 512, and servers send more.
const LINE_MAX: usize = 4 * 1024;

pub(super) struct Link {
    pub(super) reactor: Reactor,
    pub(super) config: ClientConfig,
    stream: AsyncStream,
    lines: Frames<Line>,
}

impl Link {
    pub(super) fn new(reactor: &Reactor, stream: AsyncStream, config: ClientConfig) -> Self {
        let lines = Frames::new(Line::lf_or_crlf().len_max(LINE_MAX));
        Self { reactor: reactor.clone(), config, stream, lines }
    }

    pub(super) fn transport(&self) -> &Transport {
        self.stream.transport()
    }

    /// Sends one command and receives its reply.
    pub(super) async fn ask(&mut self, stage: Stage, command: Command) -> Result<Reply, SmtpError> {
        self.send(stage, [&command]).await?;
        self.reply(stage).await
    }

    /// Sends commands together.
    pub(super) async fn send(
        &mut self,
        stage: Stage,
        commands: impl IntoIterator<Item = &Command>,
    ) -> Result<(), SmtpError> {
        let mut out = String::new();
        for command in commands {
            let _ = write!(out, "{command}\r\n");
        }
        self.write(stage, out.as_bytes()).await
    }

    /// Sends bytes, within the time of a block of a message.
    pub(super) async fn write(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), SmtpError> {
        let after = self.config.block_timeout;
        let written = self.reactor.timeout(after, self.stream.write_all(bytes)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(SmtpError::TimedOut { stage, after }),
            // The server may have said why it goes.
            Ok(Err(source)) => match self.reply(stage).await {
                Ok(reply) if !reply.is_success() => Err(SmtpError::Refused { stage, reply }),
                _ => Err(SmtpError::Lost { stage, source }),
            },
        }
    }

    /// Receives the reply to what was sent at this stage.
    pub(super) async fn reply(&mut self, stage: Stage) -> Result<Reply, SmtpError> {
        let after = self.config.timeout(stage);
        let reactor = self.reactor.clone();
        let receiving = pin!(self.receive(stage));
        let received = reactor.timeout(after, receiving).await;
        received.unwrap_or(Err(SmtpError::TimedOut { stage, after }))
    }

    fn receive(&mut self, stage: Stage) -> impl Future<Output = Result<Reply, SmtpError>> {
        let mut decoder = ReplyDecoder::default();
        async move {
            loop {
                let lost = |source| SmtpError::Lost { stage, source };
                let input = self.stream.fill_buf().await.map_err(lost)?;
                if input.is_empty() {
                    return Err(lost(io::ErrorKind::UnexpectedEof.into()));
                }
                let mut rest = input;
                let line = self.lines.next(&mut rest);
                let line = line.map_err(|source| SmtpError::Framing { stage, source })?;
                let decoded = line.map(|line| decoder.decode(line)).transpose();
                let used = input.len() - rest.len();
                let reply = decoded.map_err(|source| SmtpError::NotAReply { stage, source })?;
                self.stream.consume(used);
                if let Some(reply) = reply.flatten() {
                    return Ok(reply);
                }
            }
        }
    }

    /// Starts TLS. What was received behind the last reply stays in the stream, for which it is a part of the handshake, and makes it fail.
    pub(super) async fn start_tls(&mut self, name: &str) -> Result<(), SmtpError> {
        let tls = self.config.tls.clone();
        let after = self.config.timeout(Stage::StartTls);
        let started = self.reactor.timeout(after, tls.start_in(&mut self.stream, name)).await;
        let timed_out = |_| SmtpError::TimedOut { stage: Stage::StartTls, after };
        let failed = |error: io::Error| SmtpError::Tls { reason: error.to_string() };
        started.map_err(timed_out)?.map_err(failed)
    }
}
