//! A client of IRC in memory, whose server is a script; its handler notes what it is told.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_chat::irc::{
    client::{DccOffer, IrcClient, IrcConfig, IrcConnection, IrcError, IrcHandler, Said},
    codec::{Ctcp, IrcText, Message, ModeChange, Source},
};
use sinew_transports::{
    Connection, ConnectionLost, Factory, Peer, StreamConfig, memory, memory::Wire, reactor::Reactor,
};

pub(crate) type Notes = Rc<RefCell<Vec<String>>>;

/// Notes each event as a line.
pub(crate) struct Noting(pub(crate) Notes);

impl Noting {
    fn note(&self, text: String) {
        self.0.borrow_mut().push(text);
    }
}

impl IrcHandler for Noting {
    fn signed_on(&mut self, _: &IrcClient) {
        self.note("signed_on".to_owned());
    }

    fn registration_failed(&mut self, _: &IrcClient, error: &IrcError) {
        self.note(format!("registration_failed {error}"));
    }

    fn connection_lost(&mut self, _: &IrcClient, reason: &ConnectionLost) {
        self.note(format!("connection_lost {reason}"));
    }

    fn privmsg(&mut self, _: &IrcClient, said: &Said<'_>) {
        self.note(format!(
            "privmsg {} {} {} {}",
            said.from.nick(),
            said.target,
            said.text,
            said.is_echo
        ));
    }

    fn noticed(&mut self, _: &IrcClient, said: &Said<'_>) {
        self.note(format!("noticed {} {}", said.from, said.text));
    }

    fn action(&mut self, _: &IrcClient, said: &Said<'_>) {
        self.note(format!("action {} {} {}", said.from.nick(), said.reply_to(), said.text));
    }

    fn ctcp_query(&mut self, _: &IrcClient, _: &Said<'_>, ctcp: &Ctcp<'_>) {
        self.note(format!("ctcp_query {} {}", ctcp.command, ctcp.text));
    }

    fn dcc_offered(&mut self, _: &IrcClient, offer: &DccOffer) {
        self.note(format!(
            "dcc_offered {} {:?} {:?} {:?}",
            offer.from().nick(),
            offer.file_name(),
            offer.size(),
            offer.address()
        ));
    }

    fn ctcp_reply(&mut self, _: &IrcClient, _: &Said<'_>, ctcp: &Ctcp<'_>) {
        self.note(format!("ctcp_reply {} {}", ctcp.command, ctcp.text));
    }

    fn joined(&mut self, _: &IrcClient, channel: IrcText<'_>) {
        self.note(format!("joined {channel}"));
    }

    fn names_received(&mut self, irc: &IrcClient, channel: IrcText<'_>) {
        let members = irc.members(channel).unwrap_or_default();
        let names = members.iter().map(|member| {
            format!("{}{}", String::from_utf8_lossy(&member.modes), IrcText::new(&member.nick))
        });
        self.note(format!("names {channel} {}", names.collect::<Vec<_>>().join(",")));
    }

    fn left(&mut self, _: &IrcClient, channel: IrcText<'_>) {
        self.note(format!("left {channel}"));
    }

    fn kicked_from(
        &mut self,
        _: &IrcClient,
        channel: IrcText<'_>,
        by: Source<'_>,
        reason: IrcText<'_>,
    ) {
        self.note(format!("kicked_from {channel} {} {reason}", by.nick()));
    }

    fn nick_changed(&mut self, _: &IrcClient, nick: IrcText<'_>) {
        self.note(format!("nick_changed {nick}"));
    }

    fn user_joined(&mut self, _: &IrcClient, user: Source<'_>, channel: IrcText<'_>) {
        self.note(format!("user_joined {} {channel}", user.nick()));
    }

    fn user_left(
        &mut self,
        _: &IrcClient,
        user: Source<'_>,
        channel: IrcText<'_>,
        reason: IrcText<'_>,
    ) {
        self.note(format!("user_left {} {channel} {reason}", user.nick()));
    }

    fn user_quit(&mut self, _: &IrcClient, user: Source<'_>, reason: IrcText<'_>) {
        self.note(format!("user_quit {} {reason}", user.nick()));
    }

    fn user_kicked(
        &mut self,
        _: &IrcClient,
        nick: IrcText<'_>,
        channel: IrcText<'_>,
        by: Source<'_>,
        _: IrcText<'_>,
    ) {
        self.note(format!("user_kicked {nick} {channel} {}", by.nick()));
    }

