//! A small server of TOC: [`TocServer`].
//!
//! What a client may say, by the state of its connection; anything else in a state ends the connection:
//!
//! | state | what comes | then |
//! |---|---|---|
//! | `New` | `FLAPON` | a sign-on frame is sent, `Greeted` |
//! | `Greeted` | a sign-on frame | `Named` |
//! | `Named` | `toc_signon` | `Checking`; nothing is read meanwhile |
//! | `Checking` | | `SIGN_ON` and `CONFIG`, `SignedOn`; or `ERROR:980`, and the end |
//! | `SignedOn` | `toc_add_buddy`, `toc_remove_buddy`, `toc_set_config`, `toc_set_caps` | |
//! | | `toc_init_done` | `Ready`: others see the user |
//! | `Ready` | those and `toc_send_im`, `toc_set_away`, `toc_set_idle`, others (`ERROR:989`) | |
//!
//! Keep-alive frames are allowed in every state, a sign-off frame ends it.

use std::{collections::HashSet, fmt, rc::Rc, time::Duration};

use sinew_auth::{AuthError, Channel as AuthChannel, Secret};
use sinew_protocols::basic::{FrameHandler, FrameTransport, Framed};
use sinew_transports::{ConnectionLost, Factory, Peer, TimerId, Transport, reactor::Reactor};

use super::{Line, TEXT_MAX, Words, handshake::Handshake};
use crate::historical::{
    Event, Realm, ScreenName,
    flap::{Channel, Flap},
    oscar::VERSION,
    outbox::Outbox,
    password::restore_toc,
    realm::{BUDDIES_MAX, Door, Presence, Proof, Unsent},
};

const NOT_AVAILABLE: u16 = 901;
const TOO_FAST: u16 = 903;
const TOO_LONG: u16 = 904;
const WRONG_PASSWORD: u16 = 980;
const TRY_LATER: u16 = 981;
const UNKNOWN: u16 = 989;

/// A server of TOC, as a [`Factory`] for any port. Clones share everything.
///
/// | limit | default |
/// |---|---|
/// | a frame | 8 KiB, fixed |
/// | [`sign_on_timeout`](Self::sign_on_timeout): until the user is signed on | 60 s |
/// | [`idle_timeout`](Self::idle_timeout): without a frame | 10 min |
/// | names on a list of buddies | 400, fixed |
/// | text of a message | 1,024 bytes, fixed; `ERROR:904` |
/// | messages of a user | 20 at once, 2 a second, fixed; `ERROR:903` |
/// | bytes that wait for a client that does not read | 64 KiB, fixed; disconnected |
///
/// See [`Realm`] for an example.
#[derive(Clone, Debug)]
pub struct TocServer {
    realm: Realm,
    sign_on_timeout: Duration,
    idle_timeout: Duration,
}

impl TocServer {
    /// A server for these users.
    #[must_use]
    pub fn new(realm: &Realm) -> Self {
        let (sign_on_timeout, idle_timeout) = (Duration::from_secs(60), Duration::from_secs(600));
        Self { realm: realm.clone(), sign_on_timeout, idle_timeout }
    }

    /// How long a client has until its user is signed on. Default 60 s.
    #[must_use]
    pub fn sign_on_timeout(mut self, timeout: Duration) -> Self {
        self.sign_on_timeout = timeout;
        self
    }

    /// How long a client may be silent. Default 10 min.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }
}

/// Most commands of a connection that are handled in one turn of the event loop.
const COMMANDS_PER_TURN: u8 = 32;

impl Factory for TocServer {
    type Protocol = Framed<Handshake, TocSession>;

    fn build_protocol(&mut self, _: &Peer) -> Option<Self::Protocol> {
        let session = TocSession {
            server: self.clone(),
            state: State::New,
            outbox: None,
            deadline: None,
            checked: Rc::default(),
        };
        Some(Framed::with_decoder(Handshake::default(), session).frames_per_turn(COMMANDS_PER_TURN))
    }
}

/// A connection of a [`TocServer`], as the handler of its frames.
pub struct TocSession {
    server: TocServer,
    state: State,
    outbox: Option<Rc<Outbox>>,
    deadline: Option<TimerId>,
    /// The user, once the login was right.
    checked: Rc<std::cell::RefCell<Option<ScreenName>>>,
}

