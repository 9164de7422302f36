//! What is known of a connection: [`Session`], which its commands share. How they read and write, and how they wait.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    rc::Rc,
    task::Poll,
};

use bytes::Bytes;
use sinew_auth::{BegunLogin, Channel, Identity, OpenSession, SaslServer};
use sinew_transports::{
    Producer, Production, Transport,
    reactor::{Deferred, Failure, Promise, Reactor},
};

use super::{
    ServerConfig,
    answer::Done,
    compression::Deflating,
    phase::Phase,
    selected::{Enabled, Known, Occasion, Selected},
    uid_ranges::{difference, first_ranges},
};
use crate::{
    imap::{
        codec::Tag,
        message::{Envelope, Part},
    },
    store::{Account, Mailbox, Uid, UidSet},
};

/// How much may wait to be sent before a command stops to produce more.
pub(super) const QUEUE_MAX: usize = 64 << 10;

/// How many ranges of UIDs are told in a line.
const RANGES_IN_PIECE: usize = 1_000;

/// A connection of a client.
pub(super) struct Session {
    pub(super) transport: Transport,
    pub(super) config: Rc<ServerConfig>,
    pub(super) phase: Cell<Phase>,
    pub(super) enabled: Cell<Enabled>,
    account: RefCell<Option<Rc<dyn Account>>>,
    credentials: RefCell<CheckedCredentials>,
    pub(super) selected: RefCell<Option<Box<Selected>>>,
    /// A login that goes on: lines are not commands.
    pub(super) login: RefCell<Option<(Tag, SaslServer)>>,
    /// In IDLE: the tag of it.
    pub(super) idle: RefCell<Option<Tag>>,
    /// The parts of the message that was read last, if it is read in pieces: until another command comes.
    pub(super) parts: RefCell<Option<KnownParts>>,
    /// With COMPRESS.
    pub(super) deflating: RefCell<Option<Box<Deflating>>>,
    pub(super) failed_logins: Cell<u8>,
    /// In IDLE, a task tells what has changed, as the client receives it.
    pub(super) is_telling: Cell<bool>,
    /// In IDLE, a clock runs until the client receives.
    pub(super) is_awaiting_client: Cell<bool>,
    /// What was written last has not ended its line.
    is_in_line: Cell<bool>,
    /// A part of the answer about a message is written: if it cannot be ended, the connection cannot go on.
    pub(super) is_in_message: Cell<bool>,
    /// A command is at work: the next one waits.
    pub(super) is_busy: Cell<bool>,
}

/// Whether the credentials of the user still count.
#[derive(Default)]
enum CheckedCredentials {
    #[default]
    None,
    /// From the first command of a login to its end.
    Begun(BegunLogin),
    /// Since the login.
    Open(OpenSession),
}

/// A message, with its parts and its envelope.
type KnownParts = (Uid, Rc<(Part, Envelope)>);

/// The connection has ended, or takes no more output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed;

impl From<Closed> for Done {
    fn from(_: Closed) -> Self {
        Self::no("The connection has ended")
    }
}

impl Session {
    pub(super) fn new(transport: &Transport, config: Rc<ServerConfig>) -> Self {
        Self {
            transport: transport.clone(),
            config,
            phase: Cell::default(),
            enabled: Cell::default(),
            account: RefCell::default(),
            credentials: RefCell::default(),
            selected: RefCell::default(),
            login: RefCell::default(),
            idle: RefCell::default(),
            parts: RefCell::default(),
            deflating: RefCell::default(),
            failed_logins: Cell::new(0),
            is_telling: Cell::new(false),
            is_awaiting_client: Cell::new(false),
            is_in_line: Cell::new(false),
            is_in_message: Cell::new(false),
            is_busy: Cell::new(false),
        }
    }

    pub(super) fn reactor(&self) -> Result<Reactor, Closed> {
        self.transport.reactor().ok_or(Closed)
    }

    pub(super) fn channel(&self) -> Channel {
        Channel::of(&self.transport).service("imap")
    }

    /// The account of the user who has logged in.
    pub(super) fn account(&self) -> Result<Rc<dyn Account>, Done> {
        self.account.borrow().clone().ok_or_else(|| Done::bad("Log in first"))
    }

