//! Questions about the server: LUSERS, MOTD, VERSION and the like; USERHOST and ISON.

use crate::irc::{
    codec::{Message, format_time, mask_matches},
    server::{channel::MAPPING, network::Network, user::UserId},
};

impl Network {
    pub(super) fn userhost(&mut self, id: UserId, message: &Message<'_>) {
        let mut replies = Vec::new();
        for nick in message.params().iter().take(5) {
            let Some(user) = self.by_nick(nick).and_then(|other| self.users.get(&other)) else {
                continue;
            };
            let operator = if user.modes.is_operator { "*" } else { "" };
            let away = if user.away.is_some() { "-" } else { "+" };
            let parts = [
                &user.nick,
                operator.as_bytes(),
                b"=",
                away.as_bytes(),
                &user.user,
                b"@",
                user.host.as_bytes(),
            ];
            replies.push(parts.concat());
        }
        self.reply_names(id, 302, &replies);
    }

    pub(super) fn ison(&mut self, id: UserId, message: &Message<'_>) {
        let asked = message.params().iter().flat_map(|nicks| nicks.split(|byte| *byte == b' '));
        let there =
            asked.filter_map(|nick| Some(self.users.get(&self.by_nick(nick)?)?.nick.clone()));
        let there: Vec<_> = there.collect();
        self.reply_names(id, 303, &there);
    }

    /// One reply with as many names as it has room for: one that is cut would be another name.
    fn reply_names(&mut self, id: UserId, number: u16, names: &[Vec<u8>]) {
        let room = self.numeric(id, number).room().saturating_sub(" :".len());
        let mut line: Vec<u8> = Vec::new();
        for name in names {
            let space: &[u8] = if line.is_empty() { b"" } else { b" " };
            if line.len() + space.len() + name.len() > room {
                break;
            }
            line.extend_from_slice(space);
            line.extend_from_slice(name);
        }
        self.reply(id, number, &[], line);
    }

    pub(super) fn lusers(&mut self, id: UserId, _: &Message<'_>) {
        self.send_lusers(id);
    }

    pub(super) fn send_lusers(&mut self, id: UserId) {
        let registered = self.users.values().filter(|user| user.is_registered);
        let (mut users, mut invisible, mut operators) = (0, 0, 0_usize);
        for user in registered {
            users += 1;
            invisible += usize::from(user.modes.is_invisible);
            operators += usize::from(user.modes.is_operator);
        }
        let unknown = self.users.len() - users;
        let channels = self.channels.values().filter(|channel| !channel.members.is_empty()).count();
        let most = self.most_users;
        let text =
            format!("There are {} users and {invisible} invisible on 1 servers", users - invisible);
        self.reply(id, 251, &[], text);
        self.reply(id, 252, &[operators.to_string().as_bytes()], "operator(s) online");
        self.reply(id, 253, &[unknown.to_string().as_bytes()], "unknown connection(s)");
        self.reply(id, 254, &[channels.to_string().as_bytes()], "channels formed");
        self.reply(id, 255, &[], format!("I have {users} clients and 0 servers"));
        let (users, most) = (users.to_string(), most.to_string());
        let params = [users.as_bytes(), most.as_bytes()];
        self.reply(id, 265, &params, format!("Current local users {users}, max {most}"));
        self.reply(id, 266, &params, format!("Current global users {users}, max {most}"));
    }

    pub(super) fn motd(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_this_server(id, message) {
            return;
        }
        self.send_motd(id);
    }

    pub(super) fn send_motd(&mut self, id: UserId) {
        if self.motd.is_empty() {
            return self.reply(id, 422, &[], "MOTD File is missing");
        }
        self.reply(id, 375, &[], format!("- {} Message of the day - ", self.config.name));
        for line in self.motd.clone() {
            self.reply(id, 372, &[], [b"- ", line.as_slice()].concat());
        }
        self.reply(id, 376, &[], "End of /MOTD command");
    }

