//! The bytes of a connection, each way with its clocks: [`Wire`]. Lines and articles in, responses out.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use sinew_auth::{BegunLogin, Identity, OpenSession};
use sinew_protocols::basic::{DotStuffed, DotStuffing, FrameError, Frames, Line, Unstuffed};
use sinew_transports::{
    AsyncStream, Transport,
    reactor::{Deferred, Reactor, with_causes},
};

use super::ServerConfig;
use crate::nntp::{
    codec::{PartFilter, Response},
    compression::Compression,
    stream::NewsStream,
};

/// How many bytes a command may inflate to, beside an article and a line.
const SPARE: u64 = 1024 * 1024;

/// How many bytes of a response are collected before they are sent.
const FULL: usize = 16 * 1024;

pub(super) struct Wire {
    pub(super) reactor: Reactor,
    pub(super) stream: NewsStream,
    lines: Frames<Line>,
    out: Vec<u8>,
    /// How long a client may take nothing of a response.
    silence: Duration,
    /// Until when the response must be taken.
    response_end: Option<Instant>,
    draining: Option<Deferred<()>>,
    /// Since the login.
    session: Option<OpenSession>,
    /// Resolves when the credentials of the user do not count any more.
    ended: Option<Deferred<()>>,
}

/// The connection is over, or is to be closed. What had to be said was said.
#[derive(Debug)]
pub(super) struct End;

/// What came in place of a command.
pub(super) enum Incoming {
    Line(Vec<u8>),
    /// The server is going down.
    Draining,
}

/// An article that was received.
pub(super) enum Received {
    Text(Vec<u8>),
    TooLarge,
}

impl Wire {
    pub(super) fn new(reactor: Reactor, stream: AsyncStream, config: &ServerConfig) -> Self {
        let lines = Frames::new(Line::strict_crlf().len_max(config.line_limit()));
        let draining = Some(stream.drain_requested());
        let (out, silence) = (Vec::new(), config.data_timeout);
        let stream = NewsStream::new(stream);
        let (response_end, session, ended) = (None, None, None);
        Self { reactor, stream, lines, out, silence, response_end, draining, session, ended }
    }

    pub(super) fn transport(&self) -> &Transport {
        self.stream.transport()
    }

    /// Compresses what follows. A command may inflate to an article that is too large, and some more: it can be skipped.
    pub(super) fn compress(&mut self, config: &ServerConfig) {
        let article_max = (config.limits.bytes_max as u64).saturating_mul(2);
        let budget = article_max.saturating_add(config.line_limit() as u64 + SPARE);
        if let Some(compression) = Compression::new(budget) {
            self.stream.compress(compression);
        }
    }

    /// Somebody has logged in, unless the credentials do not count any more, which is `false`.
    pub(super) fn begin_session(&mut self, begun: BegunLogin, identity: &Identity) -> bool {
        let (promise, ended) = self.reactor.promise();
        let (promise, transport) = (Cell::new(Some(promise)), self.transport().clone());
        self.session = begun.succeeded(identity, move || {
            promise.take().into_iter().for_each(|promise| promise.resolve(()));
            !transport.is_closing()
        });
        self.ended = self.session.is_some().then_some(ended);
        self.session.is_some()
    }

    /// The last words to somebody whose credentials do not count any more.
    async fn expire(&mut self) -> End {
        self.close(&Response::fixed(400, "The credentials are not valid any more")).await
    }

    // ---- input ----

    /// The next line, within this time.
    pub(super) async fn line(&mut self, within: Duration) -> Result<Incoming, End> {
        let reactor = self.reactor.clone();
        let (mut draining, mut ended) = (self.draining.take(), self.ended.take());
        let received = {
            let receiving = pin!(self.receive_line());
            let receiving = pin!(with_drain(receiving, &mut draining));
            reactor.timeout(within, unless_ended(receiving, &mut ended)).await
        };
        (self.draining, self.ended) = (draining, ended);
        match received {
            Ok(Some(Some(Ok(line)))) => Ok(Incoming::Line(line)),
            Ok(Some(Some(Err(error)))) => Err(self.broken(error).await),
            Ok(Some(None)) => Ok(Incoming::Draining),
            Ok(None) => Err(self.expire().await),
            Err(_) => Err(self.close(&Response::fixed(400, "It took too long")).await),
        }
    }

