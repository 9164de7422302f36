//! A way into the room: [`Door`], the guests who use it on this reactor, and the [`Language`] that they talk in.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
};

use super::{
    event::Event,
    room::{Audience, Room, Talker},
};

/// How guests of one kind are told what happens.
pub(crate) trait Language: 'static {
    /// The connection of a guest.
    type Guest: Talker;
    /// An event in this language: encoded once, however many guests are told.
    type Encoded;

    fn encode(event: &Event) -> Self::Encoded;

    /// Sends it, or queues it: this never waits. Returns whether the guest is far behind.
    fn send(guest: &Self::Guest, encoded: &Self::Encoded) -> bool;
}

pub(crate) struct Door<L: Language> {
    room: Rc<Room>,
    guests: RefCell<BTreeMap<String, L::Guest>>,
}

impl<L: Language> Door<L> {
    pub(crate) fn open(room: Rc<Room>) -> Rc<Self> {
        let door = Rc::new(Self { room, guests: RefCell::default() });
        let audience: Weak<dyn Audience> = Rc::<Self>::downgrade(&door);
        door.room.add_door(audience);
        door
    }

    /// Returns `false` if it is no name, or somebody has it.
    pub(crate) fn enter(&self, guest: &L::Guest, name: &str) -> bool {
        let has_entered = self.room.take_name(name);
        if has_entered {
            self.guests.borrow_mut().insert(name.to_owned(), guest.clone());
            self.room.tell_all(guest, &Event::Joined { name: name.into() });
        }
        has_entered
    }

    pub(crate) fn leave(&self, name: &str, why: &str) {
        let guest = self.guests.borrow_mut().remove(name);
        if let Some(guest) = guest {
            self.room.give_name_back(name);
            self.room.tell_all(&guest, &Event::Left { name: name.into(), why: one_line(why) });
        }
    }

    /// Returns `false` if it is no name, or somebody has it.
    pub(crate) fn rename(&self, guest: &L::Guest, from: &str, name: &str) -> bool {
        let is_renamed = self.room.take_name(name);
        if is_renamed {
            self.room.give_name_back(from);
            self.guests.borrow_mut().remove(from);
            self.guests.borrow_mut().insert(name.to_owned(), guest.clone());
            self.room.tell_all(guest, &Event::Renamed { from: from.into(), name: name.into() });
        }
        is_renamed
    }

    pub(crate) fn say(&self, guest: &L::Guest, name: &str, text: &str) {
        self.room.tell_all(guest, &Event::Said { name: name.into(), text: one_line(text) });
    }

    /// Returns `false` if there is nobody of that name.
    pub(crate) fn whisper(&self, guest: &L::Guest, name: &str, to: &str, text: &str) -> bool {
        let (name, to) = (name.into(), Arc::from(to));
        let event = Event::Whispered { name, to: Arc::clone(&to), text: one_line(text) };
        self.room.tell_one(guest, &to, event)
    }

    pub(crate) fn all_names(&self) -> Vec<String> {
        self.room.all_names()
    }
}

/// A text of a guest, which comes from any protocol: without control characters, so that it is one line in every other. Otherwise the
/// reason of a close frame could have a line end, and behind it what somebody else is made to say.
fn one_line(text: &str) -> Arc<str> {
    text.replace(char::is_control, "").into()
}

impl<L: Language> Audience for Door<L> {
    fn tell_all(&self, event: &Event) -> bool {
        let guests = self.guests.borrow();
        let mut others = guests.iter().filter(|(name, _)| *name != event.name()).peekable();
        if others.peek().is_none() {
            return false;
        }
        let encoded = L::encode(event);
        // Counted, so that all are told.
        others.filter(|(_, guest)| L::send(guest, &encoded)).count() > 0
    }

    fn tell_one(&self, name: &str, event: &Event) -> Option<bool> {
        self.guests.borrow().get(name).map(|guest| L::send(guest, &L::encode(event)))
    }
}
