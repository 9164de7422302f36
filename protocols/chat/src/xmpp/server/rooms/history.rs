//! What was said in a room: [`History`], bounded; and how much of it somebody wants who enters (XEP-0045 7.2.14). Pure.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use crate::{
    irc::codec::format_time,
    xmpp::codec::{Element, Jid, date_time, ns},
};

#[derive(Clone, Debug)]
struct Entry {
    message: Element,
    at: SystemTime,
    len: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
    bytes: usize,
}

/// How much is wanted: each limit that is there holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    max_chars: Option<usize>,
    max_stanzas: Option<usize>,
    seconds: Option<u64>,
    since: Option<SystemTime>,
}

impl Wanted {
    /// What the entry `<x/>` of a room says.
    pub(super) fn read(x: &Element) -> Self {
        let Some(history) = x.child("history", ns::MUC) else { return Self::default() };
        let number = |name| history.attribute(name).and_then(|number| number.parse().ok());
        Self {
            max_chars: number("maxchars").and_then(|max| usize::try_from(max).ok()),
            max_stanzas: number("maxstanzas").and_then(|max| usize::try_from(max).ok()),
            seconds: number("seconds"),
            since: history.attribute("since").and_then(date_time::parse),
        }
    }
}

impl History {
    /// Adds a message without a recipient, and forgets old ones beyond the limits. One that exceeds `bytes_max` alone is not kept.
    pub(super) fn push(
        &mut self,
        message: Element,
        now: SystemTime,
        entries_max: usize,
        bytes_max: usize,
    ) {
        // What cannot be written is not said either.
        let Ok(len) = message.encode(ns::CLIENT).map(|text| text.len()) else { return };
        if len > bytes_max {
            return;
        }
        self.bytes += len;
        self.entries.push_back(Entry { message, at: now, len });
        while self.entries.len() > entries_max || self.bytes > bytes_max {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.len;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The newest messages that fulfil all limits, oldest first, each with when it was said.
    pub(super) fn shown(&self, room: &Jid, wanted: Wanted, now: SystemTime) -> Vec<Element> {
        let within = wanted.seconds.map(Duration::from_secs);
        let since = within.map(|within| now.checked_sub(within).unwrap_or(SystemTime::UNIX_EPOCH));
        let mut chars = 0_usize;
        let newest = self.entries.iter().rev();
        let wanted_ones = newest
            .take(wanted.max_stanzas.unwrap_or(usize::MAX))
            .take_while(|entry| since.is_none_or(|since| entry.at >= since))
            .take_while(|entry| wanted.since.is_none_or(|since| entry.at >= since))
            .take_while(|entry| {
                chars = chars.saturating_add(entry.len);
                wanted.max_chars.is_none_or(|max| chars <= max)
            });
        let mut shown: Vec<_> = wanted_ones.map(|entry| delayed(entry, room)).collect();
        shown.reverse();
        shown
    }
}

fn delayed(entry: &Entry, room: &Jid) -> Element {
    let delay = Element::new("delay", ns::DELAY)
        .with_attribute("from", room.to_string())
        .with_attribute("stamp", format_time(entry.at));
    entry.message.clone().with_child(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        for at in 0..5 {
            let message = Element::new("message", ns::CLIENT).with_text(format!("{at}"));
            history.push(message, SystemTime::UNIX_EPOCH + Duration::from_secs(at * 10), 4, 1_000);
        }
        history
    }

    fn texts(attribute: &str, value: &str) -> String {
        let asked = Element::new("history", ns::MUC).with_attribute(attribute, value);
        let wanted = Wanted::read(&Element::new("x", ns::MUC).with_child(asked));
        let room = "a@b".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(50);
        let shown = history().shown(&room, wanted, now);
        shown.iter().map(Element::text).collect()
    }

    #[test]
    fn what_is_wanted() {
        for (attribute, value, expected) in [
            ("none", "0", "1234"),
            ("maxstanzas", "2", "34"),
            ("maxstanzas", "0", ""),
            ("maxchars", "0", ""),
            ("maxchars", "50", "34"),
            ("seconds", "20", "34"),
            ("seconds", "999999999999999", "1234"),
            ("since", "1970-01-01T00:00:30Z", "34"),
            ("since", "yesterday", "1234"),
        ] {
            assert_eq!(texts(attribute, value), expected, "{attribute} {value}");
        }
    }

    #[test]
    fn bytes_are_bounded() {
        let mut history = History::default();
        let long = |len| Element::new("message", ns::CLIENT).with_text("x".repeat(len));
        history.push(long(2_000), SystemTime::UNIX_EPOCH, 10, 1_000);
        assert_eq!(history.len(), 0);
        for _ in 0..5 {
            history.push(long(400), SystemTime::UNIX_EPOCH, 10, 1_000);
        }
        assert_eq!(history.len(), 2);
    }
}
