//! The opening handshake (RFC 6455 4): the key and its answer, and the client's end of it, [`ClientHandshake`]. The server's end is a
//! handler of requests, `upgrade.rs`.

use http::{Method, StatusCode};
use sha1::{Digest, Sha1};
use sinew_transports::reactor::{Excerpt, error_debug};

use super::{DeflateConfig, DeflateParams, extensions};
use crate::codec::{
    EncodeError, Fields, HeadError, HeadLimits, ResponseHead, base64_encode, encode_request,
};

/// What the key is hashed with (RFC 6455 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Longest head of a response to a handshake.
const HEAD_MAX: usize = 16 * 1024;

/// Why the response of a server does not open a WebSocket (RFC 6455 4.1).
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server refuses, with this status.
    #[error("the server answered with {status}")]
    Status {
        /// The status.
        status: StatusCode,
    },
    /// The server redirects. Redirects are not followed, since the new address may belong to somebody else.
    #[error("the server answered with {status}, to {:?}", Excerpt::new(location))]
    Redirect {
        /// The status.
        status: StatusCode,
        /// The field `Location`, which may be relative.
        location: String,
    },
    /// The server does not send HTTP.
    #[error("the server's answer is not HTTP: {0}")]
    Head(HeadError),
    /// The fields `Upgrade` or `Connection` are missing or name something else.
    #[error("the server does not switch to the WebSocket protocol")]
    NotSwitched,
    /// `Sec-WebSocket-Accept` is not the answer to the key: the server does not know the protocol, or a cache has answered.
    #[error("the server did not answer the key of the handshake")]
    Accept,
    /// The server chose a subprotocol that was not offered, or more than one.
    #[error("the server chose the subprotocol {:?}, which was not offered", Excerpt::new(protocol))]
    Subprotocol {
        /// The field `Sec-WebSocket-Protocol`.
        protocol: String,
    },
    /// The server requires one of the subprotocols that were offered, and chose none.
    #[error("the server chose none of the subprotocols that were offered")]
    NoSubprotocol,
    /// The server accepted extensions that were not offered, or with parameters that are no answer to the offer.
    #[error("the server's extensions do not answer the offer: {why}")]
    Extension {
        /// What is wrong.
        why: &'static str,
    },
}

error_debug!(HandshakeError);

/// What both ends have agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::websocket) struct Agreement {
    pub(in crate::websocket) protocol: Option<String>,
    pub(in crate::websocket) deflate: Option<DeflateParams>,
}

/// The client's end of a handshake.
#[derive(Debug)]
pub(in crate::websocket) struct ClientHandshake {
    pub(in crate::websocket) host: String,
    pub(in crate::websocket) target: String,
    pub(in crate::websocket) protocols: Vec<String>,
    pub(in crate::websocket) deflate: Option<DeflateConfig>,
    /// Further fields of the request.
    pub(in crate::websocket) fields: Fields,
}

impl ClientHandshake {
    /// Appends the request, with a key of these 16 random bytes.
    pub(in crate::websocket) fn request(
        &self,
        out: &mut Vec<u8>,
        key: [u8; 16],
    ) -> Result<(), EncodeError> {
        let mut fields = Fields::new();
        let key = base64_encode(&key);
        let protocols = self.protocols.join(", ");
        let offer = self.deflate.as_ref().map(DeflateConfig::offer);
        let mut own = vec![
            ("Host", &*self.host),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", &key),
        ];
        if !protocols.is_empty() {
            own.push(("Sec-WebSocket-Protocol", &protocols));
        }
        if let Some(offer) = &offer {
            own.push(("Sec-WebSocket-Extensions", offer));
        }
        let mut append = |name: &str, value: &[u8]| {
            let appended = fields.append(name, value);
            debug_assert!(appended.is_ok(), "it was checked where it was set");
        };
        for (name, value) in own {
            append(name, value.as_bytes());
        }
        for (name, value) in self.fields.iter() {
            append(name, value);
        }
        encode_request(out, &Method::GET, &self.target, &fields)
    }

    /// What the server agrees to, and how long its head is. `None` if the head is not complete. Informational responses before it are
    /// skipped. `key` is that of the request, `seen` how much of the input was there at the last call.
    pub(in crate::websocket) fn response(
        &self,
        input: &[u8],
        seen: usize,
        key: [u8; 16],
    ) -> Result<Option<(Agreement, usize)>, HandshakeError> {
        let limits = HeadLimits::default().head_max(HEAD_MAX);
        let mut head = ResponseHead::default();
        let (mut end, mut seen) = (0, seen);
        loop {
            let rest = &input[end..];
            let len = head.decode(rest, seen, &limits).map_err(HandshakeError::Head)?;
            let Some(len) = len else { return Ok(None) };
            end += len;
            let is_early_hint = head.status().is_informational()
                && head.status() != StatusCode::SWITCHING_PROTOCOLS;
            if !is_early_hint {
                break;
            }
            if end > HEAD_MAX {
                return Err(HandshakeError::Head(HeadError::TooLong { max: HEAD_MAX }));
            }
            seen = 0;
        }
        let status = head.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let location = head.fields().text("location").filter(|_| status.is_redirection());
            return Err(match location {
                Some(location) => HandshakeError::Redirect { status, location: location.into() },
                None => HandshakeError::Status { status },
            });
        }
        self.check(head.fields(), key).map(|agreement| Some((agreement, end)))
    }

    fn check(&self, fields: &Fields, key: [u8; 16]) -> Result<Agreement, HandshakeError> {
        let lists = |name, value: &str| {
            fields.list(name).any(|element| element.eq_ignore_ascii_case(value))
        };
        if !lists("upgrade", "websocket") || !lists("connection", "upgrade") {
            return Err(HandshakeError::NotSwitched);
        }
        let mut accepts = fields.all("sec-websocket-accept");
        let expected = accept_value(base64_encode(&key).as_bytes());
        if accepts.next() != Some(expected.as_bytes()) || accepts.next().is_some() {
            return Err(HandshakeError::Accept);
        }
        let mut chosen = fields.all("sec-websocket-protocol");
        let protocol = match (chosen.next(), chosen.next()) {
            (None, _) if self.protocols.is_empty() => None,
            (None, _) => return Err(HandshakeError::NoSubprotocol),
            (Some(chosen), another) => {
                let chosen = String::from_utf8_lossy(chosen).into_owned();
                if another.is_some() || !self.protocols.contains(&chosen) {
                    return Err(HandshakeError::Subprotocol { protocol: chosen });
                }
                Some(chosen)
            }
        };
        Ok(Agreement { protocol, deflate: self.check_extensions(fields)? })
    }

    fn check_extensions(&self, fields: &Fields) -> Result<Option<DeflateParams>, HandshakeError> {
        let refused = |why| HandshakeError::Extension { why };
        let accepted = extensions(fields.list("sec-websocket-extensions"))
            .ok_or(refused("they do not follow the grammar"))?;
        match (&*accepted, &self.deflate) {
            ([], _) => Ok(None),
            ([one], Some(offer)) => offer.check(one).map(Some).map_err(refused),
            (_, None) => Err(refused("none was offered")),
            _ => Err(refused("there is more than one")),
        }
    }
}

/// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 4.2.2).
pub(in crate::websocket) fn accept_value(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    base64_encode(&hash.finalize())
}

/// Whether it is 16 bytes in base64.
pub(in crate::websocket) fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}

#[cfg(test)]
mod tests;
