//! One connection of a server: [`OscarSession`], its states and its login. What it does once it serves is in `service.rs`.

use std::{fmt, rc::Rc};

use sinew_auth::{AuthError, Channel as AuthChannel, Secret};
use sinew_protocols::basic::{FrameHandler, FrameTransport};
use sinew_transports::{ConnectionLost, TimerId, Transport, reactor::Reactor};

use super::{Shared, service::Service};
use crate::historical::{
    ScreenName,
    flap::{Channel, Flap, Flaps},
    oscar::{Kind, Snac, Tlvs, kinds, tlv::put},
    outbox::Outbox,
    password::roast,
    realm::Proof,
};

/// What a sign-on frame begins with: the version of FLAP.
pub(in crate::historical) const VERSION: [u8; 4] = [0, 0, 0, 1];

/// Bytes of the key of a login, as decimal digits.
const KEY_DIGITS: usize = 10;

/// A connection of a [`server`](super::OscarServer), as the handler of its frames.
pub struct OscarSession {
    shared: Rc<Shared>,
    state: State,
    outbox: Option<Rc<Outbox>>,
    deadline: Option<TimerId>,
}

/// See the table at the head of the module.
enum State {
    New,
    Authorizing,
    Keyed(Vec<u8>),
    Checking,
    Serving(Service),
    Over,
}

/// How the result of a login is told.
#[derive(Clone, Copy)]
enum Answer {
    Message(u32),
    SignOff,
}

impl OscarSession {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self { shared: Rc::clone(shared), state: State::New, outbox: None, deadline: None }
    }

    fn frame(&mut self, transport: &Transport, flap: Flap<'_>) -> Result<(), &'static str> {
        match (flap.channel, &mut self.state) {
            (Channel::KeepAlive, _) | (_, State::Over) => Ok(()),
            (Channel::SignOff | Channel::Error, _) => {
                self.end(transport);
                Ok(())
            }
            (Channel::SignOn, State::New) => self.signed_on(transport, flap.data),
            (Channel::Data, State::Authorizing | State::Keyed(_) | State::Serving(_)) => {
                let snac = Snac::parse(flap.data).ok_or("a message is too short")?;
                self.snac(transport, &snac)
            }
            _ => Err("a frame that does not belong here"),
        }
    }

    fn signed_on(&mut self, transport: &Transport, data: &[u8]) -> Result<(), &'static str> {
        let values = data.strip_prefix(&VERSION).ok_or("the version of FLAP is not 1")?;
        let values = Tlvs::parse(values).ok_or("malformed values")?;
        let reactor = transport.reactor().ok_or("there is no reactor")?;
        if let Some(cookie) = values.get(0x06) {
            let name = self.shared.eat(reactor.now(), cookie).ok_or("a wrong cookie")?;
            let outbox = self.outbox.clone().ok_or("there is no connection")?;
            let service = Service::new(&self.shared, name, outbox);
            service.begin();
            self.state = State::Serving(service);
            return Ok(());
        }
        match (values.get(0x01), values.get(0x02)) {
            (Some(name), Some(roasted)) => {
                let proof = Proof::Password(Secret::from(roast(roasted)));
                self.check(transport, &reactor, name, proof, Answer::SignOff);
            }
            (None, None) => self.state = State::Authorizing,
            _ => return Err("a sign-on with half a login"),
        }
        Ok(())
    }

    fn snac(&mut self, transport: &Transport, snac: &Snac<'_>) -> Result<(), &'static str> {
        let reactor = transport.reactor().ok_or("there is no reactor")?;
        match (&mut self.state, snac.kind) {
            (State::Serving(service), _) => {
                if service.received(&reactor, snac) {
                    self.end_deadline(transport);
                }
                Ok(())
            }
            (State::Authorizing, kinds::KEY_QUERY) => {
                let mut random = [0; KEY_DIGITS];
                getrandom::fill(&mut random).map_err(|_| "there is no random number")?;
                let key: Vec<u8> = random.iter().map(|byte| b'0' + byte % 10).collect();
                let mut data = (KEY_DIGITS as u16).to_be_bytes().to_vec();
                data.extend(&key);
                self.send(kinds::KEY, snac.request, &data);
                self.state = State::Keyed(key);
                Ok(())
            }
            (State::Keyed(key), kinds::LOGIN) => {
                let values = Tlvs::parse(snac.data).ok_or("malformed values")?;
                let (Some(name), Some(digest)) = (values.get(0x01), values.get(0x25)) else {
                    return Err("a login without a name or a digest");
                };
                let proof = Proof::Digest {
                    key: std::mem::take(key),
                    digest: digest.to_vec(),
                    password_is_digested: values.get(0x4c).is_some(),
                };
                self.check(transport, &reactor, name, proof, Answer::Message(snac.request));
                Ok(())
            }
            _ => Err("a message that does not belong here"),
        }
    }

    /// Has a login checked. Nothing is read until that is done.
    fn check(
        &mut self,
        transport: &Transport,
        reactor: &Reactor,
        name: &[u8],
        proof: Proof,
        answer: Answer,
    ) {
        self.state = State::Checking;
        transport.pause_reading();
        let Some(outbox) = self.outbox.clone() else { return };
        let shared = Rc::clone(&self.shared);
        // No user has a name that is none, and that is told as late as any other failure.
        let name = ScreenName::from_bytes(name).unwrap_or_else(|_| ScreenName::nobody());
        let channel = AuthChannel::of(transport).service("oscar");
        let checked = shared.realm.check(reactor, &channel, &name, proof);
        checked.then(move |reactor, checked| {
            told(reactor, &shared, &outbox, &name, checked, answer);
        });
    }

    fn send(&self, kind: Kind, request: u32, data: &[u8]) {
        if let Some(outbox) = &self.outbox {
            outbox.send(Channel::Data, &Snac { kind, flags: 0, request, data }.encode());
        }
    }

    fn end(&mut self, transport: &Transport) {
        self.state = State::Over;
        transport.lose_connection();
    }

    fn end_deadline(&mut self, transport: &Transport) {
        if let Some(timer) = self.deadline.take() {
            transport.cancel_timer(timer);
        }
    }
}

