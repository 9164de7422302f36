//! What a client can do: methods of [`XmppClient`]. Some are sent and forgotten; those that return a [`Deferred`] wait for the answer.

use sinew_transports::reactor::{Deferred, with_causes};

use super::{
    RequestError, SendError, XmppClient,
    rooms::{Joining, entry},
    state::Phase,
};
use crate::xmpp::codec::{Element, Iq, Jid, Message, Presence, PresenceKind, ns};

impl XmppClient {
    /// Sends a message. One without an id is given one, which is returned: receipts and errors name it. While the client is not online,
    /// messages wait, unless [`waits_while_away`](super::XmppConfig::waits_while_away) says otherwise.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn send_message(&self, message: Message) -> Result<String, SendError> {
        let (message, id) = match message.id().map(str::to_owned) {
            Some(id) => (message, id),
            None => {
                let id = self.0.session.borrow_mut().requests.next_id();
                (message.with_id(id.as_str()), id)
            }
        };
        self.put_or_keep(message.into()).map(|()| id)
    }

    /// Sends presence.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn send_presence(&self, presence: Presence) -> Result<(), SendError> {
        self.put(presence.into())
    }

    /// Says that nobody looks at the client (XEP-0352): the server holds back what can wait, such as presence, and sends it before what cannot.
    /// Says nothing to a server that does not know this. A client is active when it comes online, also in a session that is resumed.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn inactive(&self) -> Result<(), SendError> {
        self.say_state("inactive")
    }

    /// Says that somebody looks at the client again: the server sends what it has held back.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn active(&self) -> Result<(), SendError> {
        self.say_state("active")
    }

    fn say_state(&self, state: &str) -> Result<(), SendError> {
        let link = self.0.link.borrow();
        let Some(transport) = link.transport.clone().filter(|_| link.phase == Phase::Online) else {
            return Err(SendError::NotConnected);
        };
        let is_known = link.has_client_state;
        drop(link);
        let max = self.0.config.output_max;
        if transport.queued() > max {
            return Err(SendError::QueueFull { max });
        }
        if is_known {
            transport.write(Element::new(state, ns::CLIENT_STATE).encode(ns::CLIENT)?);
        }
        Ok(())
    }

    /// Asks to see the presence of somebody.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn subscribe(&self, to: &Jid) -> Result<(), SendError> {
        self.put(Presence::directed(PresenceKind::Subscribe, to.bare()).into())
    }

    /// Lets somebody see the presence of the account.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn accept(&self, whom: &Jid) -> Result<(), SendError> {
        self.put(Presence::directed(PresenceKind::Subscribed, whom.bare()).into())
    }

    /// Does not let somebody see the presence of the account, or not any more.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn refuse(&self, whom: &Jid) -> Result<(), SendError> {
        self.put(Presence::directed(PresenceKind::Unsubscribed, whom.bare()).into())
    }

    /// Asks, and waits for the answer: of whom was asked, not of anybody who knows the id.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn request(&self, iq: Iq) -> Deferred<Iq, RequestError> {
        let (promise, answer) = self.0.reactor.promise();
        let Some(reactor) = self.0.reactor.upgrade() else {
            promise.reject(RequestError::Lost);
            return answer;
        };
        let mut session = self.0.session.borrow_mut();
        session.requests.prune();
        let max = self.0.config.requests_max;
        if session.requests.len() >= max {
            drop(session);
            promise.reject(RequestError::TooMany { max });
            return answer;
        }
        let id = session.requests.next_id();
        drop(session);
        let to = iq.to().cloned();
        if let Err(error) = self.put(iq.with_id(id.as_str()).into()) {
            promise.reject(error.into());
            return answer;
        }
        let after = self.0.config.request_timeout;
        let (this, late) = (self.clone(), id.clone());
        let timer = reactor.call_later(after, move |_| {
            this.0.session.borrow_mut().requests.fail(&late, RequestError::TimedOut { after });
        });
        self.0.session.borrow_mut().requests.push(id, to, timer, promise);
        answer
    }

    /// Asks somebody whether it is there (XEP-0199). An error is an answer, too: [`RequestError::Refused`].
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn ping(&self, to: Jid) -> Deferred<(), RequestError> {
        let ping = Iq::get(Element::new("ping", ns::PING)).with_to(to);
        self.request(ping).map(|answer| answer.map(drop))
    }

    /// Asks what somebody is and can do (XEP-0030): an element `query` with identities and features.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn disco_info(&self, of: Jid) -> Deferred<Element, RequestError> {
        self.query(of, ns::DISCO_INFO)
    }

    /// Asks what belongs to somebody (XEP-0030): an element `query` with items.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn disco_items(&self, of: Jid) -> Deferred<Element, RequestError> {
        self.query(of, ns::DISCO_ITEMS)
    }

    fn query(&self, of: Jid, space: &'static str) -> Deferred<Element, RequestError> {
        let query = Iq::get(Element::new("query", space)).with_to(of);
        self.request(query).map(move |answer| {
            let answer = answer?;
            let found = answer.child("query", space).cloned();
            Ok(found.unwrap_or_else(|| Element::new("query", space)))
        })
    }

    /// Adds somebody to the roster, or changes name and groups.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn set_contact(
        &self,
        jid: &Jid,
        name: Option<&str>,
        groups: &[&str],
    ) -> Deferred<(), RequestError> {
        let mut item =
            Element::new("item", ns::ROSTER).with_attribute("jid", jid.bare().to_string());
        if let Some(name) = name {
            item.set_attribute("name", name);
        }
        for group in groups {
            item.push(Element::new("group", ns::ROSTER).with_text(*group));
        }
        self.set_item(item)
    }

    /// Removes somebody from the roster, and ends subscriptions in both directions.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn remove_contact(&self, jid: &Jid) -> Deferred<(), RequestError> {
        let item = Element::new("item", ns::ROSTER).with_attribute("jid", jid.bare().to_string());
        self.set_item(item.with_attribute("subscription", "remove"))
    }

    fn set_item(&self, item: Element) -> Deferred<(), RequestError> {
        let query = Element::new("query", ns::ROSTER).with_child(item);
        self.request(Iq::set(query)).map(|answer| answer.map(drop))
    }

    pub(super) fn fetch_roster(&self) {
        let (this, session) = (self.clone(), self.session_number());
        let roster = self.request(Iq::get(Element::new("query", ns::ROSTER)));
        roster.then(move |_, answer| {
            let answer = match answer {
                Ok(answer) if session == this.session_number() => answer,
                Ok(_) => return,
                Err(error) => {
                    return tracing::debug!(error = %with_causes(&error), "the roster is not known");
                }
            };
            if let Some(query) = answer.child("query", ns::ROSTER) {
                let max = this.0.config.roster_max;
                this.0.session.borrow_mut().roster.replace(query, max);
            }
            this.call(|handler, xmpp| handler.roster_received(xmpp));
        });
    }

    /// Joins a room under a nick (XEP-0045), and again in each new session. The result comes when the room has accepted the client.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn join(
        &self,
        room: &Jid,
        nick: &str,
        password: Option<&str>,
    ) -> Deferred<(), RequestError> {
        let (promise, joined) = self.0.reactor.promise();
        let Some(reactor) = self.0.reactor.upgrade() else {
            promise.reject(RequestError::Lost);
            return joined;
        };
        let Some(presence) = entry(room, nick, password).filter(|_| room.is_bare()) else {
            promise.reject(RequestError::NoRoom);
            return joined;
        };
        let session = self.0.session.borrow();
        let max = self.0.config.rooms_max;
        let has_room = session.rooms.len() < max || session.rooms.contains(room);
        drop(session);
        if !has_room {
            promise.reject(RequestError::TooMany { max });
            return joined;
        }
        let nick = presence.to().and_then(Jid::resource).unwrap_or(nick).to_owned();
        if let Err(error) = self.put(presence.into()) {
            promise.reject(error.into());
            return joined;
        }
        let after = self.0.config.request_timeout;
        let (this, late) = (self.clone(), room.clone());
        let timer = reactor.call_later(after, move |_| {
            let error = RequestError::TimedOut { after };
            this.0.session.borrow_mut().rooms.timed_out(&late, error);
        });
        let joining = Joining { nick, password: password.map(str::to_owned), promise, timer };
        self.0.session.borrow_mut().rooms.joining(room.clone(), joining);
        joined
    }

    /// Leaves a room. Told by [`room_left`](super::XmppHandler::room_left), if the client is in it; a room in which it is not yet, or
    /// not any more, is not joined again.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the client is still in the room.
    pub fn leave(&self, room: &Jid) -> Result<(), SendError> {
        let left = self.0.session.borrow_mut().rooms.leave(room);
        let Some((nick, is_joined)) = left else { return Ok(()) };
        let Ok(to) = room.with_resource(&nick) else { return Ok(()) };
        match self.put(Presence::directed(PresenceKind::Unavailable, to).into()) {
            Ok(()) => self.0.session.borrow_mut().rooms.leaving(room),
            Err(error) if is_joined => return Err(error),
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "a room was not told that it is left")
            }
        }
        Ok(())
    }

    /// Says something in a room.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Self::send_message).
    pub fn say(&self, room: &Jid, body: impl Into<String>) -> Result<String, SendError> {
        self.send_message(Message::groupchat(room.clone()).with_body(body))
    }

    /// Drops the connection at once, as a network that fails: the session can be resumed.
    pub fn abort(&self) {
        let transport = self.0.link.borrow().transport.clone();
        if let Some(transport) = transport {
            transport.abort();
        }
    }

    /// Ends the session and the stream, and closes the connection when all has been sent: [`when_offline`](Self::when_offline). A client
    /// that is kept connected comes back: stop its service then, too. A connection that [`connect`](Self::connect) makes is not made.
    pub fn quit(&self) {
        self.0.attempt.cancel();
        let mut link = self.0.link.borrow_mut();
        let Some(transport) = link.transport.clone() else { return };
        if link.phase == Phase::Closing {
            return;
        }
        link.phase = Phase::Closing;
        link.is_ended = true;
        drop(link);
        let session = self.0.session.borrow();
        let answer = session
            .management
            .as_ref()
            .and_then(|management| management.answer().encode(ns::CLIENT).ok());
        drop(session);
        if let Some(answer) = answer {
            transport.write(answer);
        }
        transport.write("</stream:stream>");
        transport.lose_connection();
    }
}
