//! FETCH: what is told of each message, in the order of the numbers. Messages are written one after the other, and texts as they are
//! read: a client that receives nothing stops the reading.

use sinew_transports::reactor::with_causes;

use std::rc::Rc;

use super::{
    ahead::Ahead,
    answer::Done,
    reading::{HEADER_MAX, ReadError, Reading},
    selected::Known,
    session::Session,
    uid_ranges::{difference, intersection, uid_set},
};
use crate::{
    imap::{
        codec::{DateTime, FetchCommand, FetchItem, Section, SectionText, SequenceSet},
        message::{self, Envelope, Part, find_section, only_fields},
        search::unix,
    },
    store::{FlagChange, Flags, Mailbox, MessageInfo, ModSeq, StoreError, SystemFlag, UidSet},
};

/// How many messages are told of before others have the loop.
const MESSAGES_IN_TURN: usize = 100;

/// How much of an answer about one message is in memory: a client may ask for long items as often as a command has room.
const OUT_MAX: usize = 16 << 10;

impl Session {
    /// The messages that a set means. Numbers that there are not are an error, UIDs are not.
    pub(super) fn messages(&self, set: &SequenceSet, is_uid: bool) -> Result<UidSet, Done> {
        self.with_selected(|selected| {
            let view = &selected.view;
            match is_uid {
                true => Some(view.of_uids(set.ranges(view.last().unwrap_or(u32::MAX)))),
                false if view.len() == 0 => None,
                false => view.of_numbers(set.ranges(view.len())),
            }
        })?
        .ok_or_else(|| Done::bad("There is no message with this number"))
    }

    pub(super) async fn fetch(&self, mut command: FetchCommand) -> Result<Done, Done> {
        let uids = self.messages(&command.set, command.is_uid)?;
        if command
            .items
            .iter()
            .any(|item| matches!(item, FetchItem::Binary { .. } | FetchItem::BinarySize(_)))
        {
            return Err(Done::bad("BINARY is not offered"));
        }
        if command.changed_since.is_some() || command.items.contains(&FetchItem::ModSeq) {
            self.enable_condstore();
        }
        if command.has_vanished && !self.enabled.get().qresync {
            return Err(Done::bad("Enable QRESYNC first"));
        }
        add_implied(&mut command);
        let mailbox = self.mailbox()?;
        if let (true, Some(since)) = (command.has_vanished, command.changed_since) {
            let gone = vanished_earlier(&*mailbox, &uids, &command.set, since);
            self.tell_vanished_earlier(gone).await?;
        }
        let known = self.mark_seen(&mailbox, &uids, &mut command).await;
        let (mut is_missing, mut ahead) = (false, Ahead::new(&command));
        let (mut next, mut count) = (uids.iter(), 0);
        while let Some(uid) = next.next() {
            count += 1;
            if count % MESSAGES_IN_TURN == 0 {
                self.pause().await?;
            }
            let Some(info) = mailbox.message(uid) else {
                is_missing = true;
                continue;
            };
            if command.changed_since.is_some_and(|since| info.mod_seq.get() <= since) {
                continue;
            }
            let beginning = ahead.take(&mailbox, &info, next.clone()).await;
            if beginning.is_some() && mailbox.message(uid).is_none() {
                // It was expunged while it was read.
                is_missing = true;
                continue;
            }
            let reading = Reading::new(&mailbox, &info).with_beginning(beginning);
            if !self.fetch_message(reading, &info, &command, &known).await? {
                is_missing = true;
            }
        }
        let done = match is_missing && !command.is_uid {
            true => Done::no("Some of the messages are gone").code("EXPUNGEISSUED"),
            false => Done::ok("Done"),
        };
        Ok(done.knowing(known))
    }

