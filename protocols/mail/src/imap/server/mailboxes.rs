//! Commands about mailboxes: CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS.

use sinew_transports::reactor::with_causes;

use super::{answer::Done, session::Session, store_values::name_of};
use crate::{
    imap::codec::{
        AString, Data, Dialect, ListAttribute, ListCommand, ListEntry, ListReturn, ListSelection,
        MailboxName as WireName, Pattern, Response, StatusItem,
    },
    store::{Account, MailboxInfo, MailboxName, SpecialUse, Status, StoreError},
};

/// Most bytes of a pattern, and of its reference: no name is longer.
const PATTERN_MAX: usize = 512;

/// Most patterns of a LIST.
const PATTERNS_MAX: usize = 16;

/// How many bytes of names are compared before others have the loop.
const STEPS_IN_TURN: usize = 1 << 20;

impl Session {
    pub(super) async fn create(
        &self,
        name: &WireName,
        special_use: &[ListAttribute],
    ) -> Result<Done, Done> {
        if !special_use.is_empty() {
            return Err(Done::no("The use of a mailbox follows from its name").code("USEATTR"));
        }
        // RFC 3501 6.3.3: a separator at the end says that there will be others in it.
        let text = name.as_str().strip_suffix(MailboxName::SEPARATOR).unwrap_or(name.as_str());
        let name: MailboxName =
            text.parse().map_err(|_| Done::no("A mailbox cannot have this name").code("CANNOT"))?;
        self.account()?.create(&name).await?;
        Ok(Done::ok("Created"))
    }

    pub(super) async fn delete(&self, name: &WireName) -> Result<Done, Done> {
        let name = name_of(name)?;
        self.account()?.delete(&name).await?;
        Ok(Done::ok("Deleted"))
    }

    pub(super) async fn rename(&self, from: &WireName, to: &WireName) -> Result<Done, Done> {
        let (from, to) = (name_of(from)?, name_of(to)?);
        self.account()?.rename(&from, &to).await?;
        Ok(Done::ok("Renamed"))
    }

    pub(super) async fn subscribe(
        &self,
        name: &WireName,
        is_subscribed: bool,
    ) -> Result<Done, Done> {
        let name = name_of(name)?;
        self.account()?.subscribe(&name, is_subscribed).await?;
        Ok(Done::ok("Done"))
    }

    pub(super) async fn status(&self, name: &WireName, items: &[StatusItem]) -> Result<Done, Done> {
        let store_name = name_of(name)?;
        if items.contains(&StatusItem::HighestModSeq) {
            self.enable_condstore();
        }
        let status = self.account()?.status(&store_name).await?;
        self.write_status(name.clone(), items, &status);
        Ok(Done::ok("Done"))
    }

    fn write_status(&self, name: WireName, items: &[StatusItem], status: &Status) {
        let value = |item: &StatusItem| match item {
            StatusItem::Messages => status.messages.into(),
            StatusItem::Recent => status.recent.into(),
            StatusItem::UidNext => status.uid_next.get().into(),
            StatusItem::UidValidity => status.uid_validity.get().into(),
            StatusItem::Unseen => status.unseen.into(),
            StatusItem::Deleted => status.deleted.into(),
            StatusItem::Size => status.size,
            StatusItem::HighestModSeq => status.highest_mod_seq.get(),
            StatusItem::AppendLimit => self.config.append_max,
        };
        let values = items.iter().map(|item| (*item, value(item))).collect();
        self.respond(Response::Data(Data::Status(name, values)));
    }

    /// Writes a response of values that were checked when they were made.
    pub(super) fn respond(&self, response: Response) {
        match response.encode(Dialect::default()) {
            Ok(encoded) => self.write(encoded.bytes()),
            Err(error) => {
                tracing::error!(error = %with_causes(&error), "a response of IMAP could not be written")
            }
        }
    }

