//! The room, as one reactor has it: the names of all, the doors of the guests, and the mail to the other reactors. It knows no
//! transport and no protocol: things happen in it, and each door says them in the language of its guests.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sinew::prelude::*;
use sinew::transports::reactors::{MailboxError, Mailboxes, NotSent};

use super::event::Event;

/// A guest who talks is not read for this long while another guest is far behind, or another reactor. Otherwise a fast sender would make
/// all slow readers exceed their limit.
const REST: Duration = Duration::from_millis(10);

/// Longest name, in bytes.
const NAME_MAX: usize = 20;

/// Events on their way to a reactor. A talker whose event does not fit waits.
const MAIL_MAX: usize = 4_096;

/// The guests of one door.
pub(crate) trait Audience {
    /// Tells all but the one of whom it tells. Returns whether a guest is far behind.
    fn tell_all(&self, event: &Event) -> bool;
    /// Tells one; `None` if there is nobody of that name.
    fn tell_one(&self, name: &str, event: &Event) -> Option<bool>;
}

/// The connection of a guest who talks, as far as the room needs it.
pub(crate) trait Talker: Clone + 'static {
    fn reactor(&self) -> Option<Reactor>;
    fn pause_reading(&self);
    fn resume_reading(&self);
}

/// What the owner of the room decides.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Said to each who enters.
    pub(crate) welcome: Option<String>,
    /// How long a guest may take to say a name.
    pub(crate) name_timeout: Duration,
    /// What may be queued for a guest. Sending never blocks, so messages pile up for a guest who does not read. Past this limit the guest is
    /// disconnected; the others are not affected.
    pub(crate) unread_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { welcome: None, name_timeout: Duration::from_secs(60), unread_max: 256 * 1024 }
    }
}

/// What the rooms of all reactors share: the names of all guests, each with the reactor of its guest, behind a lock, which is taken to
/// come, to go and to look, but not to talk; and the mail.
#[derive(Clone)]
pub(crate) struct Building {
    names: Arc<Mutex<Names>>,
    pub(crate) rules: Rules,
    pub(crate) mail: Mailboxes<Event>,
}

impl Building {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { names: Arc::default(), rules, mail: Mailboxes::new(MAIL_MAX) }
    }
}

/// Guests by their names in lower case: for a client of IRC, `ann` and `Ann` are one.
type Names = BTreeMap<String, Named>;

struct Named {
    name: String,
    shard: usize,
}

/// The room on one reactor. What a guest says goes straight to the guests here, and as one message to each other reactor. So the
/// lines of one guest are heard by everybody in the order in which they were said; two guests on different reactors who talk at
/// the same time may be heard in either order, and not by everybody in the same.
pub(crate) struct Room {
    shard: usize,
    building: Building,
    /// Whether other reactors have rooms.
    has_mail: bool,
    /// A door is there as long as its port.
    doors: RefCell<Vec<Weak<dyn Audience>>>,
}

/// The room of a program with one reactor, which `Reactors` has not started.
impl Default for Room {
    fn default() -> Self {
        Self::new(0, Building::new(Rules::default()), false)
    }
}

impl Room {
    /// The room of the reactor with this number. Where there are others, their mail has to be told here.
    pub(crate) fn new(shard: usize, building: Building, has_mail: bool) -> Self {
        Self { shard, building, has_mail, doors: RefCell::default() }
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.building.rules
    }

    pub(crate) fn add_door(&self, door: Weak<dyn Audience>) {
        let mut doors = self.doors.borrow_mut();
        doors.retain(|door| door.strong_count() > 0);
        doors.push(door);
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.building.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `false` if it is no name, or somebody has it.
    pub(crate) fn take_name(&self, name: &str) -> bool {
        if !is_name(name) {
            return false;
        }
        let (mut names, key) = (self.names(), name.to_lowercase());
        let is_free = !names.contains_key(&key);
        if is_free {
            names.insert(key, Named { name: name.to_owned(), shard: self.shard });
        }
        is_free
    }

    pub(crate) fn give_name_back(&self, name: &str) {
        self.names().remove(&name.to_lowercase());
    }

    pub(crate) fn all_names(&self) -> Vec<String> {
        self.names().values().map(|named| named.name.clone()).collect()
    }

    /// The reactor of the guest of this name.
    fn shard_of(&self, name: &str) -> Option<usize> {
        let names = self.names();
        names.get(&name.to_lowercase()).filter(|named| named.name == name).map(|named| named.shard)
    }

    /// Everybody hears of it but the talker.
    pub(crate) fn tell_all(self: &Rc<Self>, talker: &impl Talker, event: &Event) {
        let is_far_behind = self.tell_here(event);
        let unsent = match self.has_mail {
            true => self.building.mail.send_to_others(self.shard, event),
            false => Vec::new(),
        };
        self.rest(talker, is_far_behind, unsent);
    }

    /// Returns `false` if there is nobody of that name.
    pub(crate) fn tell_one(
        self: &Rc<Self>,
        talker: &impl Talker,
        name: &str,
        event: Event,
    ) -> bool {
        let Some(shard) = self.shard_of(name) else { return false };
        if shard == self.shard {
            let is_far_behind = self.tell_one_here(name, &event);
            self.rest(talker, is_far_behind, Vec::new());
        } else {
            let unsent = self.building.mail.send(shard, event).err();
            self.rest(talker, false, Vec::from_iter(unsent));
        }
        true
    }

    /// Returns whether a guest is far behind. Sending makes no callbacks, so the doors can stay borrowed meanwhile.
    pub(crate) fn tell_here(&self, event: &Event) -> bool {
        let doors = self.doors.borrow();
        // Counted, so that all are told.
        doors.iter().filter_map(Weak::upgrade).filter(|door| door.tell_all(event)).count() > 0
    }

    pub(crate) fn tell_one_here(&self, name: &str, event: &Event) -> bool {
        let doors = self.doors.borrow();
        let mut told = doors.iter().filter_map(|door| door.upgrade()?.tell_one(name, event));
        told.next() == Some(true)
    }

    /// The talker is not read for a while if somebody is behind. What did not fit into a full mailbox is sent then, before
    /// anything else of the talker's. Reactors that have ended have no guests any more.
    fn rest(
        self: &Rc<Self>,
        talker: &impl Talker,
        is_far_behind: bool,
        mut unsent: Vec<MailboxError<Event>>,
    ) {
        unsent.retain(|error| matches!(error.reason, NotSent::Full { .. }));
        if !is_far_behind && unsent.is_empty() {
            return;
        }
        let Some(reactor) = talker.reactor() else { return };
        talker.pause_reading();
        let (room, talker) = (self.clone(), talker.clone());
        reactor.call_later(REST, move |_| {
            let again = unsent.into_iter().filter_map(|error| match error.reason {
                NotSent::Full { shard, .. } => room.building.mail.send(shard, error.message).err(),
                _ => None,
            });
            let unsent = Vec::from_iter(again);
            talker.resume_reading();
            // Pauses again before anything is read, if there is still something unsent.
            room.rest(&talker, false, unsent);
        });
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_plain)
}
