//! What is done with the messages of a mailbox on the disk. Blocks; under the lock of the folder.
//!
//! The order of steps, and what is there if the process ends behind one of them:
//!
//! | what | steps | afterwards |
//! |---|---|---|
//! | a message is added | its file is written in `tmp` and synchronised; it is renamed into `new` or `cur`; that folder is synchronised; the list is; the UID is told | a file in `tmp`, which is removed after 36 hours; or a message, which gets its UID at the next look |
//! | flags | files are renamed; `cur` is synchronised; the list is | messages whose flags have changed |
//! | messages are expunged | files are removed; the folders are synchronised; the list is | messages that are gone |
//! | messages are copied | files get a second name in the other mailbox; then as for a message that is added | copies |
//! | messages are moved | files are renamed into the other mailbox; both are synchronised; the list there, then the list here | each message is in one of them |

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{
    disk::{self, Done, failed},
    folder::Work,
    place::Place,
    quota,
    scan::Locator,
    uid_list::ListEnd,
    unique::Unique,
};
use crate::store::{
    Appended, Copied, Expunge, FlagChange, Flags, FlagsSet, ModSeq, StoreError, SystemFlag, Uid,
    UidSet,
    index::{Change, Entry, FlagBits, time},
};

/// How often a file is looked for that is renamed again and again.
const TRIES: u32 = 3;

/// A message whose file is in `tmp`.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) path: PathBuf,
    pub(super) base: String,
    pub(super) size: u64,
    pub(super) flags: Flags,
    pub(super) date: i64,
}

/// A message of another mailbox.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) uid: Uid,
    pub(super) folder: PathBuf,
    pub(super) place: Place,
    pub(super) flags: Flags,
    pub(super) date: i64,
    pub(super) size: u64,
}

/// What has become of a file that was to be removed.
enum Removed {
    Now,
    /// Another program has removed it.
    Before,
    /// It is not meant any more.
    Not,
}

/// How messages get into a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    Copy,
    Move,
}

