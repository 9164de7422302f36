//! From the connection to the welcome: logins, names; PING, PONG and QUIT. Capabilities are in `capabilities.rs`.

use sinew_auth::{AuthError, Identity, SaslError};
use sinew_transports::reactor::with_causes;

use super::{channels::TEXT_MAX, presence::NAME_MAX};
use crate::irc::{
    codec::{Message, PARAMETERS_MAX, SaslTooLong, cut_at_character},
    server::{
        capability::Capability,
        channel::{CHANNEL_MAX, MAPPING, NICK_MAX, is_nick},
        network::{Later, Network},
        outgoing::Outgoing,
        user::UserId,
    },
};

/// Longest user name.
const USER_MAX: usize = 10;
/// Longest message of a login, in base64.
const SASL_MAX: usize = 12 * 1_024;

impl Network {
    pub(super) fn authenticate(&mut self, id: UserId, message: &Message<'_>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        let piece = message.params()[0];
        if !user.capabilities.has(Capability::Sasl) || self.config.accounts.is_none() {
            return self.reply(
                id,
                904,
                &[],
                "SASL authentication failed: the capability is not on",
            );
        }
        if user.account.is_some() {
            return self.reply(id, 907, &[], "You have already authenticated using SASL");
        }
        if piece == b"*" {
            let was_running = user.sasl.take().is_some();
            user.sasl_text = Default::default();
            if was_running {
                self.reply(id, 906, &[], "SASL authentication aborted");
            } else {
                self.reply(id, 904, &[], "SASL authentication failed");
            }
            return;
        }
        if user.sasl.is_none() {
            let mechanism = String::from_utf8_lossy(piece).to_ascii_uppercase();
            return self.later.push(Later::Sasl { id, mechanism: Some(mechanism), text: None });
        }
        match user.sasl_text.push(piece, SASL_MAX) {
            Ok(Some(text)) => {
                self.later.push(Later::Sasl { id, mechanism: None, text: Some(text) })
            }
            Ok(None) => {}
            Err(SaslTooLong { .. }) => {
                user.sasl = None;
                self.reply(id, 905, &[], "SASL message too long");
            }
        }
    }

    /// A login has succeeded.
    pub(in crate::irc::server) fn logged_in(&mut self, id: UserId, identity: &Identity) {
        let Some(user) = self.users.get_mut(&id) else { return };
        let Some((_, begun)) = user.sasl.take() else { return };
        let Some(open) = self.revoking.accounts.succeeded(begun, identity, id) else {
            return sasl_failed(self, id, &SaslError::Auth(AuthError::Refused));
        };
        user.open = Some(open);
        let account = identity.name();
        user.account = Some(account.to_owned());
        let (source, is_registered) = (user.source(), user.is_registered);
        let text = format!("You are now logged in as {account}");
        self.reply(id, 900, &[&source, account.as_bytes()], text);
        self.reply(id, 903, &[], "SASL authentication successful");
        if is_registered {
            let message = Outgoing::new(&source, "ACCOUNT").param(account);
            for peer in self.peers(id) {
                if self
                    .users
                    .get(&peer)
                    .is_some_and(|user| user.capabilities.has(Capability::AccountNotify))
                {
                    self.send(peer, &message);
                }
            }
        }
    }

