//! The time before the welcome: capabilities, the login, the nick. The table of phases is in `state.rs`.

use sinew_auth::{Channel, Mechanism};
use sinew_transports::{Transport, reactor::with_causes};

use super::{
    IrcClient, IrcError,
    state::{Login, Phase},
};
use crate::irc::codec::{IrcText, Message, MessageBuf, SaslText, sasl_pieces};

/// Most capabilities of a server that are remembered.
const CAPABILITIES_MAX: usize = 512;
/// Longest list of capabilities in one CAP REQ.
const REQUEST_MAX: usize = 400;
/// Most nicks that are tried.
const NICKS_MAX: usize = 12;
/// Longest challenge of a login, in base64.
const CHALLENGE_MAX: usize = 64 * 1024;

impl IrcClient {
    pub(super) fn begin_registration(&self, transport: &Transport) {
        let config = &self.0.config;
        let mut state = self.0.state.borrow_mut();
        state.phase = Phase::Negotiating;
        state.transport = Some(transport.clone());
        drop(state);
        // What is in the configuration was checked when it was set.
        let lines = || {
            let mut lines = vec![MessageBuf::new("CAP")?.param("LS")?.param("302")?];
            if let Some(password) = &config.password {
                lines.push(MessageBuf::new("PASS")?.text(password)?);
            }
            lines.push(MessageBuf::new("NICK")?.param(&config.nick)?);
            let user = MessageBuf::new("USER")?.param(&config.user)?.param("0")?.param("*")?;
            lines.push(user.text(&config.real_name)?);
            lines.iter().map(MessageBuf::encode).collect::<Result<Vec<_>, _>>()
        };
        match lines() {
            Ok(lines) => {
                let lines: Vec<_> = lines.iter().map(AsRef::as_ref).collect();
                transport.write_vectored(&lines);
            }
            Err(error) => transport.fail(error),
        }
    }

    /// Gives the connection up.
    pub(super) fn fail(&self, transport: &Transport, error: IrcError) {
        let mut state = self.0.state.borrow_mut();
        let reason = error.to_string();
        state.failure.get_or_insert(error);
        if state.phase != Phase::Online {
            state.phase = Phase::Closing;
        }
        drop(state);
        transport.fail(reason);
    }

    /// A message before the welcome.
    pub(super) fn register(&self, transport: &Transport, message: &Message<'_>) {
        if message.is("CAP") {
            return self.capabilities(transport, message);
        }
        if message.is("AUTHENTICATE") {
            return self.challenged(transport, message);
        }
        let Some(number) = message.numeric() else { return };
        let phase = self.0.state.borrow().phase;
        match number {
            1 => self.welcomed(transport, message),
            433 | 436 | 437 => self.next_nick(transport),
            432 | 463..=466 => self.refused(transport, number, message),
            421 if phase == Phase::Negotiating
                && message.param(1).is_some_and(|command| command == "CAP") =>
            {
                self.without_capabilities(transport);
            }
            900 | 903 if phase == Phase::LoggingIn => self.logged_in(transport, number),
            908 if phase == Phase::LoggingIn => self.mechanisms(message),
            904 if phase == Phase::LoggingIn && self.has_other_mechanisms(transport) => {}
            902 | 904..=907 if phase == Phase::LoggingIn => {
                if let Some(login) = &self.0.state.borrow().login {
                    login.sasl.refused();
                }
                let text = message.last().map(|text| text.to_string()).unwrap_or_default();
                self.fail(transport, IrcError::LoginRefused { numeric: number, text });
            }
            _ => {}
        }
    }

    fn refused(&self, transport: &Transport, numeric: u16, message: &Message<'_>) {
        let text = message.last().map(|text| text.to_string()).unwrap_or_default();
        self.fail(transport, IrcError::Refused { numeric, text });
    }