/// See the table at the head of the module.
enum State {
    New,
    Greeted,
    Named,
    Checking,
    SignedOn { name: ScreenName, watches: Vec<ScreenName> },
    Ready(Presence),
    Over,
}

impl TocSession {
    fn frame(&mut self, transport: &Transport, frame: &[u8]) -> Result<(), &'static str> {
        if let State::Checking = self.state
            && let Some(name) = self.checked.take()
        {
            self.state = State::SignedOn { name, watches: Vec::new() };
        }
        let Some(flap) = Flap::parse(frame) else {
            self.send_frame(Channel::SignOn, &VERSION);
            self.state = State::Greeted;
            return Ok(());
        };
        match (flap.channel, &self.state) {
            (Channel::KeepAlive, _) | (_, State::Over) => Ok(()),
            (Channel::SignOff | Channel::Error, _) => {
                self.end(transport);
                Ok(())
            }
            (Channel::SignOn, State::Greeted) if flap.data.starts_with(&VERSION) => {
                self.state = State::Named;
                Ok(())
            }
            (Channel::Data, _) => {
                let text = flap.data.strip_suffix(b"\0").unwrap_or(flap.data);
                let words = Words::parse(text).ok_or("a malformed command")?;
                let reactor = transport.reactor().ok_or("there is no reactor")?;
                self.command(transport, &reactor, &words)
            }
            _ => Err("a frame that does not belong here"),
        }
    }

    fn command(
        &mut self,
        transport: &Transport,
        reactor: &Reactor,
        words: &Words,
    ) -> Result<(), &'static str> {
        let names =
            || words.arguments().filter_map(|name| name.parse().ok()).collect::<Vec<ScreenName>>();
        match (&mut self.state, words.command()) {
            (State::Named, "toc_signon") => return self.check(transport, reactor, words),
            (State::SignedOn { watches, .. }, "toc_add_buddy") => {
                let room = BUDDIES_MAX.saturating_sub(watches.len());
                watches.extend(names().into_iter().take(room));
            }
            (State::SignedOn { watches, .. }, "toc_remove_buddy") => {
                let names = names();
                watches.retain(|name| !names.contains(name));
            }
            (State::SignedOn { name, watches }, "toc_init_done") => {
                let watched = watches.iter().map(|name| name.normalized().to_owned());
                let watched: HashSet<_> = watched.collect();
                let Some(outbox) = self.outbox.clone() else {
                    return Err("there is no connection");
                };
                let presence =
                    self.server.realm.sign_on(reactor, name, watched, Rc::new(TocDoor(outbox)));
                presence.tell_of_all();
                self.state = State::Ready(presence);
                if let Some(timer) = self.deadline.take() {
                    transport.cancel_timer(timer);
                }
            }
            (State::Ready(presence), "toc_add_buddy") => presence.watch(&names(), true),
            (State::Ready(presence), "toc_remove_buddy") => presence.watch(&names(), false),
            (State::Ready(presence), "toc_set_away") => {
                presence.set_away(words.argument(0).is_some_and(|away| !away.is_empty()));
            }
            (State::Ready(_), "toc_send_im") => self.message(reactor, words)?,
            (
                State::SignedOn { .. } | State::Ready(_),
                "toc_set_config" | "toc_set_caps" | "toc_set_idle",
            ) => {}
            (State::SignedOn { .. } | State::Ready(_), _) => self.fail(UNKNOWN, ""),
            _ => return Err("a command that does not belong here"),
        }
        Ok(())
    }

    /// `toc_signon HOST PORT NAME PASSWORD LANGUAGE VERSION`.
    fn check(
        &mut self,
        transport: &Transport,
        reactor: &Reactor,
        words: &Words,
    ) -> Result<(), &'static str> {
        let (Some(name), Some(password)) = (words.argument(2), words.argument(3)) else {
            return Err("toc_signon without a name or a password");
        };
        let password = restore_toc(password.as_bytes()).ok_or("a password that is not roasted")?;
        // No user has a name that is none, and that is told as late as any other failure.
        let name = name.parse().unwrap_or_else(|_| ScreenName::nobody());
        self.state = State::Checking;
        transport.pause_reading();
        let (place, Some(outbox)) = (Rc::clone(&self.checked), self.outbox.clone()) else {
            return Err("there is no connection");
        };
        let proof = Proof::Password(Secret::from(password));
        let channel = AuthChannel::of(transport).service("toc");
        let checked = self.server.realm.check(reactor, &channel, &name, proof);
        checked.then(move |_, checked| match checked {
            Ok(name) => {
                outbox.send(Channel::Data, &Line::SignOn.encode());
                outbox.send(Channel::Data, &Line::Config(String::new()).encode());
                outbox.send(Channel::Data, &Line::Nick(name.as_str().to_owned()).encode());
                place.replace(Some(name));
                outbox.transport().resume_reading();
            }
            Err(error) => {
                let code = if let AuthError::Refused = error { WRONG_PASSWORD } else { TRY_LATER };
                outbox.send(Channel::Data, &Line::Error { code, about: String::new() }.encode());
                outbox.transport().lose_connection();
            }
        });
        Ok(())
    }

    fn message(&self, reactor: &Reactor, words: &Words) -> Result<(), &'static str> {
        let State::Ready(presence) = &self.state else { return Ok(()) };
        let (Some(to), Some(text)) = (words.argument(0), words.argument(1)) else {
            return Err("toc_send_im without a name or a text");
        };
        if text.len() > TEXT_MAX {
            self.fail(TOO_LONG, to);
            return Ok(());
        }
        let is_automatic = words.argument(2) == Some("auto");
        let sent = to.parse().map_err(|_| Unsent::NotOnline).and_then(|to: ScreenName| {
            presence.send(reactor.now(), &to, text.to_owned(), is_automatic)
        });
        match sent {
            Ok(()) => {}
            Err(Unsent::NotOnline) => self.fail(NOT_AVAILABLE, to),
            Err(Unsent::TooFast) => self.fail(TOO_FAST, ""),
        }
        Ok(())
    }

    fn fail(&self, code: u16, about: &str) {
        self.send_frame(Channel::Data, &Line::Error { code, about: about.to_owned() }.encode());
    }

    fn send_frame(&self, channel: Channel, data: &[u8]) {
        if let Some(outbox) = &self.outbox {
            outbox.send(channel, data);
        }
    }

    fn end(&mut self, transport: &Transport) {
        self.state = State::Over;
        transport.lose_connection();
    }
}