    /// Texts that are not only looked at become `\Seen` (RFC 3501 6.4.5). The flags are told with the messages.
    async fn mark_seen(
        &self,
        mailbox: &Rc<dyn Mailbox>,
        uids: &UidSet,
        command: &mut FetchCommand,
    ) -> Known {
        if !command.items.iter().any(marks_seen) || self.writable_mailbox().is_err() {
            return Known::default();
        }
        let mut unseen = UidSet::new();
        for (index, uid) in uids.iter().enumerate() {
            let Some(info) = mailbox.message(uid) else { continue };
            let is_asked = command.changed_since.is_none_or(|since| info.mod_seq.get() > since);
            if is_asked && !info.flags.contains(SystemFlag::Seen) {
                unseen.insert(uid);
            }
            if index % 1_000 == 999 && self.pause().await.is_err() {
                return Known::default();
            }
        }
        if unseen.is_empty() {
            return Known::default();
        }
        let seen = FlagChange::Add(Flags::from(SystemFlag::Seen));
        match mailbox.set_flags(&unseen, seen, None).await {
            Ok(set) => {
                // What was left out above because it had not changed has not changed now, either: all here were asked for.
                Known { uids: set.done, mod_seq: Some(set.mod_seq) }
            }
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "messages could not be marked as seen");
                Known::default()
            }
        }
    }

    async fn fetch_message(
        &self,
        reading: Reading,
        info: &MessageInfo,
        command: &FetchCommand,
        known: &Known,
    ) -> Result<bool, Done> {
        let Some(number) = self.with_selected(|selected| selected.view.number(info.uid))? else {
            return Ok(false);
        };
        let mut fetching = Fetching {
            session: self,
            reading,
            out: format!("* {number} FETCH (").into_bytes(),
            texts: Texts::None,
        };
        let mut is_first = true;
        let is_seen_now = known.uids.contains(info.uid);
        let missing =
            |item: FetchItem| (is_seen_now && !command.items.contains(&item)).then_some(item);
        let flags = missing(FetchItem::Flags);
        // RFC 7162 3.2: with flags that have changed.
        let mod_seq = missing(FetchItem::ModSeq).filter(|_| self.enabled.get().condstore);
        for item in flags.iter().chain(&mod_seq).chain(&command.items) {
            if !std::mem::take(&mut is_first) {
                fetching.out.push(b' ');
            }
            let written = match fetching.item(info, item).await {
                Ok(()) => fetching.write_long().await,
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => {}
                // It has gone since the list of messages was made.
                Err(ReadError::Store(StoreError::NoSuchMessage { .. }))
                    if !self.is_in_message.get() =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(fetching.broken(error)),
            }
        }
        fetching.out.extend_from_slice(b")\r\n");
        self.write(&fetching.out);
        self.is_in_message.set(false);
        self.room().await?;
        Ok(true)
    }

    pub(super) fn enable_condstore(&self) {
        let enabled = self.enabled.get();
        self.enabled.set(super::selected::Enabled { condstore: true, ..enabled });
    }
}

/// Messages that went before the client came (RFC 7162 3.2.6).
fn vanished_earlier(
    mailbox: &dyn Mailbox,
    uids: &UidSet,
    asked: &SequenceSet,
    since: u64,
) -> UidSet {
    let since = ModSeq::new(since).unwrap_or(ModSeq::MAX);
    let last = mailbox.status().uid_next.get().saturating_sub(1);
    let asked = uid_set(asked.ranges(last.max(1)), last);
    let gone = match mailbox.changes_since(since).vanished {
        Some(vanished) => intersection(&vanished, &asked),
        None => asked,
    };
    // Those that have a number here go with a response of their own, which changes the numbers.
    difference(&gone, uids)
}

/// UIDs and modification sequences that are told without being asked for.
fn add_implied(command: &mut FetchCommand) {
    if command.is_uid && !command.items.contains(&FetchItem::Uid) {
        command.items.insert(0, FetchItem::Uid);
    }
    if command.changed_since.is_some() && !command.items.contains(&FetchItem::ModSeq) {
        command.items.push(FetchItem::ModSeq);
    }
}

