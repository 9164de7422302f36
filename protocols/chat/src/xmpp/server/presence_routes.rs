//! Presence: who is told that a resource is there, or gone (RFC 6121 4).

use std::rc::Rc;

use super::{
    account_queries::len,
    bounce,
    domain::Domain,
    session::{Session, SessionId},
    store::Contact,
    subscription::Change,
};
use crate::xmpp::codec::{Element, Jid, Presence, StanzaCondition, ns};

impl Domain {
    /// Presence of a session: to all, or to somebody.
    pub(super) fn presence_from(&mut self, id: SessionId, presence: Element, to: Option<&Jid>) {
        let kind = presence.attribute("type").map(str::to_owned);
        match (kind.as_deref(), to) {
            (None, None) => self.available(id, presence),
            (Some("unavailable"), None) => self.unavailable(id, presence),
            (None | Some("unavailable"), Some(to)) => self.direct_presence(id, presence, to),
            // An error is for the server, or for whom it names.
            (Some("error"), Some(_)) => self.route(presence),
            (Some(word), Some(to)) => match Change::from_word(word) {
                Some(change) => self.subscription_from(id, change, presence, to),
                // Probes are for servers; what is unknown is refused.
                None if word == "probe" => {}
                None => self.refuse(&presence, &bounce::modify(StanzaCondition::BadRequest)),
            },
            (Some(_), None) => {}
        }
    }

    /// A resource says that it is there, and how.
    fn available(&mut self, id: SessionId, presence: Element) {
        let priority =
            Presence::try_from(presence.clone()).map_or(0, |presence| presence.priority());
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (was_there, took_messages) = (session.is_available(), session.takes_messages());
        session.presence = Some(presence.clone());
        session.priority = priority;
        let (account, takes_messages) = (Rc::clone(&session.account), session.takes_messages());
        self.broadcast(&account, &presence);
        if !was_there {
            self.ask_for_presence(id, &account);
        }
        if takes_messages && !took_messages {
            self.deliver_stored(id, &account);
        }
    }

    fn unavailable(&mut self, id: SessionId, presence: Element) {
        // Out of its place while others are told.
        let Some(mut session) = self.sessions.remove(&id) else { return };
        self.presence_over(&mut session, Some(presence.clone()));
        self.sessions.insert(id, session);
        // RFC 6121 4.5.2: the resource is told as well.
        self.send_to_all(&[id], &presence);
    }

    /// A resource is not there any more: all who knew that it was are told.
    pub(super) fn presence_over(&mut self, session: &mut Session, presence: Option<Element>) {
        let was_there = session.presence.take().is_some();
        let directed = std::mem::take(&mut session.directed);
        if !was_there && directed.is_empty() {
            return;
        }
        let unavailable = presence.unwrap_or_else(|| {
            Element::new("presence", ns::CLIENT)
                .with_attribute("type", "unavailable")
                .with_attribute("from", session.jid.to_string())
        });
        if was_there {
            self.broadcast(&session.account, &unavailable);
        }
        for to in directed {
            let is_told = was_there && self.sees(&session.account, &to);
            if !is_told {
                self.route(unavailable.clone().with_attribute("to", to.to_string()));
            }
        }
    }

    /// Tells the contacts who may see it, and the other resources.
    fn broadcast(&mut self, account: &Rc<str>, presence: &Element) {
        let Some(data) = self.data(account) else { return };
        let seeing = data.contacts.iter().filter(|(_, contact)| contact.from);
        let seeing: Vec<Jid> = seeing.map(|(jid, _)| jid.clone()).collect();
        for contact in seeing {
            if !self.is_blocked(account, &contact) {
                self.route(presence.clone().with_attribute("to", contact.to_string()));
            }
        }
        let own = self.sessions_where(account, Session::is_available);
        self.send_to_all(&own, presence);
    }

    /// A resource has just become available: it learns who else is there, and what was asked meanwhile.
    fn ask_for_presence(&mut self, id: SessionId, account: &Rc<str>) {
        let (Some(data), Some(session)) = (self.data(account), self.sessions.get(&id)) else {
            return;
        };
        // To ask somebody is to say that one is there.
        let is_seen = |jid: &Jid, contact: &Contact| contact.to && !self.is_blocked(account, jid);
        let seen = data.contacts.iter().filter(|(jid, contact)| is_seen(jid, contact));
        let seen: Vec<Jid> = seen.map(|(jid, _)| jid.clone()).collect();
        // Strangers decide how many requests there are: the rest comes when some are answered.
        let mut left = self.config.send_queue_max / 4;
        let requests = data.contacts.values().filter_map(|contact| contact.request.as_ref());
        let requests = requests.map_while(|request| {
            left = left.checked_sub(len(request))?;
            Some(request.clone())
        });
        let requests: Vec<Element> = requests.collect();
        let jid = session.jid.to_string();
        for other in self.sessions_where(account, Session::is_available) {
            let presence = self.sessions.get(&other).and_then(|session| session.presence.clone());
            if let Some(presence) = presence.filter(|_| other != id) {
                self.send(id, presence.with_attribute("to", jid.as_str()));
            }
        }
        for contact in &seen {
            let probe = Element::new("presence", ns::CLIENT)
                .with_attribute("type", "probe")
                .with_attribute("from", jid.as_str())
                .with_attribute("to", contact.to_string());
            self.route(probe);
        }
        for request in requests {
            self.send(id, request);
        }
        self.send_last_items(id, account, &seen);
    }

    /// Presence for somebody alone, such as the entry of a room.
    fn direct_presence(&mut self, id: SessionId, presence: Element, to: &Jid) {
        let max = self.config.directed_max;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if presence.attribute("type").is_some() {
            session.directed.remove(to);
        } else if session.directed.len() >= max && !session.directed.contains(to) {
            return self.refuse(&presence, &bounce::wait(StanzaCondition::ResourceConstraint));
        } else {
            session.directed.insert(to.clone());
        }
        self.route(presence);
    }

    /// Presence for an account or a resource of it.
    pub(super) fn presence_to(
        &mut self,
        account: &Rc<str>,
        presence: Element,
        from: &Jid,
        to: &Jid,
    ) {
        let change = presence.attribute("type").and_then(Change::from_word);
        if let Some(change) = change {
            return self.subscription_to(account, change, presence, from);
        }
        if presence.attribute("type") == Some("probe") {
            return self.probed(account, from);
        }
        match to.is_bare() {
            true => {
                // The sender may have blocked one of the resources.
                let sender = from.local().filter(|_| self.is_mine(from));
                let takers = self.sessions_where(account, |session| {
                    let is_hidden = |sender| self.is_blocked(sender, &session.jid);
                    session.is_available() && !sender.is_some_and(is_hidden)
                });
                for id in takers {
                    self.send(id, presence.clone());
                }
            }
            false => {
                if let Some(id) = self.session_at(to) {
                    self.send(id, presence);
                }
            }
        }
    }

    /// Somebody asks whether the account is there (RFC 6121 4.3.2).
    fn probed(&mut self, account: &Rc<str>, from: &Jid) {
        if !self.sees(account, from) {
            return;
        }
        for id in self.sessions_where(account, Session::is_available) {
            let presence = self.sessions.get(&id).and_then(|session| session.presence.clone());
            if let Some(presence) = presence {
                self.route(presence.with_attribute("to", from.to_string()));
            }
        }
    }

    /// Whether somebody may see the presence of an account.
    pub(super) fn sees(&self, account: &str, somebody: &Jid) -> bool {
        let contact = self.data(account).and_then(|data| data.contacts.get(&somebody.bare()));
        contact.is_some_and(|contact| contact.from)
    }
}
