//! The task that reads: [`receive`] gives each response to the command that it belongs to, and keeps what is known of the mailbox.

use sinew_transports::reactor::with_causes;

use std::rc::Rc;

use bytes::Bytes;

use super::{
    ConnectionEnd, Event, FetchSink, StreamedSection,
    input::{Incoming, Input},
    request::{Kind, Pending},
    shared::{Continuation, Shared},
};
use crate::imap::codec::{
    Atom, Code, Data, LiteralHead, Message, ParseError, PlainCode, Response, Status, StatusText,
    Tag,
};

/// Most literals in one response.
const LITERALS_MAX: usize = 1_000;

/// Reads until the connection ends.
pub(super) async fn receive(shared: Rc<Shared>, mut input: Input) {
    let mut receiver =
        Receiver { shared: Rc::clone(&shared), streaming: None, literals: 0, kept: 0 };
    let end = loop {
        let incoming = match input.next().await {
            Ok(incoming) => incoming,
            Err(end) => break end,
        };
        shared.touch();
        let received = match incoming {
            Incoming::Literal(head) => receiver.literal(&mut input, head),
            Incoming::Bytes(bytes) => receiver.bytes(&bytes).await,
            Incoming::LiteralEnd => receiver.literal_ended(),
            Incoming::Message(message) => receiver.message(&message),
        };
        if let Err(end) = received {
            break end;
        }
        if shared.is_ended() {
            return;
        }
    };
    shared.end(end);
}

struct Receiver {
    shared: Rc<Shared>,
    /// The command whose sink takes the literal that is received. Otherwise nobody does.
    streaming: Option<Tag>,
    /// Literals in this response, and bytes of those that are kept.
    literals: usize,
    kept: u64,
}

impl Receiver {
    fn literal(&mut self, input: &mut Input, head: LiteralHead) -> Result<(), ConnectionEnd> {
        let config = &self.shared.config;
        self.literals += 1;
        if self.literals > LITERALS_MAX {
            return Err(ConnectionEnd::protocol(format!(
                "a response with more than {LITERALS_MAX} literals"
            )));
        }
        let max = config.literal_max.min(config.reply_max.saturating_sub(self.kept));
        let is_too_long = head.len > max;
        let has_sink = self.shared.pending.borrow().iter().any(|pending| pending.sink.is_some());
        if has_sink || is_too_long {
            let section = Response::parse_fetch(input.decoder.front(), self.shared.dialect());
            if let Some((number, items)) = section {
                let section = StreamedSection { number, items: &items, len: head.len };
                self.streaming = self.offer(&section);
                if self.streaming.is_some() {
                    input.decoder.stream();
                    return Ok(());
                }
                if is_too_long {
                    // It is read and dropped.
                    self.exceeds(max);
                    input.decoder.stream();
                    return Ok(());
                }
            } else if is_too_long {
                return Err(ConnectionEnd::protocol(format!("a literal of {} bytes", head.len)));
            }
        }
        self.kept += head.len;
        input.decoder.keep();
        Ok(())
    }

    /// Offers a section to the command that may have asked for it.
    fn offer(&self, section: &StreamedSection<'_>) -> Option<Tag> {
        let (tag, is_wanted) = self.with_sink(None, |sink| sink.section_begun(section))?;
        is_wanted.then_some(tag)
    }

    /// Calls a sink, which is out of its cell meanwhile: of this command, or of the first that has one.
    fn with_sink<T>(
        &self,
        tag: Option<&Tag>,
        f: impl FnOnce(&mut Box<dyn FetchSink>) -> T,
    ) -> Option<(Tag, T)> {
        let found = self.shared.pending.borrow_mut().iter_mut().find_map(|pending| {
            if tag.is_some_and(|tag| pending.tag != *tag) {
                return None;
            }
            Some((pending.tag.clone(), pending.sink.take()?))
        });
        let (tag, mut sink) = found?;
        let result = f(&mut sink);
        let mut pending = self.shared.pending.borrow_mut();
        if let Some(pending) = pending.iter_mut().find(|pending| pending.tag == tag) {
            pending.sink = Some(sink);
        } else {
            // It is user code that is dropped.
            drop(pending);
            drop(sink);
        }
        Some((tag, result))
    }

