//! What a server says of itself in 005: [`Isupport`]. Pure.

use std::collections::BTreeMap;

use super::{CaseMapping, Message, ModeKinds};

/// Most parameters that are kept. There are about fifty.
const KEYS_MAX: usize = 512;

/// Most modes of members. There are about five.
const PREFIXES_MAX: usize = 64;

/// The features and limits of a server (RPL_ISUPPORT), with the defaults for what it does not say.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::{Isupport, Message};
///
/// let mut isupport = Isupport::default();
/// let line = b":irc.example.net 005 ann NICKLEN=16 PREFIX=(qo)~@ NETWORK=Example :are supported by this server";
/// isupport.update(&Message::parse(line)?);
/// assert_eq!((isupport.nick_max(), isupport.network()), (16, Some("Example")));
/// assert_eq!(isupport.modes().mode_of_prefix(b'~'), Some(b'q'));
/// # Ok::<(), sinew_chat::irc::codec::MessageError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isupport {
    values: BTreeMap<String, String>,
    modes: ModeKinds,
    case_mapping: CaseMapping,
}

impl Isupport {
    /// Takes a message 005: keys, keys with values, and keys with `-`, which are taken back.
    pub fn update(&mut self, message: &Message<'_>) {
        let params = message.params();
        // The first is the nick, the last a text for people.
        let Some(keys) = params.get(1..params.len().saturating_sub(1)) else { return };
        for key in keys {
            self.set(key);
        }
        self.modes = self.parse_modes();
        let mapping = self.get("CASEMAPPING").and_then(|name| name.parse().ok());
        self.case_mapping = mapping.unwrap_or_default();
    }

    fn set(&mut self, parameter: &[u8]) {
        let Ok(parameter) = str::from_utf8(parameter) else { return };
        if let Some(key) = parameter.strip_prefix('-') {
            self.values.remove(key);
            return;
        }
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key && (self.values.len() < KEYS_MAX || self.values.contains_key(key)) {
            self.values.insert(key.to_owned(), unescape(value));
        }
    }

    /// The value of a key; empty if it has none; `None` if the server has not said it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.get(key)?.parse().ok()
    }

    /// How letters compare. Default: as in RFC 1459.
    #[must_use]
    pub fn case_mapping(&self) -> CaseMapping {
        self.case_mapping
    }

    /// Which modes channels have.
    #[must_use]
    pub fn modes(&self) -> &ModeKinds {
        &self.modes
    }

    /// The name of the network.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        self.get("NETWORK")
    }

    /// Longest nick. Default 9.
    #[must_use]
    pub fn nick_max(&self) -> usize {
        self.number("NICKLEN").unwrap_or(9)
    }

    /// Longest name of a channel. Default 200.
    #[must_use]
    pub fn channel_max(&self) -> usize {
        self.number("CHANNELLEN").unwrap_or(200)
    }

    /// Longest topic, if the server says so.
    #[must_use]
    pub fn topic_max(&self) -> Option<usize> {
        self.number("TOPICLEN")
    }

    /// Most changes of modes with arguments in one message. Default 3.
    #[must_use]
    pub fn modes_max(&self) -> usize {
        match self.get("MODES") {
            Some("") => usize::MAX,
            _ => self.number("MODES").unwrap_or(3),
        }
    }

    /// Whether a name is that of a channel (CHANTYPES). By default those are that begin with `#` or `&`.
    #[must_use]
    pub fn is_channel(&self, name: &[u8]) -> bool {
        let kinds = self.get("CHANTYPES").unwrap_or("#&").as_bytes();
        name.first().is_some_and(|first| kinds.contains(first))
    }

    /// Whether a target is some members of a channel, `@#channel` (STATUSMSG); its channel.
    #[must_use]
    pub fn status_channel<'a>(&self, target: &'a [u8]) -> Option<&'a [u8]> {
        let prefixes = self.get("STATUSMSG")?.as_bytes();
        let (first, channel) = target.split_first()?;
        (prefixes.contains(first) && self.is_channel(channel)).then_some(channel)
    }

    fn parse_modes(&self) -> ModeKinds {
        let mut modes = ModeKinds::default();
        if let Some(kinds) = self.get("CHANMODES") {
            let mut kinds = kinds.split(',').map(|letters| letters.as_bytes().to_vec());
            let mut next = || kinds.next().unwrap_or_default();
            (modes.lists, modes.always, modes.when_set, modes.never) =
                (next(), next(), next(), next());
        }
        if let Some(prefix) = self.get("PREFIX") {
            let pairs = prefix.strip_prefix('(').and_then(|rest| rest.split_once(')'));
            modes.prefixes = match pairs {
                Some((letters, prefixes)) => {
                    letters.bytes().zip(prefixes.bytes()).take(PREFIXES_MAX).collect()
                }
                None => Vec::new(),
            };
        }
        modes
    }
}

/// Values may have bytes as `\x20`.
fn unescape(value: &str) -> String {
    let mut parts = value.split("\\x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|byte| byte.is_ascii() && !matches!(byte, 0 | b'\r' | b'\n')) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push_str("\\x");
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn isupport(lines: &[&str]) -> Isupport {
        let mut isupport = Isupport::default();
        for keys in lines {
            let line = format!("005 ann {keys} :are supported");
            isupport.update(&Message::parse(line.as_bytes()).unwrap());
        }
        isupport
    }

    #[test]
    fn isupport_minus_key() {
        let isupport = isupport(&["NICKLEN=30 CHANTYPES=+ TOPICLEN=9", "-NICKLEN -CHANTYPES -X"]);
        assert_eq!((isupport.nick_max(), isupport.topic_max()), (9, Some(9)));
        assert!(isupport.is_channel(b"#a") && !isupport.is_channel(b"+a"));
    }

    #[test]
    fn values() {
        let found =
            isupport(&["NETWORK=A\\x20B\\x3D\\xzz CHANTYPES= PREFIX= CHANMODES=b,k,l,imnpst,x"]);
        assert_eq!(found.network(), Some("A B=\\xzz"));
        assert!(!found.is_channel(b"#a"));
        assert_eq!(found.modes().mode_of_prefix(b'@'), None);
        let found = isupport(&["STATUSMSG=@+ CASEMAPPING=ascii MODES MODES="]);
        assert_eq!(found.status_channel(b"@#a"), Some(&b"#a"[..]));
        assert_eq!(found.status_channel(b"#a"), None);
        assert_eq!((found.case_mapping(), found.modes_max()), (CaseMapping::Ascii, usize::MAX));
        // Keys are bounded.
        let many: String = (0..600).map(|key| format!("K{key} ")).collect();
        let lines: Vec<_> = many.split_whitespace().collect();
        let mut isupport = Isupport::default();
        for key in lines {
            let line = format!("005 ann {key} :are supported");
            isupport.update(&Message::parse(line.as_bytes()).unwrap());
        }
        assert_eq!(isupport.iter().count(), KEYS_MAX);
    }
}
