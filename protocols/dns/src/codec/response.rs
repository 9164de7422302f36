//! Whether a message is the response to a query, and what it says: [`SentQuery::check`]. The defence against forged responses is here, and
//! in random identifiers and ports (RFC 5452).

use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::{
    Message, MessageError, MessageLimits, Mismatch, RawHeader, SentQuery, decode,
    guard::HEADER_LEN, inspect, query::COOKIE,
};

/// What the response to a query is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checked {
    /// A whole response.
    Whole(Box<Message>),
    /// It was cut (TC): nothing of it is to be used. Ask over TCP.
    Truncated,
    /// It is the response, but cannot be decoded.
    Malformed(MessageError),
}

impl SentQuery {
    /// Compares a message with this query, before anything of it is decoded: it must be a response with the same identifier, operation
    /// and question. Without a question, only "format error" and "not implemented" are taken, from servers that did not read so far.
    ///
    /// # Errors
    ///
    /// [`Mismatch`]: the message is to be ignored.
    pub fn check(&self, response: &[u8], limits: &MessageLimits) -> Result<Checked, Mismatch> {
        let header = RawHeader::read(response)?;
        if !header.is_response() {
            return Err(Mismatch::NotAResponse);
        }
        if header.id != self.id() {
            return Err(Mismatch::Id);
        }
        if header.op_code() != self.bytes[2] >> 3 & 15 {
            return Err(Mismatch::OpCode);
        }
        match header.counts[0] {
            0 if matches!(header.response_code(), 1 | 4) => {}
            1 if self.is_question_of(response) => {}
            _ => return Err(Mismatch::Question),
        }
        // Cut messages may end anywhere.
        if header.is_truncated() {
            return Ok(Checked::Truncated);
        }
        match decode(response, limits) {
            Ok(message) if self.is_cookie_of(&message) => Ok(Checked::Whole(Box::new(message))),
            Ok(_) => Err(Mismatch::Cookie),
            Err(error) => Ok(Checked::Malformed(error)),
        }
    }

    /// Compares the bytes of the question.
    fn is_question_of(&self, response: &[u8]) -> bool {
        let ours = &self.bytes[HEADER_LEN..self.question_end];
        let Some(theirs) = response.get(HEADER_LEN..self.question_end) else { return false };
        let (name, rest) = ours.split_at(ours.len() - 4);
        let (their_name, their_rest) = theirs.split_at(theirs.len() - 4);
        // Lengths of labels are no letters: 63 is the longest.
        let is_equal = if self.is_case_exact {
            name == their_name
        } else {
            name.eq_ignore_ascii_case(their_name)
        };
        is_equal && rest == their_rest
    }

    fn is_cookie_of(&self, message: &Message) -> bool {
        match (self.cookie, cookie(message)) {
            (Some(ours), Some(theirs)) => theirs.starts_with(&ours),
            _ => true,
        }
    }
}

impl SentQuery {
    /// Whether the query has a cookie that the server has sent before, and its response has none. A datagram without may be forged, and is
    /// not to be used (RFC 7873, section 5.3); over TCP the server can still say that it supports cookies no more.
    pub(crate) fn misses_cookie(&self, response: &Message) -> bool {
        self.has_server_cookie && cookie(response).is_none()
    }
}

/// The cookie in a message (RFC 7873).
pub fn cookie(message: &Message) -> Option<&[u8]> {
    match message.edns.as_ref()?.option(EdnsCode::Cookie)? {
        EdnsOption::Unknown(COOKIE, cookie) => Some(cookie),
        _ => None,
    }
}

/// Whether a message is worth an answer of a server: responses are dropped, never answered, since two servers would go on for ever
/// (RUSTSEC-2023-0041). For servers, before [`decode`].
#[must_use]
pub fn is_query(message: &[u8]) -> bool {
    RawHeader::read(message).is_ok_and(|header| !header.is_response())
}

/// The limits of a query, by its operation, and the check by them. For servers.
///
/// # Errors
///
/// [`MessageError`]: the answer is a format error.
pub fn inspect_query(message: &[u8]) -> Result<MessageLimits, MessageError> {
    let limits = match RawHeader::read(message)?.op_code() {
        4 => MessageLimits::notify(),
        5 => MessageLimits::update(),
        _ => MessageLimits::query(),
    };
    inspect(message, &limits).map(|_| limits)
}
