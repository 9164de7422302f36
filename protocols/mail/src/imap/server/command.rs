//! Which part of the server does what a command says; and the commands about the session itself.

use std::rc::Rc;

use super::{
    answer::Done,
    compression::IS_OFFERED,
    selected::{Enabled, Known, Occasion},
    session::{QUEUE_MAX, Session},
};
use crate::imap::codec::{Atom, Command, CommandBody};

/// What the server can do for a client that has logged in, as far as it does not depend on the configuration.
const CAPABILITIES: &str = "ENABLE IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS \
    STATUS=SIZE ESEARCH WITHIN CONDSTORE QRESYNC";

impl Session {
    /// Does what a command says, except for what concerns the connection itself. `None` if the answer comes later: a login goes on.
    pub(super) async fn execute(&self, command: Command) -> Option<Result<Done, Done>> {
        let tag = command.tag;
        Some(match command.body {
            CommandBody::Capability => self.capability(),
            CommandBody::Noop | CommandBody::Check => self.refresh().await,
            CommandBody::Id(_) => self.id(),
            CommandBody::Namespace => self.namespace(),
            CommandBody::Enable(capabilities) => self.enable(&capabilities),
            CommandBody::Login { user, password } => self.login(user, password).await,
            CommandBody::Authenticate { mechanism, initial } => {
                return self.authenticate(&tag, &mechanism, initial.as_deref()).await;
            }
            CommandBody::Select(command) => self.select_mailbox(command, false).await,
            CommandBody::Examine(command) => self.select_mailbox(command, true).await,
            CommandBody::Create { mailbox, special_use } => {
                self.create(&mailbox, &special_use).await
            }
            CommandBody::Delete(mailbox) => self.delete(&mailbox).await,
            CommandBody::Rename { from, to } => self.rename(&from, &to).await,
            CommandBody::Subscribe(mailbox) => self.subscribe(&mailbox, true).await,
            CommandBody::Unsubscribe(mailbox) => self.subscribe(&mailbox, false).await,
            CommandBody::List(command) => self.list(command).await,
            CommandBody::Lsub { reference, pattern } => self.lsub(&reference, &pattern).await,
            CommandBody::Status { mailbox, items } => self.status(&mailbox, &items).await,
            CommandBody::Close => self.close().await,
            CommandBody::Unselect => {
                self.unselect();
                Ok(Done::ok("Done"))
            }
            CommandBody::Expunge(uids) => self.expunge(uids).await,
            CommandBody::Search(command) => {
                let is_uid = command.is_uid;
                by_numbers(self.search(&tag, command).await, is_uid)
            }
            CommandBody::Fetch(command) => {
                let is_uid = command.is_uid;
                by_numbers(self.fetch(command).await, is_uid)
            }
            CommandBody::Store(command) => {
                let is_uid = command.is_uid;
                by_numbers(self.store(command).await, is_uid)
            }
            CommandBody::Copy(command) => self.copy(command).await,
            CommandBody::Move(command) => self.move_to(command).await,
            _ => Err(Done::bad("Not offered here")),
        })
    }

    /// What the server can do, for this client and now.
    pub(super) fn capabilities(&self) -> String {
        let mut all = "IMAP4rev1 LITERAL- SASL-IR ID".to_owned();
        if self.phase.get() != super::phase::Phase::BeforeLogin {
            let can_compress = IS_OFFERED && self.deflating.borrow().is_none();
            let compress = if can_compress { " COMPRESS=DEFLATE" } else { "" };
            return format!(
                "{all} {CAPABILITIES}{compress} APPENDLIMIT={}",
                self.config.append_max
            );
        }
        if self.config.tls.is_offered() && !self.transport.is_tls() {
            all += " STARTTLS";
        }
        let channel = self.channel();
        if self.config.authenticator.allows_plaintext(&channel).is_err() {
            all += " LOGINDISABLED";
        }
        for mechanism in self.config.authenticator.mechanisms(&channel) {
            all += &format!(" AUTH={mechanism}");
        }
        all
    }

    fn capability(&self) -> Result<Done, Done> {
        self.write(format!("* CAPABILITY {}\r\n", self.capabilities()).as_bytes());
        Ok(Done::ok("Done"))
    }

    fn id(&self) -> Result<Done, Done> {
        self.write(b"* ID (\"name\" \"sinew\")\r\n");
        Ok(Done::ok("Done"))
    }

