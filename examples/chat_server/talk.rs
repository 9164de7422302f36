//! Plain text, as people type and read it: [`Talk`] is a guest's side of it, whatever carries the lines.

use std::rc::Rc;

use super::{
    door::{Door, Language, Nameless},
    event::Event,
};

/// What a new guest is asked.
pub(crate) const QUESTION: &str = "Your name?";

/// Names in a line of `/who`.
const NAMES_OF_A_LINE: usize = 20;

const HELP: &str = "/who, /nick NAME, /to NAME TEXT, /quit";
const NO_NAME: &str = "A short name of letters, digits, - and _ that nobody has yet, please.";

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
    pub(crate) door: Rc<Door<L>>,
    /// Empty until it is said. With a name before it begins, the guest has it from the process before this one.
    pub(crate) name: String,
    /// Whether the guest was asked for a name.
    pub(crate) is_asked: bool,
    pub(crate) nameless: Option<Nameless>,
}

impl<L: Language> Talk<L> {
    pub(crate) const fn new(door: Rc<Door<L>>) -> Self {
        Self { door, name: String::new(), is_asked: false, nameless: None }
    }

    /// The connection is there. Returns what the guest is told.
    pub(crate) fn begin(&mut self, guest: &L::Guest) -> Option<&'static str> {
        let had_name = !self.name.is_empty();
        if had_name && self.door.enter_silently(guest, &self.name) {
            return None;
        }
        // Somebody may have taken the name in between.
        self.name.clear();
        self.nameless = self.door.await_name(guest);
        let question = if had_name { NO_NAME } else { QUESTION };
        (had_name || !std::mem::replace(&mut self.is_asked, true)).then_some(question)
    }

    /// The guest has said something. Returns the lines of the answer, if there is one.
    pub(crate) fn heard(&mut self, guest: &L::Guest, line: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(line).replace(char::is_control, "");
        if self.name.is_empty() {
            return self.join(guest, text.trim());
        }
        let mut words = text.splitn(3, ' ');
        let answer = match (words.next(), words.next(), words.next()) {
            (Some("/nick"), Some(name), None) => self.rename(guest, name),
            (Some("/to"), Some(to), Some(text)) => {
                let is_told = self.door.whisper(guest, &self.name, to, text);
                if is_told { "" } else { "Nobody here is called that." }.to_owned()
            }
            (Some("/who"), ..) => {
                let names = self.door.all_names();
                return names.chunks(NAMES_OF_A_LINE).map(|names| names.join(" ")).collect();
            }
            (Some("/quit"), None, _) => {
                // The name is free at once, not only when the connection has ended.
                self.lost("bye");
                self.name.clear();
                L::dismiss(guest, "Bye.");
                String::new()
            }
            _ if text.starts_with('/') => HELP.to_owned(),
            _ => {
                self.door.say(guest, &self.name, &text);
                String::new()
            }
        };
        if answer.is_empty() { Vec::new() } else { vec![answer] }
    }

    fn join(&mut self, guest: &L::Guest, name: &str) -> Vec<String> {
        if !self.door.enter(guest, name) {
            return vec![NO_NAME.to_owned()];
        }
        name.clone_into(&mut self.name);
        self.nameless = None;
        let welcome = self.door.rules().welcome.iter().cloned();
        welcome.chain([format!("Welcome. {HELP}; all else is said to all.")]).collect()
    }

    fn rename(&mut self, guest: &L::Guest, name: &str) -> String {
        if !self.door.rename(guest, &self.name, name) {
            return NO_NAME.to_owned();
        }
        name.clone_into(&mut self.name);
        format!("You are {name} now.")
    }

    /// The connection is over.
    pub(crate) fn lost(&mut self, why: &str) {
        self.nameless = None;
        self.door.leave(&self.name, why);
    }

    /// The guest goes on in the next process.
    pub(crate) fn handed_over(&mut self) {
        self.nameless = None;
        self.door.leave_silently(&self.name);
    }
}
