//! What the codec's flags and names are in the store.

use super::answer::Done;
use crate::{
    imap::codec::Flag,
    store::{Flags, MailboxName, SystemFlag},
};

/// The flags of a store. What a client cannot set is left out: `\Recent`, and system flags that are not known.
pub(super) fn flags_of(flags: &[Flag]) -> Flags {
    flags.iter().fold(Flags::new(), |all, flag| match flag {
        Flag::Seen => all.with(SystemFlag::Seen),
        Flag::Answered => all.with(SystemFlag::Answered),
        Flag::Flagged => all.with(SystemFlag::Flagged),
        Flag::Deleted => all.with(SystemFlag::Deleted),
        Flag::Draft => all.with(SystemFlag::Draft),
        Flag::Keyword(word) => match word.as_str().and_then(|word| word.parse().ok()) {
            Some(keyword) => all.with_keyword(keyword),
            None => all,
        },
        _ => all,
    })
}

/// The name of a mailbox in the store.
pub(super) fn name_of(name: &crate::imap::codec::MailboxName) -> Result<MailboxName, Done> {
    name.as_str().parse().map_err(|_| Done::no("A mailbox cannot have this name").code("CANNOT"))
}
