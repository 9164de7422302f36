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
    quota, scan,
    uid_list::ListEnd,
    unique::Unique,
};
use crate::store::{
    Appended, Copied, Expunge, FlagChange, Flags, FlagsSet, ModSeq, StoreError, Uid, UidSet,
    index::{Change, Entry, FlagBits, time},
};

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
        if !disk::rename(&new.path, &path)? {
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
        for (uid, flags) in wanted {
            let Some(old) = self.index().entry(uid).map(|entry| entry.place.clone()) else {
                continue;
            };
            match self.rename(&old, |old| old.with_flags(flags))? {
                Some((from, place)) => {
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
    fn rename(&self, old: &Place, new: impl Fn(&Place) -> Place) -> Done<Option<(PathBuf, Place)>> {
        let folder = &self.folder.path;
        let (mut place, mut located) = (old.clone(), false);
        loop {
            let (from, to) = (place.path(folder), new(&place));
            let path = to.path(folder);
            if from == path {
                return Ok(from.exists().then_some((from, to)));
            }
            if disk::rename(&from, &path)? {
                return Ok(Some((from, to)));
            }
            match self.locate(&place)? {
                Some(found) if !located => (place, located) = (found, true),
                _ => return Ok(None),
            }
        }
    }

    pub(super) fn expunge(&mut self, uids: &UidSet, which: Expunge) -> Done<UidSet> {
        self.sync()?;
        let mod_seq = self.next_mod_seq();
        let meant = self.index().to_expunge(uids, which);
        let meant: Vec<_> = meant.into_iter().map(|e| (e.uid, e.place.clone(), e.size)).collect();
        let (mut changes, mut size, mut paths) = (Vec::new(), 0, Vec::new());
        for (uid, place, len) in &meant {
            let path = place.path(&self.folder.path);
            let is_removed = disk::remove(&path)?
                || match self.locate(place)? {
                    Some(place) => disk::remove(&place.path(&self.folder.path))?,
                    None => false,
                };
            if is_removed {
                size += len;
            }
            paths.push(path);
            changes.push(Change::Expunged { uid: *uid, mod_seq });
        }
        if !changes.is_empty() {
            self.sync_folders(&paths)?;
            let count = changes.len();
            self.commit(changes)?;
            self.note_removed(size, count);
        }
        Ok(meant.into_iter().map(|(uid, ..)| uid).collect())
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
            let bytes = sources.iter().map(|source| source.size).sum();
            self.check_quota(unique, bytes, sources.len() as u64)?;
        }
        for source in sources {
            self.learn(&source.flags)?;
        }
        let mod_seq = self.next_mod_seq();
        let (mut next, validity) = (self.index().next(), self.index().validity());
        let (mut changes, mut pairs, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for source in sources {
            let flags = FlagBits::of(&source.flags, self.keywords());
            let place = new_place(Unique::sized_as(unique, source), flags);
            match take_one(source, &self.folder.path, &place, how) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    if how == Transfer::Copy {
                        paths.iter().for_each(|path: &PathBuf| drop(disk::remove(path)));
                        return Err(error);
                    }
                    // Those that are here are here.
                    self.finish_take(changes, &paths, &source.folder)?;
                    return Err(error);
                }
            }
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
        if let Some(source) = sources.first() {
            self.finish_take(changes, &paths, &source.folder)?;
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
        let mut changes = Vec::new();
        for uid in uids {
            let Some(place) = self.index().entry(*uid).map(|entry| entry.place.clone()) else {
                continue;
            };
            if !place.path(&self.folder.path).exists() && self.locate(&place)?.is_none() {
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
        let mut changes = Vec::new();
        for (uid, place) in meant {
            let renamed = self.rename(&place, |old| match old.in_new {
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
        let (bytes, messages) = (bytes.cast_signed(), messages.cast_signed() as i64);
        quota::note(&folder.root, &folder.settings.limits, bytes, messages);
    }

    fn note_removed(&self, bytes: u64, messages: usize) {
        let folder = &self.folder;
        let (bytes, messages) = (bytes.cast_signed(), messages.cast_signed() as i64);
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

fn added_bytes(changes: &[Change<Place>]) -> u64 {
    let sizes = changes.iter().map(|change| match change {
        Change::Added(entry) => entry.size,
        _ => 0,
    });
    sizes.sum()
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

/// Whether the message was there.
fn take_one(source: &Source, folder: &Path, place: &Place, how: Transfer) -> Done<bool> {
    let mut from = source.place.path(&source.folder);
    let to = place.path(folder);
    for is_last in [false, true] {
        let taken = match how {
            Transfer::Move => disk::rename(&from, &to)?,
            Transfer::Copy => match disk::link(&from, &to) {
                Ok(taken) => taken,
                Err(_) if from.exists() => copy(&from, folder, &to, source.date)?,
                Err(error) => return Err(failed("link", &from)(error)),
            },
        };
        if taken || is_last {
            return Ok(taken);
        }
        match scan::locate(&source.folder, &source.place)? {
            Some(found) => from = found.path(&source.folder),
            None => return Ok(false),
        }
    }
    Ok(false)
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
