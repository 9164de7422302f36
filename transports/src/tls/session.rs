//! One end of a TLS session without I/O: ciphertext in, plaintext out, and output appended to a buffer.
//! [`Session`] hides rustls from the rest of the crate.

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

/// A TLS session. After an error only the output written before it, an alert, matters.
pub(super) trait Session {
    /// Processes complete records at the front of `incoming`, decrypts into `plain`, writes responses to `out`, and returns the
    /// number of bytes consumed.
    fn process(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut OutBuffer<'_>,
    ) -> Result<usize, TlsError>;
    /// `tail` is the rest of the input, which rustls has stored offsets into.
    fn encrypt(
        &mut self,
        tail: &mut [u8],
        plain: &[u8],
        out: &mut OutBuffer<'_>,
    ) -> Result<(), TlsError>;
    /// Writes a close_notify alert.
    fn close_notify(&mut self, tail: &mut [u8], out: &mut OutBuffer<'_>) -> Result<(), TlsError>;
    fn is_handshaking(&self) -> bool;
    fn has_peer_closed(&self) -> bool;
    fn info(&self) -> TlsInfo;
}

struct ServerSide {
    connection: UnbufferedServerConnection,
    choice: names::Choice,
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
    let connection = UnbufferedServerConnection::new(config).map_err(map_error)?;
    Ok(Box::new(WithChoice(ServerSide {
        connection,
        choice: names::Choice::default(),
        has_peer_closed: false,
        failed: None,
    })))
}

pub(super) fn client(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<Box<dyn Session>, TlsError> {
    let connection = UnbufferedClientConnection::new(config, name.clone()).map_err(map_error)?;
    Ok(Box::new(ClientSide { connection, name, has_peer_closed: false, failed: None }))
}

/// Server and client connections of rustls have the same methods, but no common type.
macro_rules! session {
    ($side:ty, $data:ty) => {
        impl Session for $side {
            fn process(
                &mut self,
                incoming: &mut [u8],
                plain: &mut Vec<u8>,
                out: &mut OutBuffer<'_>,
            ) -> Result<usize, TlsError> {
                let mut used = 0;
                loop {
                    let UnbufferedStatus { mut discard, state, .. } =
                        self.connection.process_tls_records(&mut incoming[used..]);
                    match state {
                        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                            while let Some(record) = traffic.next_record() {
                                let record = record.map_err(map_error)?;
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
                            self.write_alerts(out);
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
                out: &mut OutBuffer<'_>,
            ) -> Result<(), TlsError> {
                self.with_write_traffic(tail, out, |traffic, room| traffic.encrypt(plain, room))
            }

            fn close_notify(
                &mut self,
                tail: &mut [u8],
                out: &mut OutBuffer<'_>,
            ) -> Result<(), TlsError> {
                self.with_write_traffic(tail, out, |traffic, room| traffic.queue_close_notify(room))
            }

            fn is_handshaking(&self) -> bool {
                self.connection.is_handshaking()
            }

            fn has_peer_closed(&self) -> bool {
                self.has_peer_closed
            }

            fn info(&self) -> TlsInfo {
                info(&self.connection, self.name(), self.server_certificate())
            }
        }

        impl $side {
            /// Writes pending alerts into `out`.
            fn write_alerts(&mut self, out: &mut OutBuffer<'_>) {
                // Called only while output is pending: otherwise it would process the invalid input again.
                while self.connection.wants_write() {
                    let state = self.connection.process_tls_records(&mut []).state;
                    let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { return };
                    out.append(|room| encoded(data.encode(room)));
                }
            }

            fn failed(&mut self, error: rustls::Error) -> TlsError {
                let error = map_error(error);
                self.failed = Some(error.clone());
                error
            }

            /// Calls `write` to encrypt into `out`, after output that must precede it: a key update or a session ticket.
            #[inline]
            fn with_write_traffic(
                &mut self,
                tail: &mut [u8],
                out: &mut OutBuffer<'_>,
                mut write: impl FnMut(
                    &mut WriteTraffic<'_, $data>,
                    &mut [u8],
                ) -> Result<usize, EncryptError>,
            ) -> Result<(), TlsError> {
                // After an error the connection must not be called again, not even without input.
                if let Some(error) = &self.failed {
                    return Err(error.clone());
                }
                loop {
                    match self.connection.process_tls_records(tail).state {
                        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                            let written = out.append(|room| encrypted(write(&mut traffic, room)));
                            return match written {
                                true => Ok(()),
                                false => Err(TlsError::ProtocolViolation(
                                    "the encryption keys are exhausted".to_owned(),
                                )),
                            };
                        }
                        Ok(ConnectionState::EncodeTlsData(mut data)) => {
                            out.append(|room| encoded(data.encode(room)));
                        }
                        Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                        Ok(ConnectionState::PeerClosed) => self.has_peer_closed = true,
                        // Both sides have sent close_notify.
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
        self.choice.name.as_deref().map(str::to_owned)
    }

    fn server_certificate(&self) -> Option<Vec<u8>> {
        let own = self.choice.key.as_ref()?.cert.first()?;
        Some(own.to_vec())
    }
}

impl ClientSide {
    fn name(&self) -> Option<String> {
        Some(self.name.to_str().into_owned())
    }

    fn server_certificate(&self) -> Option<Vec<u8>> {
        let peer = self.connection.peer_certificates()?.first()?;
        Some(peer.to_vec())
    }
}

/// Adds to a server session what its certificate resolver knows: the client's SNI name, and the certificate.
struct WithChoice(ServerSide);

impl Session for WithChoice {
    fn process(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut OutBuffer<'_>,
    ) -> Result<usize, TlsError> {
        if !self.0.is_handshaking() {
            return self.0.process(incoming, plain, out);
        }
        drop(names::take_choice());
        let used = self.0.process(incoming, plain, out);
        if let Some(choice) = names::take_choice() {
            self.0.choice = choice;
        }
        used
    }

    fn encrypt(
        &mut self,
        tail: &mut [u8],
        plain: &[u8],
        out: &mut OutBuffer<'_>,
    ) -> Result<(), TlsError> {
        self.0.encrypt(tail, plain, out)
    }

    fn close_notify(&mut self, tail: &mut [u8], out: &mut OutBuffer<'_>) -> Result<(), TlsError> {
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

/// An output buffer that only grows, since clearing memory costs more than writing to it.
pub(super) struct OutBuffer<'a> {
    buffer: &'a mut Vec<u8>,
    len: usize,
}

/// Initial room for a write: larger than any handshake message but a certificate chain.
const ROOM: usize = 2 * 1024;

impl<'a> OutBuffer<'a> {
    pub(super) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer, len: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Calls `write` with the free part of the buffer, growing it as `write` requires. `false` if `write` fails for another reason.
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

/// The number of bytes written, or else the room required, if room is what is missing.
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

fn info(
    connection: &CommonState,
    server_name: Option<String>,
    server_certificate: Option<Vec<u8>>,
) -> TlsInfo {
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
        server_certificate,
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// Maps an error of rustls.
pub(super) fn map_error(error: rustls::Error) -> TlsError {
    use rustls::Error;
    match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsError::NotTls,
        Error::InvalidCertificate(why) => TlsError::BadCertificate(certificate_text(&why)),
        Error::NoCertificatesPresented => TlsError::NoCertificate,
        Error::AlertReceived(alert) => TlsError::AlertReceived(alert_name(alert)),
        Error::PeerIncompatible(why) => TlsError::Incompatible(format!("{why:?}")),
        Error::NoApplicationProtocol => TlsError::NoApplicationProtocol,
        other => TlsError::ProtocolViolation(other.to_string()),
    }
}

/// What is wrong with a certificate. rustls has no words for what its verifier alone knows.
fn certificate_text(why: &rustls::CertificateError) -> String {
    let text = why.to_string();
    match text.contains("CaUsedAsEndEntity") {
        true => "it is the certificate of an authority (CA:TRUE), used as that of a server; have the authority sign one for the \
                 server, or make one without CA:TRUE"
            .to_owned(),
        false => text,
    }
}

/// The name as in RFC 8446 6, in words: `certificate_unknown` becomes "certificate unknown".
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