    pub(super) fn pass(&mut self, id: UserId, message: &Message<'_>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        if user.is_registered {
            return self.reply(id, 462, &[], "You may not reregister");
        }
        user.password = Some(message.params()[0].to_vec());
    }

    pub(super) fn nick(&mut self, id: UserId, message: &Message<'_>) {
        let nick = match message.params().first() {
            Some(nick) if !nick.is_empty() => *nick,
            _ => return self.reply(id, 431, &[], "No nickname given"),
        };
        if !is_nick(nick) || is_service(nick) {
            return self.reply(id, 432, &[nick], "Erroneous nickname");
        }
        let key = MAPPING.fold(nick);
        if self.nicks.get(&key).is_some_and(|other| *other != id) {
            return self.reply(id, 433, &[nick], "Nickname is already in use");
        }
        let Some(user) = self.users.get(&id) else { return };
        let (old, source, is_registered) = (user.nick.clone(), user.source(), user.is_registered);
        if old == nick {
            return;
        }
        if is_registered && self.is_banned_somewhere(id) {
            return self.reply(
                id,
                437,
                &[nick],
                "Cannot change nickname while banned on a channel",
            );
        }
        self.nicks.remove(&MAPPING.fold(&old));
        self.nicks.insert(key.clone(), id);
        if !is_registered {
            if let Some(user) = self.users.get_mut(&id) {
                user.nick = nick.to_vec();
            }
            return self.try_welcome(id);
        }
        self.rename(id, &old, nick, &source);
    }

    fn rename(&mut self, id: UserId, old: &[u8], nick: &[u8], source: &[u8]) {
        let account = self.users.get(&id).and_then(|user| user.account.clone());
        let message = Outgoing::new(source, "NICK").text(nick).account(account.as_deref());
        self.send(id, &message);
        for peer in self.peers(id) {
            self.send(peer, &message);
        }
        if let Some(user) = self.users.remove(&id) {
            self.remember(&user);
            self.users.insert(id, user);
        }
        let Some(user) = self.users.get_mut(&id) else { return };
        user.nick = nick.to_vec();
        let source = user.source();
        if MAPPING.fold(old) != MAPPING.fold(nick) {
            self.tell_monitors(old, None);
            self.tell_monitors(nick, Some(&source));
        }
    }

    /// Whether the user is in a channel that it may not speak in because of a ban.
    fn is_banned_somewhere(&self, id: UserId) -> bool {
        let Some(user) = self.users.get(&id) else { return false };
        let names = user.names();
        let mut channels = user.channels.iter().filter_map(|key| self.channels.get(key));
        channels.any(|channel| {
            let status = channel.status(id).unwrap_or_default();
            !status.is_operator && !status.has_voice && channel.is_banned(&names)
        })
    }

    pub(super) fn user(&mut self, id: UserId, message: &Message<'_>) {
        let Some(user) = self.users.get_mut(&id) else { return };
        if user.is_registered {
            return self.reply(id, 462, &[], "You may not reregister");
        }
        let (name, real_name) = (message.params()[0], message.params()[3]);
        let is_valid = !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_graphic() && !b"!@*?:".contains(byte));
        if !is_valid {
            return self.reply(id, 468, &[], "Your username is not valid");
        }
        if real_name.is_empty() {
            return self.reply(id, 461, &[b"USER"], "Not enough parameters");
        }
        user.user = [b"~", &name[..name.len().min(USER_MAX)]].concat();
        user.real_name = cut_at_character(real_name, NAME_MAX).to_vec();
        self.try_welcome(id);
    }

    pub(super) fn ping(&mut self, id: UserId, message: &Message<'_>) {
        let Some(token) = message.params().first() else {
            return self.reply(id, 461, &[b"PING"], "Not enough parameters");
        };
        let name = self.config.name.as_bytes();
        let pong = Outgoing::new(name, "PONG").param(name).text(token);
        self.send(id, &pong);
    }

    /// The session has noted that something came.
    pub(super) fn pong(&mut self, _: UserId, _: &Message<'_>) {}

    pub(super) fn quit(&mut self, id: UserId, message: &Message<'_>) {
        let reason = message.params().first().copied().unwrap_or_default();
        let reason = [b"Quit: ", cut_at_character(reason, TEXT_MAX)].concat();
        self.leave(id, &reason, true);
    }

    /// Welcomes a client that has said all that it must.
    pub(super) fn try_welcome(&mut self, id: UserId) {
        let Some(user) = self.users.get(&id) else { return };
        let is_ready = !user.is_registered
            && !user.is_negotiating
            && !user.nick.is_empty()
            && !user.user.is_empty();
        if !is_ready {
            return;
        }
        let [shown, real] = [&user.host, user.real_host()]
            .map(|host| [&user.user, &b"@"[..], host.as_bytes()].concat());
        let ip = user.ip;
        let is_right = self.config.password.as_ref().is_none_or(|expected| {
            user.password.as_ref().is_some_and(|password| expected.is(password))
        });
        let has_account = user.account.is_some() || !self.config.needs_account;
        if !is_right {
            self.reply(id, 464, &[], "Password incorrect");
            return self.leave(id, b"Bad password", true);
        }
        if !has_account {
            self.reply(id, 465, &[], "You have to log in by SASL");
            return self.leave(id, b"A login is required", true);
        }
        if let Some(reason) = self.bans.reason(&[shown, real], ip) {
            let reason = reason.to_vec();
            self.reply(
                id,
                465,
                &[],
                [b"You are banned from this server: ", reason.as_slice()].concat(),
            );
            return self.leave(id, b"Banned", true);
        }
        let Some(user) = self.users.get_mut(&id) else { return };
        // IRCv3 sasl-3.1: a login that is not finished is over with the registration.
        let was_logging_in = user.sasl.take().is_some();
        user.sasl_text = Default::default();
        if was_logging_in {
            self.reply(id, 906, &[], "SASL authentication aborted");
        }
        let Some(user) = self.users.get_mut(&id) else { return };
        user.is_registered = true;
        user.password = None;
        user.signed_on = self.now;
        user.spoke_at = self.instant;
        let (nick, source) = (user.nick.clone(), user.source());
        self.welcome(id, &source);
        self.tell_monitors(&nick, Some(&source));
    }

    fn welcome(&mut self, id: UserId, source: &[u8]) {
        let users = self.users.values().filter(|user| user.is_registered).count();
        self.most_users = self.most_users.max(users);
        let (name, network) = (self.config.name.clone(), self.config.network.clone());
        let version = concat!("sinew-", env!("CARGO_PKG_VERSION"));
        let text = [format!("Welcome to the {network} IRC network, ").as_bytes(), source].concat();
        self.reply(id, 1, &[], text);
        self.reply(id, 2, &[], format!("Your host is {name}, running {version}"));
        let created = crate::irc::codec::format_time(self.created);
        self.reply(id, 3, &[], format!("This server was started at {created}"));
        let myinfo =
            self.numeric(id, 4).params([&name, version, "Biow", "CIRbeiklmnoprstv", "Ibeklov"]);
        self.send(id, &myinfo);
        self.send_isupport(id);
        self.send_lusers(id);
        self.send_motd(id);
        let letters = self.users.get(&id).map(|user| user.mode_letters()).unwrap_or_default();
        if letters.len() > 1 {
            let nick = self.users.get(&id).map(|user| user.nick.clone()).unwrap_or_default();
            self.send(id, &Outgoing::new(name.as_bytes(), "MODE").param(nick).param(letters));
        }
    }

    fn send_isupport(&mut self, id: UserId) {
        let config = &self.config;
        let tokens = [
            format!("NETWORK={}", config.network),
            format!("CASEMAPPING={MAPPING}"),
            "CHANTYPES=#".to_owned(),
            "PREFIX=(ov)@+".to_owned(),
            "CHANMODES=beI,k,l,CRimnprst".to_owned(),
            "STATUSMSG=@+".to_owned(),
            "EXCEPTS=e".to_owned(),
            "INVEX=I".to_owned(),
            format!("NICKLEN={NICK_MAX}"),
            format!("CHANNELLEN={CHANNEL_MAX}"),
            format!("USERLEN={USER_MAX}"),
            "HOSTLEN=63".to_owned(),
            "TOPICLEN=390".to_owned(),
            "KICKLEN=390".to_owned(),
            "AWAYLEN=390".to_owned(),
            format!("NAMELEN={NAME_MAX}"),
            "KEYLEN=32".to_owned(),
            format!("CHANLIMIT=#:{}", config.channels_per_client_max),
            format!("MAXLIST=beI:{}", config.lists_max),
            "MODES=12".to_owned(),
            "MONITOR=100".to_owned(),
            "TARGMAX=PRIVMSG:4,NOTICE:4,TAGMSG:4,JOIN:,PART:,KICK:1,NAMES:1,WHOIS:1".to_owned(),
            "LINELEN=512".to_owned(),
            "BOT=B".to_owned(),
            "ELIST=MNU".to_owned(),
            "SAFELIST".to_owned(),
            "WHOX".to_owned(),
        ];
        // The nick and the text are parameters, too.
        for tokens in tokens.chunks(PARAMETERS_MAX - 2) {
            let message = self.numeric(id, 5).params(tokens).text("are supported by this server");
            self.send(id, &message);
        }
    }
}

