//! A room as it is stored: XML. Pure.

use super::{
    Affiliation, Room, RoomsConfig,
    form::{Form, Submitted},
};
use crate::xmpp::codec::{
    Element, EncodeError, Jid, StreamEvent, StreamParser, XmlError, XmlLimits, ns,
};

/// The namespace of stored rooms.
const RECORD: &str = "urn:sinew:room:0";

/// Longest record that is read.
const RECORD_MAX: usize = super::room_folder::FILE_MAX;

/// Why a stored room cannot be read.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not XML, or too long.
    #[error("a stored room is no XML: {0}")]
    Xml(#[from] XmlError),
    /// It ends too early.
    #[error("a stored room ends too early")]
    Incomplete,
    /// A part has no meaning.
    #[error("a stored room has {what}")]
    Value {
        /// Which.
        what: &'static str,
    },
}

sinew_transports::reactor::error_debug!(RecordError);

impl Room {
    pub(super) fn to_record(&self) -> Result<String, EncodeError> {
        let form = self.settings.fields(Form::new("submit", ns::MUC_ROOMCONFIG));
        let mut room = Element::new("room", RECORD)
            .with_attribute("jid", self.jid.to_string())
            .with_child(form.into_element());
        if let Some(made_by) = &self.made_by {
            room.set_attribute("by", made_by.to_string());
        }
        for (jid, affiliation) in &self.affiliations {
            let item = Element::new("affiliation", RECORD)
                .with_attribute("jid", jid.to_string())
                .with_attribute("is", affiliation.as_str());
            room.push(item);
        }
        if let Some(subject) = &self.subject {
            room.push(subject.clone());
        }
        // Around it the root of a stream, which the parser reads.
        Element::new("rooms", RECORD).with_child(room).encode("")
    }

    pub(super) fn from_record(record: &str, limits: &RoomsConfig) -> Result<Self, RecordError> {
        let element = read(record)?;
        if !element.is("room", RECORD) {
            return Err(RecordError::Value { what: "another element than a room" });
        }
        let jid = address(&element)?;
        if jid.local().is_none() || !jid.is_bare() {
            return Err(RecordError::Value { what: "an address that is not that of a room" });
        }
        let mut room = Self::empty(jid);
        let made_by = element.attribute("by").map(str::parse::<Jid>).transpose();
        room.made_by =
            made_by.map_err(|_| RecordError::Value { what: "an address that is none" })?;
        let x = element.child("x", ns::DATA_FORMS);
        let bad = || RecordError::Value { what: "a configuration that is none" };
        match x.and_then(|x| Submitted::read(x, ns::MUC_ROOMCONFIG)) {
            Some(Submitted::Fields(fields)) => {
                let settings = room.settings.submitted(&fields, limits.history_max);
                room.settings = settings.ok_or_else(bad)?;
            }
            _ => return Err(bad()),
        }
        for item in element.children().filter(|child| child.is("affiliation", RECORD)) {
            let affiliation = item.attribute("is").and_then(Affiliation::from_word);
            match affiliation {
                None | Some(Affiliation::None) => {
                    return Err(RecordError::Value { what: "an affiliation that is none" });
                }
                Some(affiliation) => {
                    room.affiliations.insert(address(item)?.bare(), affiliation);
                }
            }
        }
        if room.owners() == 0 {
            return Err(RecordError::Value { what: "no owner" });
        }
        room.subject = element.child("message", ns::CLIENT).cloned();
        Ok(room)
    }
}

fn read(record: &str) -> Result<Element, RecordError> {
    let limits = XmlLimits::default().stanza_max(RECORD_MAX).elements_max(RECORD_MAX);
    let mut parser = StreamParser::new(limits);
    let mut data = record.as_bytes();
    while let Some(event) = parser.next(&mut data)? {
        if let StreamEvent::Stanza(element) = event {
            return Ok(element);
        }
    }
    Err(RecordError::Incomplete)
}

fn address(of: &Element) -> Result<Jid, RecordError> {
    let jid = of.attribute("jid").and_then(|jid| jid.parse().ok());
    jid.ok_or(RecordError::Value { what: "an address that is none" })
}
