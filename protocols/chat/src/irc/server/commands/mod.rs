//! What clients can say: the table [`COMMANDS`], and [`run`], which looks a message up in it.
//!
//! | command | before the welcome | after it |
//! |---|---|---|
//! | CAP, AUTHENTICATE | yes | yes |
//! | NICK | yes | yes |
//! | PASS, USER | yes | 462 |
//! | PING, PONG, QUIT, ERROR | yes | yes |
//! | all others of the table | 451 | yes |
//! | methods of HTTP | closed | 421 |
//! | unknown commands | 451 | 421 |
//! | too few parameters | 461, or 451 | 461, or a number of the command |

mod capabilities;
mod channels;
mod lists;
mod messages;
mod modes;
mod monitor;
mod operators;
mod presence;
mod queries;
mod registration;
mod services;
mod who;

pub(super) use registration::sasl_failed;

use super::{capability::Capability, network::Network, user::UserId};
use crate::irc::codec::Message;

type Run = fn(&mut Network, UserId, &Message<'_>);

struct Command {
    name: &'static str,
    is_early: bool,
    params_min: usize,
    run: Run,
}

const fn early(name: &'static str, params_min: usize, run: Run) -> Command {
    Command { name, is_early: true, params_min, run }
}

const fn late(name: &'static str, params_min: usize, run: Run) -> Command {
    Command { name, is_early: false, params_min, run }
}

const COMMANDS: [Command; 46] = [
    early("CAP", 1, Network::cap),
    early("AUTHENTICATE", 1, Network::authenticate),
    early("PASS", 1, Network::pass),
    early("NICK", 0, Network::nick),
    early("USER", 4, Network::user),
    early("PING", 0, Network::ping),
    early("PONG", 0, Network::pong),
    early("QUIT", 0, Network::quit),
    early("ERROR", 0, Network::pong),
    late("JOIN", 1, Network::join),
    late("PART", 1, Network::part),
    late("KICK", 2, Network::kick),
    late("INVITE", 0, Network::invite),
    late("TOPIC", 1, Network::topic),
    late("NAMES", 0, Network::names),
    late("LIST", 0, Network::list),
    late("MODE", 1, Network::mode),
    late("PRIVMSG", 0, Network::privmsg),
    late("NOTICE", 0, Network::notice_command),
    late("TAGMSG", 0, Network::tagmsg),
    late("AWAY", 0, Network::away),
    late("SETNAME", 1, Network::setname),
    late("WHO", 0, Network::who),
    late("WHOIS", 0, Network::whois),
    late("WHOWAS", 0, Network::whowas),
    late("USERHOST", 1, Network::userhost),
    late("ISON", 1, Network::ison),
    late("MONITOR", 1, Network::monitor),
    late("LUSERS", 0, Network::lusers),
    late("MOTD", 0, Network::motd),
    late("VERSION", 0, Network::version),
    late("TIME", 0, Network::time),
    late("ADMIN", 0, Network::admin),
    late("INFO", 0, Network::info),
    late("LINKS", 0, Network::links),
    late("HELP", 0, Network::help),
    late("OPER", 2, Network::oper),
    late("KILL", 2, Network::kill),
    late("KLINE", 1, Network::kline),
    late("UNKLINE", 1, Network::unkline),
    late("REHASH", 0, Network::rehash),
    late("WALLOPS", 1, Network::wallops),
    late("CHANSERV", 1, Network::chanserv),
    late("CS", 1, Network::chanserv),
    late("STATS", 0, Network::stats),
    late("USERS", 0, Network::users_command),
];

/// Carries a message out. Its replies have its label, if it has one.
pub(super) fn run(network: &mut Network, id: UserId, message: &Message<'_>) {
    let Some(user) = network.users.get(&id) else { return };
    let has_labels = user.capabilities.has(Capability::LabeledResponse);
    let label = if has_labels { raw_tag(message, b"label") } else { None };
    if label.is_some() {
        network.begin_label(id);
    }
    dispatch(network, id, message);
    if let Some(label) = label {
        network.end_label(label);
    }
    network.end_doomed();
}

fn dispatch(network: &mut Network, id: UserId, message: &Message<'_>) {
    let is_registered = network.users.get(&id).is_some_and(|user| user.is_registered);
    let command = COMMANDS.iter().find(|command| message.is(command.name));
    let name = message.command().as_bytes();
    match command {
        Some(command) if is_registered || command.is_early => {
            if message.params().len() < command.params_min {
                return network.reply(id, 461, &[name], "Not enough parameters");
            }
            (command.run)(network, id, message);
        }
        _ if !is_registered && registration::is_of_http(name) => {
            network.leave(id, b"This is not a web server", true);
        }
        _ if !is_registered => network.reply(id, 451, &[], "You have not registered"),
        _ => network.reply(id, 421, &[name], "Unknown command"),
    }
}

/// The value of a tag as it was sent, with its escapes.
fn raw_tag<'a>(message: &Message<'a>, key: &[u8]) -> Option<&'a [u8]> {
    let tags = message.raw_tags().split(|byte| *byte == b';');
    let value = tags.rev().find_map(|tag| tag.strip_prefix(key)?.strip_prefix(b"="));
    value.filter(|value| !value.is_empty() && value.len() <= 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_there_once() {
        let mut names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
