//! Which stanzas have arrived (XEP-0198): [`StreamManagement`]. Pure. Counts wrap at 2^32.

use std::{collections::VecDeque, time::Instant};

use super::copies::Copies;
use crate::xmpp::codec::{Element, encoded::Encoded, ns};

/// A stanza that was sent.
#[derive(Debug)]
struct Sent {
    stanza: Element,
    text: Encoded,
    /// Others may have it, too.
    copies: Option<Copies>,
}

#[derive(Debug, Default)]
pub(in crate::xmpp) struct StreamManagement {
    /// With which the session can be resumed.
    id: Option<String>,
    /// How long, as the server says.
    pub(in crate::xmpp) max_seconds: Option<u64>,
    /// How many stanzas were received.
    handled: u32,
    /// How many of those that were sent the server has acknowledged.
    acknowledged: u32,
    unacknowledged: VecDeque<Sent>,
    /// The bytes of their texts.
    bytes: usize,
    /// The other side was asked for an acknowledgement, and has not answered.
    is_asked: bool,
    /// Since when, if the time was told.
    asked: Option<Instant>,
}

/// The other side acknowledges what was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::xmpp) struct TooMany {
    /// The count that it says.
    pub(in crate::xmpp) handled: u32,
    /// How many were sent.
    pub(in crate::xmpp) sent: u32,
}

impl StreamManagement {
    pub(in crate::xmpp) fn enabled(&mut self, enabled: &Element) {
        let can_resume = matches!(enabled.attribute("resume"), Some("true" | "1"));
        self.id = enabled.attribute("id").filter(|_| can_resume).map(str::to_owned);
        self.max_seconds = enabled.attribute("max").and_then(|max| max.parse().ok());
    }

    pub(in crate::xmpp) fn can_resume(&self) -> bool {
        self.id.is_some()
    }

    pub(in crate::xmpp) fn resume(&self) -> Option<Element> {
        let resume = Element::new("resume", ns::STREAM_MANAGEMENT);
        Some(
            resume
                .with_attribute("previd", self.id.as_ref()?)
                .with_attribute("h", self.handled.to_string()),
        )
    }

    pub(in crate::xmpp) fn received(&mut self) {
        self.handled = self.handled.wrapping_add(1);
    }

    pub(in crate::xmpp) fn answer(&self) -> Element {
        Element::new("a", ns::STREAM_MANAGEMENT).with_attribute("h", self.handled.to_string())
    }

    /// A stanza is sent. Returns whether to ask for an acknowledgement: there is one question at a time.
    pub(in crate::xmpp) fn sent(
        &mut self,
        stanza: Element,
        text: String,
        now: Option<Instant>,
    ) -> bool {
        self.sent_copy(stanza, text.into(), None, now)
    }

    /// The same, of a stanza that others were perhaps sent as well.
    pub(in crate::xmpp) fn sent_copy(
        &mut self,
        stanza: Element,
        text: Encoded,
        copies: Option<Copies>,
        now: Option<Instant>,
    ) -> bool {
        self.bytes += text.len();
        self.unacknowledged.push_back(Sent { stanza, text, copies });
        self.ask(now)
    }

    /// Whether to ask for an acknowledgement now. The time is for [`asked`](Self::asked).
    pub(in crate::xmpp) fn ask(&mut self, now: Option<Instant>) -> bool {
        if self.unacknowledged.is_empty() || self.is_asked {
            return false;
        }
        (self.is_asked, self.asked) = (true, now);
        true
    }

    /// Since when an acknowledgement is owed, if the time of the question was told.
    pub(in crate::xmpp) const fn asked(&self) -> Option<Instant> {
        self.asked
    }

    /// An acknowledgement.
    pub(in crate::xmpp) fn acknowledged(&mut self, count: u32) -> Result<(), TooMany> {
        self.cut();
        let new = count.wrapping_sub(self.acknowledged);
        let new = usize::try_from(new).unwrap_or(usize::MAX);
        if new > self.unacknowledged.len() {
            // Counts wrap, and the queue is far shorter than that.
            let waiting = u32::try_from(self.unacknowledged.len()).unwrap_or(u32::MAX);
            let sent = self.acknowledged.wrapping_add(waiting);
            return Err(TooMany { handled: count, sent });
        }
        for sent in self.unacknowledged.drain(..new) {
            self.bytes -= sent.text.len();
            sent.copies.iter().for_each(Copies::received);
        }
        self.acknowledged = count;
        Ok(())
    }

    pub(in crate::xmpp) fn len(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Bytes that are not acknowledged.
    pub(in crate::xmpp) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many stanzas were received.
    pub(in crate::xmpp) const fn handled(&self) -> u32 {
        self.handled
    }

    /// What has to be sent again after the session was resumed.
    pub(in crate::xmpp) fn texts(&self) -> impl Iterator<Item = &Encoded> {
        self.unacknowledged.iter().map(|sent| &sent.text)
    }

    /// The session is over: the stanzas of which nothing is known.
    pub(in crate::xmpp) fn forget(&mut self) -> Vec<(Element, Option<Copies>)> {
        let stanzas = std::mem::take(self).unacknowledged;
        stanzas.into_iter().map(|sent| (sent.stanza, sent.copies)).collect()
    }

    /// The connection is lost, and with it the question.
    pub(in crate::xmpp) fn cut(&mut self) {
        (self.is_asked, self.asked) = (false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ack_count_wraps() {
        let (stanza, now) = (|| Element::new("message", ns::CLIENT), Some(Instant::now()));
        let mut management = StreamManagement {
            handled: u32::MAX,
            acknowledged: u32::MAX - 1,
            ..StreamManagement::default()
        };
        management.received();
        assert_eq!(management.answer().attribute("h"), Some("0"));
        for number in 0..4 {
            assert_eq!(management.sent(stanza(), number.to_string(), now), number == 0);
        }
        management.acknowledged(1).unwrap();
        assert_eq!(management.texts().map(|text| text.parts().0).collect::<Vec<_>>(), ["3"]);
        assert!(management.ask(now) && !management.ask(now));
        management.acknowledged(1).unwrap();
        for bad in [0, 3, u32::MAX] {
            assert_eq!(management.acknowledged(bad), Err(TooMany { handled: bad, sent: 2 }));
        }
        management.acknowledged(2).unwrap();
        assert_eq!((management.len(), management.bytes(), management.ask(now)), (0, 0, false));
    }
}
