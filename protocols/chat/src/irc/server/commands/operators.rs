//! What operators of the server do: OPER, KILL, KLINE, UNKLINE, STATS k, REHASH, WALLOPS.

use sinew_transports::reactor::Excerpt;

use sinew_auth::{BegunLogin, Identity};

use crate::irc::{
    codec::Message,
    server::{
        network::{Later, Network},
        outgoing::Outgoing,
        user::UserId,
    },
};

impl Network {
    pub(super) fn oper(&mut self, id: UserId, message: &Message<'_>) {
        if self.config.operators.is_none() {
            return self.reply(id, 491, &[], "No O-lines for your host");
        }
        let (name, password) = (message.params()[0], message.params()[1]);
        let name = String::from_utf8_lossy(name).into_owned();
        self.later.push(Later::Oper { id, name, password: password.to_vec() });
    }

    /// The password of an operator was checked.
    pub(in crate::irc::server) fn oper_checked(
        &mut self,
        id: UserId,
        name: &str,
        begun: BegunLogin,
        identity: Option<Identity>,
    ) {
        let max = self.config.logins_max;
        let logins = &self.revoking.operators;
        let open = identity.and_then(|identity| logins.succeeded(begun, &identity, id));
        let act = if open.is_some() { "OPER" } else { "OPER, refused" };
        self.log_act(id, act, name.as_bytes(), b"");
        let Some(user) = self.users.get_mut(&id) else { return };
        let Some(open) = open else {
            user.failed_opers += 1;
            let is_last = user.failed_opers >= max;
            self.reply(id, 464, &[], "Password incorrect");
            if is_last {
                self.leave(id, b"Too many logins have failed", true);
            }
            return;
        };
        user.oper = Some(open);
        user.modes.is_operator = true;
        let source = user.source();
        let mode = Outgoing::new(&source, "MODE").param(&user.nick).param("+o");
        let mode = mode.account(user.account.as_deref());
        self.reply(id, 381, &[], "You are now an IRC operator");
        self.send(id, &mode);
    }

    /// Logs a command that few may give: by whom, to whom or what, and why.
    pub(super) fn log_act(&self, id: UserId, act: &'static str, to: &[u8], reason: &[u8]) {
        let Some(user) = self.users.get(&id) else { return };
        let shown = |text: &[u8]| (!text.is_empty()).then(|| Excerpt::new(text).to_string());
        tracing::info!(
            target: "sinew::irc",
            act,
            by = shown(&user.source()),
            peer = user.ip.map(|ip| tracing::field::display(ip.to_canonical())),
            account = user.account.as_deref().and_then(|account| shown(account.as_bytes())),
            to = shown(to),
            reason = shown(reason),
            "a privileged command of IRC"
        );
    }

    /// The name by which somebody became an operator does not count any more. Returns whether it was one.
    pub(in crate::irc::server) fn end_operator(&mut self, id: UserId) -> bool {
        let Some(user) = self.users.get_mut(&id) else { return false };
        user.oper = None;
        if !std::mem::take(&mut user.modes.is_operator) {
            return false;
        }
        let source = user.source();
        let mode = Outgoing::new(&source, "MODE").param(&user.nick).param("-o");
        let mode = mode.account(user.account.as_deref());
        self.send(id, &mode);
        true
    }

    fn is_operator(&mut self, id: UserId) -> bool {
        let is_operator = self.users.get(&id).is_some_and(|user| user.modes.is_operator);
        if !is_operator {
            self.reply(id, 481, &[], "Permission Denied- You're not an IRC operator");
        }
        is_operator
    }

    pub(super) fn kill(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_operator(id) {
            return;
        }
        let (nick, reason) = (message.params()[0], message.params()[1]);
        let Some(target) = self.by_nick(nick) else {
            return self.reply(id, 401, &[nick], "No such nick/channel");
        };
        let whom = self.users.get(&target).map(|user| user.source()).unwrap_or_default();
        self.log_act(id, "KILL", &whom, reason);
        let Some(user) = self.users.get(&id) else { return };
        let (source, by) = (user.source(), user.nick.clone());
        let kill = Outgoing::new(&source, "KILL").param(nick).text(reason);
        let kill = kill.account(user.account.as_deref());
        self.send(target, &kill);
        let reason = [b"Killed (", by.as_slice(), b" (", reason, b"))"].concat();
        self.leave(target, &reason, true);
    }

    pub(super) fn kline(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_operator(id) {
            return;
        }
        let mask = message.params()[0];
        let reason = message.params().get(1).copied().unwrap_or(b"No reason");
        if let Err(error) = self.bans.add(mask, reason) {
            return self.notice(id, error.text());
        }
        self.log_act(id, "KLINE", mask, reason);
        self.later.push(Later::SaveBans);
        self.notice(id, [b"Added a ban for ", mask].concat());
        let names = |user: &crate::irc::server::user::User| {
            [&user.host, user.real_host()]
                .map(|host| [&user.user, &b"@"[..], host.as_bytes()].concat())
        };
        let banned = self.users.iter().filter(|(other, user)| {
            **other != id && self.bans.reason(&names(user), user.ip).is_some()
        });
        let banned: Vec<UserId> = banned.map(|(other, _)| *other).collect();
        for other in banned {
            self.reply(other, 465, &[], [b"You are banned from this server: ", reason].concat());
            self.leave(other, b"Banned", true);
        }
    }

    pub(super) fn unkline(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_operator(id) {
            return;
        }
        let mask = message.params()[0];
        match self.bans.remove(mask) {
            true => {
                self.log_act(id, "UNKLINE", mask, b"");
                self.later.push(Later::SaveBans);
                self.notice(id, [b"Removed the ban for ", mask].concat());
            }
            false => self.notice(id, [b"There is no ban for ", mask].concat()),
        }
    }

    /// The bans from the server, for `STATS k`.
    pub(super) fn stats_bans(&mut self, id: UserId, what: Vec<u8>) {
        if !self.is_operator(id) {
            return self.reply(id, 219, &[&what], "End of /STATS report");
        }
        let (mut place, mut is_ended) = (0, false);
        self.reply_with(id, "STATS", self.bans.len(), move |network| {
            if let Some((user, host, reason)) = network.bans.at(place) {
                place += 1;
                let ban = network.numeric(id, 216).param("K").param(host).param("*").param(user);
                return Some(ban.text(reason));
            }
            let end = network.numeric(id, 219).param(&what).text("End of /STATS report");
            (!std::mem::replace(&mut is_ended, true)).then_some(end)
        });
    }

    pub(super) fn rehash(&mut self, id: UserId, _: &Message<'_>) {
        if self.is_operator(id) {
            self.log_act(id, "REHASH", b"", b"");
            self.reply(id, 382, &[b"*"], "Rehashing");
            self.later.push(Later::Rehash(id));
        }
    }

    pub(super) fn wallops(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_operator(id) {
            return;
        }
        let Some(user) = self.users.get(&id) else { return };
        let wallops = Outgoing::new(&user.source(), "WALLOPS").text(message.params()[0]);
        let wallops = wallops.account(user.account.as_deref());
        let wanted =
            self.users.iter().filter(|(_, user)| user.is_registered && user.modes.has_wallops);
        let wanted: Vec<UserId> = wanted.map(|(other, _)| *other).collect();
        wanted.into_iter().for_each(|other| self.send(other, &wallops));
    }
}
