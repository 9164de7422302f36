//! One question to one server, in whatever form it needs: [`Asker`]. Knows neither other servers nor the cache; `exchange.rs` and the
//! recursive resolver choose the server.
//!
//! | what happens | what follows |
//! |---|---|
//! | a whole response | it is the result, whatever it says |
//! | a response that was cut; too many datagrams that are not the response | the question over TCP |
//! | a datagram without a cookie, of a server that has sent one before | it may be forged (RFC 7873, section 5.3): the question over TCP |
//! | "format error", "not implemented" or "bad version" to EDNS | the question without EDNS, for 15 minutes |
//! | "bad cookie" | the question once more, with the cookie that the server has sent; then over TCP |

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_transports::{
    Bytes,
    endpoint::{ClientEndpoint, TcpClient},
    reactor::{Failure, Reactor, WeakReactor},
};

use super::{
    NameServer, ServerError,
    ask_config::AskConfig,
    link::Link,
    server::Over,
    servers::ServerState,
    slots::Slots,
    udp::{self, Asked},
};
use crate::{
    codec::{
        Checked, EncodeError, Message, QuerySettings, Question, ResponseCode, SentQuery,
        UDP_PAYLOAD, cookie,
    },
    counter::count,
    random::random,
};
#[cfg(feature = "tls")]
use {
    sinew_transports::{endpoint::TlsClient, tls::TlsClientConfig},
    std::cell::OnceCell,
};

/// What was sent and received.
#[derive(Debug, Default)]
pub(crate) struct AskCounters {
    pub(crate) udp: Cell<u64>,
    pub(crate) tcp: Cell<u64>,
    pub(crate) wrong: Cell<u64>,
}

/// Asks servers, with bounds that all questions have in common.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) config: AskConfig,
    pub(crate) counters: AskCounters,
    sockets: Rc<Slots>,
    #[cfg(feature = "tls")]
    tls: OnceCell<TlsClientConfig>,
}

/// A question to a server.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) reactor: &'a Reactor,
    pub(crate) server: &'a ServerState,
    pub(crate) question: &'a Question,
    /// How long each form of the question may take.
    pub(crate) wait: Duration,
    /// Not over UDP.
    pub(crate) must_tcp: bool,
    pub(crate) sent: Option<&'a Sent>,
}

/// The queries that a question has taken.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) count: Cell<usize>,
    /// When the last was sent.
    pub(crate) last_at: Cell<Option<Instant>>,
}

/// A response, and its length.
pub(crate) type Reply = (Message, usize);

/// Why a server has not answered.
pub(crate) enum AskError {
    Server(ServerError),
    Encode(EncodeError),
    GivenUp(Failure),
}

impl<E: Into<ServerError>> From<E> for AskError {
    fn from(error: E) -> Self {
        Self::Server(error.into())
    }
}

impl Asker {
    pub(crate) fn new(reactor: WeakReactor, config: AskConfig) -> Self {
        Self {
            sockets: Slots::new(reactor, config.sockets_max),
            counters: AskCounters::default(),
            #[cfg(feature = "tls")]
            tls: config.tls.clone().map_or_else(OnceCell::new, OnceCell::from),
            config,
        }
    }

    /// Asks, again where the server needs another form of the question.
    pub(crate) async fn ask(&self, mut ask: Ask<'_>) -> Result<Reply, AskError> {
        let (server, reactor) = (ask.server, ask.reactor);
        let mut bad_cookies = 0;
        loop {
            let has_edns = server.has_edns(reactor.now());
            let (message, len) = self.ask_once(ask, has_edns).await?;
            server.answered();
            if let Some(cookie) = cookie(&message) {
                server.received_cookie(cookie);
            }
            let code = message.metadata.response_code;
            let is_old = matches!(code, ResponseCode::FormErr | ResponseCode::NotImp);
            if has_edns && (is_old && message.edns.is_none() || code == ResponseCode::BADVERS) {
                server.has_no_edns(reactor.now());
            } else if code == ResponseCode::BADCOOKIE && bad_cookies < 2 {
                bad_cookies += 1;
                ask.must_tcp |= bad_cookies == 2;
            } else {
                return Ok((message, len));
            }
        }
    }

