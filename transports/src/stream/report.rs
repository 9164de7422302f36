//! What a stream says of itself to a look inside: [`ConnectionReport`]. Reads only.

use std::any::Any;

use sinew_reactor::{HandlerCounts, Reactor};

use super::{Stream, hold::Hold};
use crate::{
    ConnectionId, Peer, Transport,
    inspect::{
        ConnectionCounts, ConnectionReport, ConnectionState, Found, PausedBy, StreamKind, TlsReport,
    },
};

impl Transport {
    /// Answers a visitor ([`Handler::inspect`](sinew_reactor::Handler::inspect)).
    pub(super) fn answer_visitor(self, reactor: &Reactor, visitor: &mut dyn Any) {
        if let Some(reports) = visitor.downcast_mut::<Vec<ConnectionReport>>() {
            reports.push(self.inner().report(reactor));
        } else if let Some(found) = visitor.downcast_mut::<Found>() {
            found.0 = Some(self);
        }
    }
}

impl Stream {
    fn report(&self, reactor: &Reactor) -> ConnectionReport {
        let peer = self.peer();
        ConnectionReport {
            id: ConnectionId::of(self.token),
            kind: kind_of(&peer),
            local: self.local_addr(),
            peer,
            port: self.shared.port.as_ref().map(|port| port.address().to_owned()),
            state: self.state.get().as_reported(),
            paused: self.paused_by(),
            queued: self.queued(),
            timers: self.timers_running(),
            protocol: self.with_protocol(|protocol| protocol.real_name()),
            tls: self.tls_report(),
            counts: reactor.handler_counts(self.token).map(ConnectionCounts::from),
        }
    }

    /// The user's timers, and its own.
    fn timers_running(&self) -> usize {
        let own = self.cold_if_any().map_or(0, |cold| {
            usize::from(cold.linger.get().is_some()) + usize::from(cold.check_timer.get().is_some())
        });
        self.timers_len() + usize::from(self.idle().is_some()) + own
    }

    fn paused_by(&self) -> Vec<PausedBy> {
        let state = self.state.get();
        if !state.is_open() {
            return Vec::new();
        }
        let held = |hold| self.holds_if_any().is_some_and(|holds| holds.has(hold));
        let all = [
            (state.is_paused(), PausedBy::User),
            (state.is_paused_by_watermark(), PausedBy::Watermark),
            (held(Hold::Time) || held(Hold::Turn), PausedBy::Limit),
            (held(Hold::Relay), PausedBy::Relay),
            (held(Hold::Handover), PausedBy::Handover),
            (state.is_handshaking(), PausedBy::Handshake),
        ];
        all.into_iter().filter(|(is_paused, _)| *is_paused).map(|(_, by)| by).collect()
    }

    #[cfg(feature = "tls")]
    fn tls_report(&self) -> Option<TlsReport> {
        use crate::tls::TlsVersion;
        if self.state.get().is_handshaking() {
            return None;
        }
        let info = self.with_layer(|layer| layer.tls_info()).flatten()?;
        let version = match info.version {
            TlsVersion::Tls12 => "TLS 1.2",
            TlsVersion::Tls13 => "TLS 1.3",
        };
        Some(TlsReport { version, cipher: info.cipher })
    }

    #[cfg(not(feature = "tls"))]
    fn tls_report(&self) -> Option<TlsReport> {
        None
    }
}

/// The words of a report for the stages of a stream.
impl super::State {
    fn as_reported(self) -> ConnectionState {
        if self.is_over() {
            ConnectionState::Over
        } else if self.is_lingering() {
            ConnectionState::Lingering
        } else if self.is_closing() {
            ConnectionState::Closing
        } else if self.has_output_failed() {
            ConnectionState::OutputFailed
        } else if self.is_handshaking() {
            ConnectionState::Handshaking
        } else if !self.is_made() {
            ConnectionState::Starting
        } else if self.has_input_ended() {
            ConnectionState::InputEnded
        } else if !self.is_output_open() {
            ConnectionState::OutputEnded
        } else {
            ConnectionState::Open
        }
    }
}

impl From<HandlerCounts> for ConnectionCounts {
    fn from(counts: HandlerCounts) -> Self {
        Self {
            age: counts.age,
            quiet: counts.quiet,
            received: counts.received,
            sent: counts.sent,
            calls: counts.calls,
            last: counts.last,
            longest: counts.longest,
        }
    }
}

fn kind_of(peer: &Peer) -> StreamKind {
    match peer {
        Peer::Inet(_) => StreamKind::Tcp,
        #[cfg(unix)]
        Peer::Unix(_) => StreamKind::Unix,
        Peer::Memory => StreamKind::Memory,
        Peer::Stdio => StreamKind::Stdio,
        Peer::Pipe => StreamKind::Pipe,
        Peer::Proxied(proxied) => kind_of(proxied.via()),
    }
}