    async fn bytes(&mut self, bytes: &Bytes) -> Result<(), ConnectionEnd> {
        let Some(tag) = &self.streaming else { return Ok(()) };
        let called = self.with_sink(Some(tag), |sink| sink.section_received(bytes));
        if let Some((_, Some(held))) = called {
            self.shared.held.set(self.shared.held.get() + 1);
            let released = held.await;
            self.shared.held.set(self.shared.held.get().saturating_sub(1));
            self.shared.touch();
            if let Err(failure) = released {
                // The rest is not wanted, and is read and dropped.
                tracing::debug!(%failure, "a section of a message is not wanted any more");
                self.streaming = None;
            }
        }
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps, reason = "as its siblings")]
    fn literal_ended(&mut self) -> Result<(), ConnectionEnd> {
        if let Some(tag) = self.streaming.take() {
            self.with_sink(Some(&tag), |sink| sink.section_ended());
        }
        Ok(())
    }

    /// The command that waits for data of messages has exceeded a limit.
    fn exceeds(&self, max: u64) {
        let mut pending = self.shared.pending.borrow_mut();
        let first =
            pending.iter_mut().find(|pending| matches!(pending.kind, Kind::Messages { .. }));
        if let Some(first) = first {
            first.too_long.get_or_insert(max);
        }
    }

    fn message(&mut self, message: &Message) -> Result<(), ConnectionEnd> {
        (self.literals, self.kept) = (0, 0);
        let len = message.bytes().len() as u64;
        match Response::parse(message, self.shared.dialect()) {
            Ok(Response::Continue { .. }) => {
                if self.shared.continuation.get() == Continuation::Awaited {
                    self.shared.continuation.set(Continuation::Received);
                    self.shared.wake_writer();
                }
            }
            Ok(Response::Done { tag, status }) => return self.done(&tag, status),
            Ok(Response::Status(status)) => return self.status(status),
            Ok(Response::Data(data)) => self.data(data, len),
            Err(error) => {
                if !message.bytes().starts_with(b"*") {
                    return Err(ConnectionEnd::protocol(error));
                }
                tracing::debug!(error = %with_causes(&error), "a response that cannot be read");
                self.cannot_read(error);
            }
        }
        Ok(())
    }

    /// Whose data they were is not known: each command that takes some fails, or the first one if there is none.
    fn cannot_read(&self, error: ParseError) {
        let mut pending = self.shared.pending.borrow_mut();
        let has_taker = pending.iter().any(|pending| pending.kind.takes_data());
        for (at, pending) in pending.iter_mut().enumerate() {
            if pending.kind.takes_data() || !has_taker && at == 0 {
                pending.unreadable.get_or_insert(error);
            }
        }
    }

    fn done(&self, tag: &Tag, status: StatusText) -> Result<(), ConnectionEnd> {
        let found = {
            let mut pending = self.shared.pending.borrow_mut();
            let at = pending.iter().position(|pending| pending.tag == *tag);
            at.and_then(|at| pending.remove(at))
        };
        let Some(mut pending) = found else {
            return Err(ConnectionEnd::protocol("an answer to no command"));
        };
        let sink = pending.sink.take();
        self.note_code(&status);
        self.shared.answered(pending, status);
        drop(sink);
        Ok(())
    }

    fn status(&self, status: StatusText) -> Result<(), ConnectionEnd> {
        self.note_code(&status);
        if status.status == Status::Bye {
            self.shared.bye.replace(Some(status.clone()));
            self.shared.events.push(Event::Bye(status.clone()));
            // Nothing follows but the answer to LOGOUT.
            let is_asked_for =
                self.shared.pending.borrow().iter().any(|pending| pending.name == "LOGOUT");
            return if is_asked_for { Ok(()) } else { Err(ConnectionEnd::Bye(status)) };
        }
        let is_of_command = |pending: &&mut Pending| {
            matches!(pending.kind, Kind::Select | Kind::Copy { .. } | Kind::Expunge { .. })
        };
        let mut pending = self.shared.pending.borrow_mut();
        if let Some(first) = pending.iter_mut().find(is_of_command)
            && status.code.is_some()
            && first.statuses.len() < 100
        {
            first.statuses.push(status);
        }
        Ok(())
    }

    fn note_code(&self, status: &StatusText) {
        match &status.code {
            None => {}
            Some(Code::Capability(capabilities)) => {
                self.shared.capabilities.replace(capabilities.clone());
            }
            Some(Code::Plain(PlainCode::Alert)) => {
                self.shared.events.push(Event::Alert(status.clone()))
            }
            Some(Code::Plain(PlainCode::Closed)) => {
                // RFC 7162 3.2.11: what was told until now is of the mailbox that was selected before.
                if let Some(view) = &mut *self.shared.selecting.borrow_mut() {
                    *view = super::MailboxView::new(view.name.clone(), view.is_read_only);
                }
                let mut pending = self.shared.pending.borrow_mut();
                for select in pending.iter_mut().filter(|pending| pending.kind == Kind::Select) {
                    (select.data, select.len) = (Vec::new(), 0);
                }
            }
            Some(code) => self.shared.with_view(|view| view.note_code(code)),
        }
    }

    fn enabled(&self, enabled: &[Atom]) {
        let has = |name: &str| enabled.iter().any(|enabled| enabled.is(name));
        if has("UTF8=ACCEPT") || has("IMAP4rev2") {
            self.shared.is_utf8.set(true);
        }
        if has("QRESYNC") {
            self.shared.has_qresync.set(true);
        }
    }

    fn data(&self, data: Data, len: u64) {
        match &data {
            Data::Capability(capabilities) => {
                self.shared.capabilities.replace(capabilities.clone());
            }
            Data::Enabled(enabled) => self.enabled(enabled),
            _ => {}
        }
        self.shared.with_view(|view| view.note(&data));
        let is_selecting = self.shared.selecting.borrow().is_some();
        let taker = {
            let pending = self.shared.pending.borrow();
            pending
                .iter()
                .find(|pending| pending.kind.takes(&data))
                .map(|pending| (pending.tag.clone(), pending.kind.asks_for_flags()))
        };
        // Flags that nobody has asked for are news also while messages are fetched.
        let is_asked_for =
            matches!(data, Data::Fetch { .. }) && taker.as_ref().is_some_and(|(_, asks)| *asks);
        if let Some(event) = Event::of(&data).filter(|_| !is_selecting && !is_asked_for) {
            self.shared.events.push(event);
        }
        if let Some((tag, _)) = taker {
            self.collect(&tag, data, len);
        }
    }

    /// Gives data to the command that they belong to.
    fn collect(&self, tag: &Tag, data: Data, len: u64) {
        let data = match data {
            Data::Fetch { number, items } => {
                let mut items = Some(items);
                let taken = self.with_sink(Some(tag), |sink| {
                    if let Some(items) = items.take() {
                        sink.fetched(number, items);
                    }
                });
                match items {
                    Some(items) if taken.is_none() => Data::Fetch { number, items },
                    _ => return,
                }
            }
            data => data,
        };
        let max = self.shared.config.reply_max;
        let mut pending = self.shared.pending.borrow_mut();
        let Some(pending) = pending.iter_mut().find(|pending| pending.tag == *tag) else { return };
        pending.len += len;
        if pending.len > max {
            pending.too_long.get_or_insert(max);
        }
        if pending.too_long.is_some() || pending.promise.is_none() {
            pending.data = Vec::new();
            return;
        }
        pending.data.push(data);
    }
}
