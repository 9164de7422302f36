//! A question for the messages of an archive (XEP-0313 4, XEP-0059): [`ArchiveQuery`], as clients ask it and servers read it. Pure.

use std::time::SystemTime;

use super::{Element, ErrorKind, Jid, StanzaCondition, StanzaError, date_time, ns};
use crate::irc::codec::format_time;

/// Longest id of a message that a question names.
const ID_MAX: usize = 1_023;

/// Which messages of an archive are wanted, and which page of them. Without anything said, the oldest ones of the whole archive.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::codec::ArchiveQuery;
///
/// // The last 20 messages with Bob.
/// let query = ArchiveQuery::new().with("bob@example.org".parse()?).last().max(20);
/// let element = query.to_element("q1");
/// assert_eq!(ArchiveQuery::from_element(&element).ok(), Some(query));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ArchiveQuery {
    with: Option<Jid>,
    start: Option<SystemTime>,
    end: Option<SystemTime>,
    position: ArchivePosition,
    max: Option<usize>,
}

/// Where a page of an archive begins or ends (XEP-0059 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchivePosition {
    /// It begins with the oldest message.
    #[default]
    First,
    /// It ends with the newest message.
    Last,
    /// It begins behind the message of this id.
    After(String),
    /// It ends before the message of this id.
    Before(String),
}

impl ArchiveQuery {
    /// The oldest messages of the whole archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only messages from and to this address: of all its resources, if it has none.
    pub fn with(mut self, jid: Jid) -> Self {
        self.with = Some(jid);
        self
    }

    /// Only messages from this time on. Milliseconds count.
    pub fn start(mut self, time: SystemTime) -> Self {
        self.start = Some(time);
        self
    }

    /// Only messages up to this time. Milliseconds count.
    pub fn end(mut self, time: SystemTime) -> Self {
        self.end = Some(time);
        self
    }

    /// The page that begins behind the message of this id.
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.position = ArchivePosition::After(id.into());
        self
    }

    /// The page that ends before the message of this id.
    pub fn before(mut self, id: impl Into<String>) -> Self {
        self.position = ArchivePosition::Before(id.into());
        self
    }

    /// The page with the newest messages.
    pub fn last(mut self) -> Self {
        self.position = ArchivePosition::Last;
        self
    }

    /// Most messages of the page. The archive may send fewer. Default: as the archive likes.
    pub fn max(mut self, messages: usize) -> Self {
        self.max = Some(messages);
        self
    }

    /// With whom the messages are.
    #[must_use]
    pub const fn with_whom(&self) -> Option<&Jid> {
        self.with.as_ref()
    }

    /// From when on the messages are, and until when.
    #[must_use]
    pub const fn times(&self) -> (Option<SystemTime>, Option<SystemTime>) {
        (self.start, self.end)
    }

    /// Which page is wanted.
    #[must_use]
    pub const fn position(&self) -> &ArchivePosition {
        &self.position
    }

    /// Most messages of the page, if it is said.
    #[must_use]
    pub const fn messages_max(&self) -> Option<usize> {
        self.max
    }

    /// The payload of an iq of the type set. The archive repeats `id` with each message.
    #[must_use]
    pub fn to_element(&self, id: &str) -> Element {
        let mut query = Element::new("query", ns::ARCHIVE).with_attribute("queryid", id);
        let times = [("start", self.start), ("end", self.end)];
        let times = times.map(|(name, time)| (name, time.map(format_time)));
        let with = ("with", self.with.as_ref().map(Jid::to_string));
        let fields: Vec<_> = [with].into_iter().chain(times).collect();
        if fields.iter().any(|(_, value)| value.is_some()) {
            let mut form =
                Element::new("x", ns::DATA_FORMS).with_attribute("type", "submit").with_child(
                    field("FORM_TYPE", ns::ARCHIVE.to_owned()).with_attribute("type", "hidden"),
                );
            for (name, value) in fields {
                if let Some(value) = value {
                    form.push(field(name, value));
                }
            }
            query.push(form);
        }
        let mut set = Element::new("set", ns::RESULT_SETS);
        if let Some(max) = self.max {
            set.push(Element::new("max", ns::RESULT_SETS).with_text(max.to_string()));
        }
        match &self.position {
            ArchivePosition::First => {}
            ArchivePosition::Last => set.push(Element::new("before", ns::RESULT_SETS)),
            ArchivePosition::After(id) => {
                set.push(Element::new("after", ns::RESULT_SETS).with_text(id.as_str()));
            }
            ArchivePosition::Before(id) => {
                set.push(Element::new("before", ns::RESULT_SETS).with_text(id.as_str()));
            }
        }
        if set.children().next().is_some() {
            query.push(set);
        }
        query
    }

    /// What the payload of an iq asks.
    ///
    /// # Errors
    ///
    /// What to answer: a field that is not known is `feature-not-implemented` (XEP-0313 4.1), a value that is none is `bad-request`.
    pub fn from_element(query: &Element) -> Result<Self, StanzaError> {
        let mut found = Self::default();
        if let Some(form) = query.child("x", ns::DATA_FORMS) {
            found.read_form(form)?;
        }
        if let Some(set) = query.child("set", ns::RESULT_SETS) {
            found.read_set(set)?;
        }
        Ok(found)
    }

    fn read_form(&mut self, form: &Element) -> Result<(), StanzaError> {
        for field in form.children().filter(|child| child.is("field", ns::DATA_FORMS)) {
            let name = field.attribute("var").unwrap_or_default();
            let value = field.child("value", ns::DATA_FORMS).map(Element::text);
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            match name {
                "FORM_TYPE" if value == ns::ARCHIVE => {}
                "FORM_TYPE" => return Err(bad_request()),
                "with" => self.with = Some(value.parse().map_err(|_| jid_malformed())?),
                "start" => self.start = Some(time(&value)?),
                "end" => self.end = Some(time(&value)?),
                _ => {
                    let condition = StanzaCondition::FeatureNotImplemented;
                    return Err(StanzaError::new(ErrorKind::Cancel, condition));
                }
            }
        }
        Ok(())
    }

    fn read_set(&mut self, set: &Element) -> Result<(), StanzaError> {
        let text = |name| set.child(name, ns::RESULT_SETS).map(Element::text);
        if let Some(max) = text("max").filter(|max| !max.is_empty()) {
            self.max = Some(max.parse().map_err(|_| bad_request())?);
        }
        let (after, before) = (text("after"), text("before"));
        if [&after, &before].into_iter().flatten().any(|id| id.len() > ID_MAX) {
            return Err(bad_request());
        }
        self.position = match (after.filter(|id| !id.is_empty()), before) {
            (Some(_), Some(_)) => return Err(bad_request()),
            (Some(after), None) => ArchivePosition::After(after),
            (None, Some(before)) if before.is_empty() => ArchivePosition::Last,
            (None, Some(before)) => ArchivePosition::Before(before),
            (None, None) => ArchivePosition::First,
        };
        // By number of a page, which archives do not have (XEP-0059 2.6).
        match set.child("index", ns::RESULT_SETS) {
            Some(_) => {
                Err(StanzaError::new(ErrorKind::Cancel, StanzaCondition::FeatureNotImplemented))
            }
            None => Ok(()),
        }
    }
}

