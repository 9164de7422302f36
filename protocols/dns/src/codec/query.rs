//! Queries: [`Question`] is what is asked, [`QuerySettings`] what its query carries, [`SentQuery`] its bytes, which `response.rs` compares
//! responses with. Pure: random numbers are arguments.

use super::{
    DNSClass, EncodeError, Message, Name, RecordType, encode, guard::HEADER_LEN,
    message::MESSAGE_LEN_MAX,
};
use crate::zone::{name::NameBuffer, schema::OPT};

/// What we say that we take over UDP (EDNS): what passes without fragments
/// ([DNS flag day 2020](https://www.dnsflagday.net/2020/)).
pub const UDP_PAYLOAD: u16 = 1232;

/// The number of the option COOKIE (RFC 7873).
pub(super) const COOKIE: u16 = 10;

/// Bytes of our part of a cookie.
const CLIENT_COOKIE_LEN: usize = 8;

/// Bytes of an OPT record with the longest cookie.
const OPT_ROOM: usize = 11 + 4 + 40;

/// A question, with the flags of its query.
///
/// # Examples
///
/// ```
/// use sinew_dns::codec::{Question, QuerySettings, RecordType};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let question = Question::new("example.org.".parse()?, RecordType::MX);
/// let sent = question.encode(&QuerySettings::new(0x1234))?;
/// assert!(sent.bytes().starts_with(&[0x12, 0x34]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Question {
    name: Name,
    record_type: RecordType,
    class: DNSClass,
    recursion_desired: bool,
    authentic_data: bool,
    checking_disabled: bool,
    dnssec_ok: bool,
}

impl Question {
    /// The records of this type at this name, in the class IN, with recursion. A name is absolute, whether it ends in a dot or not.
    pub fn new(mut name: Name, record_type: RecordType) -> Self {
        name.set_fqdn(true);
        Self {
            name,
            record_type,
            class: DNSClass::IN,
            recursion_desired: true,
            authentic_data: false,
            checking_disabled: false,
            dnssec_ok: false,
        }
    }

    /// The class. Default `IN`.
    pub fn class(mut self, class: DNSClass) -> Self {
        self.class = class;
        self
    }

    /// RD: whether the server is to ask others. Default `true`.
    pub fn recursion_desired(mut self, desired: bool) -> Self {
        self.recursion_desired = desired;
        self
    }

    /// AD: whether the response is to say if it was validated (RFC 6840, section 5.7). Default `false`.
    pub fn authentic_data(mut self, asked: bool) -> Self {
        self.authentic_data = asked;
        self
    }

    /// CD: whether the server is to leave validation to us (RFC 4035, section 3.2.2). Default `false`.
    pub fn checking_disabled(mut self, disabled: bool) -> Self {
        self.checking_disabled = disabled;
        self
    }

    /// DO: whether the records of DNSSEC are wanted as well (RFC 3225); needs EDNS. Default `false`.
    pub fn dnssec_ok(mut self, wanted: bool) -> Self {
        self.dnssec_ok = wanted;
        self
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The type.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// The same question for another name.
    pub(crate) fn at(mut self, name: Name) -> Self {
        self.name = name;
        self
    }

    pub(crate) const fn is_recursion_desired(&self) -> bool {
        self.recursion_desired
    }

    pub(crate) const fn is_dnssec_ok(&self) -> bool {
        self.dnssec_ok
    }

    /// What makes the answer another one: DO, CD and RD.
    pub(crate) const fn cache_flags(&self) -> (bool, bool, bool) {
        (self.dnssec_ok, self.checking_disabled, self.recursion_desired)
    }

    /// Encodes the query.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], if a name or the cookie is too long.
    pub fn encode(&self, settings: &QuerySettings) -> Result<SentQuery, EncodeError> {
        let too_long = |what: &str| EncodeError::Content(format!("the {what} is too long").into());
        let name = NameBuffer::from_name(&self.name).ok_or_else(|| too_long("name"))?;
        let mut flags = 0;
        for (is_set, flag) in [
            (self.recursion_desired, 0x0100_u16),
            (self.authentic_data, 0x0020),
            (self.checking_disabled, 0x0010),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        let additionals = u16::from(settings.udp_payload.is_some());
        let mut bytes = Vec::with_capacity(HEADER_LEN + name.as_bytes().len() + 4 + OPT_ROOM);
        for word in [settings.id, flags, 1, 0, 0, additionals] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend(u16::from(self.record_type).to_be_bytes());
        bytes.extend(u16::from(self.class).to_be_bytes());
        if let Some(payload) = settings.udp_payload {
            let cookie = settings.cookie.as_deref();
            self.opt(payload, cookie, &mut bytes).ok_or_else(|| too_long("cookie"))?;
        }
        if let Some(bits) = settings.case_bits {
            randomize_case(&mut bytes, bits);
        }
        let mut sent = SentQuery::new(bytes);
        if let Some(cookie) = settings.cookie.as_ref().filter(|_| settings.udp_payload.is_some()) {
            sent.cookie = cookie.first_chunk().copied();
            sent.has_server_cookie = cookie.len() > CLIENT_COOKIE_LEN;
        }
        sent.is_case_exact = settings.case_bits.is_some();
        Ok(sent)
    }

    /// Appends the OPT record (RFC 6891, section 6.1.2). `None` if the cookie is too long.
    fn opt(&self, payload: u16, cookie: Option<&[u8]>, bytes: &mut Vec<u8>) -> Option<()> {
        // Of the root, with extended code and version 0.
        bytes.push(0);
        for word in [OPT, payload, 0, if self.dnssec_ok { 0x8000 } else { 0 }] {
            bytes.extend(word.to_be_bytes());
        }
        let option_len = cookie.map_or(0, |cookie| 4 + cookie.len());
        bytes.extend(u16::try_from(option_len).ok()?.to_be_bytes());
        if let Some(cookie) = cookie {
            bytes.extend(COOKIE.to_be_bytes());
            bytes.extend(u16::try_from(cookie.len()).ok()?.to_be_bytes());
            bytes.extend_from_slice(cookie);
        }
        Some(())
    }
}

/// What a query carries beside its question.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct QuerySettings {
    id: u16,
    udp_payload: Option<u16>,
    cookie: Option<Vec<u8>>,
    case_bits: Option<u128>,
}

impl QuerySettings {
    /// A query with this identifier, and with EDNS that says 1,232 bytes.
    pub const fn new(id: u16) -> Self {
        Self { id, udp_payload: Some(UDP_PAYLOAD), cookie: None, case_bits: None }
    }