    fn next_nick(&self, transport: &Transport) {
        let mut state = self.0.state.borrow_mut();
        let tries = state.nicks_tried;
        if tries >= NICKS_MAX {
            drop(state);
            return self.fail(transport, IrcError::NoNick { tries });
        }
        state.nicks_tried += 1;
        state.nick = other_nick(self.0.config.nick.as_bytes(), tries);
        let nick = MessageBuf::new("NICK").and_then(|message| message.param(&state.nick)?.encode());
        drop(state);
        match nick {
            Ok(line) => drop(transport.write_bytes(line)),
            Err(error) => transport.fail(error),
        }
    }

    fn without_capabilities(&self, transport: &Transport) {
        if self.0.config.login.is_some() {
            return self.fail(transport, IrcError::SaslNotOffered);
        }
        self.0.state.borrow_mut().phase = Phase::Ending;
    }

    /// CAP, in any phase.
    pub(super) fn capabilities(&self, transport: &Transport, message: &Message<'_>) {
        let Some(subcommand) = message.param(1) else { return };
        let names = message.last().unwrap_or_default().to_str_lossy();
        let phase = self.0.state.borrow().phase;
        match (subcommand.to_ascii_uppercase().as_slice(), phase) {
            (b"LS", Phase::Negotiating) => {
                self.offered(&names);
                if message.param(2) != Some("*".into()) || message.params().len() < 4 {
                    self.request(transport);
                }
            }
            (b"NEW", Phase::Online) => {
                self.offered(&names);
                self.request(transport);
            }
            (b"DEL", Phase::Online) => {
                let mut state = self.0.state.borrow_mut();
                for name in names.split_whitespace() {
                    state.offered.remove(name);
                    state.enabled.retain(|enabled| enabled != name);
                }
            }
            (b"ACK", Phase::Requesting(_) | Phase::Online) => {
                self.enable(&names);
                self.answered(transport);
            }
            (b"NAK", Phase::Requesting(_)) => self.answered(transport),
            _ => {}
        }
    }

