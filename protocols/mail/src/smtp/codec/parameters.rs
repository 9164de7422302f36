//! Senders and recipients with their parameters: [`Sender`] of MAIL, [`Recipient`] of RCPT.

use std::fmt::{self, Write};

use sinew_protocols::basic::Word;

use super::{Address, CommandError, xtext};

/// The sender of a message with the parameters of MAIL.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::codec::{Body, Command, Sender};
///
/// let sender = Sender::new(Some("ann@example.org".parse()?)).with_size(1234).with_body(Body::EightBitMime);
/// assert_eq!(Command::Mail(sender).to_string(), "MAIL FROM:<ann@example.org> SIZE=1234 BODY=8BITMIME");
/// # Ok::<(), sinew_mail::smtp::codec::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sender {
    address: Option<Address>,
    size: Option<u64>,
    body: Body,
    has_utf8: bool,
    returns: Option<Return>,
    envelope_id: Option<String>,
    authenticated_as: Option<String>,
}

/// What the body of a message consists of (RFC 6152).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Body {
    /// Bytes below 128 only.
    #[default]
    SevenBit,
    /// Any bytes, in lines.
    EightBitMime,
}

/// How much of the message a report returns (RFC 3461 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Return {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

/// A recipient of a message with the parameters of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    address: Address,
    notify: Option<Notify>,
    original: Option<(Word, String)>,
}

/// When a report is wanted (RFC 3461 4.1). None of the three is `NEVER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Notify {
    success: bool,
    failure: bool,
    delay: bool,
}

impl Sender {
    /// The sender of a message; `None` for the null path `<>` of reports.
    #[must_use]
    pub fn new(address: Option<Address>) -> Self {
        Self { address, ..Self::default() }
    }

    /// The length of the message in bytes, as its lines are sent (SIZE, RFC 1870).
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// What the body consists of (BODY).
    #[must_use]
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// An address or the header of the message has UTF-8 (SMTPUTF8, RFC 6531).
    #[must_use]
    pub fn with_utf8(mut self) -> Self {
        self.has_utf8 = true;
        self
    }

    /// How much of the message a report returns (RET).
    #[must_use]
    pub fn with_return(mut self, returns: Return) -> Self {
        self.returns = Some(returns);
        self
    }

    /// What reports name the message by (ENVID). It is sent as xtext, so any text will do that has no control character: servers refuse
    /// those.
    #[must_use]
    pub fn with_envelope_id(mut self, id: impl Into<String>) -> Self {
        self.envelope_id = Some(id.into());
        self
    }

    /// Takes the parameters of reports from another.
    pub(crate) fn with_reports_of(mut self, other: &Self) -> Self {
        self.returns = other.returns;
        self.envelope_id.clone_from(&other.envelope_id);
        self
    }

    /// The address; `None` for the null path.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// The length that was announced, in bytes.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// What the body consists of.
    #[must_use]
    pub fn body(&self) -> Body {
        self.body
    }

    /// Whether SMTPUTF8 was given.
    #[must_use]
    pub fn has_utf8(&self) -> bool {
        self.has_utf8
    }

    /// How much of the message a report returns.
    #[must_use]
    pub fn returns(&self) -> Option<Return> {
        self.returns
    }

    /// What reports name the message by.
    #[must_use]
    pub fn envelope_id(&self) -> Option<&str> {
        self.envelope_id.as_deref()
    }

    /// Who has submitted the message, as the client says (AUTH of RFC 4954 5): an address, or `<>`. It proves nothing.
    #[must_use]
    pub fn authenticated_as(&self) -> Option<&str> {
        self.authenticated_as.as_deref()
    }

    /// Takes one parameter.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), CommandError> {
        let name = name.to_ascii_uppercase();
        match (name.as_str(), value) {
            ("SIZE", Some(size)) if self.size.is_none() && is_number(size) => {
                // RFC 1870 4: up to 20 digits, so more than fits is too much for anyone.
                self.size = Some(size.parse().unwrap_or(u64::MAX));
            }
            ("BODY", Some(body)) if body.eq_ignore_ascii_case("7BIT") => self.body = Body::SevenBit,
            ("BODY", Some(body)) if body.eq_ignore_ascii_case("8BITMIME") => {
                self.body = Body::EightBitMime;
            }
            ("SMTPUTF8", None) => self.has_utf8 = true,
            ("RET", Some(ret)) if self.returns.is_none() => {
                self.returns = Some(match () {
                    () if ret.eq_ignore_ascii_case("FULL") => Return::Full,
                    () if ret.eq_ignore_ascii_case("HDRS") => Return::Headers,
                    () => return Err(CommandError::Parameter { name: "RET" }),
                });
            }
            ("ENVID", Some(id)) if self.envelope_id.is_none() => {
                // RFC 3461 4.4: at most 100 characters.
                let id = xtext::decode(id).filter(|id| id.len() <= 100);
                self.envelope_id = Some(id.ok_or(CommandError::Parameter { name: "ENVID" })?);
            }
            ("AUTH", Some(by)) if self.authenticated_as.is_none() => {
                let by = xtext::decode(by);
                let by = by.filter(|by| by == "<>" || by.parse::<Address>().is_ok());
                self.authenticated_as = Some(by.ok_or(CommandError::Parameter { name: "AUTH" })?);
            }
            ("SIZE", _) => return Err(CommandError::Parameter { name: "SIZE" }),
            ("BODY", _) => return Err(CommandError::Parameter { name: "BODY" }),
            ("SMTPUTF8", _) => return Err(CommandError::Parameter { name: "SMTPUTF8" }),
            ("RET", _) => return Err(CommandError::Parameter { name: "RET" }),
            ("ENVID", _) => return Err(CommandError::Parameter { name: "ENVID" }),
            ("AUTH", _) => return Err(CommandError::Parameter { name: "AUTH" }),
            _ => return Err(CommandError::UnknownParameter),
        }
        Ok(())
    }
}

