//! Messages of an archive (XEP-0313): [`ArchivePage`], and [`ArchiveReader`], which reads one page after the other.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::SystemTime};

use sinew_transports::reactor::Deferred;

use super::{RequestError, XmppClient, requests::is_from};
use crate::xmpp::codec::{ArchivePosition, ArchiveQuery, Element, Iq, Jid, Message, date_time, ns};

/// Most messages of a page, if the question does not say how many it wants.
const MESSAGES_MAX: usize = 1_000;
/// Most bytes of the pages that are being received.
const BYTES_MAX: usize = 8 << 20;
/// Messages of a page that a reader asks for, if nothing else is said.
const PAGE: usize = 50;
/// Most messages that a reader reads, if nothing else is said.
const READ_MAX: usize = 10_000;

/// A message of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedMessage {
    /// Its id in the archive. A message that was received has the same (XEP-0359), in an element `stanza-id` by the archive's address.
    pub id: String,
    /// When it was archived, if the archive says it.
    pub time: Option<SystemTime>,
    /// The message.
    pub message: Message,
}

/// Messages of an archive, in the order in which they were archived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivePage {
    /// The messages, the oldest first.
    pub messages: Vec<ArchivedMessage>,
    /// There are no more in the direction of the question.
    pub is_complete: bool,
    /// The id of the first message.
    pub first: Option<String>,
    /// The id of the last message: a later question begins behind it.
    pub last: Option<String>,
    /// How many messages there are on all pages, if the archive says it.
    pub count: Option<usize>,
}

/// The pages that are being received.
#[derive(Default)]
pub(super) struct Pages {
    by_id: BTreeMap<String, Receiving>,
    bytes: usize,
}

struct Receiving {
    /// Whose archive it is; `None`: that of the account.
    of: Option<Jid>,
    messages: Vec<ArchivedMessage>,
    bytes: usize,
    max: usize,
    is_too_long: bool,
}

impl Pages {
    fn begin(&mut self, id: &str, of: Option<Jid>, max: usize) {
        let page = Receiving { of, messages: Vec::new(), bytes: 0, max, is_too_long: false };
        self.by_id.insert(id.to_owned(), page);
    }

    /// A message has come that says it is of an archive. It counts if it was asked for, and is from whom was asked.
    pub(super) fn received(&mut self, me: &Jid, message: &Message, result: &Element) -> bool {
        let page = result.attribute("queryid").and_then(|id| self.by_id.get_mut(id));
        let Some(page) = page.filter(|page| is_from(page.of.as_ref(), me, message.from())) else {
            return false;
        };
        let left = BYTES_MAX - self.bytes;
        let len = result.encode_at_most(ns::CLIENT, left).map(|text| text.len());
        match len {
            _ if page.is_too_long => {}
            Ok(len) if page.messages.len() < page.max => {
                let Some(message) = ArchivedMessage::of(result) else { return false };
                self.bytes += len;
                page.bytes += len;
                page.messages.push(message);
            }
            _ => page.is_too_long = true,
        }
        true
    }

    fn end(&mut self, id: &str) -> Option<Receiving> {
        let page = self.by_id.remove(id)?;
        self.bytes -= page.bytes;
        Some(page)
    }
}

impl ArchivedMessage {
    fn of(result: &Element) -> Option<Self> {
        let forwarded = result.child("forwarded", ns::FORWARD)?;
        let stamp = forwarded.child("delay", ns::DELAY).and_then(|delay| delay.attribute("stamp"));
        let message = forwarded.child("message", ns::CLIENT)?.clone();
        Some(Self {
            id: result.attribute("id")?.to_owned(),
            time: stamp.and_then(date_time::parse),
            message: Message::try_from(message).ok()?,
        })
    }
}