/// Whether a command is a method of HTTP: then a page makes somebody's browser send what follows, of which the page chooses the lines.
pub(super) fn is_of_http(command: &[u8]) -> bool {
    const METHODS: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    METHODS.iter().any(|method| command.eq_ignore_ascii_case(method.as_bytes()))
}

/// Names of what answers here itself.
pub(super) fn is_service(nick: &[u8]) -> bool {
    nick.eq_ignore_ascii_case(b"ChanServ")
}

/// A login has failed: what the client is told, and whether it may try again.
pub(in crate::irc::server) fn sasl_failed(network: &mut Network, id: UserId, error: &SaslError) {
    if let SaslError::Auth(AuthError::Unavailable(error)) = error {
        tracing::error!(error = %with_causes(&**error), "a login could not be checked");
    }
    let max = network.config.logins_max;
    let Some(user) = network.users.get_mut(&id) else { return };
    user.sasl = None;
    user.sasl_text = Default::default();
    user.failed_logins += 1;
    let is_last = user.failed_logins >= max;
    if let SaslError::NoSuchMechanism(_) | SaslError::EncryptionRequired = error
        && let Some(accounts) = network.config.accounts.clone()
    {
        let channel = network.users.get(&id).map(|user| user.wire.channel()).unwrap_or_default();
        let names: Vec<_> =
            accounts.mechanisms(&channel).iter().map(|mechanism| mechanism.name()).collect();
        network.reply(id, 908, &[names.join(",").as_bytes()], "are available SASL mechanisms");
    }
    match error {
        SaslError::Aborted => network.reply(id, 906, &[], "SASL authentication aborted"),
        SaslError::TooLong { .. } => network.reply(id, 905, &[], "SASL message too long"),
        _ => network.reply(id, 904, &[], "SASL authentication failed"),
    }
    if is_last {
        network.leave(id, b"Too many logins have failed", true);
    }
}
