//! Somebody in the roster: [`Contact`] (RFC 6121 2.1.2).

use crate::xmpp::codec::{Element, Jid, ns};

/// Most groups of a contact that are remembered.
const GROUPS_MAX: usize = 64;

/// Most bytes of the name and the groups of a contact; what is beyond is left out.
const TEXT_MAX: usize = 4 * 1_024;

/// Who sees whose presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subscription {
    /// Nobody.
    None,
    /// The account sees that of the contact.
    To,
    /// The contact sees that of the account.
    From,
    /// Both.
    Both,
}

/// An entry of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// Whose, without a resource.
    pub jid: Jid,
    /// How the account calls it.
    pub name: Option<String>,
    /// Who sees whose presence.
    pub subscription: Subscription,
    /// The account has asked to see the presence of the contact, and waits for the answer.
    pub is_asking: bool,
    /// The groups that it is in.
    pub groups: Vec<String>,
}

impl Contact {
    /// Whether the contact sees the presence of the account.
    #[must_use]
    pub const fn sees_me(&self) -> bool {
        matches!(self.subscription, Subscription::From | Subscription::Both)
    }

    /// Reads an item; a contact that was removed is `Err`. `None` without an address.
    pub(super) fn from_item(item: &Element) -> Option<Result<Self, Jid>> {
        let jid: Jid = item.attribute("jid")?.parse().ok()?;
        let jid = jid.bare();
        let subscription = match item.attribute("subscription") {
            Some("remove") => return Some(Err(jid)),
            Some("to") => Subscription::To,
            Some("from") => Subscription::From,
            Some("both") => Subscription::Both,
            _ => Subscription::None,
        };
        let mut left = TEXT_MAX;
        let mut fits = |text: &str| {
            let rest = left.checked_sub(text.len());
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let name = item.attribute("name").filter(|name| fits(name));
        let groups = item.children().filter(|child| child.is("group", ns::ROSTER));
        Some(Ok(Self {
            jid,
            name: name.map(str::to_owned),
            subscription,
            is_asking: item.attribute("ask") == Some("subscribe"),
            groups: groups
                .take(GROUPS_MAX)
                .map(Element::text)
                .filter(|group| fits(group))
                .collect(),
        }))
    }
}