impl ArchivePage {
    fn read(answer: &Iq, page: Receiving) -> Result<Self, RequestError> {
        if page.is_too_long {
            return Err(RequestError::PageTooLong { messages: page.max, bytes: BYTES_MAX });
        }
        let fin = answer.child("fin", ns::ARCHIVE);
        let fin = fin.ok_or(RequestError::BadAnswer { what: "a page of an archive has no end" })?;
        let set = fin.child("set", ns::RESULT_SETS);
        let text = |name| set.and_then(|set| set.child(name, ns::RESULT_SETS)).map(Element::text);
        let id = |message: Option<&ArchivedMessage>| message.map(|message| message.id.clone());
        Ok(Self {
            is_complete: matches!(fin.attribute("complete"), Some("true" | "1")),
            first: text("first").or_else(|| id(page.messages.first())),
            last: text("last").or_else(|| id(page.messages.last())),
            count: text("count").and_then(|count| count.trim().parse().ok()),
            messages: page.messages,
        })
    }
}

/// Forgets a page that nobody waits for any more.
struct Asked {
    client: XmppClient,
    id: String,
}

impl Asked {
    fn end(&self) -> Option<Receiving> {
        // Borrowed only where the reactor has ended, and what waited is dropped.
        self.client.0.session.try_borrow_mut().ok()?.pages.end(&self.id)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.end();
    }
}

impl XmppClient {
    /// Asks for a page of the archive of the account. Messages of an archive are not told to the handler.
    ///
    /// A page has at most as many messages as the question wants, or 1,000, and all pages that are being received together at most 8 MiB.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; [`RequestError::Refused`] with `item-not-found`, if the archive has no message any more that the question names.
    pub fn archive(&self, query: &ArchiveQuery) -> Deferred<ArchivePage, RequestError> {
        self.ask_archive(None, query)
    }

    /// The same of somebody else's archive: that of a room.
    ///
    /// # Errors
    ///
    /// As [`archive`](Self::archive).
    pub fn archive_of(
        &self,
        whom: Jid,
        query: &ArchiveQuery,
    ) -> Deferred<ArchivePage, RequestError> {
        self.ask_archive(Some(whom), query)
    }

    fn ask_archive(
        &self,
        of: Option<Jid>,
        query: &ArchiveQuery,
    ) -> Deferred<ArchivePage, RequestError> {
        let id = self.0.session.borrow_mut().requests.next_id();
        let iq = Iq::set(query.to_element(&id));
        let iq = match &of {
            Some(of) => iq.with_to(of.clone()),
            None => iq,
        };
        let max = query.messages_max().unwrap_or(MESSAGES_MAX);
        self.0.session.borrow_mut().pages.begin(&id, of, max);
        let asked = Asked { client: self.clone(), id };
        self.request(iq).map(move |answer| {
            let page = asked.end().ok_or(RequestError::Lost)?;
            ArchivePage::read(&answer?, page)
        })
    }

    /// A message that says it is of an archive.
    pub(super) fn archived_received(&self, message: &Message, result: &Element) {
        let mut session = self.0.session.borrow_mut();
        let me = session.jid.clone();
        if !session.pages.received(&me, message, result) {
            tracing::debug!("a message of an archive that was not asked for is ignored");
        }
    }

    /// Reads the archive of the account page by page, from where the question begins: forwards, or backwards if it asks for the last
    /// messages or for those before one. To catch up after a time offline, ask for those after the last id that is known.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_chat::xmpp::{
    ///     client::{RequestError, XmppClient},
    ///     codec::ArchiveQuery,
    /// };
    ///
    /// async fn catch_up(xmpp: &XmppClient, last: Option<&str>) -> Result<Option<String>, RequestError> {
    ///     let query = last.map_or_else(ArchiveQuery::new, |id| ArchiveQuery::new().after(id));
    ///     let reader = xmpp.read_archive(query);
    ///     let mut last = last.map(str::to_owned);
    ///     while let Some(page) = reader.next_page().await? {
    ///         for archived in &page.messages {
    ///             println!("{:?}: {:?}", archived.message.from(), archived.message.body());
    ///         }
    ///         last = page.last.or(last);
    ///     }
    ///     Ok(last)
    /// }
    /// # let _ = catch_up;
    /// ```
    #[must_use]
    pub fn read_archive(&self, query: ArchiveQuery) -> ArchiveReader {
        ArchiveReader::new(self.clone(), None, query)
    }

