//! One end of a TLS session without any wire: bytes in, plaintext out, and what is to be sent appended to a buffer of ours.
//! [`Session`] is all that the rest of the crate knows of rustls at work.

use std::sync::Arc;

use rustls::{
    ClientConfig, CommonState, HandshakeKind, InvalidMessage, ProtocolVersion, ServerConfig,
    client::{ClientConnectionData, UnbufferedClientConnection},
    pki_types::ServerName,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic},
};

use super::{TlsInfo, TlsVersion, names};
use crate::TlsError;

/// See the head of this file. After an error nothing but what it has put into `out` matters.
pub(super) trait Session {
    /// Takes whole records from the front of `incoming`, says how many bytes that was, and goes on with whatever follows
    /// from them.
    fn process(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Out<'_>,
    ) -> Result<usize, TlsError>;
    /// `tail` is what was left of the input; rustls keeps notes of places in it.
    fn encrypt(&mut self, tail: &mut [u8], plain: &[u8], out: &mut Out<'_>)
    -> Result<(), TlsError>;
    /// The end of what this side sends.
    fn close_notify(&mut self, tail: &mut [u8], out: &mut Out<'_>) -> Result<(), TlsError>;
    fn is_handshaking(&self) -> bool;
    fn has_peer_closed(&self) -> bool;
    fn info(&self) -> TlsInfo;
}

struct ServerSide {
    connection: UnbufferedServerConnection,
    asked_for: Option<Box<str>>,
    has_peer_closed: bool,
    failed: Option<TlsError>,
}

struct ClientSide {
    connection: UnbufferedClientConnection,
    name: ServerName<'static>,
    has_peer_closed: bool,
    failed: Option<TlsError>,
}

pub(super) fn server(config: Arc<ServerConfig>) -> Result<Box<dyn Session>, TlsError> {
    let connection = UnbufferedServerConnection::new(config).map_err(translated)?;
    Ok(Box::new(Asked(ServerSide {
        connection,
        asked_for: None,
        has_peer_closed: false,
        failed: None,
    })))
}

pub(super) fn client(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<Box<dyn Session>, TlsError> {
    let connection = UnbufferedClientConnection::new(config, name.clone()).map_err(translated)?;
    Ok(Box::new(ClientSide { connection, name, has_peer_closed: false, failed: None }))
}

/// The two sides are alike, but of different types all the way down.
macro_rules! session {
    ($side:ty, $data:ty) => {
        impl Session for $side {
            fn process(
                &mut self,
                incoming: &mut [u8],
                plain: &mut Vec<u8>,
                out: &mut Out<'_>,
            ) -> Result<usize, TlsError> {
                let mut used = 0;
                loop {
                    let UnbufferedStatus { mut discard, state, .. } =
                        self.connection.process_tls_records(&mut incoming[used..]);
                    match state {
                        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                            while let Some(record) = traffic.next_record() {
                                let record = record.map_err(translated)?;
                                plain.extend_from_slice(record.payload);
                                discard += record.discard;
                            }
                        }
                        Ok(ConnectionState::EncodeTlsData(mut data)) => {
                            out.append(|room| encoded(data.encode(room)));
                        }
                        Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                        Ok(ConnectionState::PeerClosed) => self.has_peer_closed = true,
                        Ok(_) => return Ok(used + discard),
                        Err(error) => {
                            self.say_why(out);
                            return Err(self.failed(error));
                        }
                    }
                    used += discard;
                }
            }

            fn encrypt(
                &mut self,
                tail: &mut [u8],
                plain: &[u8],
                out: &mut Out<'_>,
            ) -> Result<(), TlsError> {
                self.in_traffic(tail, out, |traffic, room| traffic.encrypt(plain, room))
            }

            fn close_notify(&mut self, tail: &mut [u8], out: &mut Out<'_>) -> Result<(), TlsError> {
                self.in_traffic(tail, out, |traffic, room| traffic.queue_close_notify(room))
            }

            fn is_handshaking(&self) -> bool {
                self.connection.is_handshaking()
            }

            fn has_peer_closed(&self) -> bool {
                self.has_peer_closed
            }

            fn info(&self) -> TlsInfo {
                info(&self.connection, self.name())
            }
        }

        impl $side {
            /// Puts the alert that tells the peer of an error into `out`.
            fn say_why(&mut self, out: &mut Out<'_>) {
                // Asked only while it has something to say: it would go on with the input, and with what is wrong with it.
                while self.connection.wants_write() {
                    let state = self.connection.process_tls_records(&mut []).state;
                    let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { return };
                    out.append(|room| encoded(data.encode(room)));
                }
            }

            fn failed(&mut self, error: rustls::Error) -> TlsError {
                let error = translated(error);
                self.failed = Some(error.clone());
                error
            }

            /// Has `write` encrypt something into `out`, behind what has to be sent before: a refreshed key, or a ticket.
            #[inline]
            fn in_traffic(
                &mut self,
                tail: &mut [u8],
                out: &mut Out<'_>,
                mut write: impl FnMut(
                    &mut WriteTraffic<'_, $data>,
                    &mut [u8],
                ) -> Result<usize, EncryptError>,
            ) -> Result<(), TlsError> {
                // It must not be asked again, not even with nothing.
                if let Some(error) = &self.failed {
                    return Err(error.clone());
                }
                loop {
                    match self.connection.process_tls_records(tail).state {
                        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                            let written = out.append(|room| encrypted(write(&mut traffic, room)));
                            return match written {
                                true => Ok(()),
                                false => {
                                    Err(TlsError::Misbehaved("the keys are used up".to_owned()))
                                }
                            };
                        }
                        Ok(ConnectionState::EncodeTlsData(mut data)) => {
                            out.append(|room| encoded(data.encode(room)));
                        }
                        Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                        Ok(ConnectionState::PeerClosed) => self.has_peer_closed = true,
                        // Both sides have said that they are done.
                        Ok(_) => return Ok(()),
                        Err(error) => return Err(self.failed(error)),
                    }
                }
            }
        }
    };
}

session!(ServerSide, ServerConnectionData);
session!(ClientSide, ClientConnectionData);

impl ServerSide {
    fn name(&self) -> Option<String> {
        self.asked_for.as_deref().map(str::to_owned)
    }
}

impl ClientSide {
    fn name(&self) -> Option<String> {
        Some(self.name.to_str().into_owned())
    }
}

/// The server's side does not tell the name that the client asked for; the one who chooses the certificate was told.
struct Asked(ServerSide);

impl Session for Asked {
    fn process(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Out<'_>,
    ) -> Result<usize, TlsError> {
        if !self.0.is_handshaking() {
            return self.0.process(incoming, plain, out);
        }
        drop(names::take_asked());
        let used = self.0.process(incoming, plain, out);
        self.0.asked_for = names::take_asked().or(self.0.asked_for.take());
        used
    }

