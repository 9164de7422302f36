//! Who sees whose presence: [`Subscription`], the states of RFC 6121, appendix A. Pure.

/// The state of an account towards a contact: one of the nine of RFC 6121 A.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    /// The account sees the contact.
    pub(super) to: bool,
    /// The contact sees the account.
    pub(super) from: bool,
    /// The account has asked, and there is no answer ("pending out").
    pub(super) asks: bool,
    /// The contact has asked, and there is no answer ("pending in").
    pub(super) is_asked: bool,
}

/// What changes a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
}

/// What is done with a stanza that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// The account is told.
    Deliver,
    /// Nothing has changed, and nobody is told.
    Ignore,
    /// The contact sees the account already, and is told so again.
    Confirm,
}

impl Change {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "subscribe" => Some(Self::Subscribe),
            "subscribed" => Some(Self::Subscribed),
            "unsubscribe" => Some(Self::Unsubscribe),
            "unsubscribed" => Some(Self::Unsubscribed),
            _ => None,
        }
    }
}

impl Subscription {
    /// The account sends it (A.2). Returns whether it is routed to the contact.
    pub(super) const fn send(&mut self, change: Change) -> bool {
        match change {
            Change::Subscribe => {
                self.asks = !self.to;
                true
            }
            Change::Unsubscribe => {
                self.to = false;
                self.asks = false;
                true
            }
            Change::Subscribed => {
                let is_answer = self.is_asked;
                self.from |= is_answer;
                self.is_asked = false;
                is_answer
            }
            Change::Unsubscribed => {
                let has_meaning = self.from || self.is_asked;
                self.from = false;
                self.is_asked = false;
                has_meaning
            }
        }
    }

    /// The contact has sent it (A.3).
    pub(super) const fn receive(&mut self, change: Change) -> Inbound {
        let has_changed = match change {
            Change::Subscribe if self.from => return Inbound::Confirm,
            Change::Subscribe => !std::mem::replace(&mut self.is_asked, true),
            Change::Subscribed => {
                let is_answer = self.asks;
                self.to |= is_answer;
                self.asks = false;
                is_answer
            }
            Change::Unsubscribe => {
                let has_meaning = self.from || self.is_asked;
                self.from = false;
                self.is_asked = false;
                has_meaning
            }
            Change::Unsubscribed => {
                let has_meaning = self.to || self.asks;
                self.to = false;
                self.asks = false;
                has_meaning
            }
        };
        if has_changed { Inbound::Deliver } else { Inbound::Ignore }
    }

    /// The word of the roster (RFC 6121 2.1.2.5).
    pub(super) const fn word(self) -> &'static str {
        match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nine states, by the words of the RFC.
    fn state(name: &str) -> Subscription {
        let (base, pending) = name.split_once('+').unwrap_or((name, ""));
        Subscription {
            to: matches!(base, "to" | "both"),
            from: matches!(base, "from" | "both"),
            asks: pending.contains("out"),
            is_asked: pending.contains("in"),
        }
    }

    /// RFC 6121 A.2: state, then routed and the new state for each of subscribe, unsubscribe, subscribed, unsubscribed.
    #[test]
    fn what_the_account_sends() {
        let changes =
            [Change::Subscribe, Change::Unsubscribe, Change::Subscribed, Change::Unsubscribed];
        for (before, after) in [
            ("none", ["yes none+out", "yes none", "no none", "no none"]),
            ("none+out", ["yes none+out", "yes none", "no none+out", "no none+out"]),
            ("none+in", ["yes none+outin", "yes none+in", "yes from", "yes none"]),
            ("none+outin", ["yes none+outin", "yes none+in", "yes from+out", "yes none+out"]),
            ("to", ["yes to", "yes none", "no to", "no to"]),
            ("to+in", ["yes to+in", "yes none+in", "yes both", "yes to"]),
            ("from", ["yes from+out", "yes from", "no from", "yes none"]),
            ("from+out", ["yes from+out", "yes from", "no from+out", "yes none+out"]),
            ("both", ["yes both", "yes from", "no both", "yes to"]),
        ] {
            for (change, expected) in changes.into_iter().zip(after) {
                let (routed, expected) = expected.split_once(' ').unwrap();
                let mut found = state(before);
                assert_eq!(found.send(change), routed == "yes", "{before} {change:?}");
                assert_eq!(found, state(expected), "{before} {change:?}");
            }
        }
    }

    /// RFC 6121 A.3.
    #[test]
    fn what_the_contact_sends() {
        let changes =
            [Change::Subscribe, Change::Unsubscribe, Change::Subscribed, Change::Unsubscribed];
        for (before, after) in [
            ("none", ["yes none+in", "no none", "no none", "no none"]),
            ("none+out", ["yes none+outin", "no none+out", "yes to", "yes none"]),
            ("none+in", ["no none+in", "yes none", "no none+in", "no none+in"]),
            ("none+outin", ["no none+outin", "yes none+out", "yes to+in", "yes none+in"]),
            ("to", ["yes to+in", "no to", "no to", "yes none"]),
            ("to+in", ["no to+in", "yes to", "no to+in", "yes none+in"]),
            ("from", ["again from", "yes none", "no from", "no from"]),
            ("from+out", ["again from+out", "yes none+out", "yes both", "yes from"]),
            ("both", ["again both", "yes to", "no both", "yes from"]),
        ] {
            for (change, expected) in changes.into_iter().zip(after) {
                let (told, expected) = expected.split_once(' ').unwrap();
                let told = match told {
                    "yes" => Inbound::Deliver,
                    "no" => Inbound::Ignore,
                    _ => Inbound::Confirm,
                };
                let mut found = state(before);
                assert_eq!(found.receive(change), told, "{before} {change:?}");
                assert_eq!(found, state(expected), "{before} {change:?}");
            }
        }
    }
}