    fn namespace(&self) -> Result<Done, Done> {
        self.write(b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
        Ok(Done::ok("Done"))
    }

    /// ENABLE (RFC 5161): what is not known is left out.
    fn enable(&self, capabilities: &[Atom]) -> Result<Done, Done> {
        let mut enabled = self.enabled.get();
        let mut told = String::new();
        for name in capabilities {
            if name.is("CONDSTORE") {
                enabled.condstore = true;
                told += " CONDSTORE";
            } else if name.is("QRESYNC") {
                enabled = Enabled { condstore: true, qresync: true };
                told += " QRESYNC";
            }
        }
        self.enabled.set(enabled);
        self.write(format!("* ENABLED{told}\r\n").as_bytes());
        Ok(Done::ok("Done"))
    }

    /// Begins IDLE (RFC 2177): changes are told as they happen.
    pub(super) fn begin_idle(self: &Rc<Self>, tag: crate::imap::codec::Tag) {
        self.write(b"+ Idling\r\n");
        self.idle.replace(Some(tag));
        let weak = Rc::downgrade(self);
        let changed = Rc::new(move |_: &sinew_transports::reactor::Reactor| {
            if let Some(session) = weak.upgrade() {
                session.tell_idle();
            }
        });
        let watch = self.mailbox().ok().map(|mailbox| mailbox.watch(changed));
        drop(self.with_selected(|selected| selected.watch = watch));
        self.tell_idle();
    }

    /// Tells what has changed, unless the client does not receive: then the next change tells it, or the end of IDLE.
    fn tell_idle(self: &Rc<Self>) {
        // A task that tells the rest comes here at its end, and has a clock of its own for a client that receives nothing.
        if self.idle.borrow().is_none() || self.is_telling.get() {
            return;
        }
        if self.transport.queued() > QUEUE_MAX {
            return self.await_idle_client();
        }
        if self.write_some_changes(Occasion::Any, &Known::default()) {
            self.go_on_telling();
        }
        self.end_answer();
        let is_gone =
            self.selected.borrow().as_ref().is_some_and(|selected| selected.mailbox.is_deleted());
        if is_gone {
            self.bye("The mailbox was deleted");
        } else if self.transport.queued() > QUEUE_MAX && !self.is_telling.get() {
            self.await_idle_client();
        }
    }

    /// Tells the rest in IDLE, as the client receives it.
    fn go_on_telling(self: &Rc<Self>) {
        let Some(reactor) = self.transport.reactor() else { return };
        self.is_telling.set(true);
        let session = Rc::clone(self);
        let task = async move {
            while session.room().await.is_ok() && session.idle.borrow().is_some() {
                let has_more = session.write_some_changes(Occasion::Any, &Known::default());
                session.end_answer();
                if !has_more || session.pause().await.is_err() {
                    break;
                }
            }
            session.is_telling.set(false);
            if !session.transport.is_closing() {
                session.tell_idle();
            }
        };
        reactor.spawn(task).detach();
    }

    /// A client in IDLE that does not receive is not read from, so that no other clock runs: it is disconnected if that lasts.
    fn await_idle_client(self: &Rc<Self>) {
        let Some(reactor) = self.transport.reactor() else { return };
        if self.is_awaiting_client.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        reactor.call_later(self.config.send_timeout, move |_| {
            let Some(session) = weak.upgrade() else { return };
            session.is_awaiting_client.set(false);
            if session.is_telling.get() {
                return;
            }
            if session.idle.borrow().is_some() && session.transport.queued() > QUEUE_MAX {
                session.transport.abort();
            }
        });
    }

    /// Ends IDLE.
    pub(super) fn end_idle(&self) -> Option<crate::imap::codec::Tag> {
        let watch = self.with_selected(|selected| selected.watch.take());
        drop(watch);
        self.idle.take()
    }
}

/// The end of a FETCH, STORE or SEARCH. No message goes with it, also if it has failed: the client may have sent a command ahead that
/// names messages by their numbers (RFC 3501 5.5 and 7.4.1).
fn by_numbers(done: Result<Done, Done>, is_uid: bool) -> Result<Done, Done> {
    match done {
        Ok(done) => Ok(done.by_numbers(is_uid)),
        Err(refused) => Err(refused.by_numbers(is_uid)),
    }
}