    async fn receive_line(&mut self) -> Result<Vec<u8>, Option<FrameError>> {
        // Nothing is to be said until the next line is there.
        self.stream.rest();
        loop {
            let input = self.stream.fill_buf().await.map_err(|_| None)?;
            if input.is_empty() {
                return Err(None);
            }
            let mut rest = input;
            let line = self.lines.next(&mut rest).map_err(Some)?.map(<[u8]>::to_vec);
            let used = input.len() - rest.len();
            self.stream.consume(used);
            if let Some(line) = line {
                self.stream.renew_budget();
                return Ok(line);
            }
        }
    }

    /// An article, up to the line of one dot. More bytes than `max` are read and dropped.
    pub(super) async fn article(
        &mut self,
        config: &ServerConfig,
        max: usize,
    ) -> Result<Received, End> {
        let reactor = self.reactor.clone();
        let mut ended = self.ended.take();
        let received = {
            let receiving = pin!(self.receive_article(config.data_timeout, max));
            reactor.timeout(config.article_timeout, unless_ended(receiving, &mut ended)).await
        };
        self.ended = ended;
        match received {
            Ok(Some(Ok(received))) => Ok(received),
            Ok(Some(Err(error))) => Err(self.broken(error).await),
            Ok(None) => Err(self.expire().await),
            Err(_) => Err(self.close(&Response::fixed(400, "It took too long")).await),
        }
    }

    async fn receive_article(
        &mut self,
        silence: Duration,
        max: usize,
    ) -> Result<Received, Option<FrameError>> {
        let (mut dots, mut text, mut is_too_large) = (DotStuffed::strict(), Vec::new(), false);
        let reactor = self.reactor.clone();
        loop {
            let input = reactor.timeout(silence, self.stream.fill_buf()).await;
            let input = input.map_err(|_| None)?.map_err(|_| None)?;
            if input.is_empty() {
                return Err(None);
            }
            let mut rest = input;
            let is_end = loop {
                match dots.decode(&mut rest).map_err(Some)? {
                    Unstuffed::Text(_) if is_too_large => {}
                    Unstuffed::Text(piece) if text.len() + piece.len() <= max => {
                        text.extend_from_slice(piece);
                    }
                    Unstuffed::Text(_) => {
                        is_too_large = true;
                        text = Vec::new();
                    }
                    Unstuffed::Incomplete => break false,
                    Unstuffed::End => break true,
                }
            };
            let used = input.len() - rest.len();
            self.stream.consume(used);
            if is_end {
                self.stream.renew_budget();
            }
            match (is_end, is_too_large) {
                (true, true) => return Ok(Received::TooLarge),
                (true, false) => return Ok(Received::Text(text)),
                (false, _) => {}
            }
        }
    }

    /// The start of the next command is not known.
    async fn broken(&mut self, error: Option<FrameError>) -> End {
        let Some(error) = error else { return End };
        tracing::debug!(peer = %self.stream.peer(), error = %with_causes(&error), "framing failed");
        self.close(&Response::of_checked(501, error.to_string())).await
    }

    // ---- output ----

    /// Sends a response of one line.
    pub(super) async fn reply(&mut self, response: &Response) -> Result<(), End> {
        self.begin(response, Duration::MAX);
        self.flush_in_time().await
    }

    /// Sends a line that may be longer than a response.
    pub(super) async fn send_line(&mut self, line: &str) -> Result<(), End> {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.response_end = None;
        self.flush_in_time().await
    }

    /// Sends the last response. The caller returns the end.
    pub(super) async fn close(&mut self, response: &Response) -> End {
        let _ = self.reply(response).await;
        End
    }

