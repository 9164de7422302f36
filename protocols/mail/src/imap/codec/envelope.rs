//! The envelope of a message: [`MessageEnvelope`], its addresses: [`MessageAddress`].

use bytes::Bytes;

use super::{
    reader::{Parsed, Reader},
    writer::Writer,
};

/// The most important fields of a header, as a server has parsed them (RFC 9051 7.5.2). Bytes are as they are in the message: words in
/// other character sets are encoded as RFC 2047 says, in most messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEnvelope {
    /// `Date`.
    pub date: Option<Bytes>,
    /// `Subject`.
    pub subject: Option<Bytes>,
    /// `From`.
    pub from: Vec<MessageAddress>,
    /// `Sender`; `From` if there is none.
    pub sender: Vec<MessageAddress>,
    /// `Reply-To`; `From` if there is none.
    pub reply_to: Vec<MessageAddress>,
    /// `To`.
    pub to: Vec<MessageAddress>,
    /// `Cc`.
    pub cc: Vec<MessageAddress>,
    /// `Bcc`.
    pub bcc: Vec<MessageAddress>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Bytes>,
    /// `Message-ID`.
    pub message_id: Option<Bytes>,
}

/// An address, or the beginning or the end of a group of addresses.
///
/// With a `host` it is an address. Without one, a `mailbox` is the name of a group that begins, and nothing is the end of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageAddress {
    /// The name of a person.
    pub name: Option<Bytes>,
    /// A source route (obsolete).
    pub route: Option<Bytes>,
    /// What is before the `@`.
    pub mailbox: Option<Bytes>,
    /// What is behind it.
    pub host: Option<Bytes>,
}

impl MessageAddress {
    /// An address.
    #[must_use]
    pub fn new(name: Option<Bytes>, mailbox: impl Into<Bytes>, host: impl Into<Bytes>) -> Self {
        Self { name, route: None, mailbox: Some(mailbox.into()), host: Some(host.into()) }
    }

    /// The address as text, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        Some(format!("{}@{}", text(self.mailbox.as_ref()?), text(self.host.as_ref()?)))
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        reader.expect(b'(', "an address")?;
        let name = reader.nstring()?;
        reader.space()?;
        let route = reader.nstring()?;
        reader.space()?;
        let mailbox = reader.nstring()?;
        reader.space()?;
        let host = reader.nstring()?;
        reader.expect(b')', "the end of an address")?;
        Ok(Self { name, route, mailbox, host })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.raw("(");
        writer.separated([&self.name, &self.route, &self.mailbox, &self.host], |writer, value| {
            writer.nstring(value.as_deref());
        });
        writer.raw(")");
    }

    fn parse_list(reader: &mut Reader<'_>) -> Parsed<Vec<Self>> {
        if reader.eat_keyword("NIL") {
            return Ok(Vec::new());
        }
        reader.expect(b'(', "a list of addresses")?;
        let mut addresses = Vec::new();
        while !reader.eat(b')') {
            addresses.push(Self::parse(reader)?);
            // Some servers have spaces here.
            if reader.is_lenient() {
                reader.skip_spaces();
            }
        }
        Ok(addresses)
    }

    fn encode_list(addresses: &[Self], writer: &mut Writer) {
        if addresses.is_empty() {
            return writer.raw("NIL");
        }
        writer.raw("(");
        for address in addresses {
            address.encode(writer);
        }
        writer.raw(")");
    }
}

impl MessageEnvelope {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        reader.expect(b'(', "an envelope")?;
        let date = reader.nstring()?;
        reader.space()?;
        let subject = reader.nstring()?;
        let mut lists = <[Vec<MessageAddress>; 6]>::default();
        for list in &mut lists {
            reader.space()?;
            *list = MessageAddress::parse_list(reader)?;
        }
        reader.space()?;
        let in_reply_to = reader.nstring()?;
        reader.space()?;
        let message_id = reader.nstring()?;
        reader.expect(b')', "the end of an envelope")?;
        let [from, sender, reply_to, to, cc, bcc] = lists;
        Ok(Self { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw("(");
        writer.nstring(self.date.as_deref());
        writer.space();
        writer.nstring(self.subject.as_deref());
        let lists = [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc];
        for list in lists {
            writer.space();
            MessageAddress::encode_list(list, writer);
        }
        writer.space();
        writer.nstring(self.in_reply_to.as_deref());
        writer.space();
        writer.nstring(self.message_id.as_deref());
        writer.raw(")");
    }
}
