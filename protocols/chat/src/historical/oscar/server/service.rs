//! What a connection does that has signed on: [`Service`]. Answers the questions of its client, and tells it what happens.
//!
//! | message | answer |
//! |---|---|
//! | 01/17 versions | 01/18 |
//! | 01/06 rates | 01/07 |
//! | 01/0e self | 01/0f |
//! | 01/02 ready | others see the user from now on; the first time only |
//! | 02/02, 03/02, 04/04, 09/02, 13/02 limits | the limits |
//! | 02/04 information | others see whether the user is away |
//! | 03/04, 03/05 buddies | 03/0b for those that are there |
//! | 04/06 message | 04/0c if it is asked for; 04/01 if it was not delivered |
//! | 13/04, 13/05 list | 13/06 |
//! | 13/08, 13/09, 13/0a change of the list | 13/0e |
//! | 01/08, 01/11, 04/02, 13/07, 13/11, 13/12 | nothing |
//! | anything else | an error of its family |
//!
//! Buddies and messages count from 01/02 on; before, a message is answered with an error.

use std::rc::Rc;

use sinew_transports::reactor::Reactor;

use super::{Shared, lists::Change};
use crate::historical::{
    Event, ScreenName,
    flap::Channel,
    oscar::{
        Kind, Reader, Snac, TEXT_MAX, Tlvs,
        fields::{put_buddy, put_name, put_sender, read_text, text_value},
        kinds::{self, SERVED},
        tlv::put,
    },
    outbox::Outbox,
    realm::{BUDDIES_MAX, Door, Presence, Unsent},
};

/// Of messages that the server sends without being asked.
const UNASKED: u32 = 0x8000_0000;

/// The longest profile that a client may set; it is not kept.
const PROFILE_MAX: u16 = 1_024;

pub(super) struct Service {
    shared: Rc<Shared>,
    name: ScreenName,
    outbox: Rc<Outbox>,
    presence: Option<Presence>,
}

/// Where events of a user go.
struct OscarDoor(Rc<Outbox>);

impl Service {
    pub(super) fn new(shared: &Rc<Shared>, name: ScreenName, outbox: Rc<Outbox>) -> Self {
        Self { shared: Rc::clone(shared), name, outbox, presence: None }
    }

    pub(super) fn begin(&self) {
        let families: Vec<u8> =
            SERVED.iter().flat_map(|(family, _)| family.to_be_bytes()).collect();
        self.send(kinds::FAMILIES, UNASKED, &families);
    }

    /// Answers a message. `true` if the user has become ready by it.
    pub(super) fn received(&mut self, reactor: &Reactor, snac: &Snac<'_>) -> bool {
        let done = match snac.kind {
            kinds::CLIENT_READY if self.presence.is_none() => {
                self.ready(reactor);
                return true;
            }
            kinds::CLIENT_READY => Some(()),
            Kind(0x01, _) => self.general(reactor, snac),
            Kind(0x03, _) => self.buddies(snac),
            kinds::SEND_MESSAGE => self.message(reactor, snac),
            Kind(0x13, _) => self.list(snac),
            kinds::SET_INFO => self.information(snac),
            _ => self.limits(snac),
        };
        if done.is_none() {
            self.fail(snac, kinds::MALFORMED);
        }
        false
    }

    fn ready(&mut self, reactor: &Reactor) {
        let door = Rc::new(OscarDoor(Rc::clone(&self.outbox)));
        let watches = self.shared.lists.buddies(&self.name);
        let presence = self.shared.realm.sign_on(reactor, &self.name, watches, door);
        presence.tell_of_all();
        self.presence = Some(presence);
    }

    fn general(&self, reactor: &Reactor, snac: &Snac<'_>) -> Option<()> {
        match snac.kind {
            kinds::CLIENT_VERSIONS => {
                let versions = SERVED.iter().flat_map(|(family, version)| [*family, *version]);
                let versions: Vec<u8> = versions.flat_map(u16::to_be_bytes).collect();
                self.send(kinds::VERSIONS, snac.request, &versions);
            }
            kinds::RATES_QUERY => self.send(kinds::RATES, snac.request, &rates()),
            kinds::SELF_QUERY => {
                let buddy = self.presence.as_ref().and_then(Presence::buddy);
                let Some(buddy) = buddy else {
                    self.fail(snac, kinds::NOT_LOGGED_ON);
                    return Some(());
                };
                let mut data = Vec::new();
                put_buddy(&mut data, &buddy, seconds(reactor));
                self.send(kinds::SELF, snac.request, &data);
            }
            kinds::RATES_ADDED | kinds::IDLE => {}
            _ => self.fail(snac, kinds::NOT_SUPPORTED),
        }
        Some(())
    }