impl Work<'_> {
    /// Adds a message.
    pub(super) fn add(&mut self, new: &NewFile, unique: &Unique) -> Done<Appended> {
        let end = if self.has_index() { None } else { self.sync_end()? };
        let end = match end {
            Some(end) if end.next < Uid::MAX => end,
            _ => {
                self.sync()?;
                self.check_count(1)?;
                let index = self.index();
                let (validity, next, highest) = (index.validity(), index.next(), index.highest());
                ListEnd { validity, next, highest }
            }
        };
        self.check_quota(unique, new.size, 1)?;
        self.learn(&new.flags)?;
        let flags = FlagBits::of(&new.flags, self.keywords());
        let place = new_place(Unique::sized(&new.base, new.size), flags);
        let path = place.path(&self.folder.path);
        // Only now, under the lock: an old file in `tmp` is removed as a leftover by other processes.
        if !disk::date(&new.path, time(new.date))? || !disk::rename(&new.path, &path)? {
            return Err(self.gone_or_lost(&new.path));
        }
        let (uid, mod_seq) = (end.next, end.highest.next());
        let (date, size) = (new.date, new.size);
        let is_recent = place.in_new;
        let entry = Entry { uid, mod_seq, date, size, flags, is_recent, place };
        let committed = self
            .sync_folders(std::slice::from_ref(&path))
            .and_then(|()| self.commit(vec![Change::Added(entry)]));
        if let Err(error) = committed {
            // The sender is told of the error, and tries again.
            let _ = disk::remove(&path);
            return Err(error);
        }
        self.note_quota(size, 1);
        Ok(Appended::new(end.validity, uid))
    }

    fn gone_or_lost(&mut self, path: &Path) -> StoreError {
        if !disk::is_folder(&self.folder.path.join("cur")) {
            self.set_gone();
            return self.folder.missing();
        }
        failed("rename", path)(io::ErrorKind::NotFound.into())
    }

    pub(super) fn set_flags(
        &mut self,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Done<FlagsSet> {
        self.sync()?;
        self.learn_for(change)?;
        let named = FlagBits::of(change.flags(), self.keywords());
        let mut highest = self.index().highest();
        let mod_seq = highest.next();
        let (wanted, mut done, modified) =
            self.index().flag_changes(uids, change, named, unchanged_since);
        let (mut changes, mut gone, mut paths) = (Vec::new(), UidSet::new(), Vec::new());
        let mut locator = self.locator();
        for (uid, flags) in wanted {
            let Some(old) = self.index().entry(uid).map(|entry| entry.place.clone()) else {
                continue;
            };
            // Another program may have changed the flags since the last look.
            let wanted = |found: &Place| match *found == old {
                true => flags,
                false => found.flags().after(change, named),
            };
            let renamed =
                self.rename(&mut locator, &old, |found| found.with_flags(wanted(found)))?;
            match renamed {
                Some((from, place)) => {
                    let flags = place.flags();
                    paths.push(from);
                    changes.push(Change::Flags { uid, mod_seq, flags });
                    changes.push(Change::Place { uid, place, is_recent: false });
                }
                None => gone.insert(uid),
            }
        }
        if !changes.is_empty() {
            paths.push(self.folder.path.join("cur/x"));
            self.sync_folders(&paths)?;
            self.commit(changes)?;
            highest = mod_seq;
        }
        if !gone.is_empty() {
            // The next look finds that they are gone.
            done = done.iter().filter(|uid| !gone.contains(*uid)).collect();
        }
        Ok(FlagsSet { done, modified, mod_seq: highest })
    }

    /// Renames the file of a message, wherever it is by now: where it was, and where it is. `None` if it is gone.
    fn rename(
        &self,
        locator: &mut Locator,
        old: &Place,
        new: impl Fn(&Place) -> Place,
    ) -> Done<Option<(PathBuf, Place)>> {
        let folder = &self.folder.path;
        let mut place = old.clone();
        for _ in 0..TRIES {
            let (from, to) = (place.path(folder), new(&place));
            let path = to.path(folder);
            let is_there = if from == path { from.exists() } else { disk::rename(&from, &path)? };
            if is_there {
                return Ok(Some((from, to)));
            }
            match locator.find(&place)? {
                Some(found) => place = found,
                None => break,
            }
        }
        Ok(None)
    }

    /// Removes the file of a message, wherever it is by now, unless another program has taken `\Deleted` from it meanwhile.
    fn remove(&self, locator: &mut Locator, old: &Place, which: Expunge) -> Done<Removed> {
        let mut place = old.clone();
        for _ in 0..TRIES {
            if disk::remove(&place.path(&self.folder.path))? {
                return Ok(Removed::Now);
            }
            match locator.find(&place)? {
                Some(found) => place = found,
                None => break,
            }
            if which == Expunge::Deleted && !place.flags().has(SystemFlag::Deleted) {
                return Ok(Removed::Not);
            }
        }
        Ok(Removed::Before)
    }

    pub(super) fn expunge(&mut self, uids: &UidSet, which: Expunge) -> Done<UidSet> {
        self.sync()?;
        let mod_seq = self.next_mod_seq();
        let meant = self.index().to_expunge(uids, which);
        let meant: Vec<_> = meant.into_iter().map(|e| (e.uid, e.place.clone(), e.size)).collect();
        let (mut changes, mut paths, mut locator) = (Vec::new(), Vec::new(), self.locator());
        // What others have removed, they have noted.
        let (mut size, mut removed, mut gone) = (0u64, 0, UidSet::new());
        for (uid, place, len) in &meant {
            match self.remove(&mut locator, place, which)? {
                Removed::Now => (size, removed) = (size.saturating_add(*len), removed + 1),
                Removed::Before => {}
                Removed::Not => continue,
            }
            paths.push(place.path(&self.folder.path));
            changes.push(Change::Expunged { uid: *uid, mod_seq });
            gone.insert(*uid);
        }
        if !changes.is_empty() {
            self.sync_folders(&paths)?;
            self.commit(changes)?;
            self.note_removed(size, removed);
        }
        Ok(gone)
    }

    /// Takes messages of another mailbox in, all or none of those that are there.
    pub(super) fn take(
        &mut self,
        sources: &[Source],
        how: Transfer,
        unique: &Unique,
    ) -> Done<Copied> {
        self.sync()?;
        self.check_count(sources.len())?;
        if how == Transfer::Copy {
            let bytes = sources.iter().map(|source| source.size).fold(0, u64::saturating_add);
            self.check_quota(unique, bytes, sources.len() as u64)?;
        }
        for source in sources {
            self.learn(&source.flags)?;
        }
        let mod_seq = self.next_mod_seq();
        let (mut next, validity) = (self.index().next(), self.index().validity());
        let (mut changes, mut pairs, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        let mut locator = sources.first().map(|source| Locator::new(&source.folder));
        for source in sources {
            let flags = FlagBits::of(&source.flags, self.keywords());
            let base = Unique::sized_as(unique, source);
            let place = match take_one(source, &mut locator, &self.folder.path, (base, flags), how)
            {
                Ok(Some(place)) => place,
                Ok(None) => continue,
                Err(error) => {
                    if how == Transfer::Copy {
                        paths.iter().for_each(|path: &PathBuf| drop(disk::remove(path)));
                        return Err(error);
                    }
                    // Those that are here are here.
                    self.finish_take(changes, &paths, &source.folder)?;
                    return Err(error);
                }
            };
            let flags = place.flags();
            paths.push(place.path(&self.folder.path));
            pairs.push((source.uid, next));
            let (uid, date, size) = (next, source.date, source.size);
            changes.push(Change::Added(Entry {
                uid,
                mod_seq,
                date,
                size,
                flags,
                is_recent: place.in_new,
                place,
            }));
            next = next.next().unwrap_or(Uid::MAX);
        }
        let (count, bytes) = (pairs.len(), added_bytes(&changes));
        if let Some(source) = sources.first()
            && let Err(error) = self.finish_take(changes, &paths, &source.folder)
        {
            if how == Transfer::Copy {
                // Who is told of the error copies them once more.
                paths.iter().for_each(|path| drop(disk::remove(path)));
            }
            return Err(error);
        }
        if how == Transfer::Copy {
            self.note_quota(bytes, count);
        }
        Ok(Copied::new(validity, pairs))
    }

    fn finish_take(
        &mut self,
        changes: Vec<Change<Place>>,
        paths: &[PathBuf],
        source: &Path,
    ) -> Done {
        if changes.is_empty() {
            return Ok(());
        }
        self.sync_folders(paths)?;
        if source != self.folder.path {
            self.sync_folders(&[source.join("cur/x"), source.join("new/x")])?;
        }
        self.commit(changes)
    }

    /// Notes that these messages were moved away, as far as that is so.
    pub(super) fn vanished(&mut self, uids: &[Uid]) -> Done {
        self.sync()?;
        let mod_seq = self.next_mod_seq();
        let (mut changes, mut locator) = (Vec::new(), self.locator());
        for uid in uids {
            let Some(place) = self.index().entry(*uid).map(|entry| entry.place.clone()) else {
                continue;
            };
            if !place.path(&self.folder.path).exists() && locator.find(&place)?.is_none() {
                changes.push(Change::Expunged { uid: *uid, mod_seq });
            }
        }
        if changes.is_empty() { Ok(()) } else { self.commit(changes) }
    }

    /// Takes messages that a session has claimed out of `new`. It is no matter if that does not work, but that they are recent once more.
    pub(super) fn settle(&mut self, claimed_below: Uid) -> Done {
        self.sync()?;
        let is_meant = |entry: &&Entry<Place>| entry.place.in_new && entry.uid < claimed_below;
        let meant = self.index().entries().iter().filter(is_meant);
        let meant: Vec<_> = meant.map(|entry| (entry.uid, entry.place.clone())).collect();
        let (mut changes, mut locator) = (Vec::new(), self.locator());
        for (uid, place) in meant {
            let renamed = self.rename(&mut locator, &place, |old| match old.in_new {
                true => old.with_flags(old.flags()),
                false => old.clone(),
            })?;
            if let Some((_, place)) = renamed {
                changes.push(Change::Place { uid, place, is_recent: false });
            }
        }
        self.commit(changes)
    }

    fn check_count(&mut self, more: usize) -> Done {
        let max = self.folder.settings.limits.messages_max;
        let left = (Uid::MAX.get() - self.index().next().get()) as usize;
        let has_room = self.index().len().saturating_add(more) <= max as usize && more <= left;
        let error = StoreError::TooMany { what: "messages in a mailbox", max: max.into() };
        if has_room { Ok(()) } else { Err(error) }
    }

    fn check_quota(&self, unique: &Unique, bytes: u64, messages: u64) -> Done {
        let folder = &self.folder;
        quota::check(&folder.root, &folder.settings.limits, unique, bytes, messages)
    }

    fn note_quota(&self, bytes: u64, messages: usize) {
        let folder = &self.folder;
        let (bytes, messages) = (signed(bytes), signed(messages as u64));
        quota::note(&folder.root, &folder.settings.limits, bytes, messages);
    }

    fn note_removed(&self, bytes: u64, messages: usize) {
        let folder = &self.folder;
        let (bytes, messages) = (signed(bytes), signed(messages as u64));
        quota::note(&folder.root, &folder.settings.limits, -bytes, -messages);
    }

    /// Synchronises the folders of these files, each once.
    fn sync_folders(&self, paths: &[PathBuf]) -> Done {
        let mut folders: Vec<_> = paths.iter().filter_map(|path| path.parent()).collect();
        folders.sort_unstable();
        folders.dedup();
        folders.into_iter().try_for_each(disk::sync_folder)
    }
}

/// What cannot be so large: then it is counted once more.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn added_bytes(changes: &[Change<Place>]) -> u64 {
    let sizes = changes.iter().map(|change| match change {
        Change::Added(entry) => entry.size,
        _ => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// Without flags it is new; a file there has none.
fn new_place(base: String, flags: FlagBits) -> Place {
    match flags == FlagBits::default() {
        true => Place { file: base.into(), in_new: true },
        false => Place::guess(&base, flags),
    }
}

impl Unique {
    /// A base for the file of another message, which tells its size if that of the other does.
    fn sized_as(&self, source: &Source) -> String {
        let said =
            super::file_name::FileName::parse(&source.place.file).and_then(|name| name.size());
        match said {
            Some(size) if size == source.size => Self::sized(&self.base(), size),
            _ => self.base(),
        }
    }
}

/// Where the message is now. `None` if it was not there.
fn take_one(
    source: &Source,
    locator: &mut Option<Locator>,
    folder: &Path,
    (base, mut flags): (String, FlagBits),
    how: Transfer,
) -> Done<Option<Place>> {
    let mut at = source.place.clone();
    for _ in 0..TRIES {
        let place = new_place(base.clone(), flags);
        let (from, to) = (at.path(&source.folder), place.path(folder));
        let taken = match how {
            Transfer::Move => disk::rename(&from, &to)?,
            Transfer::Copy => match disk::link(&from, &to) {
                Ok(taken) => taken,
                Err(_) if from.exists() => copy(&from, folder, &to, source.date)?,
                Err(error) => return Err(failed("link", &from)(error)),
            },
        };
        if taken {
            return Ok(Some(place));
        }
        // If the folder itself is gone, that is an error: else it would look as if there had been nothing to copy.
        match locator.as_mut().map(|locator| locator.find(&at)).transpose()?.flatten() {
            Some(found) => at = found,
            None => break,
        }
        // Another program has changed them. What the letters of keywords mean is known in the other mailbox only.
        flags.system = at.flags().system;
    }
    Ok(None)
}

/// For file systems that have no second names for files, or not so many.
fn copy(from: &Path, folder: &Path, to: &Path, date: i64) -> Done<bool> {
    let tmp = folder.join("tmp").join(to.file_name().unwrap_or_default());
    let Some(mut source) = disk::if_there(File::open(from)).map_err(failed("open", from))? else {
        return Ok(false);
    };
    let mut file = disk::create(&tmp)?;
    let copied = io::copy(&mut source, &mut file).map_err(failed("copy", from));
    let done = copied
        .and_then(|_| disk::set_modified(&file, &tmp, time(date)))
        .and_then(|()| disk::sync(&file, &tmp))
        .and_then(|()| disk::rename(&tmp, to));
    if done.is_err() {
        let _ = fs::remove_file(&tmp);
    }
    done
}
