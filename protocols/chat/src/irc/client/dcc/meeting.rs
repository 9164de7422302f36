//! How two clients come to have a connection: one opens a port, the other connects to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sinew_transports::{
    AsyncListener, AsyncStream, ConnectConfig, ListenConfig, StreamConfig, reactor::Reactor,
};

use super::{
    DccConfig, DccError, DccOffer,
    offer::Place,
    transfers::{Offered, Standing},
};
use crate::irc::{
    client::IrcClient,
    codec::{Dcc, DccOffered, IrcText},
};

/// A port for one connection, and the address to announce.
struct Port {
    listener: AsyncListener,
    at: SocketAddr,
}

/// The configuration. There is one where an offer is.
pub(super) fn config(irc: &IrcClient) -> Result<&DccConfig, DccError> {
    irc.0.config.dcc.as_ref().ok_or(DccError::Off)
}

/// The address of this client for others.
fn own_address(irc: &IrcClient) -> Result<IpAddr, DccError> {
    let local = || irc.0.state.borrow().transport.as_ref()?.local();
    let ip = config(irc)?.address.or_else(|| local().map(|local| local.ip().to_canonical()));
    ip.ok_or(DccError::NoAddress)
}

impl Port {
    fn open(irc: &IrcClient, reactor: &Reactor) -> Result<Self, DccError> {
        let config = config(irc)?;
        let own = own_address(irc)?;
        // An address that was given may be that of a router, which is none of this machine.
        let bound = match (config.address, own) {
            (None, own) => own,
            (Some(_), IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (Some(_), IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let listen = |port| {
            let limits = ListenConfig::default().max_connections(1);
            AsyncListener::bind_with(reactor, SocketAddr::new(bound, port), limits)
        };
        let mut ports = config.ports.clone().unwrap_or(0..=0);
        let mut listener = ports.next().map_or_else(|| listen(0), listen);
        while listener.is_err() {
            let Some(port) = ports.next() else { break };
            listener = listen(port);
        }
        let listener = listener?;
        let local = listener.local().socket_addr().ok_or(DccError::NoAddress)?;
        Ok(Self { listener, at: SocketAddr::new(own, local.port()) })
    }

    /// The connection of the other. Then the port is closed.
    async fn accept(
        mut self,
        reactor: &Reactor,
        config: &DccConfig,
        host: Option<&[u8]>,
    ) -> Result<AsyncStream, DccError> {
        let after = config.offer_timeout;
        let accepted = reactor.timeout(after, async {
            while let Some(stream) = self.listener.accept().await {
                let is_expected =
                    stream.peer().ip().is_some_and(|ip| config.check_host(ip, host).is_ok());
                if is_expected {
                    return Some(stream);
                }
                stream.abort();
            }
            None
        });
        let stream = accepted.await.ok().flatten().ok_or(DccError::NotTaken { after })?;
        self.listener.stop_listening();
        stream.transport().set_idle_timeout(config.idle_timeout);
        Ok(stream)
    }
}

/// Connects to somebody who has opened a port. The address was checked.
async fn connect(
    reactor: &Reactor,
    config: &DccConfig,
    at: SocketAddr,
) -> Result<AsyncStream, DccError> {
    let stream = StreamConfig::default().idle_timeout(config.idle_timeout);
    let limits = ConnectConfig::default().timeout(config.offer_timeout).stream(stream);
    Ok(AsyncStream::connect_with(reactor, at, limits).await?)
}

/// What is offered: a file with its length, or a conversation.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) file: Option<(&'a [u8], u64)>,
}

impl<'a> Subject<'a> {
    fn message(&self, at: DccOffered<'a>) -> Dcc<'a> {
        match self.file {
            Some((name, size)) => Dcc::Send { name: IrcText::new(name), at, size: Some(size) },
            None => Dcc::Chat { at },
        }
    }
}

/// Offers something, and returns the connection of who takes it, and from where on a file is wanted.
pub(super) async fn offer(
    irc: &IrcClient,
    reactor: &Reactor,
    nick: &[u8],
    subject: Subject<'_>,
) -> Result<(AsyncStream, u64), DccError> {
    let config = config(irc)?;
    let size = subject.file.map_or(0, |(_, size)| size);
    let offered = Offered::new(nick, subject.file.is_none(), size);
    if !config.passive {
        let port = Port::open(irc, reactor)?;
        let standing = Standing::new(irc, Offered { port: port.at.port(), ..offered });
        irc.send_dcc(nick, &subject.message(DccOffered::At(port.at)))?;
        let stream = port.accept(reactor, config, None).await?;
        return Ok((stream, standing.position()));
    }
    let own = own_address(irc)?;
    let token = irc.0.transfers.borrow_mut().token(reactor.random());
    let (promise, answer) = reactor.promise();
    let answered = Offered { token: Some(token.clone()), answer: Some(promise), ..offered };
    let standing = Standing::new(irc, answered);
    let place = DccOffered::Passive(own, IrcText::new(token.as_bytes()));
    irc.send_dcc(nick, &subject.message(place))?;
    let after = config.offer_timeout;
    let at = reactor.timeout(after, answer).await.map_err(|_| DccError::NotTaken { after })??;
    Ok((connect(reactor, config, at).await?, standing.position()))
}

/// Takes an offer of somebody else.
pub(super) async fn take(
    irc: &IrcClient,
    reactor: &Reactor,
    offer: &DccOffer,
) -> Result<AsyncStream, DccError> {
    let config = config(irc)?;
    let token = match &offer.place {
        Place::At(at) => return connect(reactor, config, *at).await,
        Place::Passive(token) => token,
    };
    let port = Port::open(irc, reactor)?;
    let file = offer.file.as_ref().map(|file| (file.sent_name.as_slice(), file.size));
    let place = DccOffered::AtFor(port.at, IrcText::new(token));
    irc.send_dcc(&offer.from().nick(), &Subject { file }.message(place))?;
    let host = offer.from().host();
    port.accept(reactor, config, host.map(IrcText::as_bytes)).await
}