fn marks_seen(item: &FetchItem) -> bool {
    match item {
        FetchItem::Section { is_peek, .. } => !is_peek,
        item => matches!(item, FetchItem::Rfc822 | FetchItem::Rfc822Text),
    }
}

/// One message that is told of.
struct Fetching<'a> {
    session: &'a Session,
    reading: Reading,
    /// What is not written yet.
    out: Vec<u8>,
    texts: Texts,
}

/// What was read of the text so far.
enum Texts {
    None,
    Header(Box<(Part, Envelope)>),
    All(Rc<(Part, Envelope)>),
}

impl Fetching<'_> {
    async fn item(&mut self, info: &MessageInfo, item: &FetchItem) -> Result<(), ReadError> {
        match item {
            FetchItem::Uid => self.text(format!("UID {}", info.uid)),
            FetchItem::Size => self.text(format!("RFC822.SIZE {}", info.size)),
            FetchItem::ModSeq => self.text(format!("MODSEQ ({})", info.mod_seq)),
            FetchItem::InternalDate => {
                self.text(format!("INTERNALDATE \"{}\"", DateTime::from_unix(unix(info))));
            }
            FetchItem::Flags => {
                // They may have been changed since the list of messages was made.
                let selected = self.session.selected.borrow();
                let info = self.reading.mailbox.message(info.uid);
                if let (Some(selected), Some(info)) = (selected.as_ref(), info) {
                    selected.write_flag_list(&mut self.out, &info);
                } else {
                    self.out.extend_from_slice(b"FLAGS ()");
                }
            }
            FetchItem::Envelope => {
                let (_, envelope) = self.header().await?;
                let mut out = b"ENVELOPE ".to_vec();
                envelope.write(&mut out);
                self.out.extend_from_slice(&out);
            }
            FetchItem::Body | FetchItem::BodyStructure => {
                let is_extended = *item == FetchItem::BodyStructure;
                let part = self.structure().await?;
                let mut out =
                    if is_extended { b"BODYSTRUCTURE ".to_vec() } else { b"BODY ".to_vec() };
                part.write_structure(&mut out, is_extended);
                self.out.extend_from_slice(&out);
            }
            FetchItem::Section { section, partial, .. } => {
                let mut name = b"BODY".to_vec();
                message::write_section(&mut name, section);
                self.section(&name, section, *partial).await?;
            }
            FetchItem::Rfc822 => self.section(b"RFC822", &Section::all(), None).await?,
            FetchItem::Rfc822Header => {
                self.section(b"RFC822.HEADER", &Section::header(), None).await?
            }
            FetchItem::Rfc822Text => self.section(b"RFC822.TEXT", &Section::body(), None).await?,
            _ => {}
        }
        Ok(())
    }

    /// Writes what there is, if it is long.
    async fn write_long(&mut self) -> Result<(), ReadError> {
        if self.out.len() > OUT_MAX {
            self.session.is_in_message.set(true);
            self.session.write(&std::mem::take(&mut self.out));
            self.session.room().await?;
            self.session.pause().await?;
        }
        Ok(())
    }

    fn text(&mut self, text: impl AsRef<str>) {
        self.out.extend_from_slice(text.as_ref().as_bytes());
    }

    /// The header, of which no more is read than is needed.
    async fn header(&mut self) -> Result<(&Part, &Envelope), ReadError> {
        if matches!(self.texts, Texts::None) {
            let header = self.reading.header(self.session).await?;
            self.texts = Texts::Header(Box::new(header));
        }
        match &self.texts {
            Texts::Header(header) => Ok((&header.0, &header.1)),
            Texts::All(all) => Ok((&all.0, &all.1)),
            Texts::None => Err(ReadError::Short),
        }
    }

    async fn structure(&mut self) -> Result<&Part, ReadError> {
        if !matches!(self.texts, Texts::All(_)) {
            let all = match self.session.known_parts(self.reading.uid) {
                Some(all) => all,
                None => Rc::new(self.reading.structure(self.session).await?),
            };
            self.texts = Texts::All(all);
        }
        match &self.texts {
            Texts::All(all) => Ok(&all.0),
            _ => Err(ReadError::Short),
        }
    }

    /// A section: its name, and a literal, or NIL if the message has none such.
    async fn section(
        &mut self,
        name: &[u8],
        section: &Section,
        partial: Option<(u32, u32)>,
    ) -> Result<(), ReadError> {
        let range = match (&section.part[..], &section.text) {
            ([], None) => Some(0..self.reading.size),
            ([], _) => find_section(section, self.header().await?.0),
            _ => find_section(section, self.structure().await?),
        };
        self.out.extend_from_slice(name);
        if let Some((from, _)) = partial {
            self.text(format!("<{from}>"));
        }
        self.out.push(b' ');
        let Some(range) = range else {
            self.out.extend_from_slice(b"NIL");
            return Ok(());
        };
        let fields = match &section.text {
            Some(SectionText::HeaderFields(names)) => Some((names, false)),
            Some(SectionText::HeaderFieldsNot(names)) => Some((names, true)),
            _ => None,
        };
        if let Some((names, is_not)) = fields {
            let header = self.reading.bytes(self.session, range, HEADER_MAX).await?;
            let text = only_fields(&header, names, is_not);
            let (start, end) = cut(0, text.len() as u64, partial);
            let text = usize::try_from(start)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(start, end)| text.get(start..end));
            write_literal(&mut self.out, text.unwrap_or_default());
            return Ok(());
        }
        if let (Some(_), Texts::All(all)) = (partial, &self.texts) {
            // The next piece of the part comes next.
            self.session.parts.replace(Some((self.reading.uid, Rc::clone(all))));
        }
        let (start, end) = cut(range.start, range.end, partial);
        self.text(format!("{{{}}}\r\n", end - start));
        self.stream(start..end).await
    }

    /// Writes a part of the message as it is read.
    async fn stream(&mut self, range: std::ops::Range<u64>) -> Result<(), ReadError> {
        let mut at = range.start;
        while at < range.end {
            let mut piece = None;
            let next = at..range.end;
            self.reading
                .range(self.session, next, |bytes| {
                    piece = Some(bytes);
                    false
                })
                .await?;
            let piece = piece.ok_or(ReadError::Short)?;
            at += piece.len() as u64;
            self.session.is_in_message.set(true);
            self.session.write(&std::mem::take(&mut self.out));
            if memchr::memchr(0, &piece).is_some() {
                // A literal has no NUL (RFC 3501 9); the length has to stay.
                let piece: Vec<u8> =
                    piece.iter().map(|&byte| if byte == 0 { 0x80 } else { byte }).collect();
                self.session.write(&piece);
            } else {
                self.session.write_bytes(piece);
            }
            self.session.room().await?;
        }
        Ok(())
    }

    /// The message could not be read to its end. If its answer has begun, the connection cannot go on.
    fn broken(&self, error: ReadError) -> Done {
        if self.session.is_in_message.get() && !matches!(error, ReadError::Closed) {
            tracing::error!(uid = %self.reading.uid, ?error, "a message could not be read");
            self.session.transport.abort();
        }
        error.into()
    }
}

/// The part of a range that is asked for.
fn cut(start: u64, end: u64, partial: Option<(u32, u32)>) -> (u64, u64) {
    let Some((from, len)) = partial else { return (start, end) };
    let start = start.saturating_add(from.into()).min(end);
    (start, start.saturating_add(len.into()).min(end))
}

fn write_literal(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
    out.extend(text.iter().map(|&byte| if byte == 0 { 0x80 } else { byte }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_ranges() {
        assert_eq!(cut(10, 20, None), (10, 20));
        assert_eq!(cut(10, 20, Some((5, 3))), (15, 18));
        assert_eq!(cut(10, 20, Some((5, 100))), (15, 20));
        assert_eq!(cut(10, 20, Some((100, 1))), (20, 20));
        assert_eq!(cut(10, 20, Some((u32::MAX, u32::MAX))), (20, 20));
    }
}
