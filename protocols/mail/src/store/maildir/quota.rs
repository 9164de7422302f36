//! What an account uses, in the file `maildirsize` of Maildir++: made by counting, and kept with a line for each change. Blocks.
//!
//! Nobody has a lock, as the specification wants it: a line is appended in one call, so several may deliver at once. Then an account can
//! have a few messages more than it may. All messages count, also those in a mailbox for trash, and those with `\Deleted`, as Dovecot
//! counts them; Courier leaves these out.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    disk::{self, Done, failed},
    file_name::FileName,
    folder_name,
    maildir_size::{self, Allowance, Usage},
    unique::Unique,
};
use crate::store::{Quota, StoreError, StoreLimits};

pub(super) const FILE: &str = "maildirsize";

/// A file with more than one sum is counted anew if it says that the quota is used up, or after this time.
const BELIEVED: Duration = Duration::from_secs(15 * 60);

fn allowance(limits: &StoreLimits) -> Allowance {
    Allowance { bytes: limits.quota_bytes, messages: limits.quota_messages }
}

fn quota(limits: &StoreLimits, bytes: u64, messages: u64) -> Quota {
    let mut quota = Quota::default();
    (quota.bytes, quota.messages) = (bytes, messages);
    (quota.bytes_max, quota.messages_max) = (limits.quota_bytes, limits.quota_messages);
    quota
}

/// What is used, as of the file if there are limits; counted without.
pub(super) fn used(root: &Path, limits: &StoreLimits, unique: &Unique) -> Done<Quota> {
    if allowance(limits) == Allowance::default() {
        let (bytes, messages) = count(root)?;
        return Ok(quota(limits, bytes, messages));
    }
    let usage = match read(root, limits)? {
        Some(usage) => usage,
        None => recount(root, limits, unique)?,
    };
    Ok(quota(limits, usage.bytes, usage.messages))
}

/// Whether so much more may be added. Always, if there are no limits.
pub(super) fn check(
    root: &Path,
    limits: &StoreLimits,
    unique: &Unique,
    bytes: u64,
    messages: u64,
) -> Done {
    if allowance(limits) == Allowance::default() {
        return Ok(());
    }
    let has_room =
        |usage: Usage| quota(limits, usage.bytes, usage.messages).has_room(bytes, messages);
    let usage = read(root, limits)?;
    if let Some(usage) = usage
        && (has_room(usage) || is_recent(root, usage, unique.time))
    {
        return if has_room(usage) { Ok(()) } else { Err(StoreError::OverQuota) };
    }
    // It says that there is no room, and may be wrong.
    if has_room(recount(root, limits, unique)?) { Ok(()) } else { Err(StoreError::OverQuota) }
}

/// Whether it was counted a short time ago.
fn is_recent(root: &Path, usage: Usage, now: SystemTime) -> bool {
    let modified = fs::metadata(root.join(FILE)).and_then(|found| found.modified());
    let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
    usage.lines <= 1 && age.is_some_and(|age| age < BELIEVED)
}

/// Notes what was added or, with negative numbers, removed. It is no matter if that does not work: then it is wrong until it is counted.
pub(super) fn note(root: &Path, limits: &StoreLimits, bytes: i64, messages: i64) {
    if allowance(limits) != Allowance::default() && messages != 0 {
        let _ = disk::append_line(&root.join(FILE), &maildir_size::line(bytes, messages));
    }
}

/// What the file says, if it says it of these limits.
fn read(root: &Path, limits: &StoreLimits) -> Done<Option<Usage>> {
    let text = disk::read_text(&root.join(FILE))?;
    let usage = text.and_then(|text| maildir_size::parse(&text));
    Ok(usage.filter(|usage| usage.allowance == allowance(limits)))
}

fn recount(root: &Path, limits: &StoreLimits, unique: &Unique) -> Done<Usage> {
    let allowance = allowance(limits);
    let (bytes, messages) = count(root)?;
    let path = root.join("tmp").join(unique.base());
    let mut file = disk::create(&path)?;
    let text = maildir_size::format(allowance, bytes, messages);
    disk::write(&mut file, &path, text.as_bytes())?;
    disk::rename(&path, &root.join(FILE))?;
    Ok(Usage { allowance, bytes, messages, lines: 1 })
}

/// Counts all messages.
fn count(root: &Path) -> Done<(u64, u64)> {
    let (mut bytes, mut messages) = (0u64, 0);
    let names = disk::names(root)?.unwrap_or_default();
    let folders = names.iter().filter(|name| folder_name::decode(name).is_some());
    for folder in folders.map(|name| root.join(name)).chain([root.to_owned()]) {
        for part in ["new", "cur"] {
            let path = folder.join(part);
            for name in disk::names(&path)?.unwrap_or_default() {
                let Some(parsed) = FileName::parse(&name) else { continue };
                let len = match parsed.size() {
                    Some(size) => Some(size),
                    None => len(&path.join(&name))?,
                };
                if let Some(len) = len {
                    bytes = bytes.saturating_add(len);
                    messages += 1;
                }
            }
        }
    }
    Ok((bytes, messages))
}

fn len(path: &Path) -> Done<Option<u64>> {
    let found = disk::if_there(fs::symlink_metadata(path)).map_err(failed("look at", path))?;
    Ok(found.filter(|found| found.is_file()).map(|found| found.len()))
}