    /// Begins a response of several lines, which may take so long.
    pub(super) fn begin(&mut self, response: &Response, within: Duration) {
        self.out.extend_from_slice(response.code().to_string().as_bytes());
        self.out.push(b' ');
        self.out.extend_from_slice(response.text());
        self.out.extend_from_slice(b"\r\n");
        self.response_end = self.reactor.now().checked_add(within);
    }

    /// Adds a line that has no CR or LF.
    pub(super) async fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), End> {
        let at = self.out.len();
        write(&mut self.out);
        if self.out.get(at) == Some(&b'.') {
            self.out.insert(at, b'.');
        }
        self.out.extend_from_slice(b"\r\n");
        self.flush_if_full().await
    }

    /// Adds a piece of a text.
    pub(super) async fn push_text(
        &mut self,
        dots: &mut DotStuffing,
        filter: &mut PartFilter,
        piece: &[u8],
    ) -> Result<(), End> {
        let out = &mut self.out;
        let encoded = dots.encode(filter.filter(piece), |piece| out.extend_from_slice(piece));
        debug_assert!(encoded.is_ok(), "it normalizes");
        self.flush_if_full().await
    }

    /// Ends a text.
    pub(super) async fn end_text(&mut self, dots: &mut DotStuffing) -> Result<(), End> {
        let out = &mut self.out;
        let _ = dots.finish(|piece| out.extend_from_slice(piece));
        self.flush_in_time().await
    }

    /// Ends a response of lines.
    pub(super) async fn end(&mut self) -> Result<(), End> {
        self.out.extend_from_slice(b".\r\n");
        self.flush_in_time().await
    }

    async fn flush_if_full(&mut self) -> Result<(), End> {
        if self.out.len() < FULL {
            return Ok(());
        }
        self.flush_in_time().await
    }

    async fn flush_in_time(&mut self) -> Result<(), End> {
        let left = self.response_end.map(|end| end.saturating_duration_since(self.reactor.now()));
        let within = left.map_or(self.silence, |left| left.min(self.silence));
        let reactor = self.reactor.clone();
        // One line is sent to its end; behind a part of several, nothing else can be said.
        let mut ended = self.ended.take_if(|_| self.response_end.is_some());
        let flushed = {
            let flushing = pin!(self.flush());
            reactor.timeout(within, unless_ended(flushing, &mut ended)).await
        };
        self.ended = ended.or(self.ended.take());
        match flushed {
            Ok(Some(flushed)) => return flushed,
            Ok(None) => {}
            Err(_) => {
                tracing::debug!(peer = %self.stream.peer(), "a client of NNTP takes nothing")
            }
        }
        // A client that takes nothing would hold a graceful close up, too.
        self.stream.transport().abort();
        Err(End)
    }

    /// Waits while there is no room for more.
    async fn flush(&mut self) -> Result<(), End> {
        let out = std::mem::take(&mut self.out);
        let out = self.stream.encoded(&out);
        self.stream.plain.write_all(&out).await.map_err(|_| End)
    }
}

/// Waits for one of two, the second being that the server goes down, which is `None`.
async fn with_drain<F: Future>(
    mut future: std::pin::Pin<&mut F>,
    draining: &mut Option<Deferred<()>>,
) -> Option<F::Output> {
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        match draining.as_mut().map(|draining| pin!(draining).poll(context)) {
            Some(Poll::Ready(_)) => {
                *draining = None;
                Poll::Ready(None)
            }
            _ => Poll::Pending,
        }
    })
    .await
}

/// Waits for something, unless the session ends, which is `None`.
async fn unless_ended<F: Future>(
    mut future: std::pin::Pin<&mut F>,
    ended: &mut Option<Deferred<()>>,
) -> Option<F::Output> {
    poll_fn(|context| match ended.as_mut().map(|ended| pin!(ended).poll(context)) {
        Some(Poll::Ready(_)) => Poll::Ready(None),
        _ => future.as_mut().poll(context).map(Some),
    })
    .await
}