impl Recipient {
    /// A recipient without parameters.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { address, notify: None, original: None }
    }

    /// When a report is wanted (NOTIFY).
    #[must_use]
    pub fn with_notify(mut self, notify: Notify) -> Self {
        self.notify = Some(notify);
        self
    }

    /// The address that the message was first sent to, with its type, such as `rfc822` (ORCPT, RFC 3461 4.2). It is sent as xtext, so
    /// any text will do that has no control character.
    #[must_use]
    pub fn with_original(mut self, address_type: Word, address: impl Into<String>) -> Self {
        self.original = Some((address_type, address.into()));
        self
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// When a report is wanted; `None` if that was not said.
    #[must_use]
    pub fn notify(&self) -> Option<Notify> {
        self.notify
    }

    /// The address that the message was first sent to, behind its type.
    #[must_use]
    pub fn original(&self) -> Option<(&Word, &str)> {
        self.original.as_ref().map(|(address_type, address)| (address_type, address.as_str()))
    }

    /// Takes one parameter.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), CommandError> {
        if name.eq_ignore_ascii_case("NOTIFY") {
            let notify = value.filter(|_| self.notify.is_none()).and_then(Notify::parse);
            self.notify = Some(notify.ok_or(CommandError::Parameter { name: "NOTIFY" })?);
        } else if name.eq_ignore_ascii_case("ORCPT") {
            let original = value.filter(|_| self.original.is_none()).and_then(parse_original);
            self.original = Some(original.ok_or(CommandError::Parameter { name: "ORCPT" })?);
        } else {
            return Err(CommandError::UnknownParameter);
        }
        Ok(())
    }
}

impl From<Address> for Recipient {
    fn from(address: Address) -> Self {
        Self::new(address)
    }
}

impl Notify {
    /// No report at all.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
    /// A report when the message has arrived.
    pub const SUCCESS: Self = Self { success: true, ..Self::NEVER };
    /// A report when it cannot be delivered.
    pub const FAILURE: Self = Self { failure: true, ..Self::NEVER };
    /// A report when it is late.
    pub const DELAY: Self = Self { delay: true, ..Self::NEVER };

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            success: self.success || other.success,
            failure: self.failure || other.failure,
            delay: self.delay || other.delay,
        }
    }

    /// Whether all that `other` wants is wanted.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        (self.success || !other.success)
            && (self.failure || !other.failure)
            && (self.delay || !other.delay)
    }

    /// The same without a report of success.
    pub(crate) const fn without_success(self) -> Self {
        Self { success: false, ..self }
    }

    fn parse(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::NEVER);
        }
        value.split(',').try_fold(Self::NEVER, |notify, word| {
            let word = match () {
                () if word.eq_ignore_ascii_case("SUCCESS") => Self::SUCCESS,
                () if word.eq_ignore_ascii_case("FAILURE") => Self::FAILURE,
                () if word.eq_ignore_ascii_case("DELAY") => Self::DELAY,
                () => return None,
            };
            Some(notify.and(word))
        })
    }
}

fn parse_original(value: &str) -> Option<(Word, String)> {
    let (address_type, address) = value.split_once(';')?;
    // RFC 3461 4.2: at most 500 characters.
    let address = xtext::decode(address).filter(|address| address.len() <= 500)?;
    let is_atom = address_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    Some((Word::try_from(address_type).ok().filter(|_| is_atom)?, address))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Sender {
    /// The path in angle brackets, and the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "<{address}>")?,
            None => f.write_str("<>")?,
        }
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if self.body == Body::EightBitMime {
            f.write_str(" BODY=8BITMIME")?;
        }
        if self.has_utf8 {
            f.write_str(" SMTPUTF8")?;
        }
        match self.returns {
            Some(Return::Full) => f.write_str(" RET=FULL")?,
            Some(Return::Headers) => f.write_str(" RET=HDRS")?,
            None => {}
        }
        for (name, value) in [("ENVID", &self.envelope_id), ("AUTH", &self.authenticated_as)] {
            if let Some(value) = value {
                let mut text = format!(" {name}=");
                xtext::push(&mut text, value);
                f.write_str(&text)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Recipient {
    /// The path in angle brackets, and the parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.address)?;
        if let Some(notify) = self.notify {
            f.write_str(" NOTIFY=")?;
            let words =
                [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
            let words: Vec<_> =
                words.iter().filter(|(is_on, _)| *is_on).map(|(_, word)| *word).collect();
            f.write_str(&if words.is_empty() { "NEVER".to_owned() } else { words.join(",") })?;
        }
        if let Some((address_type, address)) = &self.original {
            let mut text = String::new();
            write!(text, " ORCPT={address_type};")?;
            xtext::push(&mut text, address);
            f.write_str(&text)?;
        }
        Ok(())
    }
}