    /// LSUB: names that are subscribed; with `%`, also `\NoSelect` names that only have such in them (RFC 3501 6.3.9).
    pub(super) async fn lsub(&self, reference: &Pattern, pattern: &Pattern) -> Result<Done, Done> {
        let pattern = joined(reference, pattern)?;
        let mailboxes = self.account()?.mailboxes().await?;
        let mut steps = 0;
        for info in &mailboxes {
            steps += (pattern.len() + 1) * info.name.as_str().len() + mailboxes.len();
            let has_subscribed = || {
                mailboxes
                    .iter()
                    .any(|other| other.is_subscribed && other.name.is_inside(&info.name))
            };
            let is_listed = info.is_subscribed || (pattern.ends_with('%') && has_subscribed());
            if matches(&pattern, info.name.as_str()) && is_listed {
                let entry = entry(&info.name)?;
                let attributes = (!info.is_subscribed).then_some(ListAttribute::NoSelect);
                self.respond(Response::Data(Data::Lsub(entry.with(attributes))));
            }
            self.room_after(&mut steps).await?;
        }
        Ok(Done::ok("Done"))
    }

    pub(super) async fn list(&self, command: ListCommand) -> Result<Done, Done> {
        if command.patterns.len() > PATTERNS_MAX {
            return Err(Done::no("There are too many patterns").code("LIMIT"));
        }
        let is_about_separator =
            !command.is_extended && command.patterns.iter().all(|one| one.as_str().is_empty());
        if is_about_separator {
            self.write(b"* LIST (\\NoSelect) \"/\" \"\"\r\n");
            return Ok(Done::ok("Done"));
        }
        let patterns: Vec<String> = command
            .patterns
            .iter()
            .map(|pattern| joined(&command.reference, pattern))
            .collect::<Result<_, _>>()?;
        let account = self.account()?;
        let mailboxes = account.mailboxes().await?;
        let listing = Listing::new(&command);
        let pattern_len: usize = patterns.iter().map(|pattern| pattern.len() + 1).sum();
        let mut steps = 0;
        for info in &mailboxes {
            steps += pattern_len * info.name.as_str().len() + mailboxes.len();
            if patterns.iter().any(|pattern| matches(pattern, info.name.as_str()))
                && let Some(entry) = listing.entry(info, &mailboxes)?
            {
                let name = entry.name.clone();
                self.respond(Response::Data(Data::List(entry)));
                if let Some(items) = listing.status.filter(|_| info.exists) {
                    self.list_status(&*account, name, info, items).await?;
                }
            }
            self.room_after(&mut steps).await?;
        }
        Ok(Done::ok("Done"))
    }

