//! Plain text, as people type and read it: [`Talk`] is a guest's side of it, whatever carries the lines.

use std::rc::Rc;

use super::{
    door::{Door, Language},
    event::Event,
};

/// What a new guest is asked.
pub(crate) const QUESTION: &str = "Your name?";

const HELP: &str = "/who, /nick NAME, /to NAME TEXT";
const NO_NAME: &str = "A short name of letters and digits that nobody has yet, please.";

/// An event as a line.
pub(crate) fn line(event: &Event) -> String {
    match event {
        Event::Joined { name } => format!("* {name} joined"),
        Event::Said { name, text } => format!("{name}: {text}"),
        Event::Whispered { name, text, .. } => format!("({name}) {text}"),
        Event::Renamed { from, name } => format!("* {from} is {name} now"),
        Event::Left { name, why } => format!("* {name} left: {why}"),
    }
}

pub(crate) struct Talk<L: Language> {
    door: Rc<Door<L>>,
    /// Empty until it is said.
    name: String,
}

impl<L: Language> Talk<L> {
    pub(crate) const fn new(door: Rc<Door<L>>) -> Self {
        Self { door, name: String::new() }
    }

    /// The guest has said something. Returns the answer, if there is one.
    pub(crate) fn heard(&mut self, guest: &L::Guest, line: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(line).replace(char::is_control, "");
        if self.name.is_empty() {
            return Some(self.join(guest, text.trim()).to_owned());
        }
        let mut words = text.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("/nick"), Some(name), None) => {
                if !self.door.rename(guest, &self.name, name) {
                    return Some(NO_NAME.to_owned());
                }
                name.clone_into(&mut self.name);
                Some(format!("You are {name} now."))
            }
            (Some("/to"), Some(to), Some(text)) => {
                let is_told = self.door.whisper(guest, &self.name, to, text);
                (!is_told).then(|| "Nobody here is called that.".to_owned())
            }
            (Some("/who"), ..) => Some(self.door.all_names().join(" ")),
            _ if text.starts_with('/') => Some(HELP.to_owned()),
            _ => {
                self.door.say(guest, &self.name, &text);
                None
            }
        }
    }

    fn join(&mut self, guest: &L::Guest, name: &str) -> &'static str {
        if !self.door.enter(guest, name) {
            return NO_NAME;
        }
        name.clone_into(&mut self.name);
        "Welcome. /who, /nick NAME, /to NAME TEXT; all else is said to all."
    }

    pub(crate) fn lost(&self, why: &str) {
        self.door.leave(&self.name, why);
    }
}
