//! The commands after the login (RFC 1939 5), and QUIT, which deletes messages (RFC 1939 6).

use std::rc::Rc;

use sinew_transports::Transport;

use super::{
    Pop3Handling,
    connection::{Lines, State},
    listing::{ListingKind, ListingProducer},
    open_maildrop::OpenMaildrop,
    text::TextProducer,
    waiting::Answer,
};
use crate::pop3::codec::{Command, Status, TopLines};

impl Pop3Handling {
    pub(super) fn transaction(
        &mut self,
        transport: &mut Lines<'_>,
        maildrop: &Rc<OpenMaildrop>,
        command: Command,
    ) {
        match command {
            Command::Stat => {
                let (messages, size) = maildrop.stat();
                self.reply(transport, &Status::ok(format!("{messages} {size}")));
            }
            Command::List(None) => self.listing(transport, maildrop, ListingKind::Sizes),
            Command::Uidl(None) => self.listing(transport, maildrop, ListingKind::UniqueIds),
            Command::List(Some(number)) => {
                self.listed(transport, maildrop, ListingKind::Sizes, number);
            }
            Command::Uidl(Some(number)) => {
                self.listed(transport, maildrop, ListingKind::UniqueIds, number);
            }
            Command::Retr(number) => self.text(transport, maildrop, number, None),
            Command::Top { number, lines } => {
                self.text(transport, maildrop, number, Some(TopLines::new(lines)));
            }
            Command::Dele(number) => match maildrop.index(number) {
                Some(index) => {
                    maildrop.mark(number, index);
                    self.reply(transport, &Status::ok("It is deleted at QUIT"));
                }
                None => self.reply(transport, &no_such_message()),
            },
            Command::Rset => {
                maildrop.reset();
                self.reply(transport, &Status::ok("Nothing is deleted"));
            }
            Command::Last => {
                self.reply(transport, &Status::ok(maildrop.last().to_string()));
            }
            Command::Noop => self.reply(transport, &Status::ok("")),
            Command::Quit => self.quit(transport, maildrop),
            _ => self.wrong(transport, &Status::err("You are logged in")),
        }
    }

    /// One line of a list.
    fn listed(
        &self,
        transport: &Lines<'_>,
        maildrop: &OpenMaildrop,
        kind: ListingKind,
        number: u32,
    ) {
        let status = match maildrop.index(number) {
            Some(index) => Status::ok(kind.line(maildrop, number, index)),
            None => no_such_message(),
        };
        self.reply(transport, &status);
    }

    /// All of a list.
    fn listing(
        &mut self,
        transport: &mut Lines<'_>,
        maildrop: &Rc<OpenMaildrop>,
        kind: ListingKind,
    ) {
        let (messages, size) = maildrop.stat();
        self.reply(transport, &Status::ok(format!("{messages} messages ({size} octets)")));
        self.wait_for(transport, None);
        self.begin_response(transport);
        let (maildrop, place) = (Rc::clone(maildrop), self.place.clone());
        transport.stream(ListingProducer { maildrop, kind, next: 1, place });
    }

    /// A message, or the top of one. `-ERR` is said there as well, if it cannot be read.
    fn text(
        &mut self,
        transport: &mut Lines<'_>,
        maildrop: &Rc<OpenMaildrop>,
        number: u32,
        top: Option<TopLines>,
    ) {
        let Some(index) = maildrop.index(number) else {
            return self.reply(transport, &no_such_message());
        };
        if top.is_none() {
            maildrop.retrieved(number);
        }
        let (place, following) = (self.place.clone(), transport.following());
        let mut text = TextProducer::new(Rc::clone(maildrop), index, top, place, following);
        if text.write_known(transport) {
            return;
        }
        self.wait_for(transport, None);
        self.begin_response(transport);
        transport.stream(text);
    }

    fn quit(&mut self, transport: &mut Lines<'_>, maildrop: &Rc<OpenMaildrop>) {
        let Some(reactor) = transport.reactor() else { return };
        self.state = State::Update;
        let finished = maildrop.maildrop.finish(&reactor, &maildrop.marked());
        self.wait_for(transport, None);
        self.begin_finish(transport);
        let place = self.place.clone();
        let (waking, maildrop) = (Transport::clone(transport), Rc::clone(maildrop));
        finished.then(move |_, result| {
            // Nobody else may open it before.
            drop(maildrop);
            place.put(Answer::Finished(result), &waking);
        });
    }
}

fn no_such_message() -> Status {
    Status::err("There is no such message")
}