    fn offered(&self, names: &str) {
        let mut state = self.0.state.borrow_mut();
        for name in names.split_whitespace() {
            let (name, value) = name.split_once('=').unwrap_or((name, ""));
            if state.offered.len() < CAPABILITIES_MAX || state.offered.contains_key(name) {
                state.offered.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn enable(&self, names: &str) {
        let mut state = self.0.state.borrow_mut();
        for name in names.split_whitespace() {
            let off = name.strip_prefix('-');
            let name = off.unwrap_or(name);
            state.enabled.retain(|enabled| enabled != name);
            // Only what was asked for.
            let is_wanted = self.0.config.capabilities.iter().any(|wanted| wanted == name);
            let is_sasl = name == "sasl" && self.0.config.login.is_some();
            if off.is_none() && (is_wanted || is_sasl) {
                state.enabled.push(name.to_owned());
            }
        }
    }

    /// Asks for what is wanted and not on yet.
    fn request(&self, transport: &Transport) {
        let mut state = self.0.state.borrow_mut();
        let is_new = state.phase == Phase::Negotiating;
        let wants_login = self.0.config.login.is_some();
        if is_new && wants_login && !state.offered.contains_key("sasl") {
            drop(state);
            return self.fail(transport, IrcError::SaslNotOffered);
        }
        let wanted = self.0.config.capabilities.iter().filter(|name| {
            let is_useful = *name != "sasl" || wants_login && is_new;
            is_useful && state.offered.contains_key(*name) && !state.has(name)
        });
        let mut wanted: Vec<String> = wanted.cloned().collect();
        if is_new && wants_login && !wanted.iter().any(|name| name == "sasl") {
            wanted.push("sasl".to_owned());
        }
        let requests = in_lines(&wanted);
        if is_new {
            state.phase = Phase::Requesting(requests.len());
        }
        drop(state);
        for names in &requests {
            let line = MessageBuf::new("CAP")
                .and_then(|message| message.param("REQ")?.text(names)?.encode());
            match line {
                Ok(line) => drop(transport.write_bytes(line)),
                Err(error) => return transport.fail(error),
            }
        }
        if is_new && requests.is_empty() {
            self.end_capabilities(transport);
        }
    }

    /// A request was answered. After the last one comes the login, or the end.
    fn answered(&self, transport: &Transport) {
        let mut state = self.0.state.borrow_mut();
        let Phase::Requesting(missing) = state.phase else { return };
        if missing > 1 {
            state.phase = Phase::Requesting(missing - 1);
            return;
        }
        if self.0.config.login.is_none() {
            drop(state);
            return self.end_capabilities(transport);
        }
        let mechanisms = state.offered.get("sasl").cloned().unwrap_or_default();
        let has_sasl = state.has("sasl");
        drop(state);
        match has_sasl {
            true => self.begin_login(transport, &mechanisms),
            false => self.fail(transport, IrcError::SaslNotOffered),
        }
    }

    fn begin_login(&self, transport: &Transport, offered: &str) {
        let Some(login) = &self.0.config.login else { return };
        let mechanisms: Vec<&str> = match offered {
            // A server that does not say which it has.
            "" => Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect(),
            names => names.split(',').collect(),
        };
        match login.choose(mechanisms, &Channel::of(transport)) {
            Ok(sasl) => {
                let name = sasl.mechanism().name();
                let (challenge, is_guess) = (SaslText::default(), offered.is_empty());
                let mut state = self.0.state.borrow_mut();
                state.login =
                    Some(Login { sasl, challenge, is_new: true, is_guess, mechanisms: None });
                state.phase = Phase::LoggingIn;
                drop(state);
                transport.write(format!("AUTHENTICATE {name}\r\n"));
            }
            Err(error) => self.fail(transport, IrcError::Login(error)),
        }
    }

    /// The mechanisms of the server, which it has not said before.
    fn mechanisms(&self, message: &Message<'_>) {
        let mut state = self.0.state.borrow_mut();
        if let (Some(login), Some(names)) = (&mut state.login, message.param(1))
            && login.is_guess
        {
            login.mechanisms = Some(names.to_str_lossy().into_owned());
        }
    }

    /// A login was refused: whether because the server does not have the mechanism, and has said which it has. Then there is another login,
    /// by one of those, which tells the server whether one with channel binding was among them.
    fn has_other_mechanisms(&self, transport: &Transport) -> bool {
        let mut state = self.0.state.borrow_mut();
        let Some(login) = &mut state.login else { return false };
        let name = login.sasl.mechanism().name();
        let is_other = |names: &String| {
            !names.is_empty() && !names.split(',').any(|known| known.eq_ignore_ascii_case(name))
        };
        let Some(names) = login.mechanisms.take().filter(is_other) else { return false };
        drop(state);
        self.begin_login(transport, &names);
        true
    }

    fn end_capabilities(&self, transport: &Transport) {
        self.0.state.borrow_mut().phase = Phase::Ending;
        transport.write(b"CAP END\r\n");
    }

    /// A piece of a challenge.
    fn challenged(&self, transport: &Transport, message: &Message<'_>) {
        let mut state = self.0.state.borrow_mut();
        if state.phase != Phase::LoggingIn {
            return;
        }
        let generation = state.generation;
        let Some(login) = &mut state.login else { return };
        let piece = message.param(0).unwrap_or_default();
        let challenge = match login.challenge.push(&piece, CHALLENGE_MAX) {
            Ok(Some(challenge)) => challenge,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(error = %with_causes(&error), "a challenge of a login to IRC");
                transport.write(b"AUTHENTICATE *\r\n");
                return;
            }
        };
        let (sasl, is_first) = (login.sasl.clone(), std::mem::take(&mut login.is_new));
        drop(state);
        // The first challenge is empty for mechanisms where the client speaks first.
        let first =
            if is_first && challenge.is_empty() { sasl.initial_encoded() } else { Ok(None) };
        match first {
            Ok(Some(first)) => return respond(transport, if first == "=" { "" } else { &first }),
            Ok(None) => {}
            Err(error) => return self.fail(transport, IrcError::Login(error)),
        }
        let Some(reactor) = transport.reactor() else { return };
        let (this, transport) = (self.clone(), transport.clone());
        sasl.respond_encoded(&reactor, &challenge).then(move |_, response| {
            if this.0.state.borrow().generation != generation {
                return;
            }
            match response {
                Ok(response) => respond(&transport, &response),
                Err(error) => {
                    transport.write(b"AUTHENTICATE *\r\n");
                    this.fail(&transport, IrcError::Login(error));
                }
            }
        });
    }

    fn logged_in(&self, transport: &Transport, number: u16) {
        if number != 903 {
            return;
        }
        let mut state = self.0.state.borrow_mut();
        let Some(login) = state.login.take() else { return };
        match login.sasl.finish(None) {
            Ok(()) => {
                state.is_logged_in = true;
                drop(state);
                self.end_capabilities(transport);
            }
            Err(error) => {
                drop(state);
                self.fail(transport, IrcError::Login(error));
            }
        }
    }

    fn welcomed(&self, transport: &Transport, message: &Message<'_>) {
        let mut state = self.0.state.borrow_mut();
        if self.0.config.login.is_some() && !state.is_logged_in {
            drop(state);
            return self.fail(transport, IrcError::SaslNotOffered);
        }
        state.phase = Phase::Online;
        state.was_welcomed = true;
        if let Some(nick) = message.param(0) {
            state.nick = nick.to_vec();
        }
        drop(state);
        self.0.waiting.succeed();
        self.call(|handler, irc| handler.signed_on(irc));
        self.join_wanted();
    }

    /// Joins the channels of the configuration, and those that the client was in.
    fn join_wanted(&self) {
        let wanted = self.0.wanted.borrow().clone();
        for (channel, key) in wanted {
            let joined = self.join_line(&channel, key.as_deref());
            if let Err(error) = joined {
                tracing::debug!(channel = %IrcText::new(&channel), error = %with_causes(&error), "a channel was not joined again");
            }
        }
    }
}

fn respond(transport: &Transport, encoded: &str) {
    for piece in sasl_pieces(encoded) {
        transport.write(format!("AUTHENTICATE {piece}\r\n"));
    }
}

/// Names in lists that lines can hold.
fn in_lines(names: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() < REQUEST_MAX => {
                line.push(' ');
                line.push_str(name);
            }
            _ => lines.push(name.clone()),
        }
    }
    lines
}

/// The nick to try after so many: with underscores, and from the third on with a number in place of its end, for servers that cut nicks.
fn other_nick(nick: &[u8], tries: usize) -> Vec<u8> {
    let mut other = nick.to_vec();
    if tries <= 2 {
        other.extend(std::iter::repeat_n(b'_', tries));
        return other;
    }
    let mut end = other.len().clamp(1, 7);
    // Not inside of a character.
    while end > 1 && other.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    other.truncate(end);
    other.extend_from_slice((tries - 1).to_string().as_bytes());
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks_and_lists() {
        for (tries, nick) in
            [(1, "logbotter_"), (2, "logbotter__"), (3, "logbott2"), (11, "logbott10")]
        {
            assert_eq!(other_nick(b"logbotter", tries), nick.as_bytes());
        }
        assert_eq!(other_nick("abcdefä".as_bytes(), 3), b"abcdef2");
        let names: Vec<String> =
            (0..100).map(|number| format!("vendor.example/{number}")).collect();
        let lines = in_lines(&names);
        assert!(lines.iter().all(|line| line.len() <= REQUEST_MAX));
        assert_eq!(lines.join(" "), names.join(" "));
        assert!(in_lines(&[]).is_empty());
    }
}