    pub(super) fn version(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_this_server(id, message) {
            return;
        }
        let name = self.config.name.clone();
        let version = concat!("sinew-", env!("CARGO_PKG_VERSION"));
        self.reply(id, 351, &[version.as_bytes(), name.as_bytes()], "");
    }

    pub(super) fn time(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_this_server(id, message) {
            return;
        }
        let name = self.config.name.clone();
        self.reply(id, 391, &[name.as_bytes()], format_time(self.now));
    }

    pub(super) fn admin(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_this_server(id, message) {
            return;
        }
        let (name, description) = (self.config.name.clone(), self.config.description.clone());
        self.reply(id, 256, &[name.as_bytes()], "Administrative info");
        self.reply(id, 257, &[], description);
    }

    pub(super) fn info(&mut self, id: UserId, message: &Message<'_>) {
        if !self.is_this_server(id, message) {
            return;
        }
        self.reply(id, 371, &[], concat!("sinew-", env!("CARGO_PKG_VERSION")));
        self.reply(id, 371, &[], format!("Up since {}", format_time(self.created)));
        self.reply(id, 374, &[], "End of INFO list");
    }

    pub(super) fn links(&mut self, id: UserId, _: &Message<'_>) {
        let (name, description) = (self.config.name.clone(), self.config.description.clone());
        self.reply(id, 364, &[name.as_bytes(), name.as_bytes()], format!("0 {description}"));
        self.reply(id, 365, &[b"*"], "End of LINKS list");
    }

    pub(super) fn help(&mut self, id: UserId, message: &Message<'_>) {
        let Some(subject) = message.params().first().copied() else {
            self.reply(id, 704, &[b"*"], "Commands of this server");
            let names: Vec<_> = super::COMMANDS.iter().map(|command| command.name).collect();
            for names in names.chunks(8) {
                self.reply(id, 705, &[b"*"], names.join(" "));
            }
            return self.reply(id, 706, &[b"*"], "End of HELP");
        };
        let subject = subject.to_ascii_uppercase();
        let known = super::COMMANDS.iter().find(|command| command.name.as_bytes() == subject);
        match known.map(|command| (command.is_early, command.params_min)) {
            Some((is_early, params)) => {
                let when = if is_early { "also before the welcome" } else { "after the welcome" };
                self.reply(id, 704, &[&subject], "A command of this server");
                self.reply(
                    id,
                    705,
                    &[&subject],
                    format!("It is understood {when}, and has {params} parameters or more."),
                );
                self.reply(id, 706, &[&subject], "End of HELP");
            }
            None => self.reply(
                id,
                524,
                &[&subject],
                "There is no help on this; HELP lists the commands",
            ),
        }
    }

    pub(super) fn stats(&mut self, id: UserId, message: &Message<'_>) {
        let what = message.params().first().copied().unwrap_or(b"*").to_vec();
        if let Some(b'k' | b'K') = what.first() {
            return self.stats_bans(id, what);
        }
        if what.first() == Some(&b'u') {
            let up = self.now.duration_since(self.created).unwrap_or_default().as_secs();
            let (days, hours, minutes) = (up / 86_400, up / 3_600 % 24, up / 60 % 60);
            self.reply(
                id,
                242,
                &[],
                format!("Server Up {days} days {hours}:{minutes:02}:{:02}", up % 60),
            );
        }
        self.reply(id, 219, &[&what], "End of /STATS report");
    }

    pub(super) fn users_command(&mut self, id: UserId, _: &Message<'_>) {
        self.reply(id, 446, &[], "USERS has been disabled");
    }

    /// Whether a question is for this server; if not, the client is told that there is no other.
    fn is_this_server(&mut self, id: UserId, message: &Message<'_>) -> bool {
        let Some(name) = message.params().first().copied() else { return true };
        let is_here = mask_matches(MAPPING, name, self.config.name.as_bytes())
            || self.by_nick(name).is_some();
        if !is_here {
            self.reply(id, 402, &[name], "No such server");
        }
        is_here
    }
}
