//! The folders of an account on the disk. Blocks.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    config::Settings,
    disk::{self, Done},
    folder::{LIST_LOCK, Work},
    folder_name, quota, subscriptions,
    unique::Unique,
};
use crate::store::{MailboxInfo, MailboxName, Quota, StoreError, hierarchy};

pub(super) const ACCOUNT_LOCK: &str = "sinew-account.lock";
const SUBSCRIPTIONS: &str = "subscriptions";

/// What is made or removed has such a name meanwhile: two dots are no name of a folder.
const UNFINISHED: &str = "..sinew-";

/// A Maildir, with what a call needs to know.
pub(super) struct Root {
    pub(super) path: PathBuf,
    pub(super) settings: Arc<Settings>,
    pub(super) unique: Unique,
}

impl Root {
    pub(super) fn missing(&self) -> StoreError {
        let user = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        StoreError::NoSuchAccount { user }
    }

    /// Whether there is a Maildir.
    pub(super) fn exists(&self) -> bool {
        disk::is_folder(&self.path.join("cur"))
    }

    /// Makes the Maildir, unless it is there.
    pub(super) fn create_account(&self) -> Done {
        for part in ["tmp", "new", "cur"] {
            disk::create_folder(&self.path.join(part))?;
        }
        disk::sync_folder(&self.path)?;
        self.path.parent().map_or(Ok(()), disk::sync_folder)
    }

    fn mailboxes(&self) -> Done<BTreeSet<MailboxName>> {
        let names = disk::names(&self.path)?.ok_or_else(|| self.missing())?;
        let mut mailboxes = BTreeSet::from([MailboxName::inbox()]);
        for folder in names {
            if let Some(name) = folder_name::decode(&folder)
                && disk::is_folder(&self.path.join(&folder).join("cur"))
            {
                mailboxes.insert(name);
            }
        }
        Ok(mailboxes)
    }

    pub(super) fn list(&self) -> Done<Vec<MailboxInfo>> {
        Ok(hierarchy::listing(&self.mailboxes()?, &self.subscriptions()?))
    }

    fn subscriptions(&self) -> Done<BTreeSet<MailboxName>> {
        let text = disk::read_text(&self.path.join(SUBSCRIPTIONS))?;
        Ok(subscriptions::parse(&text.unwrap_or_default()))
    }

    pub(super) fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Done {
        let mut names = self.subscriptions()?;
        let changed = match subscribed {
            true => {
                folder(name)?;
                names.insert(name.clone())
            }
            false => names.remove(name),
        };
        let max = self.settings.limits.mailboxes_max;
        if subscribed && changed && names.len() > max {
            return Err(StoreError::TooMany { what: "subscriptions", max: max as u64 });
        }
        if changed {
            let text = subscriptions::format(&names);
            disk::replace(&self.path.join(SUBSCRIPTIONS), text.as_bytes())?;
        }
        Ok(())
    }

    /// Makes a mailbox: under another name, so that it is there whole or not at all.
    pub(super) fn create(&self, name: &MailboxName) -> Done {
        let mailboxes = self.mailboxes()?;
        if mailboxes.contains(name) {
            return Err(StoreError::AlreadyExists { name: name.clone() });
        }
        let max = self.settings.limits.mailboxes_max;
        if mailboxes.len() >= max {
            return Err(StoreError::TooMany { what: "mailboxes", max: max as u64 });
        }
        let folder = self.path.join(folder(name)?);
        self.clean();
        let new = self.path.join(format!("{UNFINISHED}new-{}", self.unique.base()));
        for part in ["tmp", "new", "cur"] {
            disk::create_folder(&new.join(part))?;
        }
        // Deliverers of Courier know by it that it is a folder, and where its quota is.
        disk::create(&new.join("maildirfolder"))?;
        disk::sync_folder(&new)?;
        disk::rename(&new, &folder)?;
        disk::sync_folder(&self.path)
    }

    /// Removes what a process that has ended has left. It is no matter if that does not work.
    fn clean(&self) {
        let names = disk::names(&self.path).ok().flatten().unwrap_or_default();
        for name in names.iter().filter(|name| name.starts_with(UNFINISHED)) {
            let _ = disk::remove_folder(&self.path.join(name));
        }
    }

    /// Renames a mailbox and those in it: which were, and why it has stopped. `None` if somebody works on one.
    #[allow(clippy::type_complexity, reason = "what was done, and what was not")]
    pub(super) fn rename(
        &self,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Done<Option<(Vec<(MailboxName, MailboxName)>, Option<StoreError>)>> {
        let renames = hierarchy::renames(&self.mailboxes()?, from, to)?;
        let (mut paths, mut locks) = (Vec::new(), Vec::new());
        for (from, to) in &renames {
            let path = self.path.join(folder(from)?);
            match disk::try_lock(&path.join(LIST_LOCK))? {
                Some(Some(lock)) => locks.push(lock),
                Some(None) => return Ok(None),
                None => return Err(StoreError::NoSuchMailbox { name: from.clone() }),
            }
            paths.push((path, self.path.join(folder(to)?)));
        }
        let mut renamed = Vec::new();
        for ((from, to), names) in paths.iter().zip(renames) {
            match disk::rename(from, to) {
                Ok(_) => renamed.push(names),
                Err(error) => return Ok(Some((renamed, Some(error)))),
            }
        }
        let error = disk::sync_folder(&self.path).err();
        Ok(Some((renamed, error)))
    }

    pub(super) fn quota(&self) -> Done<Quota> {
        quota::used(&self.path, &self.settings.limits, &self.unique)
    }

    pub(super) fn has_room(&self, bytes: u64, messages: u64) -> Done<bool> {
        match quota::check(&self.path, &self.settings.limits, &self.unique, bytes, messages) {
            Ok(()) => Ok(true),
            Err(StoreError::OverQuota) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The name of the folder of a mailbox that is no inbox.
fn folder(name: &MailboxName) -> Done<String> {
    if name.is_inbox() {
        return Ok(String::new());
    }
    let too_long = StoreError::NotPermitted { what: "so long a name in a Maildir" };
    folder_name::encode(name).ok_or(too_long)
}

impl Work<'_> {
    /// Deletes the mailbox. Its files are removed behind that: after a crash the next that makes a mailbox does it.
    pub(super) fn delete(&mut self, unique: &Unique) -> Done {
        let (path, root) = (self.folder.path.clone(), self.folder.root.clone());
        if !disk::is_folder(&path.join("cur")) {
            self.set_gone();
            return Err(self.folder.missing());
        }
        let deleted = root.join(format!("{UNFINISHED}deleted-{}", unique.base()));
        disk::rename(&path, &deleted)?;
        self.set_gone();
        disk::sync_folder(&root)?;
        // What it has used is counted when it is asked for.
        let _ = disk::remove(&root.join(quota::FILE));
        let _ = disk::remove_folder(Path::new(&deleted));
        Ok(())
    }
}
