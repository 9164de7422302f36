//! Who is in the room, and telling them things: [`Room`]. Writing makes no callbacks, so the room can be borrowed meanwhile.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use sinew::{prelude::*, protocols::basic::send_line};

/// Reading from a guest pauses for this long after a line that somebody cannot take so fast. Otherwise one fast talker would make all
/// slow readers exceed their limit.
const REST: Duration = Duration::from_millis(10);

/// Longest name, in bytes.
const NAME_MAX: usize = 20;

#[derive(Debug)]
pub(super) struct Room {
    guests: RefCell<BTreeMap<String, Transport>>,
    welcome: Option<String>,
}

impl Room {
    pub(super) const fn new(welcome: Option<String>) -> Self {
        Self { guests: RefCell::new(BTreeMap::new()), welcome }
    }

    pub(super) fn welcome(&self) -> Option<&str> {
        self.welcome.as_deref()
    }

    /// Gives a guest a name.
    ///
    /// # Errors
    ///
    /// Why it cannot have this one, for the guest.
    pub(super) fn enter(&self, name: &str, guest: &Transport) -> Result<(), &'static str> {
        let is_plain =
            |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_plain) {
            return Err("A name has 1 to 20 letters, digits, - and _. Which one do you want?");
        }
        let mut guests = self.guests.borrow_mut();
        if guests.contains_key(name) {
            return Err("Somebody has that name. Which other one do you want?");
        }
        guests.insert(name.to_owned(), guest.clone());
        Ok(())
    }

    /// Returns whether the name was in use.
    pub(super) fn leave(&self, name: &str) -> bool {
        self.guests.borrow_mut().remove(name).is_some()
    }

    /// The names, as lines that are not too long.
    pub(super) fn names(&self) -> Vec<String> {
        let guests = self.guests.borrow();
        let names: Vec<&str> = guests.keys().map(String::as_str).collect();
        names.chunks(20).map(|names| names.join(" ")).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.guests.borrow().len()
    }

    /// Everybody but the talker is told.
    pub(super) fn tell_others(&self, talker: &Transport, line: &str) {
        let guests = self.guests.borrow();
        // All are told, so the count is not cut short.
        let behind = guests
            .values()
            .filter(|guest| *guest != talker)
            .filter(|guest| tell(guest, line))
            .count();
        if behind > 0 {
            rest(talker);
        }
    }

    /// Returns `false` if there is nobody of that name.
    pub(super) fn tell_one(&self, talker: &Transport, name: &str, line: &str) -> bool {
        let guests = self.guests.borrow();
        let Some(guest) = guests.get(name) else { return false };
        if tell(guest, line) {
            rest(talker);
        }
        true
    }
}

/// Returns whether much is queued for the guest.
fn tell(guest: &Transport, line: &str) -> bool {
    send_line(guest, line) == Ok(WriteStatus::AboveHighWatermark)
}

fn rest(talker: &Transport) {
    let Some(reactor) = talker.reactor() else { return };
    talker.pause_reading();
    let talker = talker.clone();
    reactor.call_later(REST, move |_| talker.resume_reading());
}