    /// A login begins. What is checked from now on may have changed at its end.
    pub(super) fn begin_login(&self) {
        let begun = CheckedCredentials::Begun(self.config.sessions.begin_login());
        self.credentials.replace(begun);
    }

    /// The login is over.
    pub(super) fn forget_login(&self) {
        let mut credentials = self.credentials.borrow_mut();
        if matches!(*credentials, CheckedCredentials::Begun(_)) {
            *credentials = CheckedCredentials::None;
        }
    }

    /// The credentials were right. Returns whether they still count: then the session begins.
    pub(super) fn logged_in(&self, identity: &Identity, account: Rc<dyn Account>) -> bool {
        let CheckedCredentials::Begun(begun) = self.credentials.take() else { return false };
        let Some(open) = begun.succeeded_on(identity, &self.transport) else { return false };
        self.credentials.replace(CheckedCredentials::Open(open));
        self.account.replace(Some(account));
        self.phase.set(Phase::LoggedIn);
        true
    }

    /// Whether the session was ended because the credentials of its user do not count any more.
    pub(super) fn has_ended(&self) -> bool {
        matches!(&*self.credentials.borrow(), CheckedCredentials::Open(open) if open.has_ended())
    }

    /// Says so, and closes the connection; aborts it where nothing can be said.
    pub(super) fn expire(&self) {
        if self.is_in_message.get() || self.is_in_line.get() {
            return self.transport.abort();
        }
        // RFC 5530 3: "that password isn't valid any more".
        self.bye("[EXPIRED] The credentials are not valid any more");
    }

    /// The connection is over, and the session with it.
    pub(super) fn lost(&self) {
        drop(self.end_idle());
        self.unselect();
        self.credentials.take();
    }

    /// The mailbox that is selected.
    pub(super) fn mailbox(&self) -> Result<Rc<dyn Mailbox>, Done> {
        self.with_selected(|selected| Rc::clone(&selected.mailbox))
    }

    /// Calls `f` with what is selected. It must not call the loop.
    pub(super) fn with_selected<T>(&self, f: impl FnOnce(&mut Selected) -> T) -> Result<T, Done> {
        let mut selected = self.selected.borrow_mut();
        let selected = selected.as_mut().ok_or_else(|| Done::bad("Select a mailbox first"))?;
        Ok(f(selected))
    }

    /// The mailbox that is selected, if it may be changed.
    pub(super) fn writable_mailbox(&self) -> Result<Rc<dyn Mailbox>, Done> {
        let mailbox = self.with_selected(|selected| {
            (!selected.is_read_only).then(|| Rc::clone(&selected.mailbox))
        })?;
        mailbox.ok_or_else(|| Done::no("The mailbox is open for reading only").code("READ-ONLY"))
    }

    pub(super) fn select(&self, selected: Selected) {
        let before = self.selected.replace(Some(Box::new(selected)));
        drop(before);
        self.phase.set(Phase::Selected);
    }

    /// Leaves the selected mailbox. Returns whether there was one.
    pub(super) fn unselect(&self) -> bool {
        let before = self.selected.take();
        if before.is_some() {
            self.phase.set(Phase::LoggedIn);
        }
        before.is_some()
    }

    /// The parts of a message, if they are known still.
    pub(super) fn known_parts(&self, uid: Uid) -> Option<Rc<(Part, Envelope)>> {
        let parts = self.parts.borrow();
        parts.as_ref().filter(|(known, _)| *known == uid).map(|(_, parts)| Rc::clone(parts))
    }

    // ---- output ----

    pub(super) fn write(&self, bytes: &[u8]) {
        self.is_in_line.set(!bytes.ends_with(b"\n"));
        match &mut *self.deflating.borrow_mut() {
            Some(deflating) => self.transport.write(deflating.deflate(bytes)),
            None => self.transport.write(bytes),
        };
    }

    pub(super) fn write_bytes(&self, bytes: Bytes) {
        if self.deflating.borrow().is_some() {
            return self.write(&bytes);
        }
        self.is_in_line.set(!bytes.ends_with(b"\n"));
        self.transport.write_bytes(bytes);
    }

    /// Compresses what is written from now on.
    pub(super) fn compress(&self) {
        self.deflating.replace(Some(Box::default()));
    }

