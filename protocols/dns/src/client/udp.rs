//! One question over UDP: [`ask`]. A socket of its own, connected, at a random port; whatever is not the response is ignored.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use sinew_transports::{AsyncDatagram, DatagramConfig, UdpError, reactor::Reactor};

use super::ServerError;
use crate::{
    codec::{Checked, MessageLimits, SentQuery, UDP_PAYLOAD},
    random::random,
};

/// The first of the ports to send from. Below it are those that services listen on.
const PORT_MIN: u64 = 32_768;

/// Ports that are tried, before the system chooses one.
const PORTS_TRIED: usize = 4;

/// What has become of a question.
pub(super) enum Asked {
    /// The response, and its length.
    Response(Checked, usize),
    /// Too many datagrams came that are not the response.
    TooManyWrong,
}

/// What a response fits into.
pub(super) type Buffer = [u8; UDP_PAYLOAD as usize];

/// Asks, and waits for the response as long as it takes. `wrong_max` datagrams that are not the response are ignored, and counted by
/// `wrong`.
pub(super) async fn ask(
    reactor: &Reactor,
    server: SocketAddr,
    sent: &SentQuery,
    buffer: &mut Buffer,
    wrong_max: usize,
    wrong: impl Fn(),
) -> Result<Asked, ServerError> {
    let mut socket = open(reactor, server)?;
    socket.send(sent.bytes()).await?;
    let limits = MessageLimits::response().len_max(UDP_PAYLOAD.into());
    for _ in 0..=wrong_max {
        let len = socket.recv(buffer).await?;
        match sent.check(&buffer[..len], &limits) {
            Ok(checked) => return Ok(Asked::Response(checked, len)),
            Err(mismatch) => {
                tracing::debug!(%server, %mismatch, "a datagram is ignored");
                wrong();
            }
        }
    }
    Ok(Asked::TooManyWrong)
}

/// A connected socket at a random port, so that a forger has to guess that as well (RFC 5452, section 9.2).
fn open(reactor: &Reactor, server: SocketAddr) -> io::Result<AsyncDatagram> {
    // Longer datagrams than we have asked for are dropped.
    let config = DatagramConfig::default().max_len(UDP_PAYLOAD.into());
    for _ in 0..PORTS_TRIED {
        let port = PORT_MIN + random(reactor) % (65_536 - PORT_MIN);
        let from = any_address(server, port as u16);
        match AsyncDatagram::connect_with(reactor, server, config.clone().bind(from)) {
            // In use.
            Err(UdpError::Listen { .. }) => {}
            result => return result.map_err(io_error),
        }
    }
    AsyncDatagram::connect_with(reactor, server, config).map_err(io_error)
}

fn any_address(server: SocketAddr, port: u16) -> SocketAddr {
    match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, port).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, port).into(),
    }
}

fn io_error(error: UdpError) -> io::Error {
    match error {
        UdpError::Resolve { source }
        | UdpError::Listen { source, .. }
        | UdpError::Connect { source, .. } => source,
        error => io::Error::other(error.to_string()),
    }
}
