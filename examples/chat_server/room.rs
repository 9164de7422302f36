//! The room, as one reactor has it: its own guests, the names of all, and the mail to the other reactors.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sinew::prelude::*;
use sinew::protocols::basic::send_line;
use sinew::transports::reactors::{MailboxError, Mailboxes, NotSent, Shard};

/// Reading from a guest pauses for this long after a message while another guest is far behind, or another reactor. Otherwise
/// a fast sender would make all slow readers exceed their limit.
const REST: Duration = Duration::from_millis(10);

/// What one reactor tells the others.
#[derive(Clone)]
pub(crate) enum Said {
    ToAll(Arc<str>),
    To { name: Arc<str>, line: Arc<str> },
}

/// The names of all guests, each with the reactor of its guest. Behind a lock, which is taken to come, to go and to look, but
/// not to talk.
pub(crate) type Names = Arc<Mutex<BTreeMap<String, usize>>>;

/// The room on one reactor. What a guest says goes straight to the guests here, and as one message to each other reactor. So the
/// lines of one guest are heard by everybody in the order in which they were said; two guests on different reactors who talk at
/// the same time may be heard in either order, and not by everybody in the same.
#[derive(Default)]
pub(crate) struct Room {
    shard: usize,
    names: Names,
    /// `None` in a program with one reactor that is not started by `Reactors`.
    mail: Option<Mailboxes<Said>>,
    /// Writing to a guest makes no callbacks, so the map can stay borrowed meanwhile.
    here: RefCell<BTreeMap<String, Transport>>,
}

impl Room {
    /// The room of this reactor, made on first use.
    pub(crate) fn of(shard: &Shard, names: &Names, mail: &Mailboxes<Said>) -> Rc<Self> {
        let room = || Self {
            shard: shard.index(),
            names: names.clone(),
            mail: Some(mail.clone()),
            here: RefCell::default(),
        };
        shard.local::<OnceCell<Rc<Self>>>().get_or_init(|| Rc::new(room())).clone()
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `false` if the name is taken.
    pub(crate) fn enter(&self, name: &str, transport: &Transport) -> bool {
        let mut names = self.names();
        let is_free = !names.contains_key(name);
        if is_free {
            names.insert(name.to_owned(), self.shard);
            self.here.borrow_mut().insert(name.to_owned(), transport.clone());
        }
        is_free
    }

    /// Returns `false` if there is nobody of that name.
    pub(crate) fn leave(&self, name: &str) -> bool {
        self.here.borrow_mut().remove(name).is_some() && self.names().remove(name).is_some()
    }

    pub(crate) fn all_names(&self) -> String {
        Vec::from_iter(self.names().keys().cloned()).join(" ")
    }

    /// Everybody but the talker hears the line.
    pub(crate) fn tell_all(self: &Rc<Self>, talker: &Transport, line: &str) {
        let is_far_behind = self.tell_here(Some(talker), line);
        let unsent = match &self.mail {
            Some(mail) => mail.send_to_others(self.shard, &Said::ToAll(line.into())),
            None => Vec::new(),
        };
        self.rest(talker, is_far_behind, unsent);
    }

    /// Returns `false` if there is nobody of that name.
    pub(crate) fn tell(self: &Rc<Self>, talker: &Transport, name: &str, line: &str) -> bool {
        let Some(shard) = self.names().get(name).copied() else { return false };
        if shard == self.shard {
            let is_far_behind = self.tell_one(name, line);
            self.rest(talker, is_far_behind, Vec::new());
        } else if let Some(mail) = &self.mail {
            let message = Said::To { name: name.into(), line: line.into() };
            self.rest(talker, false, Vec::from_iter(mail.send(shard, message).err()));
        }
        true
    }

    /// Another reactor has something to tell the guests here.
    pub(crate) fn receive(&self, said: Said) {
        match said {
            Said::ToAll(line) => self.tell_here(None, &line),
            Said::To { name, line } => self.tell_one(&name, &line),
        };
    }

    /// Returns whether a guest is far behind.
    fn tell_here(&self, talker: Option<&Transport>, line: &str) -> bool {
        let here = self.here.borrow();
        let others = here.values().filter(|guest| Some(*guest) != talker);
        // Counted, so that all are told.
        others.filter(|guest| say(guest, line)).count() > 0
    }

    fn tell_one(&self, name: &str, line: &str) -> bool {
        self.here.borrow().get(name).is_some_and(|guest| say(guest, line))
    }

    /// The talker is not read for a while if somebody is behind. What did not fit into a full mailbox is sent then, before
    /// anything else of the talker's. Reactors that have ended have no guests any more.
    fn rest(
        self: &Rc<Self>,
        talker: &Transport,
        is_far_behind: bool,
        mut unsent: Vec<MailboxError<Said>>,
    ) {
        unsent.retain(|error| matches!(error.reason, NotSent::Full { .. }));
        if !is_far_behind && unsent.is_empty() {
            return;
        }
        let Some(reactor) = talker.reactor() else { return };
        talker.pause_reading();
        let (room, talker) = (self.clone(), talker.clone());
        reactor.call_later(REST, move |_| {
            let again = unsent.into_iter().filter_map(|error| match (&room.mail, error.reason) {
                (Some(mail), NotSent::Full { shard, .. }) => mail.send(shard, error.message).err(),
                _ => None,
            });
            let unsent = Vec::from_iter(again);
            talker.resume_reading();
            // Pauses again before anything is read, if there is still something unsent.
            room.rest(&talker, false, unsent);
        });
    }
}

/// Returns whether the guest is far behind.
fn say(guest: &Transport, line: &str) -> bool {
    send_line(guest, line) == Ok(WriteStatus::AboveHighWatermark)
}