    fn user_renamed(&mut self, _: &IrcClient, user: Source<'_>, nick: IrcText<'_>) {
        self.note(format!("user_renamed {} {nick}", user.nick()));
    }

    fn topic_updated(
        &mut self,
        _: &IrcClient,
        channel: IrcText<'_>,
        topic: IrcText<'_>,
        by: Option<Source<'_>>,
    ) {
        self.note(format!("topic_updated {channel} {topic} {}", by.is_some()));
    }

    fn mode_changed(
        &mut self,
        _: &IrcClient,
        _: Source<'_>,
        target: IrcText<'_>,
        changes: &[ModeChange],
    ) {
        let arguments: Vec<_> = changes
            .iter()
            .filter_map(ModeChange::argument_text)
            .map(|text| text.to_string())
            .collect();
        self.note(format!(
            "mode_changed {target} {} {}",
            ModeChange::letters(changes),
            arguments.join(" ")
        ));
    }

    fn invited(&mut self, _: &IrcClient, by: Source<'_>, nick: IrcText<'_>, channel: IrcText<'_>) {
        self.note(format!("invited {} {nick} {channel}", by.nick()));
    }

    fn away_changed(&mut self, _: &IrcClient, user: Source<'_>, away: Option<IrcText<'_>>) {
        self.note(format!("away_changed {} {away:?}", user.nick()));
    }

    fn account_changed(&mut self, _: &IrcClient, user: Source<'_>, account: Option<IrcText<'_>>) {
        self.note(format!("account_changed {} {account:?}", user.nick()));
    }

    fn host_changed(
        &mut self,
        _: &IrcClient,
        before: Source<'_>,
        user: IrcText<'_>,
        host: IrcText<'_>,
    ) {
        self.note(format!("host_changed {} {user} {host}", before.nick()));
    }

    fn standard_reply(&mut self, _: &IrcClient, message: &Message<'_>) {
        self.note(format!("standard_reply {}", message.command()));
    }

    fn batch(&mut self, _: &IrcClient, is_begin: bool, message: &Message<'_>) {
        self.note(format!("batch {is_begin} {}", message.param(0).unwrap_or_default()));
    }

    fn unknown(&mut self, _: &IrcClient, message: &Message<'_>) {
        self.note(format!("unknown {}", message.command()));
    }
}

/// A client and the other end of its connection.
pub(crate) struct Script {
    pub(crate) reactor: Reactor,
    pub(crate) irc: IrcClient,
    pub(crate) wire: Wire,
    pub(crate) connection: Connection<IrcConnection>,
    notes: Notes,
}

pub(crate) fn config() -> IrcConfig {
    IrcConfig::new("bot").unwrap()
}

impl Script {
    /// A client that has connected, and was not welcomed yet.
    pub(crate) fn new(config: IrcConfig) -> Self {
        let notes = Notes::default();
        Self::with(config, Noting(Rc::clone(&notes)), notes)
    }

    /// The same with another handler.
    pub(crate) fn with(config: IrcConfig, handler: impl IrcHandler, notes: Notes) -> Self {
        let reactor = Reactor::simulated(0);
        let irc = IrcClient::new(&reactor, config, handler);
        let (connection, wire) = connect(&reactor, &irc);
        Self { reactor, irc, wire, connection, notes }
    }

    /// A client that was welcomed by a server without capabilities.
    pub(crate) fn online(config: IrcConfig) -> Self {
        let script = Self::new(config);
        script.sent();
        script.receive(":irc 421 * CAP :Unknown command\n:irc 001 bot :Welcome\n");
        assert!(script.irc.is_online());
        script.notes();
        script
    }

    /// Connects the same client again.
    pub(crate) fn reconnect(&mut self) {
        (self.connection, self.wire) = connect(&self.reactor, &self.irc);
        self.advance(0);
    }

    pub(crate) fn receive(&self, lines: &str) {
        self.wire.receive_if_open(lines.as_bytes());
        self.advance(0);
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.reactor.advance(Duration::from_millis(millis)).expect("the simulation settles");
    }

    /// What the client has sent since the last call.
    pub(crate) fn sent(&self) -> String {
        self.advance(0);
        String::from_utf8_lossy(&self.wire.sent()).replace("\r\n", "\n")
    }

    /// What the handler was told since the last call.
    pub(crate) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.borrow_mut())
    }
}

fn connect(reactor: &Reactor, irc: &IrcClient) -> (Connection<IrcConnection>, Wire) {
    let protocol = irc.clone().build_protocol(&Peer::Memory).expect("it is offline");
    memory::connect(reactor, StreamConfig::default(), protocol).expect("there is no limit")
}
