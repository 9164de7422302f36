//! Handlers that do the worst from inside each of their methods.

use std::{cell::Cell, rc::Rc};

use sinew_chat::irc::{
    client::{DccConfig, DccOffer, IrcClient, IrcError, IrcHandler, Said},
    codec::{Ctcp, IrcText, Message, ModeChange, Source},
};
use sinew_transports::{ConnectionLost, reactor::Reactor};

use crate::support::{Notes, Script, config};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Panic,
    Quit,
    Say,
    Ask,
    Connect,
}

/// Acts in every method, once it is told to.
#[derive(Clone)]
struct Acting {
    act: Act,
    is_active: Rc<Cell<bool>>,
    calls: Rc<Cell<usize>>,
    reactor: Rc<Cell<Option<Reactor>>>,
}

impl Acting {
    fn act(&self, irc: &IrcClient) {
        if !self.is_active.get() {
            return;
        }
        self.calls.set(self.calls.get() + 1);
        match self.act {
            Act::Panic => panic!("the handler does that"),
            Act::Quit => drop(irc.quit("bye")),
            Act::Say => drop(irc.message_lines("#a", "x\ny")),
            Act::Ask => {
                irc.join("#b").detach();
                irc.whois("ann").detach();
                drop(irc.names("#a"));
                let _ = (irc.members("#a"), irc.topic("#a"), irc.channels(), irc.motd());
            }
            Act::Connect => {
                let reactor = self.reactor.take();
                if let Some(reactor) = &reactor {
                    irc.connect(reactor, "127.0.0.1:1").detach();
                }
                self.reactor.set(reactor);
            }
        }
    }
}

/// Methods that act.
macro_rules! acting {
    ($($name:ident($($argument:ty),*);)*) => {
        impl IrcHandler for Acting {
            $(fn $name(&mut self, irc: &IrcClient $(, _: $argument)*) {
                self.act(irc);
            })*
        }
    };
}