fn field(name: &str, value: String) -> Element {
    Element::new("field", ns::DATA_FORMS)
        .with_attribute("var", name)
        .with_child(Element::new("value", ns::DATA_FORMS).with_text(value))
}

fn time(text: &str) -> Result<SystemTime, StanzaError> {
    date_time::parse(text).ok_or_else(bad_request)
}

fn bad_request() -> StanzaError {
    StanzaError::new(ErrorKind::Modify, StanzaCondition::BadRequest)
}

fn jid_malformed() -> StanzaError {
    StanzaError::new(ErrorKind::Modify, StanzaCondition::JidMalformed)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::{option, prelude::*, sample::select};

    use super::*;

    fn queries() -> impl Strategy<Value = ArchiveQuery> {
        let jids = select(vec!["bob@example.org", "bob@example.org/x y", "example.org"]);
        let times = (0..4_000_000_000_000u64).prop_map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
        let position = (0..4u8, "[a-f0-9<&' ]{1,20}").prop_map(|(kind, id)| match kind {
            0 => ArchivePosition::First,
            1 => ArchivePosition::Last,
            2 => ArchivePosition::After(id),
            _ => ArchivePosition::Before(id),
        });
        let times = (option::of(times.clone()), option::of(times));
        (option::of(jids), times, position, option::of(0..1_000usize)).prop_map(
            |(with, (start, end), position, max)| ArchiveQuery {
                with: with.map(|jid| jid.parse().unwrap()),
                start,
                end,
                position,
                max,
            },
        )
    }

    proptest! {
        #[test]
        fn any_question_is_read_as_it_is_written(query in queries()) {
            prop_assert_eq!(ArchiveQuery::from_element(&query.to_element("q")), Ok(query));
        }
    }

    fn set(children: &[(&str, &str)]) -> Element {
        let mut set = Element::new("set", ns::RESULT_SETS);
        for (name, text) in children {
            set.push(Element::new(name, ns::RESULT_SETS).with_text(*text));
        }
        Element::new("query", ns::ARCHIVE).with_child(set)
    }

    fn form(name: &str, value: &str) -> Element {
        let form = Element::new("x", ns::DATA_FORMS).with_child(field(name, value.to_owned()));
        Element::new("query", ns::ARCHIVE).with_child(form)
    }

    #[test]
    fn what_is_refused() {
        let long = "x".repeat(ID_MAX + 1);
        for (query, condition) in [
            (set(&[("max", "-1")]), "bad-request"),
            (set(&[("max", "many")]), "bad-request"),
            (set(&[("after", "1"), ("before", "2")]), "bad-request"),
            (set(&[("after", "1"), ("before", "")]), "bad-request"),
            (set(&[("after", &long)]), "bad-request"),
            (set(&[("index", "3")]), "feature-not-implemented"),
            (form("FORM_TYPE", "urn:xmpp:mam:1"), "bad-request"),
            (form("with", "@"), "jid-malformed"),
            (form("start", "yesterday"), "bad-request"),
            (form("end", "2026-13-01T00:00:00Z"), "bad-request"),
            (form("urn:x:color", "red"), "feature-not-implemented"),
        ] {
            let error = ArchiveQuery::from_element(&query).unwrap_err();
            assert_eq!(error.condition.as_str(), condition, "{query:?}");
        }
    }

    #[test]
    fn what_says_nothing() {
        for query in [
            Element::new("query", ns::ARCHIVE),
            set(&[]),
            set(&[("after", ""), ("max", "")]),
            form("with", ""),
            form("FORM_TYPE", ns::ARCHIVE),
        ] {
            assert_eq!(ArchiveQuery::from_element(&query), Ok(ArchiveQuery::new()), "{query:?}");
        }
        assert_eq!(
            ArchiveQuery::from_element(&set(&[("before", "")])),
            Ok(ArchiveQuery::new().last())
        );
    }
}
