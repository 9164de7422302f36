//! ChanServ: registered channels belong to an account, and are remembered.

use crate::irc::{
    codec::Message,
    server::{
        channel::{MAPPING, Status},
        config::CHANNELS_PER_ACCOUNT_MAX,
        network::Network,
        outgoing::Outgoing,
        user::UserId,
    },
};

impl Network {
    /// The command CHANSERV.
    pub(super) fn chanserv(&mut self, id: UserId, message: &Message<'_>) {
        let text = message.params().join(&b' ');
        self.serve(id, &text);
    }

    /// What somebody says to ChanServ.
    pub(super) fn serve(&mut self, id: UserId, text: &[u8]) {
        let mut words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (command, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let key = MAPPING.fold(name);
        match command.to_ascii_uppercase().as_slice() {
            b"REGISTER" => self.register(id, &key, name),
            b"DROP" => self.drop_channel(id, &key, name),
            b"OP" => self.op(id, &key, name),
            b"INFO" => {
                let account = self.users.get(&id).and_then(|user| user.account.as_ref());
                let seen = self.channels.get(&key).filter(|channel| {
                    channel.is_seen_by(id)
                        || account.is_some() && channel.founder.as_ref() == account
                });
                let founder = seen.and_then(|channel| channel.founder.clone());
                match founder {
                    Some(founder) => {
                        self.served(id, &[name, b" belongs to ", founder.as_bytes()].concat())
                    }
                    None => self.served(id, &[name, b" is not registered"].concat()),
                }
            }
            _ => self.served(id, b"REGISTER #channel, DROP #channel, OP #channel, INFO #channel"),
        }
    }

    fn served(&mut self, id: UserId, text: &[u8]) {
        let Some(nick) = self.users.get(&id).map(|user| user.nick.clone()) else { return };
        let source = format!("ChanServ!ChanServ@{}", self.config.name);
        let notice = Outgoing::new(source.as_bytes(), "NOTICE").param(nick).text(text);
        self.send(id, &notice);
    }

    fn account_of(&mut self, id: UserId) -> Option<String> {
        let account = self.users.get(&id)?.account.clone();
        if account.is_none() {
            self.served(id, b"You have to be logged in to an account");
        }
        account
    }

    fn register(&mut self, id: UserId, key: &[u8], name: &[u8]) {
        let Some(account) = self.account_of(id) else { return };
        let registered = self.channels.values().filter_map(|channel| channel.founder.as_ref());
        let (mut all, mut own) = (0, 0);
        for founder in registered {
            all += 1;
            own += usize::from(*founder == account);
        }
        let has_room = all < self.config.registered_channels_max && own < CHANNELS_PER_ACCOUNT_MAX;
        match self.channels.get_mut(key) {
            Some(channel) if channel.founder.is_some() && channel.is_seen_by(id) => {
                self.served(id, &[name, b" is registered already"].concat());
            }
            Some(channel) if channel.is_operator(id) && has_room => {
                channel.founder = Some(account);
                channel.set(b'r', true);
                let mode = Outgoing::new(self.config.name.as_bytes(), "MODE")
                    .param(&channel.name)
                    .param("+r");
                self.is_changed = true;
                self.send_channel(key, &mode, |_, _| true);
                self.served(id, &[name, b" is registered now"].concat());
            }
            Some(channel) if channel.is_operator(id) => {
                self.served(id, b"Too many channels are registered")
            }
            _ => self.served(id, &[b"You are not an operator of ", name].concat()),
        }
    }

    /// The channel of somebody who is its founder, or an operator of the server.
    fn is_founder(&mut self, id: UserId, key: &[u8], name: &[u8]) -> bool {
        let Some(account) = self.account_of(id) else { return false };
        let is_server_operator = self.users.get(&id).is_some_and(|user| user.modes.is_operator);
        let founder = self.channels.get(key).and_then(|channel| channel.founder.as_ref());
        let is_founder = founder.is_some_and(|founder| *founder == account || is_server_operator);
        if !is_founder {
            self.served(id, &[name, b" does not belong to you"].concat());
        }
        is_founder
    }

    fn drop_channel(&mut self, id: UserId, key: &[u8], name: &[u8]) {
        if !self.is_founder(id, key, name) {
            return;
        }
        self.log_act(id, "DROP", name, b"");
        let Some(channel) = self.channels.get_mut(key) else { return };
        channel.founder = None;
        channel.set(b'r', false);
        let mode =
            Outgoing::new(self.config.name.as_bytes(), "MODE").param(&channel.name).param("-r");
        if channel.members.is_empty() {
            self.channels.remove(key);
        }
        self.is_changed = true;
        self.send_channel(key, &mode, |_, _| true);
        self.served(id, &[name, b" is not registered any more"].concat());
    }

    fn op(&mut self, id: UserId, key: &[u8], name: &[u8]) {
        if !self.is_founder(id, key, name) {
            return;
        }
        let Some(user) = self.users.get(&id) else { return };
        let (nick, account) = (user.nick.clone(), user.account.clone());
        let Some(channel) = self.channels.get_mut(key) else { return };
        let is_own = channel.founder == account;
        let Some(status) = channel.members.get_mut(&id) else {
            return self.served(id, &[b"You are not on ", name].concat());
        };
        if std::mem::replace(status, Status { is_operator: true, ..*status }).is_operator {
            return;
        }
        let mode = Outgoing::new(self.config.name.as_bytes(), "MODE")
            .param(&channel.name)
            .param("+o")
            .param(nick);
        if !is_own {
            self.log_act(id, "OP", name, b"");
        }
        self.send_channel(key, &mode, |_, _| true);
    }
}