    /// An answer has ended: it leaves no buffers behind.
    pub(super) fn end_answer(&self) {
        if let Some(deflating) = &mut *self.deflating.borrow_mut() {
            deflating.forget();
        }
    }

    /// Tells all that has changed in the selected mailbox, as the client receives it.
    pub(super) async fn tell_changes(
        &self,
        occasion: Occasion,
        known: &Known,
    ) -> Result<(), Closed> {
        while self.write_some_changes(occasion, known) {
            self.room().await?;
            self.pause().await?;
        }
        Ok(())
    }

    /// Tells a piece of what has changed. Whether more is left.
    pub(super) fn write_some_changes(&self, occasion: Occasion, known: &Known) -> bool {
        let (mut out, mut has_more) = (Vec::new(), false);
        if let Some(selected) = &mut *self.selected.borrow_mut() {
            has_more = selected.write_changes(&mut out, occasion, self.enabled.get(), known);
        }
        if !out.is_empty() {
            self.write(&out);
        }
        has_more
    }

    /// Ends a command, with what has changed told as the client receives it.
    pub(super) async fn end(&self, tag: &Tag, done: &Done) {
        // If the connection has ended, this says nothing either.
        let _ = self.tell_changes(done.occasion, &done.known).await;
        self.finish(tag, done);
    }

    /// Ends a command at once. If more has changed than is told in a piece, the next command tells the rest.
    pub(super) fn finish(&self, tag: &Tag, done: &Done) {
        let _ = self.write_some_changes(done.occasion, &done.known);
        let is_gone =
            self.selected.borrow().as_ref().is_some_and(|selected| selected.mailbox.is_deleted());
        let mut out = Vec::with_capacity(96);
        out.extend_from_slice(tag.as_bytes());
        let code = done.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
        out.extend_from_slice(
            format!(" {} {code}{}\r\n", done.status.as_str(), done.text).as_bytes(),
        );
        self.write(&out);
        self.end_answer();
        if is_gone {
            // RFC 2180 3.3: a client cannot work with a mailbox that is gone.
            self.bye("The mailbox was deleted");
        }
    }

    /// Says goodbye, and closes the connection once all is sent.
    pub(super) fn bye(&self, text: &str) {
        self.write(format!("* BYE {text}\r\n").as_bytes());
        self.transport.lose_connection();
    }

    /// Tells messages that went before the client came (RFC 7162 3.2.10), as it receives it.
    pub(super) async fn tell_vanished_earlier(&self, mut gone: UidSet) -> Result<(), Closed> {
        while !gone.is_empty() {
            let some = first_ranges(&gone, RANGES_IN_PIECE);
            gone = difference(&gone, &some);
            self.write(format!("* VANISHED (EARLIER) {some}\r\n").as_bytes());
            self.room().await?;
        }
        Ok(())
    }

    /// Waits until there is room for more output: a client that receives nothing stops its commands.
    pub(super) async fn room(&self) -> Result<(), Closed> {
        if self.transport.queued() <= QUEUE_MAX {
            return if self.transport.is_closing() { Err(Closed) } else { Ok(()) };
        }
        let reactor = self.reactor()?;
        let (promise, room): (Promise<(), Failure>, Deferred<(), Failure>) = reactor.promise();
        if !self.transport.stream(Gate(Some(promise))) {
            return Err(Closed);
        }
        match reactor.timeout(self.config.send_timeout, room).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Closed),
            Err(_) => {
                tracing::debug!(peer = %self.transport.peer(), "a client of IMAP receives nothing");
                self.transport.abort();
                Err(Closed)
            }
        }
    }

    /// Lets others have the loop.
    pub(super) async fn pause(&self) -> Result<(), Closed> {
        let mut has_paused = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_paused, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        if self.transport.is_closing() { Err(Closed) } else { Ok(()) }
    }
}

/// A producer of nothing: it is called when there is room for output.
struct Gate(Option<Promise<(), Failure>>);

impl Producer for Gate {
    fn produce(&mut self, _: &Transport) -> Production {
        if let Some(promise) = self.0.take() {
            promise.resolve(());
        }
        Production::Done
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.transport.peer())
            .field("phase", &self.phase)
            .field("selected", &self.selected)
            .finish_non_exhaustive()
    }
}
