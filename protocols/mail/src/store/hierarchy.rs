//! The mailboxes of an account by their names: what LIST shows, and what a rename does. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{MailboxInfo, MailboxName, StoreError};

/// All mailboxes for a list: those that exist, those that are parts of their names, and those that are subscribed.
pub(crate) fn listing<'a>(
    existing: impl IntoIterator<Item = &'a MailboxName>,
    subscribed: &BTreeSet<MailboxName>,
) -> Vec<MailboxInfo> {
    let mut all: BTreeMap<MailboxName, MailboxInfo> = BTreeMap::new();
    for name in existing {
        let info = all.entry(name.clone()).or_insert_with(|| MailboxInfo::new(name.clone()));
        info.exists = true;
        let mut inner = name.parent();
        while let Some(parent) = inner {
            inner = parent.parent();
            all.entry(parent).or_insert_with_key(missing).has_children = true;
        }
    }
    for name in subscribed {
        all.entry(name.clone()).or_insert_with_key(missing).is_subscribed = true;
    }
    all.into_values().collect()
}

fn missing(name: &MailboxName) -> MailboxInfo {
    let mut info = MailboxInfo::new(name.clone());
    info.exists = false;
    info
}

/// The mailboxes that a rename renames, and to what: the outer ones first. The inbox is no matter of this.
pub(crate) fn renames(
    existing: &BTreeSet<MailboxName>,
    from: &MailboxName,
    to: &MailboxName,
) -> Result<Vec<(MailboxName, MailboxName)>, StoreError> {
    if to.is_inside(from) {
        return Err(StoreError::NotPermitted { what: "to move a mailbox into itself" });
    }
    let mut renames = Vec::new();
    for name in existing {
        if let Some(renamed) = name.renamed(from, to) {
            let renamed = renamed?;
            if existing.contains(&renamed) {
                return Err(StoreError::AlreadyExists { name: renamed });
            }
            renames.push((name.clone(), renamed));
        }
    }
    if existing.contains(to) {
        return Err(StoreError::AlreadyExists { name: to.clone() });
    }
    if renames.is_empty() {
        return Err(StoreError::NoSuchMailbox { name: from.clone() });
    }
    Ok(renames)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<MailboxName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_list_has_the_parts_of_names_and_what_is_subscribed() {
        let list = listing(&names(&["INBOX", "a", "b/c/d"]), &names(&["a", "gone"]));
        let list: Vec<_> = list
            .iter()
            .map(|info| {
                let MailboxInfo { name, exists, has_children, is_subscribed, .. } = info;
                (name.as_str(), *exists, *has_children, *is_subscribed)
            })
            .collect();
        assert_eq!(
            list,
            [
                ("INBOX", true, false, false),
                ("a", true, false, true),
                ("b", false, true, false),
                ("b/c", false, true, false),
                ("b/c/d", true, false, false),
                ("gone", false, false, true),
            ]
        );
    }

    #[test]
    fn a_rename_takes_those_inside_along() {
        let existing = names(&["INBOX", "a", "a/b", "ab", "x/b", "y"]);
        let rename = |from: &str, to: &str| {
            let renames = renames(&existing, &from.parse().unwrap(), &to.parse().unwrap());
            renames.map_err(|error| error.to_string()).map(|renames| {
                renames
                    .iter()
                    .map(|(from, to)| format!("{from}>{to}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        let no = |text: &str| Err(text.to_owned());
        assert_eq!(rename("a", "z"), Ok("a>z a/b>z/b".to_owned()));
        assert_eq!(rename("x", "z"), Ok("x/b>z/b".to_owned()));
        assert_eq!(rename("a", "x"), no("there is a mailbox x/b already"));
        assert_eq!(rename("a", "y"), no("there is a mailbox y already"));
        assert_eq!(rename("a", "a"), no("there is a mailbox a already"));
        assert_eq!(rename("a", "a/c"), no("to move a mailbox into itself is not permitted"));
        assert_eq!(rename("q", "z"), no("there is no mailbox q"));
    }
}