    /// LIST-STATUS (RFC 5819): a mailbox that is gone meanwhile has none.
    async fn list_status(
        &self,
        account: &dyn Account,
        name: WireName,
        info: &MailboxInfo,
        items: &[StatusItem],
    ) -> Result<(), Done> {
        match account.status(&info.name).await {
            Ok(status) => self.write_status(name, items, &status),
            Err(StoreError::NoSuchMailbox { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Waits for room for more output, and lets others have the loop after so many steps.
    async fn room_after(&self, steps: &mut usize) -> Result<(), Done> {
        self.room().await?;
        if *steps >= STEPS_IN_TURN {
            *steps = 0;
            self.pause().await?;
        }
        Ok(())
    }
}

/// What a LIST selects and tells (RFC 5258, RFC 6154).
struct Listing<'a> {
    only_subscribed: bool,
    only_special: bool,
    is_recursive: bool,
    tells_subscribed: bool,
    status: Option<&'a [StatusItem]>,
}

impl<'a> Listing<'a> {
    fn new(command: &'a ListCommand) -> Self {
        let selects = |selection| command.selection.contains(&selection);
        let only_subscribed = selects(ListSelection::Subscribed);
        Self {
            only_subscribed,
            only_special: selects(ListSelection::SpecialUse),
            is_recursive: selects(ListSelection::RecursiveMatch),
            tells_subscribed: only_subscribed || command.returns.contains(&ListReturn::Subscribed),
            status: command.returns.iter().find_map(|what| match what {
                ListReturn::Status(items) => Some(&items[..]),
                _ => None,
            }),
        }
    }

    fn selects(&self, info: &MailboxInfo) -> bool {
        let is_special = info.special_use.is_some() && info.exists;
        (!self.only_subscribed || info.is_subscribed) && (!self.only_special || is_special)
    }

    /// How a mailbox is told, if it is selected, or one in it is and that is asked for.
    fn entry(&self, info: &MailboxInfo, all: &[MailboxInfo]) -> Result<Option<ListEntry>, Done> {
        // A name that does not exist is told only if it is subscribed, or has mailboxes in it.
        let is_there = info.exists || info.has_children || self.only_subscribed;
        let is_selected = self.selects(info) && is_there;
        let has_selected = self.is_recursive
            && all.iter().any(|inner| inner.name.is_inside(&info.name) && self.selects(inner));
        if !is_selected && !has_selected {
            return Ok(None);
        }
        let mut entry = entry(&info.name)?;
        if !info.exists {
            entry = entry.with([ListAttribute::NonExistent, ListAttribute::NoSelect]);
        }
        entry = entry.with([if info.has_children {
            ListAttribute::HasChildren
        } else {
            ListAttribute::HasNoChildren
        }]);
        if self.tells_subscribed && info.is_subscribed {
            entry = entry.with([ListAttribute::Subscribed]);
        }
        if let (Some(special), true) = (info.special_use, info.exists) {
            entry = entry.with([special_use(special)]);
        }
        if has_selected && let Ok(option) = AString::try_from("SUBSCRIBED") {
            entry.child_info.push(option);
        }
        Ok(Some(entry))
    }
}

fn special_use(special: SpecialUse) -> ListAttribute {
    match special {
        SpecialUse::Archive => ListAttribute::Archive,
        SpecialUse::Drafts => ListAttribute::Drafts,
        SpecialUse::Junk => ListAttribute::Junk,
        SpecialUse::Sent => ListAttribute::Sent,
        SpecialUse::Trash => ListAttribute::Trash,
    }
}

fn entry(name: &MailboxName) -> Result<ListEntry, Done> {
    let name: WireName =
        name.as_str().parse().map_err(|_| Done::no("A mailbox has a name that cannot be told"))?;
    Ok(ListEntry::new(name, Some(MailboxName::SEPARATOR)))
}

/// A pattern behind its reference.
fn joined(reference: &Pattern, pattern: &Pattern) -> Result<String, Done> {
    let joined = format!("{}{}", reference.as_str(), pattern.as_str());
    if joined.len() > PATTERN_MAX {
        return Err(Done::no("The pattern is too long").code("LIMIT"));
    }
    Ok(joined)
}

/// Whether a name fits a pattern: `*` is any text, `%` any without a separator. Takes at most as many steps as both are long, multiplied.
fn matches(pattern: &str, name: &str) -> bool {
    let name = name.as_bytes();
    let is_inbox = pattern.len() == 5 && pattern.eq_ignore_ascii_case("INBOX");
    let pattern = if is_inbox { "INBOX" } else { pattern };
    // Which prefixes of the name fit what was read of the pattern.
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for byte in pattern.bytes() {
        match byte {
            b'*' | b'%' => {
                for at in 0..name.len() {
                    let may_pass = byte == b'*' || name[at] != MailboxName::SEPARATOR as u8;
                    fits[at + 1] |= fits[at] && may_pass;
                }
            }
            byte => {
                for at in (0..name.len()).rev() {
                    fits[at + 1] = fits[at] && name[at] == byte;
                }
                fits[0] = false;
            }
        }
        if !fits.contains(&true) {
            return false;
        }
    }
    fits[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*", "a/b", true),
            ("%", "a/b", false),
            ("%", "a", true),
            ("%/%", "a/b", true),
            ("a*b", "a/x/b", true),
            ("a%b", "a/x/b", false),
            ("a%b", "axxb", true),
            ("a", "a", true),
            ("a", "A", false),
            ("inbox", "INBOX", true),
            ("", "a", false),
            ("**%%*", "abc", true),
            ("*a*a*a*a*b", &"a".repeat(400), false),
            ("ä%", "äö", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
