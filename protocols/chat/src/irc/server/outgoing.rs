//! A message that a server sends: [`Outgoing`], encoded once for all who see it alike. Pure.

use std::{cell::OnceCell, time::SystemTime};

use bytes::Bytes;

use super::capability::{Capabilities, Capability};
use crate::irc::codec::{MESSAGE_MAX, cut_at_character, escape_tag, format_time};

/// Ways in which clients see a message: with or without the time, the account, and the other tags.
const VARIANTS: usize = 8;

/// A message, and its encodings as far as somebody needed them.
///
/// What a parameter cannot hold is not put there: a middle parameter that is empty, has a space or begins with a colon is `*`, as it is in
/// replies about what a client has sent. A message that is too long is cut at a character.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    body: Vec<u8>,
    account: Option<String>,
    /// Tags for those who have message-tags: those of the server, and those of the client that begin with `+`, as they came.
    message_tags: Vec<u8>,
    variants: [OnceCell<Bytes>; VARIANTS],
}

impl Outgoing {
    /// A message from this source.
    pub(super) fn new(source: &[u8], command: &str) -> Self {
        let mut body = Vec::with_capacity(96);
        if !source.is_empty() {
            body.push(b':');
            body.extend_from_slice(source);
            body.push(b' ');
        }
        body.extend_from_slice(command.as_bytes());
        Self { body, ..Self::default() }
    }

    pub(super) fn param(mut self, param: impl AsRef<[u8]>) -> Self {
        let param = param.as_ref();
        let is_word = !param.is_empty()
            && param[0] != b':'
            && !param.iter().any(|byte| is_end(*byte) || *byte == b' ');
        self.body.push(b' ');
        self.body.extend_from_slice(if is_word { param } else { b"*" });
        self
    }

    pub(super) fn params<T: AsRef<[u8]>>(self, params: impl IntoIterator<Item = T>) -> Self {
        params.into_iter().fold(self, Self::param)
    }

    /// The last parameter.
    pub(super) fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.body.extend_from_slice(b" :");
        // Texts come from messages, or from files by lines.
        let end = text.iter().position(|byte| is_end(*byte)).unwrap_or(text.len());
        self.body.extend_from_slice(&text[..end]);
        self
    }

    pub(super) fn account(mut self, account: Option<&str>) -> Self {
        self.account = account.map(str::to_owned);
        self
    }

    pub(super) fn message_tags(mut self, tags: Vec<u8>) -> Self {
        self.message_tags = tags;
        self
    }

    /// How many bytes are left.
    pub(super) fn room(&self) -> usize {
        MESSAGE_MAX.saturating_sub(self.body.len())
    }

    /// The bytes for a client with these capabilities.
    pub(super) fn encode(&self, capabilities: Capabilities, now: SystemTime) -> &Bytes {
        let (has_time, has_account, has_tags) = (
            capabilities.has(Capability::ServerTime),
            capabilities.has(Capability::AccountTag) && self.account.is_some(),
            capabilities.has(Capability::MessageTags) && !self.message_tags.is_empty(),
        );
        let variant =
            usize::from(has_time) + 2 * usize::from(has_account) + 4 * usize::from(has_tags);
        self.variants[variant].get_or_init(|| {
            let mut tags: Vec<Vec<u8>> = Vec::new();
            if has_time {
                tags.push(format!("time={}", format_time(now)).into_bytes());
            }
            if let Some(account) = self.account.as_ref().filter(|_| has_account) {
                tags.push([b"account=", escape_tag(account.as_bytes()).as_ref()].concat());
            }
            if has_tags {
                tags.push(self.message_tags.clone());
            }
            self.with_tags(&tags.join(&b';'))
        })
    }

    /// The bytes with these tags and no others.
    pub(super) fn with_tags(&self, tags: &[u8]) -> Bytes {
        let body = cut_at_character(&self.body, MESSAGE_MAX);
        let mut line = Vec::with_capacity(tags.len() + body.len() + 4);
        if !tags.is_empty() {
            line.push(b'@');
            line.extend_from_slice(tags);
            line.push(b' ');
        }
        line.extend_from_slice(body);
        line.extend_from_slice(b"\r\n");
        line.into()
    }
}

const fn is_end(byte: u8) -> bool {
    matches!(byte, 0 | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn each_variant_is_encoded_once() {
        let message = Outgoing::new(b"a!b@c", "PRIVMSG")
            .param("#a")
            .text("x")
            .account(Some("a;n"))
            .message_tags(b"+x=1".to_vec());
        let mut all = Capabilities::default();
        for (_, capability) in Capability::ALL {
            all.set(capability, true);
        }
        let plain = message.encode(Capabilities::default(), UNIX_EPOCH);
        assert_eq!(plain, ":a!b@c PRIVMSG #a :x\r\n");
        assert_eq!(message.encode(Capabilities::default(), UNIX_EPOCH).as_ptr(), plain.as_ptr());
        let tagged = "@time=1970-01-01T00:00:00.000Z;account=a\\:n;+x=1 :a!b@c PRIVMSG #a :x\r\n";
        assert_eq!(message.encode(all, UNIX_EPOCH), tagged);
    }

    #[test]
    fn nothing_breaks_out() {
        let message = Outgoing::new(b"irc", "432")
            .params(["a b", ":c", "", "d\r\nQUIT", "e"])
            .text("x\r\nQUIT");
        assert_eq!(message.with_tags(b""), ":irc 432 * * * * e :x\r\n");
        let long = Outgoing::new(b"irc", "X").text("ä".repeat(400));
        let line = long.with_tags(b"");
        assert!(line.len() <= 512 && str::from_utf8(&line).is_ok());
    }
}