    fn limits(&self, snac: &Snac<'_>) -> Option<()> {
        let buddies = BUDDIES_MAX as u16;
        let mut data = Vec::new();
        let answer = match snac.kind {
            kinds::LOCATE_RIGHTS_QUERY => {
                put(&mut data, 0x01, &PROFILE_MAX.to_be_bytes());
                kinds::LOCATE_RIGHTS
            }
            kinds::MESSAGE_PARAMETERS_QUERY => {
                data.extend([0, 2, 0, 0, 0, 3]);
                for number in [TEXT_MAX as u16, 999, 999, 0, 0] {
                    data.extend(number.to_be_bytes());
                }
                kinds::MESSAGE_PARAMETERS
            }
            kinds::PRIVACY_RIGHTS_QUERY => {
                put(&mut data, 0x01, &buddies.to_be_bytes());
                put(&mut data, 0x02, &buddies.to_be_bytes());
                kinds::PRIVACY_RIGHTS
            }
            kinds::SET_MESSAGE_PARAMETERS => return Some(()),
            _ => {
                self.fail(snac, kinds::NOT_SUPPORTED);
                return Some(());
            }
        };
        self.send(answer, snac.request, &data);
        Some(())
    }

    fn information(&self, snac: &Snac<'_>) -> Option<()> {
        let values = Tlvs::parse(snac.data)?;
        if let (Some(away), Some(presence)) = (values.get(0x04), &self.presence) {
            presence.set_away(!away.is_empty());
        }
        Some(())
    }

    fn buddies(&self, snac: &Snac<'_>) -> Option<()> {
        let watch = match snac.kind {
            kinds::ADD_BUDDIES => true,
            kinds::REMOVE_BUDDIES => false,
            kinds::BUDDY_RIGHTS_QUERY => {
                let (mut data, buddies) = (Vec::new(), (BUDDIES_MAX as u16).to_be_bytes());
                put(&mut data, 0x01, &buddies);
                put(&mut data, 0x02, &buddies);
                self.send(kinds::BUDDY_RIGHTS, snac.request, &data);
                return Some(());
            }
            _ => {
                self.fail(snac, kinds::NOT_SUPPORTED);
                return Some(());
            }
        };
        let (mut reader, mut names) = (Reader::new(snac.data), Vec::new());
        while !reader.is_empty() {
            // A name that none can have is that of nobody.
            names.extend(ScreenName::from_bytes(reader.short()?));
        }
        match &self.presence {
            Some(presence) => presence.watch(&names, watch),
            None => self.fail(snac, kinds::NOT_LOGGED_ON),
        }
        Some(())
    }

    fn message(&self, reactor: &Reactor, snac: &Snac<'_>) -> Option<()> {
        let mut reader = Reader::new(snac.data);
        let cookie = reader.bytes(8)?;
        let channel = reader.u16()?;
        let to = reader.short()?;
        let values = Tlvs::parse(reader.rest())?;
        let Some(presence) = &self.presence else {
            self.fail(snac, kinds::NOT_LOGGED_ON);
            return Some(());
        };
        if channel != 1 {
            self.fail(snac, kinds::NOT_SUPPORTED);
            return Some(());
        }
        let text = read_text(values.get(0x02)?).filter(|text| text.len() <= TEXT_MAX)?;
        let sent = ScreenName::from_bytes(to)
            .map_err(|_| Unsent::NotOnline)
            .and_then(|to| presence.send(reactor.now(), &to, text, values.get(0x04).is_some()));
        match sent {
            Ok(()) if values.get(0x03).is_some() => {
                let mut data = cookie.to_vec();
                data.extend([0, 1, to.len() as u8]);
                data.extend(to);
                self.send(kinds::MESSAGE_TAKEN, snac.request, &data);
            }
            Ok(()) => {}
            Err(Unsent::NotOnline) => self.fail(snac, kinds::NOT_LOGGED_ON),
            Err(Unsent::TooFast) => self.fail(snac, kinds::RATE_EXCEEDED),
        }
        Some(())
    }

    fn list(&self, snac: &Snac<'_>) -> Option<()> {
        let change = match snac.kind {
            kinds::LIST_ADD => Change::Add,
            kinds::LIST_CHANGE => Change::Replace,
            kinds::LIST_REMOVE => Change::Remove,
            kinds::LIST_QUERY | kinds::LIST_QUERY_IF_CHANGED => {
                self.tell_list(snac.request);
                return Some(());
            }
            kinds::LIST_RIGHTS_QUERY => {
                let mut data = Vec::new();
                // For each class of items, how many: buddies and groups.
                let counts = [BUDDIES_MAX as u16; 2];
                put(&mut data, 0x04, &counts.map(u16::to_be_bytes).concat());
                self.send(kinds::LIST_RIGHTS, snac.request, &data);
                return Some(());
            }
            kinds::LIST_USE | kinds::LIST_BEGIN | kinds::LIST_END => return Some(()),
            _ => {
                self.fail(snac, kinds::NOT_SUPPORTED);
                return Some(());
            }
        };
        let before = self.shared.lists.buddies(&self.name);
        let changed = self.shared.lists.change(&self.name, change, snac.data)?;
        let results: Vec<u8> =
            changed.iter().flat_map(|changed| (*changed as u16).to_be_bytes()).collect();
        self.send(kinds::LIST_RESULT, snac.request, &results);
        let after = self.shared.lists.buddies(&self.name);
        if let Some(presence) = &self.presence {
            let names = |one: &std::collections::HashSet<String>, other| {
                let only = one.difference(other);
                only.filter_map(|name| name.parse().ok()).collect::<Vec<ScreenName>>()
            };
            presence.watch(&names(&before, &after), false);
            presence.watch(&names(&after, &before), true);
        }
        Some(())
    }