    /// The same of somebody else's archive: that of a room.
    #[must_use]
    pub fn read_archive_of(&self, whom: Jid, query: ArchiveQuery) -> ArchiveReader {
        ArchiveReader::new(self.clone(), Some(whom), query)
    }
}

/// Reads an archive page by page. A page is asked for when it is wanted, and not before: who is slow is sent no more than one.
///
/// A page has 50 messages, or as many as the question says, and all pages together at most 10,000 messages, unless
/// [`messages_max`](Self::messages_max) says otherwise.
#[derive(Debug)]
pub struct ArchiveReader {
    client: XmppClient,
    of: Option<Jid>,
    progress: Rc<RefCell<Progress>>,
}

#[derive(Debug)]
struct Progress {
    query: ArchiveQuery,
    is_backward: bool,
    left: usize,
    is_complete: bool,
    is_asking: bool,
}

impl ArchiveReader {
    fn new(client: XmppClient, of: Option<Jid>, query: ArchiveQuery) -> Self {
        let is_backward =
            matches!(query.position(), ArchivePosition::Last | ArchivePosition::Before(_));
        let progress =
            Progress { query, is_backward, left: READ_MAX, is_complete: false, is_asking: false };
        Self { client, of, progress: Rc::new(RefCell::new(progress)) }
    }

    /// Most messages of all pages together. Default 10,000.
    #[must_use]
    pub fn messages_max(self, messages: usize) -> Self {
        self.progress.borrow_mut().left = messages;
        self
    }

    /// The next page; `None`, if there are no more, or if as many messages were read as may be. After an error, or if the deferred is
    /// dropped, the same page is asked for again.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; [`RequestError::TooMany`], if the page before is still awaited.
    pub fn next_page(&self) -> Deferred<Option<ArchivePage>, RequestError> {
        let mut progress = self.progress.borrow_mut();
        let reactor = &self.client.0.reactor;
        if progress.is_asking || progress.is_complete || progress.left == 0 {
            let (promise, page) = reactor.promise();
            promise.settle(match progress.is_asking {
                true => Err(RequestError::TooMany { max: 1 }),
                false => Ok(None),
            });
            return page;
        }
        let max = progress.query.messages_max().unwrap_or(PAGE).min(progress.left);
        let query = progress.query.clone().max(max);
        progress.is_asking = true;
        drop(progress);
        let asking = Asking(Rc::clone(&self.progress));
        self.client.ask_archive(self.of.clone(), &query).map(move |page| {
            let page = page?;
            asking.0.borrow_mut().read(&page)?;
            Ok(Some(page))
        })
    }
}

impl Progress {
    /// A page was read; the next one is behind it.
    fn read(&mut self, page: &ArchivePage) -> Result<(), RequestError> {
        self.left = self.left.saturating_sub(page.messages.len());
        self.is_complete = page.is_complete;
        if self.is_complete {
            return Ok(());
        }
        // An archive that says the same again and again would never end.
        let stuck =
            RequestError::BadAnswer { what: "an archive that is not complete has no next page" };
        let next = if self.is_backward { &page.first } else { &page.last };
        let Some(next) = next.clone().filter(|_| !page.messages.is_empty()) else {
            return Err(stuck);
        };
        let query = std::mem::take(&mut self.query);
        let before = query.position().clone();
        self.query = if self.is_backward { query.before(next) } else { query.after(next) };
        if *self.query.position() == before { Err(stuck) } else { Ok(()) }
    }
}

/// A page is asked for, until this is dropped.
struct Asking(Rc<RefCell<Progress>>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.borrow_mut().is_asking = false;
    }
}