/// Tells the result of a login, and ends the connection.
fn told(
    reactor: &Reactor,
    shared: &Rc<Shared>,
    outbox: &Outbox,
    name: &ScreenName,
    checked: Result<ScreenName, AuthError>,
    answer: Answer,
) {
    let mut data = Vec::new();
    let cookie = match checked {
        Ok(name) => shared
            .bake(reactor.now(), name.clone())
            .map(|cookie| (name, cookie))
            .ok_or(kinds::TRY_LATER),
        Err(AuthError::Refused) => Err(kinds::WRONG_PASSWORD),
        Err(_) => Err(kinds::TRY_LATER),
    };
    match cookie {
        Ok((name, cookie)) => {
            let local = || outbox.transport().local().map(|addr| addr.to_string());
            let address = shared.service_address.clone().or_else(local).unwrap_or_default();
            put(&mut data, 0x01, name.as_str().as_bytes());
            put(&mut data, 0x05, address.as_bytes());
            put(&mut data, 0x06, &cookie);
        }
        Err(code) => {
            put(&mut data, 0x01, name.as_str().as_bytes());
            put(&mut data, 0x04, b"");
            put(&mut data, 0x08, &code.to_be_bytes());
        }
    }
    match answer {
        Answer::Message(request) => {
            let snac = Snac { kind: kinds::LOGIN_REPLY, flags: 0, request, data: &data };
            outbox.send(Channel::Data, &snac.encode());
            outbox.send(Channel::SignOff, b"");
        }
        Answer::SignOff => outbox.send(Channel::SignOff, &data),
    }
    outbox.transport().lose_connection();
}

impl FrameHandler<Flaps> for OscarSession {
    fn connection_made(&mut self, transport: &mut FrameTransport<'_, Flaps>) {
        let outbox = Rc::new(Outbox::new(transport));
        outbox.send(Channel::SignOn, &VERSION);
        self.outbox = Some(outbox);
        self.deadline = transport.call_later(self.shared.sign_on_timeout);
        transport.set_read_timeout(self.shared.idle_timeout);
    }

    fn frame_received(&mut self, transport: &mut FrameTransport<'_, Flaps>, frame: &[u8]) {
        let Some(flap) = Flap::parse(frame) else { return };
        if let Err(why) = self.frame(transport, flap) {
            tracing::debug!(peer = %transport.peer(), why, "a connection of OSCAR is ended");
            if let Some(outbox) = &self.outbox {
                outbox.send(Channel::Error, b"");
            }
            self.end(transport);
        }
    }

    fn timer_fired(&mut self, transport: &mut FrameTransport<'_, Flaps>, timer: TimerId) {
        if self.deadline == Some(timer) {
            self.deadline = None;
            self.end(transport);
        }
    }

    fn connection_lost(&mut self, _: &mut FrameTransport<'_, Flaps>, _: &ConnectionLost) {
        self.state = State::Over;
    }
}

impl fmt::Debug for OscarSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::New => "New",
            State::Authorizing => "Authorizing",
            State::Keyed(_) => "Keyed",
            State::Checking => "Checking",
            State::Serving(_) => "Serving",
            State::Over => "Over",
        };
        f.debug_struct("OscarSession").field("state", &state).finish_non_exhaustive()
    }
}