    /// What we say that we take over UDP; `None` leaves EDNS away. Default 1,232 bytes.
    pub fn udp_payload(mut self, bytes: impl Into<Option<u16>>) -> Self {
        self.udp_payload = bytes.into();
        self
    }

    /// A cookie (RFC 7873): eight bytes of ours, and behind them those of the server, once it has sent them. Needs EDNS.
    pub fn cookie(mut self, cookie: impl Into<Option<Vec<u8>>>) -> Self {
        self.cookie = cookie.into();
        self
    }

    /// Random upper case in the name, which the response must repeat (0x20,
    /// [draft-vixie-dnsext-dns0x20](https://datatracker.ietf.org/doc/html/draft-vixie-dnsext-dns0x20-00)): one bit for each letter.
    pub fn case_bits(mut self, bits: impl Into<Option<u128>>) -> Self {
        self.case_bits = bits.into();
        self
    }
}

/// A query as it was sent, to compare responses with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentQuery {
    pub(super) bytes: Vec<u8>,
    pub(super) question_end: usize,
    /// Our part of the cookie.
    pub(super) cookie: Option<[u8; CLIENT_COOKIE_LEN]>,
    /// Whether the part of the server is behind it, which the server has sent before.
    pub(super) has_server_cookie: bool,
    /// Whether the response must repeat the case of the name.
    pub(super) is_case_exact: bool,
}

impl SentQuery {
    fn new(bytes: Vec<u8>) -> Self {
        let question_end = question_end(&bytes);
        Self { bytes, question_end, cookie: None, has_server_cookie: false, is_case_exact: false }
    }

    /// Any message that is sent with one question: a notification, an update, a query that was signed.
    ///
    /// # Errors
    ///
    /// As [`encode`]; and [`EncodeError::Content`] if it has no question, or several.
    pub fn from_message(message: &Message) -> Result<Self, EncodeError> {
        if message.queries.len() != 1 {
            return Err(EncodeError::Content("a message that is asked has one question".into()));
        }
        Ok(Self::new(encode(message, MESSAGE_LEN_MAX)?))
    }

    /// The bytes of the message.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identifier.
    #[must_use]
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }

    /// Changes the identifier.
    pub(crate) fn set_id(&mut self, id: u16) {
        self.bytes[..2].copy_from_slice(&id.to_be_bytes());
    }

    /// Replaces the bytes by those of the same message with a signature behind it.
    pub(crate) fn set_signed(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
    }
}

/// Where the only question of a message ends that was encoded by us: the name comes first, so it is not compressed.
fn question_end(message: &[u8]) -> usize {
    let mut at = HEADER_LEN;
    while let Some(&len) = message.get(at).filter(|len| **len > 0) {
        at += 1 + usize::from(len);
    }
    (at + 5).min(message.len())
}

/// Changes the case of letters of the name, by one bit for each.
fn randomize_case(query: &mut [u8], mut bits: u128) {
    let end = question_end(query) - 4;
    let mut at = HEADER_LEN;
    while at < end && query[at] > 0 {
        let label_end = at + 1 + usize::from(query[at]);
        for byte in &mut query[at + 1..label_end] {
            if byte.is_ascii_alphabetic() {
                if bits & 1 == 1 {
                    *byte ^= 0x20;
                }
                bits = bits.rotate_right(1);
            }
        }
        at = label_end;
    }
}