    async fn ask_once(&self, ask: Ask<'_>, has_edns: bool) -> Result<Reply, AskError> {
        let sent = self.encode(ask, has_edns).map_err(AskError::Encode)?;
        if !ask.must_tcp && ask.server.server.over == Over::Udp {
            match self.over_udp(ask, &sent).await? {
                Asked::Response(Checked::Whole(message), _) if sent.misses_cookie(&message) => {
                    count(&self.counters.wrong);
                }
                Asked::Response(Checked::Whole(message), len) => return Ok((*message, len)),
                Asked::Response(Checked::Malformed(error), _) => return Err(error.into()),
                Asked::Response(Checked::Truncated, _) | Asked::TooManyWrong => {}
            }
        }
        ask.note_sent();
        match self.over_link(ask.reactor, ask.server, sent, ask.wait, true).await? {
            (Checked::Whole(message), bytes) => Ok((*message, bytes.len())),
            (Checked::Malformed(error), _) => Err(error.into()),
            (Checked::Truncated, _) => Err(ServerError::Truncated.into()),
        }
    }

    fn encode(&self, ask: Ask<'_>, has_edns: bool) -> Result<SentQuery, EncodeError> {
        let random = || random(ask.reactor);
        let mut settings = QuerySettings::new(random() as u16);
        if !has_edns {
            settings = settings.udp_payload(None);
        } else if self.config.cookies {
            settings = settings.cookie(ask.server.cookie());
        }
        if self.config.random_case {
            settings = settings.case_bits(u128::from(random()) << 64 | u128::from(random()));
        }
        ask.question.encode(&settings)
    }

    async fn over_udp(&self, ask: Ask<'_>, sent: &SentQuery) -> Result<Asked, AskError> {
        let _slot = self.sockets.acquire().await.map_err(AskError::GivenUp)?;
        ask.note_sent();
        count(&self.counters.udp);
        let wrong_max = self.config.wrong_responses_max;
        let wrong = || count(&self.counters.wrong);
        let mut buffer = [0; UDP_PAYLOAD as usize];
        let addr = ask.server.server.addr();
        let asking = udp::ask(ask.reactor, addr, sent, &mut buffer, wrong_max, wrong);
        match ask.reactor.timeout(ask.wait, asking).await {
            Ok(asked) => Ok(asked?),
            Err(late) => Err(ServerError::TimedOut(late.after).into()),
        }
    }

    /// Asks over TCP or TLS. A connection that was kept may have ended meanwhile: then another is made.
    pub(super) async fn over_link(
        &self,
        reactor: &Reactor,
        server: &ServerState,
        sent: SentQuery,
        wait: Duration,
        may_change_id: bool,
    ) -> Result<(Checked, Bytes), ServerError> {
        count(&self.counters.tcp);
        let asking = async {
            loop {
                let kept = server.link.borrow().clone().filter(|link| link.is_usable());
                let is_kept = kept.is_some();
                let link = kept.unwrap_or_else(|| {
                    let endpoint = self.endpoint(&server.server);
                    let link = Link::open(reactor, &self.config, endpoint, wait);
                    server.link.replace(Some(link.clone()));
                    link
                });
                match link.ask(reactor, sent.clone(), wait, may_change_id).await {
                    Ok(answer) => return answer,
                    Err(_) if is_kept => {
                        // Unless another question has done so already.
                        let mut current = server.link.borrow_mut();
                        if current.as_ref().is_some_and(|current| Rc::ptr_eq(current, &link)) {
                            *current = None;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match reactor.timeout(wait, asking).await {
            Ok(answer) => answer,
            Err(late) => Err(ServerError::TimedOut(late.after)),
        }
    }

    /// Where to connect.
    pub(super) fn endpoint(&self, server: &NameServer) -> Result<ClientEndpoint, ServerError> {
        let to = TcpClient::new(server.addr());
        match &server.over {
            Over::Udp | Over::Tcp => Ok(ClientEndpoint::new(to)),
            #[cfg(feature = "tls")]
            Over::Tls(name) => {
                let failed = |error| ServerError::Connection(format!("{error}").into());
                let tls = self.tls()?.server_name(name).map_err(failed)?;
                Ok(ClientEndpoint::new(TlsClient::new(to, tls)))
            }
        }
    }

    /// TLS towards servers. The system's roots are read with the first question over TLS.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Result<TlsClientConfig, ServerError> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let system = TlsClientConfig::system();
        let tls = system.map_err(|error| ServerError::Connection(error.to_string().into()))?;
        Ok(self.tls.get_or_init(|| tls).clone())
    }
}

impl Ask<'_> {
    fn note_sent(&self) {
        if let Some(sent) = self.sent {
            sent.count.set(sent.count.get() + 1);
            sent.last_at.set(Some(self.reactor.now()));
        }
    }
}
