//! All that a server knows: [`Network`], users and channels, and how messages reach them. What commands do is in `commands/`.
//!
//! Nothing here waits and nothing calls user code, so it is borrowed for a command and never longer. What takes time is left in
//! [`Network::later`] for the caller.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::IpAddr,
    rc::{Rc, Weak},
    time::{Instant, SystemTime},
};

use bytes::Bytes;

use super::{
    ServerConfig,
    capability::{Capabilities, Capability},
    channel::{Channel, MAPPING},
    cloak::cloak,
    flood::{Throttle, Throttled},
    labeled_lines::{LabeledLines, tagged},
    name_set::NameSet,
    outgoing::Outgoing,
    revoking::Revoking,
    server_ban::ServerBans,
    user::{User, UserId, UserModes},
    wire::{LineProducer, Wire},
};

/// Most former nicks that WHOWAS knows.
const WHOWAS_MAX: usize = 1_000;

/// What takes time, or needs the loop.
#[derive(Debug)]
pub(super) enum Later {
    /// A message of SASL, in base64; with the mechanism, it begins.
    Sasl {
        id: UserId,
        mechanism: Option<String>,
        text: Option<Vec<u8>>,
    },
    Oper {
        id: UserId,
        name: String,
        password: Vec<u8>,
    },
    /// Read the files again, for this operator.
    Rehash(UserId),
    SaveBans,
}

/// Who had a nick.
pub(super) struct Former {
    pub(super) nick: Vec<u8>,
    pub(super) user: Vec<u8>,
    pub(super) host: String,
    pub(super) real_name: Vec<u8>,
    pub(super) is_invisible: bool,
    pub(super) at: SystemTime,
}

/// Replies to a command with a label, until it is done.
struct Capture {
    id: UserId,
    lines: Vec<Bytes>,
    len: usize,
    /// Long lists, which follow.
    lists: VecDeque<Box<dyn LineProducer>>,
}

pub(super) struct Network {
    /// For lists that are made later.
    pub(super) this: Weak<RefCell<Self>>,
    pub(super) config: Rc<ServerConfig>,
    pub(super) now: SystemTime,
    pub(super) instant: Instant,
    pub(super) created: SystemTime,
    next_id: u64,
    pub(super) users: HashMap<UserId, Box<User>>,
    pub(super) nicks: HashMap<Vec<u8>, UserId>,
    pub(super) channels: BTreeMap<Vec<u8>, Channel>,
    pub(super) monitors: HashMap<Vec<u8>, BTreeSet<UserId>>,
    pub(super) former: VecDeque<Former>,
    throttle: Throttle,
    pub(super) motd: Vec<Vec<u8>>,
    pub(super) bans: ServerBans,
    pub(super) revoking: Revoking,
    pub(super) most_users: usize,
    /// Registered channels have changed since they were stored.
    pub(super) is_changed: bool,
    pub(super) later: Vec<Later>,
    capture: Option<Capture>,
    batches: u64,
    /// Counts messages, for their tag `msgid`.
    pub(super) messages_sent: u64,
    /// Clients whose queue is too long.
    doomed: Vec<UserId>,
}

impl Network {
    pub(super) fn new(
        this: Weak<RefCell<Self>>,
        config: Rc<ServerConfig>,
        now: SystemTime,
        instant: Instant,
    ) -> Self {
        Self {
            this,
            config,
            now,
            instant,
            created: now,
            next_id: 0,
            users: HashMap::new(),
            nicks: HashMap::new(),
            channels: BTreeMap::new(),
            monitors: HashMap::new(),
            former: VecDeque::new(),
            throttle: Throttle::default(),
            motd: Vec::new(),
            bans: ServerBans::default(),
            revoking: Revoking::default(),
            most_users: 0,
            is_changed: false,
            later: Vec::new(),
            capture: None,
            batches: 0,
            messages_sent: 0,
            doomed: Vec::new(),
        }
    }