    /// Tells the list, in as many messages as it takes.
    fn tell_list(&self, request: u32) {
        /// Bytes of items in one message, which a frame holds with the longest item on top.
        const PIECE: usize = 4 * 1024;
        let mut pieces: Vec<(u16, Vec<u8>)> = vec![(0, Vec::new())];
        for item in self.shared.lists.items(&self.name) {
            match pieces.last_mut() {
                Some((count, bytes)) if bytes.len() < PIECE => {
                    item.put(bytes);
                    *count += 1;
                }
                _ => {
                    let mut bytes = Vec::new();
                    item.put(&mut bytes);
                    pieces.push((1, bytes));
                }
            }
        }
        let last = pieces.len() - 1;
        for (at, (count, items)) in pieces.into_iter().enumerate() {
            let mut data = vec![0];
            data.extend(count.to_be_bytes());
            data.extend(items);
            // The time of the last change, which is not kept; zero says that more follows.
            data.extend(u32::from(at == last).to_be_bytes());
            let flags = u16::from(at != last);
            let snac = Snac { kind: kinds::LIST, flags, request, data: &data };
            self.outbox.send(Channel::Data, &snac.encode());
        }
    }

    fn send(&self, kind: Kind, request: u32, data: &[u8]) {
        self.outbox.send(Channel::Data, &Snac { kind, flags: 0, request, data }.encode());
    }

    fn fail(&self, snac: &Snac<'_>, code: u16) {
        let kind = Kind(snac.kind.0, kinds::FAILED);
        self.send(kind, snac.request, &code.to_be_bytes());
    }
}

/// The rates that are told: one class for all messages. They are wide; what is bounded is the number of messages of a user.
fn rates() -> Vec<u8> {
    let mut data = vec![0, 1, 0, 1];
    // Window, clear, alert, limit, disconnect, current, highest level, in messages and milliseconds.
    for number in [20u32, 2_500, 2_000, 1_500, 1_000, 6_000, 6_000, 0] {
        data.extend(number.to_be_bytes());
    }
    data.push(0);
    // The kinds of messages in the class.
    let kinds = [kinds::SEND_MESSAGE, kinds::ADD_BUDDIES, kinds::REMOVE_BUDDIES];
    data.extend([0, 1]);
    data.extend((kinds.len() as u16).to_be_bytes());
    for Kind(family, subtype) in kinds {
        data.extend(family.to_be_bytes());
        data.extend(subtype.to_be_bytes());
    }
    data
}

fn seconds(reactor: &Reactor) -> u32 {
    let since = reactor.wall_clock().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

impl Door for OscarDoor {
    fn tell(&self, event: &Event) {
        let mut data = Vec::new();
        let now = self.0.transport().reactor().map_or(0, |reactor| seconds(&reactor));
        let kind = match event {
            Event::Arrived(buddy) => {
                put_buddy(&mut data, buddy, now);
                kinds::ARRIVED
            }
            Event::Departed(name) => {
                put_name(&mut data, name);
                data.extend([0; 4]);
                kinds::DEPARTED
            }
            Event::Message(message) => {
                let id = self.0.transport().reactor().map_or(0, |reactor| reactor.random());
                data.extend(id.to_be_bytes());
                data.extend([0, 1]);
                put_sender(&mut data, &message.from);
                put(&mut data, 0x02, &text_value(&message.text));
                if message.is_automatic {
                    put(&mut data, 0x04, b"");
                }
                kinds::MESSAGE
            }
            Event::NotDelivered { .. } | Event::TooFast => return,
        };
        let snac = Snac { kind, flags: 0, request: UNASKED, data: &data };
        self.0.send(Channel::Data, &snac.encode());
    }

    fn replaced(&self) {
        // The code of a sign-on elsewhere.
        let mut data = Vec::new();
        put(&mut data, 0x09, &1u16.to_be_bytes());
        self.0.send(Channel::SignOff, &data);
        self.0.transport().lose_connection();
    }
}
