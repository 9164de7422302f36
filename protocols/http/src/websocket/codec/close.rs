//! Why a WebSocket is closed: [`CloseCode`] and [`CloseReason`] (RFC 6455 7.4).

use std::str;

use super::WebSocketError;

/// Longest text of a reason: a close frame has 125 bytes, two of them for the code.
const TEXT_MAX: usize = 123;

/// A code of RFC 6455 7.4.1, or one of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// Normal closure.
    pub const NORMAL: Self = Self(1000);
    /// The server shuts down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer has violated the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// A message of an unsupported type.
    pub const UNSUPPORTED: Self = Self(1003);
    /// No code was in the close frame. Never sent.
    pub const NONE: Self = Self(1005);
    /// The connection ended without a close frame. Never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// Text that is not UTF-8.
    pub const INVALID_TEXT: Self = Self(1007);
    /// A policy of the application was violated.
    pub const POLICY: Self = Self(1008);
    /// A message is too long.
    pub const TOO_LONG: Self = Self(1009);
    /// The server has failed.
    pub const INTERNAL: Self = Self(1011);
    /// Try again later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// A code that may be sent: 1000 to 1003, 1007 to 1014, and 3000 to 4999 (registered ones and those of applications). `None`
    /// for others.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether a close frame may contain it.
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        Self::new(self.0).is_some()
    }
}

/// A code, with a text for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReason {
    /// The code.
    pub code: CloseCode,
    /// The text, of 123 bytes at most.
    pub text: String,
}

impl CloseReason {
    /// With a text, truncated to 123 bytes.
    #[must_use]
    pub fn new(code: CloseCode, text: &str) -> Self {
        let end = (0..=text.len().min(TEXT_MAX)).rev().find(|at| text.is_char_boundary(*at));
        Self { code, text: text[..end.unwrap_or(0)].to_owned() }
    }

    /// The payload of a close frame that was received.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, WebSocketError> {
        match payload {
            [] => Ok(CloseCode::NONE.into()),
            [high, low, text @ ..] => {
                let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
                let code = code
                    .ok_or(WebSocketError::Protocol { what: "a close code that is never sent" })?;
                let text = str::from_utf8(text).map_err(|_| WebSocketError::Text)?;
                Ok(Self::new(code, text))
            }
            _ => Err(WebSocketError::Protocol { what: "a close frame of one byte" }),
        }
    }

    /// The payload of the close frame that is sent. Empty for codes that are never sent.
    pub(crate) fn payload(&self) -> Vec<u8> {
        if !self.code.is_sendable() {
            return Vec::new();
        }
        [&self.code.number().to_be_bytes(), self.text.as_bytes()].concat()
    }
}

impl From<CloseCode> for CloseReason {
    fn from(code: CloseCode) -> Self {
        Self::new(code, "")
    }
}