impl FrameHandler<Handshake> for TocSession {
    fn connection_made(&mut self, transport: &mut FrameTransport<'_, Handshake>) {
        self.outbox = Some(Rc::new(Outbox::new(transport)));
        self.deadline = transport.call_later(self.server.sign_on_timeout);
        transport.set_read_timeout(self.server.idle_timeout);
    }

    fn frame_received(&mut self, transport: &mut FrameTransport<'_, Handshake>, frame: &[u8]) {
        if let Err(why) = self.frame(transport, frame) {
            tracing::debug!(peer = %transport.peer(), why, "a connection of TOC is ended");
            self.end(transport);
        }
    }

    fn timer_fired(&mut self, transport: &mut FrameTransport<'_, Handshake>, timer: TimerId) {
        if self.deadline == Some(timer) {
            self.deadline = None;
            self.end(transport);
        }
    }

    fn connection_lost(&mut self, _: &mut FrameTransport<'_, Handshake>, _: &ConnectionLost) {
        self.state = State::Over;
    }
}

/// Where events of a user go.
struct TocDoor(Rc<Outbox>);

impl Door for TocDoor {
    fn tell(&self, event: &Event) {
        let line = match event {
            Event::Arrived(buddy) => Line::Buddy {
                name: buddy.name.as_str().to_owned(),
                is_online: true,
                signed_on: buddy.signed_on,
                is_away: buddy.is_away,
            },
            Event::Departed(name) => Line::Buddy {
                name: name.as_str().to_owned(),
                is_online: false,
                signed_on: 0,
                is_away: false,
            },
            Event::Message(message) => Line::Message {
                from: message.from.as_str().to_owned(),
                is_automatic: message.is_automatic,
                text: message.text.clone(),
            },
            Event::NotDelivered { .. } | Event::TooFast => return,
        };
        self.0.send(Channel::Data, &line.encode());
    }

    fn replaced(&self) {
        self.0.send(Channel::SignOff, b"");
        self.0.transport().lose_connection();
    }
}

impl fmt::Debug for TocSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::New => "New",
            State::Greeted => "Greeted",
            State::Named => "Named",
            State::Checking => "Checking",
            State::SignedOn { .. } => "SignedOn",
            State::Ready(_) => "Ready",
            State::Over => "Over",
        };
        f.debug_struct("TocSession").field("state", &state).finish_non_exhaustive()
    }
}