    /// A connection has come.
    pub(super) fn enter(
        &mut self,
        wire: Box<dyn Wire>,
        ip: Option<IpAddr>,
        is_secure: bool,
    ) -> Result<UserId, &'static str> {
        if self.users.len() >= self.config.clients_max {
            return Err("The server is full");
        }
        if let Some(ip) = ip {
            let connects = (self.config.connects, self.config.connects_within);
            let most = self.config.clients_per_network_max;
            self.throttle.enter(self.instant, ip, most, connects).map_err(|throttled| {
                match throttled {
                    Throttled::TooMany => "Too many connections from your network",
                    Throttled::TooFast => "Your network connects too fast, try again later",
                }
            })?;
        }
        let id = UserId(self.next_id);
        self.next_id += 1;
        let real_host = ip.map_or_else(|| "localhost".to_owned(), |ip| host_of(ip.to_canonical()));
        let (host, real_host) = match (&self.config.cloak, ip) {
            (Some(secret), Some(ip)) => (cloak(secret.bytes(), ip), Some(real_host.into())),
            _ => (real_host, None),
        };
        let user = User {
            wire,
            ip,
            is_secure,
            nick: Vec::new(),
            user: Vec::new(),
            host,
            real_host,
            real_name: Vec::new(),
            password: None,
            account: None,
            capabilities: Capabilities::default(),
            knows_302: false,
            sasl_told: None,
            is_negotiating: false,
            is_registered: false,
            is_gone: false,
            modes: UserModes::default(),
            away: None,
            channels: NameSet::default(),
            invited: BTreeMap::new(),
            monitored: BTreeSet::new(),
            lists: Rc::default(),
            signed_on: self.now,
            spoke_at: self.instant,
            sasl: None,
            open: None,
            oper: None,
            sasl_text: Default::default(),
            failed_logins: 0,
            failed_opers: 0,
        };
        self.users.insert(id, Box::new(user));
        Ok(id)
    }

    /// Ends a connection: others are told, and it is forgotten. The wire is closed when ERROR is sent, or dropped with its queue.
    pub(super) fn leave(&mut self, id: UserId, reason: &[u8], is_told: bool) {
        let Some(user) = self.users.get_mut(&id) else { return };
        user.is_gone = true;
        let (is_registered, source, account) =
            (user.is_registered, user.source(), user.account.clone());
        if is_registered {
            let quit = Outgoing::new(&source, "QUIT").text(reason).account(account.as_deref());
            for peer in self.peers(id) {
                self.send(peer, &quit);
            }
        }
        let Some(user) = self.users.remove(&id) else { return };
        for channel in user.channels.iter() {
            self.leave_channel(id, channel);
        }
        let key = MAPPING.fold(&user.nick);
        if self.nicks.get(&key) == Some(&id) {
            self.nicks.remove(&key);
        }
        for key in &user.monitored {
            self.stop_monitoring(id, key);
        }
        if let Some(ip) = user.ip {
            self.throttle.leave(ip);
        }
        if is_told {
            let text = [b"Closing Link: ", user.host.as_bytes(), b" (", reason, b")"].concat();
            user.wire.send(&Outgoing::new(b"", "ERROR").text(text).with_tags(b""));
            user.wire.close();
        } else {
            user.wire.abort();
        }
        if is_registered {
            self.remember(&user);
            self.tell_monitors(&user.nick, None);
        }
    }

    /// A user is known by another nick, or gone: WHOWAS will know.
    pub(super) fn remember(&mut self, user: &User) {
        if self.former.len() >= WHOWAS_MAX {
            self.former.pop_back();
        }
        self.former.push_front(Former {
            nick: user.nick.clone(),
            user: user.user.clone(),
            host: user.host.clone(),
            real_name: user.real_name.clone(),
            is_invisible: user.modes.is_invisible,
            at: self.now,
        });
    }

    /// Takes somebody out of a channel, which is forgotten with its last member unless it is registered.
    pub(super) fn leave_channel(&mut self, id: UserId, key: &[u8]) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.members.remove(&id);
            if channel.members.is_empty() && channel.founder.is_none() {
                self.channels.remove(key);
            }
        }
        if let Some(user) = self.users.get_mut(&id) {
            user.channels.remove(key);
        }
    }

    pub(super) fn stop_monitoring(&mut self, id: UserId, key: &[u8]) {
        if let Some(watchers) = self.monitors.get_mut(key) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.monitors.remove(key);
            }
        }
    }

    /// Tells those who watch a nick that it is there, by its source, or is not any more.
    pub(super) fn tell_monitors(&mut self, nick: &[u8], source: Option<&[u8]>) {
        let watchers = self.monitors.get(&MAPPING.fold(nick)).cloned().unwrap_or_default();
        for watcher in watchers {
            let message = match source {
                Some(source) => self.numeric(watcher, 730).text(source),
                None => self.numeric(watcher, 731).text(nick),
            };
            self.send(watcher, &message);
        }
    }

    /// All who share a channel with somebody, once each, without that one.
    pub(super) fn peers(&self, id: UserId) -> Vec<UserId> {
        let channels = self.users.get(&id).into_iter().flat_map(|user| user.channels.iter());
        let members = channels
            .filter_map(|key| self.channels.get(key))
            .flat_map(|channel| channel.members.keys());
        let mut peers: Vec<UserId> = members.copied().filter(|member| *member != id).collect();
        // The members of each channel are in order, so this merges what is sorted already.
        peers.sort();
        peers.dedup();
        peers
    }

    /// A reply with a number, up to the nick of the client.
    pub(super) fn numeric(&self, id: UserId, number: u16) -> Outgoing {
        let nick = self.users.get(&id).map_or(&b"*"[..], |user| user.nick_or_star());
        Outgoing::new(self.config.name.as_bytes(), &format!("{number:03}")).param(nick)
    }

    /// Sends a reply with a number, parameters and a text.
    pub(super) fn reply(
        &mut self,
        id: UserId,
        number: u16,
        params: &[&[u8]],
        text: impl AsRef<[u8]>,
    ) {
        let message = self.numeric(id, number).params(params).text(text);
        self.send(id, &message);
    }

    /// Sends a message of the server itself.
    pub(super) fn notice(&mut self, id: UserId, text: impl AsRef<[u8]>) {
        let nick = self.users.get(&id).map_or(b"*".to_vec(), |user| user.nick_or_star().to_vec());
        let message = Outgoing::new(self.config.name.as_bytes(), "NOTICE").param(nick).text(text);
        self.send(id, &message);
    }

    pub(super) fn send(&mut self, id: UserId, message: &Outgoing) {
        let Some(user) = self.users.get(&id).filter(|user| !user.is_gone) else { return };
        let line = message.encode(user.capabilities, self.now);
        if let Some(capture) = self.capture.as_mut().filter(|capture| capture.id == id) {
            capture.len += line.len();
            capture.lines.push(line.clone());
            if capture.len > self.config.send_queue_max && !self.doomed.contains(&id) {
                self.doomed.push(id);
            }
            return;
        }
        user.wire.send(line);
        if user.wire.queued() > self.config.send_queue_max && !self.doomed.contains(&id) {
            self.doomed.push(id);
        }
    }

    /// Sends a message to the members of a channel for whom `is_for` is true. It is encoded once for all who see it alike.
    pub(super) fn send_channel(
        &mut self,
        key: &[u8],
        message: &Outgoing,
        is_for: impl Fn(UserId, &User) -> bool,
    ) {
        let Some(channel) = self.channels.get(key) else { return };
        let members: Vec<UserId> = channel.members.keys().copied().collect();
        for member in members {
            if self.users.get(&member).is_some_and(|user| is_for(member, user)) {
                self.send(member, message);
            }
        }
    }

    /// Disconnects those whose queue is too long. Others are told, whose queue may then be too long as well.
    pub(super) fn end_doomed(&mut self) {
        while let Some(id) = self.doomed.pop() {
            self.leave(id, b"SendQ exceeded", false);
        }
    }

    /// Replies to this client are kept, to be sent with its label.
    pub(super) fn begin_label(&mut self, id: UserId) {
        self.capture = Some(Capture { id, lines: Vec::new(), len: 0, lists: VecDeque::new() });
    }

    /// What is sent in `f` is no reply to the command in work.
    pub(super) fn without_label(&mut self, f: impl FnOnce(&mut Self)) {
        let capture = self.capture.take();
        f(self);
        self.capture = capture;
    }

    /// The number of the next message, also unlike those before the server was started.
    pub(super) fn message_id(&self) -> String {
        let start = self.created.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        format!("{:x}-{:x}", start.as_millis(), self.messages_sent)
    }

    /// Sends lines that are made as there is room for them: behind the other replies if the command in work has a label.
    pub(super) fn stream_list(&mut self, id: UserId, list: Box<dyn LineProducer>) {
        match self.capture.as_mut().filter(|capture| capture.id == id) {
            Some(capture) => capture.lists.push_back(list),
            None => {
                if let Some(user) = self.users.get(&id) {
                    user.wire.stream(list);
                }
            }
        }
    }

    /// Sends what was kept: with the label, in a batch if it is more than one message, or ACK if it is nothing.
    pub(super) fn end_label(&mut self, label: &[u8]) {
        let Some(Capture { id, lines, lists, .. }) = self.capture.take() else { return };
        let Some(user) = self.users.get(&id).filter(|user| !user.is_gone) else { return };
        let server = self.config.name.as_bytes();
        let label = [b"label=", label].concat();
        let (mut first, mut every, mut end) = (Some(label), None, None);
        let is_long = lines.len() > 1 || !lists.is_empty();
        if lines.is_empty() && lists.is_empty() {
            let label = first.take().unwrap_or_default();
            user.wire.send(&Outgoing::new(server, "ACK").with_tags(&label));
        } else if is_long && user.capabilities.has(Capability::Batch) {
            self.batches += 1;
            let reference = self.batches.to_string();
            let begin = Outgoing::new(server, "BATCH")
                .param(format!("+{reference}"))
                .param("labeled-response");
            user.wire.send(&begin.with_tags(&first.take().unwrap_or_default()));
            every = Some(format!("batch={reference}").into_bytes());
            let ended = Outgoing::new(server, "BATCH").param(format!("-{reference}"));
            end = Some(ended.with_tags(b""));
        }
        // Without batches, the first message has the label.
        for line in &lines {
            match first.take().as_ref().or(every.as_ref()) {
                Some(tag) => user.wire.send(&tagged(line, tag)),
                None => user.wire.send(line),
            }
        }
        if !lists.is_empty() {
            user.wire.stream(Box::new(LabeledLines { lists, first, every, end }));
        } else if let Some(end) = end {
            user.wire.send(&end);
        }
        if user.wire.queued() > self.config.send_queue_max {
            self.doomed.push(id);
        }
    }

    /// The user of a nick, if there is one that has been welcomed.
    pub(super) fn by_nick(&self, nick: &[u8]) -> Option<UserId> {
        let id = self.nicks.get(&MAPPING.fold(nick)).copied()?;
        self.users.get(&id).filter(|user| user.is_registered).map(|_| id)
    }
}

/// An address as the host of a user. One that begins with a colon would be taken for a text.
fn host_of(ip: IpAddr) -> String {
    let host = ip.to_string();
    if host.starts_with(':') { format!("0{host}") } else { host }
}
