//! The negotiation of permessage-deflate (RFC 7692 5 and 7.1): what a server makes of offers, what a client offers, and what it makes of
//! the response.

use super::{
    super::Extension, DeflateConfig, DeflateParams, Direction, WINDOW_BITS_MAX, WINDOW_BITS_MIN,
};

const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The four parameters, of an offer or of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<u8>,
    /// Without a value, the client says that it supports the parameter.
    client_bits: Option<Option<u8>>,
}

impl DeflateConfig {
    /// As a server: accepts the first offer that is valid (RFC 7692 7.1). What is agreed, and the value of the response.
    pub(in crate::websocket) fn accept(
        &self,
        offers: &[Extension],
    ) -> Option<(DeflateParams, String)> {
        let offer = offers.iter().find_map(|offer| Parameters::read(offer).ok())?;
        let send = Direction {
            window_bits: self.send.window_bits.min(offer.server_bits.unwrap_or(WINDOW_BITS_MAX)),
            takeover: self.send.takeover && !offer.server_no_takeover,
        };
        let supported = offer.client_bits.map(|bits| bits.unwrap_or(WINDOW_BITS_MAX));
        let receive = Direction {
            window_bits: supported
                .map_or(WINDOW_BITS_MAX, |bits| bits.min(self.receive.window_bits)),
            takeover: self.receive.takeover && !offer.client_no_takeover,
        };
        let is_small = |bits: &u8| *bits < WINDOW_BITS_MAX;
        let response = Parameters {
            server_no_takeover: !send.takeover,
            client_no_takeover: !receive.takeover,
            // A limit that was asked for has to be in the response (RFC 7692 7.1.2.1).
            server_bits: offer
                .server_bits
                .map(|_| send.window_bits)
                .or(Some(send.window_bits).filter(is_small)),
            client_bits: supported.and(Some(receive.window_bits).filter(is_small)).map(Some),
        };
        Some((self.agreed(send, receive), response.value()))
    }

    /// As a client: the value of the offer.
    pub(in crate::websocket) fn offer(&self) -> String {
        let limit = |direction: Direction| {
            Some(direction.window_bits).filter(|bits| *bits < WINDOW_BITS_MAX)
        };
        Parameters {
            server_no_takeover: !self.receive.takeover,
            client_no_takeover: !self.send.takeover,
            server_bits: limit(self.receive),
            client_bits: Some(limit(self.send)),
        }
        .value()
    }

    /// As a client: what is agreed by the response, or why it is no answer to the offer (RFC 7692 7.1).
    pub(in crate::websocket) fn check(
        &self,
        response: &Extension,
    ) -> Result<DeflateParams, &'static str> {
        let response = Parameters::read(response)?;
        if !self.receive.takeover && !response.server_no_takeover {
            return Err("the server does not do without context takeover");
        }
        let receive_bits = response.server_bits.unwrap_or(WINDOW_BITS_MAX);
        if receive_bits > self.receive.window_bits {
            return Err("the server uses a larger window than it was asked for");
        }
        let send_bits = match response.client_bits {
            None => self.send.window_bits,
            Some(Some(bits)) if bits <= self.send.window_bits => bits,
            Some(_) => return Err("the server allows a larger window than was offered"),
        };
        let send = Direction {
            window_bits: send_bits,
            takeover: self.send.takeover && !response.client_no_takeover,
        };
        let receive =
            Direction { window_bits: receive_bits, takeover: !response.server_no_takeover };
        Ok(self.agreed(send, receive))
    }

    pub(super) const fn agreed(&self, send: Direction, receive: Direction) -> DeflateParams {
        DeflateParams { level: self.level, compress_from: self.compress_from, send, receive }
    }
}

impl Parameters {
    fn read(extension: &Extension) -> Result<Self, &'static str> {
        if extension.name != NAME {
            return Err("an extension that is not known");
        }
        let mut read = Self::default();
        for (name, value) in &extension.params {
            let value = value.as_deref();
            let is_new = match &**name {
                SERVER_NO_TAKEOVER if value.is_none() => !set(&mut read.server_no_takeover),
                CLIENT_NO_TAKEOVER if value.is_none() => !set(&mut read.client_no_takeover),
                SERVER_BITS => read.server_bits.replace(bits(value)?).is_none(),
                CLIENT_BITS => {
                    let value = value.map(|value| bits(Some(value))).transpose()?;
                    read.client_bits.replace(value).is_none()
                }
                _ => return Err("a parameter of permessage-deflate that is not known"),
            };
            if !is_new {
                return Err("a parameter of permessage-deflate that is there twice");
            }
        }
        Ok(read)
    }

    fn value(&self) -> String {
        let mut value = NAME.to_owned();
        let mut push = |is_there: bool, name: &str, bits: Option<u8>| {
            if is_there {
                value += "; ";
                value += name;
                if let Some(bits) = bits {
                    value += &format!("={bits}");
                }
            }
        };
        push(self.server_no_takeover, SERVER_NO_TAKEOVER, None);
        push(self.client_no_takeover, CLIENT_NO_TAKEOVER, None);
        push(self.server_bits.is_some(), SERVER_BITS, self.server_bits);
        push(self.client_bits.is_some(), CLIENT_BITS, self.client_bits.flatten());
        value
    }
}

/// Sets it, and returns what it was.
fn set(flag: &mut bool) -> bool {
    std::mem::replace(flag, true)
}

/// 8 to 15, without leading zeros (RFC 7692 7.1.2.1).
fn bits(value: Option<&str>) -> Result<u8, &'static str> {
    let bits = value.filter(|value| !value.starts_with(['0', '+'])).and_then(|v| v.parse().ok());
    let is_valid = |bits: &u8| (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(bits);
    bits.filter(is_valid).ok_or("a number of window bits that is not 8 to 15")
}