    fn encrypt(
        &mut self,
        tail: &mut [u8],
        plain: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), TlsError> {
        self.0.encrypt(tail, plain, out)
    }

    fn close_notify(&mut self, tail: &mut [u8], out: &mut Out<'_>) -> Result<(), TlsError> {
        self.0.close_notify(tail, out)
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    fn has_peer_closed(&self) -> bool {
        self.0.has_peer_closed()
    }

    fn info(&self) -> TlsInfo {
        self.0.info()
    }
}

/// Where what is to be sent is put: a buffer that only ever grows, for to clear memory costs more than to write to it.
pub(super) struct Out<'a> {
    buffer: &'a mut Vec<u8>,
    len: usize,
}

/// Room that is tried first: more than any message of a handshake but a chain of certificates.
const ROOM: usize = 2 * 1024;

impl<'a> Out<'a> {
    pub(super) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer, len: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Has `write` write behind what there is, with as much room as it asks for. `false` if it cannot.
    fn append(&mut self, mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> bool {
        let mut room = ROOM;
        loop {
            if self.buffer.len() < self.len + room {
                self.buffer.resize(self.len + room, 0);
            }
            match write(&mut self.buffer[self.len..]) {
                Ok(written) => {
                    self.len += written;
                    return true;
                }
                Err(Some(required)) if required > room => room = required,
                Err(_) => return false,
            }
        }
    }
}

/// How much was written; else how much room it takes, if room is what is missing.
fn encoded(result: Result<usize, EncodeError>) -> Result<usize, Option<usize>> {
    result.map_err(|error| match error {
        EncodeError::InsufficientSize(size) => Some(size.required_size),
        EncodeError::AlreadyEncoded => None,
    })
}

/// As [`encoded`].
fn encrypted(result: Result<usize, EncryptError>) -> Result<usize, Option<usize>> {
    result.map_err(|error| match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    })
}

fn info(connection: &CommonState, server_name: Option<String>) -> TlsInfo {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
        _ => TlsVersion::Tls13,
    };
    let suite = connection.negotiated_cipher_suite();
    let certificates = connection.peer_certificates().unwrap_or_default();
    TlsInfo {
        version,
        cipher: suite.and_then(|suite| suite.suite().as_str()).unwrap_or("unknown"),
        alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        server_name,
        peer_certificates: certificates.iter().map(|der| der.as_ref().to_vec()).collect(),
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// What rustls says, in our words.
pub(super) fn translated(error: rustls::Error) -> TlsError {
    use rustls::Error;
    match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsError::NotTls,
        Error::InvalidCertificate(why) => TlsError::BadCertificate(why.to_string()),
        Error::NoCertificatesPresented => TlsError::NoCertificate,
        Error::AlertReceived(alert) => TlsError::Refused(alert_name(alert)),
        Error::PeerIncompatible(why) => TlsError::NothingInCommon(format!("{why:?}")),
        Error::NoApplicationProtocol => TlsError::NoApplicationProtocol,
        other => TlsError::Misbehaved(other.to_string()),
    }
}

/// As RFC 8446 6 writes it, `certificate_unknown`.
fn alert_name(alert: rustls::AlertDescription) -> String {
    let Some(name) = alert.as_str() else {
        return format!("alert {}", u8::from(alert));
    };
    let mut words = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}
