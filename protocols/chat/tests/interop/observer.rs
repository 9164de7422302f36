//! A client of ours that is told to a test as a stream of lines.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_chat::irc::{
    client::{IrcClient, IrcConfig, IrcHandler, Said},
    codec::{IrcText, Source},
};
use sinew_transports::reactor::{Reactor, Task};

type Notes = Rc<RefCell<Vec<String>>>;

/// Notes what happens.
pub(crate) struct Observer(Notes);

impl IrcHandler for Observer {
    fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {
        self.0.borrow_mut().push(format!("privmsg {} {}", said.from.nick(), said.text));
        if said.text == "echo" && !said.is_echo {
            irc.message(said.reply_to(), "an echo").unwrap();
        }
    }

    fn noticed(&mut self, _: &IrcClient, said: &Said<'_>) {
        self.0.borrow_mut().push(format!("notice {} {}", said.from.nick(), said.text));
    }

    fn action(&mut self, _: &IrcClient, said: &Said<'_>) {
        self.0.borrow_mut().push(format!("action {} {}", said.from.nick(), said.text));
    }

    fn user_joined(&mut self, _: &IrcClient, user: Source<'_>, channel: IrcText<'_>) {
        self.0.borrow_mut().push(format!("joined {} {channel}", user.nick()));
    }

    fn user_quit(&mut self, _: &IrcClient, user: Source<'_>, _: IrcText<'_>) {
        self.0.borrow_mut().push(format!("quit {}", user.nick()));
    }
}

/// A client, and what it has seen.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) irc: IrcClient,
    reactor: Reactor,
    notes: Notes,
}

impl Seen {
    pub(crate) fn new(reactor: &Reactor, nick: &str) -> Self {
        let notes = Notes::default();
        let config = IrcConfig::new(nick).unwrap().rate(100, Duration::from_millis(10));
        let irc = IrcClient::new(reactor, config, Observer(Rc::clone(&notes)));
        Self { irc, reactor: reactor.clone(), notes }
    }

    /// Waits until something was noted.
    pub(crate) async fn until(&self, note: &str) {
        while !self.notes.borrow().iter().any(|noted| noted == note) {
            self.reactor.sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }
}

/// Runs a test to its end; what is in the way is printed.
pub(crate) fn run(reactor: &Reactor, seen: &Seen, test: impl Future<Output = ()> + 'static) {
    let task: Task<()> = reactor.spawn(test);
    let limit = Duration::from_secs(60);
    let of_limit = reactor.clone();
    let done = reactor.run_until(async move { of_limit.timeout(limit, task).await });
    assert!(matches!(done, Ok(Ok(_))), "it takes too long: {:?}", seen.all());
}
