//! MONITOR: being told when nicks come and go.

use crate::irc::{
    codec::Message,
    server::{
        channel::{MAPPING, is_nick},
        network::Network,
        user::UserId,
    },
};

/// Most nicks that a client watches.
const MONITORED_MAX: usize = 100;
/// Longest text of a reply.
const LINE_MAX: usize = 380;

impl Network {
    pub(super) fn monitor(&mut self, id: UserId, message: &Message<'_>) {
        let nicks = message.params().get(1).copied().unwrap_or_default();
        let nicks: Vec<&[u8]> =
            nicks.split(|byte| *byte == b',').filter(|nick| is_nick(nick)).collect();
        match message.params()[0] {
            b"+" => self.watch(id, &nicks),
            b"-" => {
                for nick in nicks {
                    let key = MAPPING.fold(nick);
                    self.stop_monitoring(id, &key);
                    if let Some(user) = self.users.get_mut(&id) {
                        user.monitored.remove(&key);
                    }
                }
            }
            b"c" | b"C" => {
                let keys = self.users.get_mut(&id).map(|user| std::mem::take(&mut user.monitored));
                for key in keys.unwrap_or_default() {
                    self.stop_monitoring(id, &key);
                }
            }
            b"l" | b"L" => {
                let keys =
                    self.users.get(&id).map(|user| user.monitored.clone()).unwrap_or_default();
                self.send_list_of(id, 732, keys.into_iter().collect());
                self.reply(id, 733, &[], "End of MONITOR list");
            }
            b"s" | b"S" => {
                let keys =
                    self.users.get(&id).map(|user| user.monitored.clone()).unwrap_or_default();
                self.tell_status(id, keys.into_iter().collect());
            }
            _ => self.reply(id, 461, &[b"MONITOR"], "Unknown subcommand"),
        }
    }

    fn watch(&mut self, id: UserId, nicks: &[&[u8]]) {
        let mut added = Vec::new();
        for (at, nick) in nicks.iter().enumerate() {
            let key = MAPPING.fold(nick);
            let Some(user) = self.users.get_mut(&id) else { return };
            if user.monitored.len() >= MONITORED_MAX && !user.monitored.contains(&key) {
                self.refuse_to_watch(id, &nicks[at..]);
                break;
            }
            user.monitored.insert(key.clone());
            self.monitors.entry(key).or_default().insert(id);
            added.push(nick.to_vec());
        }
        self.tell_status(id, added);
    }

    /// As many replies as the nicks need: one that is cut would be another nick.
    fn refuse_to_watch(&mut self, id: UserId, nicks: &[&[u8]]) {
        let max = MONITORED_MAX.to_string();
        for nicks in in_lines(nicks) {
            self.reply(id, 734, &[max.as_bytes(), &nicks], "Monitor list is full");
        }
    }

    /// Who of these is there, and who is not.
    fn tell_status(&mut self, id: UserId, nicks: Vec<Vec<u8>>) {
        let (mut there, mut away) = (Vec::new(), Vec::new());
        for nick in nicks {
            let source = self
                .by_nick(&nick)
                .and_then(|other| self.users.get(&other))
                .map(|user| user.source());
            match source {
                Some(source) => there.push(source),
                None => away.push(nick),
            }
        }
        self.send_list_of(id, 730, there);
        self.send_list_of(id, 731, away);
    }

    fn send_list_of(&mut self, id: UserId, number: u16, names: Vec<Vec<u8>>) {
        for line in in_lines(&names) {
            self.reply(id, number, &[], line);
        }
    }
}

/// Names with commas between them, in lines that a reply can hold.
fn in_lines(names: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for name in names {
        let name = name.as_ref();
        match lines.last_mut() {
            Some(line) if line.len() + name.len() < LINE_MAX => {
                line.push(b',');
                line.extend_from_slice(name);
            }
            _ => lines.push(name.to_vec()),
        }
    }
    lines
}
