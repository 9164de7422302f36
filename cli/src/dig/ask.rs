//! One question to one server: [`Asker`], over UDP, over TCP when that is wanted or the response was cut, or over TLS.

use std::{
    fmt, io,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use sinew::{
    dns::codec::{
        Checked, EncodeError, Message, MessageError, MessageLimits, Mismatch, QuerySettings,
        Question, SentQuery, UDP_PAYLOAD,
    },
    prelude::{AsyncDatagram, AsyncStream, ConnectConfig, ConnectError, Reactor, TlsClientConfig},
    protocols::basic::{AsyncFrames, FramesError, Int16},
    transports::{
        UdpError,
        endpoint::{ClientEndpoint, TcpClient, TlsClient},
    },
};

use super::words::Flags;

/// Datagrams that are not the response; then the question has failed.
const WRONG_MAX: usize = 16;

/// How questions are asked.
pub(super) struct Asker {
    reactor: Reactor,
    is_tcp: bool,
    tls: Option<TlsClientConfig>,
    has_edns: bool,
    timeout: Duration,
    tries: u32,
}

/// A response.
pub(super) struct Reply {
    pub(super) message: Message,
    pub(super) len: usize,
    pub(super) took: Duration,
    pub(super) over: Over,
}

/// What a response came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Udp,
    Tcp,
    Tls,
}

/// A server has not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("timed out after {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Udp(#[from] UdpError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Frames(#[from] FramesError),
    #[error("the connection was closed before the response")]
    Closed,
    #[error("the response cannot be decoded: {0}")]
    Malformed(#[from] MessageError),
    #[error("what came is not the response: {0}")]
    Wrong(#[from] Mismatch),
    #[error("the response was cut over TCP as well")]
    Cut,
}

/// Messages over a connection.
pub(super) type Frames = AsyncFrames<Int16>;

impl Asker {
    pub(super) fn new(reactor: &Reactor, flags: &Flags, tls: Option<TlsClientConfig>) -> Self {
        Self {
            reactor: reactor.clone(),
            is_tcp: flags.is_tcp,
            tls,
            has_edns: flags.has_edns,
            timeout: flags.timeout,
            tries: flags.tries,
        }
    }

    pub(super) const fn tries(&self) -> u32 {
        self.tries
    }

    pub(super) fn now(&self) -> Instant {
        self.reactor.now()
    }

    pub(super) fn wall_clock(&self) -> SystemTime {
        self.reactor.wall_clock()
    }

    /// What a connection is made over.
    pub(super) const fn over_stream(&self) -> Over {
        if self.tls.is_some() { Over::Tls } else { Over::Tcp }
    }

    /// Asks once.
    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        question: &Question,
    ) -> Result<Reply, AskError> {
        let sent = self.encode(question, self.has_edns)?;
        if !self.is_tcp && self.tls.is_none() {
            let begun = self.reactor.now();
            let (checked, len) = self.in_time(over_udp(&self.reactor, server, &sent)).await?;
            match checked {
                Checked::Whole(message) => {
                    let took = self.reactor.now() - begun;
                    return Ok(Reply { message: *message, len, took, over: Over::Udp });
                }
                Checked::Malformed(error) => return Err(error.into()),
                _ => {}
            }
        }
        let begun = self.reactor.now();
        let asking = async {
            let mut frames = self.connect(server).await?;
            frames.send(sent.bytes()).await?;
            let frame = frames.next().await.ok_or(AskError::Closed)??;
            Ok((sent.check(&frame, &MessageLimits::response())?, frame.len()))
        };
        match self.in_time(asking).await? {
            (Checked::Whole(message), len) => {
                let (took, over) = (self.reactor.now() - begun, self.over_stream());
                Ok(Reply { message: *message, len, took, over })
            }
            (Checked::Malformed(error), _) => Err(error.into()),
            _ => Err(AskError::Cut),
        }
    }

    pub(super) fn encode(
        &self,
        question: &Question,
        has_edns: bool,
    ) -> Result<SentQuery, EncodeError> {
        // Who cannot see the question must not guess it. The kernel fails only before it has gathered any randomness.
        let id = getrandom::u32().unwrap_or_else(|_| self.reactor.random() as u32);
        let settings = QuerySettings::new(id as u16);
        question.encode(&settings.udp_payload(has_edns.then_some(UDP_PAYLOAD)))
    }

    /// A connection for messages.
    pub(super) async fn connect(&self, server: SocketAddr) -> Result<Frames, AskError> {
        let to = TcpClient::new(server);
        let endpoint = match &self.tls {
            None => ClientEndpoint::new(to),
            Some(tls) => ClientEndpoint::new(TlsClient::new(to, tls.clone())),
        };
        let config = ConnectConfig::default().timeout(self.timeout);
        let stream = AsyncStream::connect_with(&self.reactor, endpoint, config).await?;
        Ok(Frames::new(stream, Int16::default()))
    }

    /// The time limit for each step.
    pub(super) async fn in_time<T>(
        &self,
        doing: impl Future<Output = Result<T, AskError>>,
    ) -> Result<T, AskError> {
        let done = self.reactor.timeout(self.timeout, doing).await;
        done.unwrap_or_else(|late| Err(AskError::TimedOut(late.after)))
    }
}

async fn over_udp(
    reactor: &Reactor,
    server: SocketAddr,
    sent: &SentQuery,
) -> Result<(Checked, usize), AskError> {
    let mut socket = AsyncDatagram::connect(reactor, server)?;
    socket.send(sent.bytes()).await?;
    let mut buffer = [0; UDP_PAYLOAD as usize];
    let limits = MessageLimits::response().len_max(buffer.len());
    let mut wrong = 0;
    loop {
        let len = socket.recv(&mut buffer).await?;
        match sent.check(&buffer[..len], &limits) {
            Ok(checked) => return Ok((checked, len)),
            Err(mismatch) => {
                tracing::warn!(%server, %mismatch, "a datagram is ignored");
                wrong += 1;
                if wrong > WRONG_MAX {
                    return Err(mismatch.into());
                }
            }
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}
