//! What an account asks its archive (XEP-0313): pages, the first and the last message, preferences.

use std::rc::Rc;

use super::{
    archive::{
        ArchiveId, BYTES_AT_LEAST, Question, StoredMessage, StoredPage, StoredQuery, Wanted,
    },
    bounce,
    domain::Domain,
};
use crate::{
    irc::codec::format_time,
    xmpp::codec::{ArchivePosition, ArchiveQuery, Element, Jid, StanzaCondition, StanzaError, ns},
};

/// Longest name of a question, which is repeated with each message.
const NAME_MAX: usize = 256;

impl Domain {
    /// A request of the account itself, which is answered now or when the archive was read.
    pub(super) fn archive_asked(&mut self, account: &Rc<str>, iq: &Element, payload: &Element) {
        let is_get = iq.attribute("type") == Some("get");
        let answer = match payload.name() {
            _ if self.config.archive.is_none() => Err(StanzaError::service_unavailable()),
            "query" if is_get => Ok(fields()),
            "query" => match self.stored_query(payload) {
                Ok(wanted) => return self.ask_archive(account, iq, wanted),
                Err(error) => Err(error),
            },
            "metadata" if is_get => return self.ask_archive(account, iq, Wanted::Span),
            "prefs" if is_get || is_always(payload) => Ok(preferences()),
            "prefs" => Err(bounce::cancel(StanzaCondition::FeatureNotImplemented)),
            _ => Err(StanzaError::service_unavailable()),
        };
        match answer {
            Ok(answer) => self.answer(iq, Some(answer)),
            Err(error) => self.refuse(iq, &error),
        }
    }

    fn ask_archive(&mut self, account: &Rc<str>, iq: &Element, wanted: Wanted) {
        let Some(from) = iq.attribute("from").and_then(|from| from.parse::<Jid>().ok()) else {
            return;
        };
        let mut request = Element::new("iq", ns::CLIENT);
        for name in ["type", "id", "from", "to"] {
            if let Some(value) = iq.attribute(name) {
                request.set_attribute(name, value);
            }
        }
        if !self.archives.ask(account, Question { iq: request, from, wanted }) {
            self.refuse(iq, &bounce::wait(StanzaCondition::ResourceConstraint));
        }
    }

    fn stored_query(&self, payload: &Element) -> Result<Wanted, StanzaError> {
        if payload.attribute("node").is_some_and(|node| !node.is_empty()) {
            return Err(bounce::cancel(StanzaCondition::ItemNotFound));
        }
        let name = payload.attribute("queryid").map(str::to_owned);
        if name.as_ref().is_some_and(|name| name.len() > NAME_MAX) {
            return Err(bounce::modify(StanzaCondition::BadRequest));
        }
        let Some(archive) = &self.config.archive else {
            return Err(StanzaError::service_unavailable());
        };
        let asked = ArchiveQuery::from_element(payload)?;
        let mut query = StoredQuery {
            with: asked.with_whom().cloned(),
            max: asked
                .messages_max()
                .unwrap_or(usize::MAX)
                .min(archive.page_max)
                .min((self.config.unacknowledged_max / 4).max(1)),
            bytes_max: archive
                .page_bytes_max
                .min((self.config.send_queue_max / 4).max(BYTES_AT_LEAST)),
            ..StoredQuery::default()
        };
        let (start, end) = asked.times();
        query.start = start.map(ArchiveId::at);
        query.end = end.map(|time| ArchiveId::at(time).latest());
        // What is no id at all is not there either.
        let id = |id: &str| id.parse().map_err(|_| bounce::cancel(StanzaCondition::ItemNotFound));
        match asked.position() {
            ArchivePosition::First => {}
            ArchivePosition::Last => query.is_last = true,
            ArchivePosition::After(after) => query.after = Some(id(after)?),
            ArchivePosition::Before(before) => {
                (query.before, query.is_last) = (Some(id(before)?), true);
            }
        }
        Ok(Wanted::Page(query, name))
    }

