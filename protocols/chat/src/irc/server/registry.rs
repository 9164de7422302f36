//! The file with registered channels: [`encode`] and [`parse`]. Pure.
//!
//! A line is a channel: fields `key=value` with semicolons between them, in the escapes of tags. `ban`, `except` and `invite` can be there
//! several times, each as mask, source and time with spaces between them.

use std::fmt::Write;

use super::channel::{Channel, Listed, Topic, is_channel};
use crate::irc::codec::{Message, escape_tag};

/// Longest file that is read.
pub(super) const FILE_MAX: u64 = 64 << 20;

/// The text of the file.
pub(super) fn encode<'a>(channels: impl Iterator<Item = &'a Channel>) -> Vec<u8> {
    let mut text = b"# Registered channels.\n".to_vec();
    for channel in channels.filter(|channel| channel.founder.is_some()) {
        let mut line = Vec::new();
        let mut field = |key: &str, value: &[u8]| {
            line.extend_from_slice(key.as_bytes());
            line.push(b'=');
            line.extend_from_slice(&escape_tag(value));
            line.push(b';');
        };
        field("name", &channel.name);
        field("founder", channel.founder.as_deref().unwrap_or_default().as_bytes());
        field("created", channel.created.to_string().as_bytes());
        field("modes", &channel.flags);
        if let Some(topic) = &channel.topic {
            field("topic", &topic.text);
            field("topic-by", &topic.by);
            field("topic-at", topic.at.to_string().as_bytes());
        }
        if let Some(key) = &channel.key {
            field("key", key);
        }
        if let Some(limit) = channel.limit {
            field("limit", limit.to_string().as_bytes());
        }
        for (key, list) in [
            ("ban", &channel.bans),
            ("except", &channel.exceptions),
            ("invite", &channel.invitations),
        ] {
            for listed in list {
                let mut end = String::new();
                let _ = write!(end, " {}", listed.at);
                field(key, &[&listed.mask, &b" "[..], &listed.by, end.as_bytes()].concat());
            }
        }
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    text
}

/// The channels of a file.
///
/// # Errors
///
/// The number of the first line that is not one of a channel, from 1. Nothing is guessed.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Channel>, usize> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && line[0] != b'#');
    lines.map(|(at, line)| channel(line).ok_or(at + 1)).collect()
}

fn channel(line: &[u8]) -> Option<Channel> {
    // The fields are tags; the reader of messages has their escapes.
    let line = [b"@", line, b" X"].concat();
    let message = Message::parse(&line).ok()?;
    let name = message.tag("name").filter(|name| is_channel(name))?;
    let number = |key: &str| str::from_utf8(&message.tag(key)?).ok()?.parse::<u64>().ok();
    let mut channel = Channel::new(&name, number("created")?);
    let founder = String::from_utf8(message.tag("founder")?.into_owned()).ok()?;
    channel.founder = Some(founder).filter(|founder| !founder.is_empty());
    channel.founder.as_ref()?;
    channel.flags = message.tag("modes")?.into_owned();
    if !channel.flags.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    if let Some(text) = message.tag("topic") {
        let by = message.tag("topic-by")?.into_owned();
        channel.topic = Some(Topic { text: text.into_owned(), by, at: number("topic-at")? });
    }
    channel.key = message.tag("key").map(|key| key.into_owned());
    channel.limit = number("limit").and_then(|limit| usize::try_from(limit).ok());
    for (key, value) in message.tags() {
        let list = match key {
            b"ban" => b'b',
            b"except" => b'e',
            b"invite" => b'I',
            _ => continue,
        };
        let mut parts = value.rsplitn(3, |byte| *byte == b' ');
        let at = str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let (by, mask) = (parts.next()?.to_vec(), parts.next()?.to_vec());
        channel.list(list).push(Listed { mask, by, at });
    }
    Some(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_round_trip() {
        let mut first = Channel::new("#ä;\\x".as_bytes(), 7);
        first.founder = Some("ann".to_owned());
        first.topic = Some(Topic {
            text: b"two words; and\\more \xff".to_vec(),
            by: b"a!b@c".to_vec(),
            at: 9,
        });
        first.key = Some(b"k;y".to_vec());
        first.limit = Some(12);
        first.bans.push(Listed { mask: b"*!*@bad".to_vec(), by: b"ann".to_vec(), at: 3 });
        first.invitations.push(Listed { mask: b"x!*@*".to_vec(), by: b"ann".to_vec(), at: 4 });
        let mut second = Channel::new(b"#b", 1);
        second.founder = Some("bob".to_owned());
        second.flags = Vec::new();
        let unregistered = Channel::new(b"#c", 1);
        let text = encode([&first, &second, &unregistered].into_iter());
        let again = parse(&text).unwrap();
        assert_eq!(again.len(), 2);
        assert_eq!(
            (&again[0].name, &again[0].founder, again[0].created),
            (&first.name, &first.founder, 7)
        );
        assert_eq!(
            (&again[0].topic, &again[0].key, again[0].limit),
            (&first.topic, &first.key, first.limit)
        );
        assert_eq!((&again[0].bans, &again[0].invitations), (&first.bans, &first.invitations));
        assert!(again[1].flags.is_empty());
        for (text, line) in [
            ("name=#a;founder=x;created=1;modes=\nrubbish\n", 2),
            ("name=a;founder=x;created=1;modes=\n", 1),
            ("name=#a;founder=;created=1;modes=\n", 1),
            ("name=#a;founder=x;created=1;modes=;ban=x\n", 1),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), line);
        }
    }
}
