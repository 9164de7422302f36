//! A way into the room: [`Door`], the guests who use it on this reactor, and the [`Language`] that they talk in.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::{Rc, Weak},
    sync::Arc,
};

use sinew::{prelude::*, reactor::DelayedCall};

use super::{
    event::Event,
    room::{Audience, Room, Rules, Talker},
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

    /// Says why, and ends the connection.
    fn dismiss(guest: &Self::Guest, why: &str);
}

/// A guest without a name, for whom the door waits until this is dropped.
pub(crate) struct Nameless(DelayedCall);

impl Drop for Nameless {
    fn drop(&mut self) {
        self.0.cancel();
    }
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

    pub(crate) fn rules(&self) -> &Rules {
        self.room.rules()
    }

    /// Ends the connection of a guest who says no name in time.
    pub(crate) fn await_name(&self, guest: &L::Guest) -> Option<Nameless> {
        let (reactor, guest) = (guest.reactor()?, guest.clone());
        let dismiss = move |_: &Reactor| L::dismiss(&guest, "You have not said a name.");
        Some(Nameless(reactor.call_later(self.rules().name_timeout, dismiss)))
    }

    /// Returns `false` if it is no name, or somebody has it.
    pub(crate) fn enter(&self, guest: &L::Guest, name: &str) -> bool {
        let has_entered = self.enter_silently(guest, name);
        if has_entered {
            self.room.tell_all(guest, &Event::Joined { name: name.into() });
        }
        has_entered
    }

    /// As [`enter`](Self::enter), for a guest who was here all the time for the others: in the process before this one.
    pub(crate) fn enter_silently(&self, guest: &L::Guest, name: &str) -> bool {
        let has_entered = self.room.take_name(name);
        if has_entered {
            self.guests.borrow_mut().insert(name.to_owned(), guest.clone());
        }
        has_entered
    }

    /// The guest is in the room of the next process now.
    pub(crate) fn leave_silently(&self, name: &str) {
        if self.guests.borrow_mut().remove(name).is_some() {
            self.room.give_name_back(name);
        }
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