    /// An archive was read: the messages, and then the result (XEP-0313 4.2).
    pub(super) fn page_read(
        &mut self,
        account: &str,
        question: &Question,
        name: Option<&str>,
        page: Option<StoredPage>,
    ) {
        let Some(page) = page else {
            return self.refuse(&question.iq, &bounce::cancel(StanzaCondition::ItemNotFound));
        };
        let (Some(bare), Some(session)) = (self.bare(account), self.session_at(&question.from))
        else {
            return;
        };
        let mut fin = Element::new("fin", ns::ARCHIVE);
        if page.is_complete {
            fin.set_attribute("complete", "true");
        }
        let mut set = Element::new("set", ns::RESULT_SETS);
        for (end, message) in [("first", page.messages.first()), ("last", page.messages.last())] {
            if let Some(message) = message {
                set.push(Element::new(end, ns::RESULT_SETS).with_text(message.id.to_string()));
            }
        }
        if let Some(count) = page.count {
            set.push(Element::new("count", ns::RESULT_SETS).with_text(count.to_string()));
        }
        for message in page.messages {
            let result = result_of(message, name)
                .with_attribute("from", bare.to_string())
                .with_attribute("to", question.from.to_string());
            self.send(session, result);
        }
        self.answer(&question.iq, Some(fin.with_child(set)));
    }

    /// The first and the last message of an archive (XEP-0313 4.4).
    pub(super) fn span_read(&mut self, question: &Question, span: Option<(ArchiveId, ArchiveId)>) {
        let mut metadata = Element::new("metadata", ns::ARCHIVE);
        for (end, id) in
            span.into_iter().flat_map(|(first, last)| [("start", first), ("end", last)])
        {
            metadata.push(
                Element::new(end, ns::ARCHIVE)
                    .with_attribute("id", id.to_string())
                    .with_attribute("timestamp", format_time(id.time())),
            );
        }
        self.answer(&question.iq, Some(metadata));
    }

    /// An archive could not be read.
    pub(super) fn archive_unread(&mut self, question: &Question) {
        self.refuse(&question.iq, &bounce::wait(StanzaCondition::InternalServerError));
    }
}

/// Whether a stanza is a message of an archive, on its way to who has asked for it.
pub(super) fn is_result(stanza: &Element) -> bool {
    stanza.name() == "message" && stanza.child("result", ns::ARCHIVE).is_some()
}

/// A message of an archive, without addresses.
fn result_of(message: StoredMessage, name: Option<&str>) -> Element {
    let delay =
        Element::new("delay", ns::DELAY).with_attribute("stamp", format_time(message.id.time()));
    let forwarded =
        Element::new("forwarded", ns::FORWARD).with_child(delay).with_child(message.message);
    let mut result =
        Element::new("result", ns::ARCHIVE).with_attribute("id", message.id.to_string());
    if let Some(name) = name {
        result.set_attribute("queryid", name);
    }
    Element::new("message", ns::CLIENT).with_child(result.with_child(forwarded))
}

/// The form of a question (XEP-0313 4.1.1).
fn fields() -> Element {
    let field = |name: &str, kind: &str| {
        Element::new("field", ns::DATA_FORMS)
            .with_attribute("type", kind)
            .with_attribute("var", name)
    };
    let kind = field("FORM_TYPE", "hidden")
        .with_child(Element::new("value", ns::DATA_FORMS).with_text(ns::ARCHIVE));
    let mut form =
        Element::new("x", ns::DATA_FORMS).with_attribute("type", "form").with_child(kind);
    for (name, kind) in [("with", "jid-single"), ("start", "text-single"), ("end", "text-single")] {
        form.push(field(name, kind));
    }
    Element::new("query", ns::ARCHIVE).with_child(form)
}

/// All is archived, for everybody (XEP-0441).
fn preferences() -> Element {
    Element::new("prefs", ns::ARCHIVE)
        .with_attribute("default", "always")
        .with_child(Element::new("always", ns::ARCHIVE))
        .with_child(Element::new("never", ns::ARCHIVE))
}

/// Whether these preferences are those that there are.
fn is_always(preferences: &Element) -> bool {
    let never = preferences.child("never", ns::ARCHIVE);
    preferences.attribute("default") == Some("always")
        && never.is_none_or(|never| never.children().next().is_none())
}