acting! {
    signed_on();
    registration_failed(&IrcError);
    connection_lost(&ConnectionLost);
    privmsg(&Said<'_>);
    noticed(&Said<'_>);
    action(&Said<'_>);
    ctcp_query(&Said<'_>, &Ctcp<'_>);
    dcc_offered(&DccOffer);
    ctcp_reply(&Said<'_>, &Ctcp<'_>);
    tag_message(&Said<'_>);
    joined(IrcText<'_>);
    names_received(IrcText<'_>);
    left(IrcText<'_>);
    kicked_from(IrcText<'_>, Source<'_>, IrcText<'_>);
    nick_changed(IrcText<'_>);
    user_joined(Source<'_>, IrcText<'_>);
    user_left(Source<'_>, IrcText<'_>, IrcText<'_>);
    user_quit(Source<'_>, IrcText<'_>);
    user_kicked(IrcText<'_>, IrcText<'_>, Source<'_>, IrcText<'_>);
    user_renamed(Source<'_>, IrcText<'_>);
    topic_updated(IrcText<'_>, IrcText<'_>, Option<Source<'_>>);
    mode_changed(Source<'_>, IrcText<'_>, &[ModeChange]);
    invited(Source<'_>, IrcText<'_>, IrcText<'_>);
    away_changed(Source<'_>, Option<IrcText<'_>>);
    account_changed(Source<'_>, Option<IrcText<'_>>);
    host_changed(Source<'_>, IrcText<'_>, IrcText<'_>);
    motd_received();
    isupport();
    standard_reply(&Message<'_>);
    batch(bool, &Message<'_>);
    numeric(u16, &Message<'_>);
    unknown(&Message<'_>);
}

/// A line for each of these methods.
const LINES: [&str; 31] = [
    ":ann!a@h PRIVMSG #a :x",
    ":ann!a@h NOTICE #a :x",
    ":ann!a@h PRIVMSG #a :\x01ACTION x\x01",
    ":ann!a@h PRIVMSG bot :\x01VERSION\x01",
    ":ann!a@h PRIVMSG bot :\x01DCC SEND a 134744072 5000 9\x01",
    ":ann!a@h NOTICE bot :\x01VERSION x\x01",
    ":ann!a@h TAGMSG #a",
    ":bot!b@h JOIN #c",
    ":irc 366 bot #a :End",
    ":bot!b@h PART #a",
    ":op!o@h KICK #a bot :x",
    ":bot!b@h NICK robot",
    ":ann!a@h JOIN #a",
    ":ann!a@h PART #a",
    ":ann!a@h QUIT :x",
    ":op!o@h KICK #a ann :x",
    ":ann!a@h NICK anna",
    ":ann!a@h TOPIC #a :x",
    ":irc 332 bot #a :x",
    ":op!o@h MODE #a +o ann",
    ":bot!b@h MODE bot +i",
    ":ann!a@h INVITE bot #b",
    ":ann!a@h AWAY :x",
    ":ann!a@h ACCOUNT ann",
    ":ann!a@h CHGHOST a b",
    ":irc 376 bot :End",
    ":irc 005 bot CASEMAPPING=ascii :are supported",
    ":irc FAIL X Y :z",
    ":irc BATCH +1 netsplit a b",
    ":irc 999 bot :x",
    ":irc XYZ",
];

fn script(act: Act) -> (Script, Acting) {
    let acting =
        Acting { act, is_active: Rc::default(), calls: Rc::default(), reactor: Rc::default() };
    let script = Script::with(config().dcc(DccConfig::default()), acting.clone(), Notes::default());
    acting.reactor.set(Some(script.reactor.clone()));
    (script, acting)
}

#[test]
fn everything_from_inside_every_method() {
    for act in [Act::Panic, Act::Quit, Act::Say, Act::Ask, Act::Connect] {
        for line in LINES {
            let (mut script, acting) = script(act);
            script.receive(":irc 001 bot :Welcome\n:bot!b@h JOIN #a\n:ann!a@h JOIN #a\n");
            let asked = script.irc.names("#x");
            acting.is_active.set(true);
            script.receive(&format!("{line}\nPING :still there\n"));
            assert!(acting.calls.get() > 0, "{act:?}: {line}");
            acting.is_active.set(false);
            let is_over = matches!(act, Act::Panic | Act::Quit);
            assert_eq!(script.sent().contains("PONG :still there"), !is_over, "{act:?}: {line}");
            script.wire.reset_if_open();
            script.advance(30_000);
            assert!(asked.take().expect("nobody waits for ever").is_err(), "{act:?}: {line}");
            // The client is as good as before.
            script.reconnect();
            script.receive(":irc 001 bot :Welcome\n");
            assert!(script.irc.is_online(), "{act:?}: {line}");
        }
    }
}

#[test]
fn everything_from_inside_the_ends_of_connections() {
    for act in [Act::Panic, Act::Quit, Act::Say, Act::Ask, Act::Connect] {
        for lines in ["", ":irc 001 bot :Welcome\n"] {
            let (mut script, acting) = script(act);
            let welcomed = script.irc.when_signed_on();
            acting.is_active.set(!lines.is_empty());
            script.receive(lines);
            acting.is_active.set(true);
            script.wire.reset_if_open();
            script.advance(30_000);
            assert!(acting.calls.get() > 0, "{act:?}: {lines}");
            let welcomed = welcomed.take().expect("nobody waits for ever");
            assert_eq!(welcomed.is_ok(), !lines.is_empty(), "{act:?}: {lines}");
            acting.is_active.set(false);
            script.reconnect();
            script.receive(":irc 001 bot :Welcome\n");
            assert!(script.irc.is_online(), "{act:?}: {lines}");
        }
    }
}

/// A connection that a handler asks for when one has failed is not failed by that one.
#[test]
fn the_next_connection_has_its_own_result() {
    struct Again {
        result: Rc<Cell<Option<Result<(), IrcError>>>>,
    }

    impl IrcHandler for Again {
        fn registration_failed(&mut self, irc: &IrcClient, _: &IrcError) {
            let result = Rc::clone(&self.result);
            irc.when_signed_on().then(move |_, welcomed| result.set(Some(welcomed)));
        }
    }

    let result = Rc::<Cell<_>>::default();
    let again = Again { result: Rc::clone(&result) };
    let mut script = Script::with(config(), again, Notes::default());
    script.wire.reset();
    script.advance(0);
    assert!(result.take().is_none());
    script.reconnect();
    script.receive(":irc 001 bot :Welcome\n");
    assert!(matches!(result.take(), Some(Ok(()))));
}
