//! What other programs have done to the files of a mailbox: delivered, flagged, renamed, removed.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::{ErrorKind, Read},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    disk::{self, Done, failed},
    file_name::FileName,
    folder::Work,
    place::Place,
};
use crate::store::{
    Uid,
    crlf::ToCrlf,
    index::{Change, Entry, seconds, time},
};

/// A folder may change again without its time changing, if the clock of the file system is this coarse.
const COARSE: Duration = Duration::from_secs(2);

/// What is in `tmp` for longer is of a program that has ended (maildir(5)).
const TMP_AGE_MAX: Duration = Duration::from_secs(36 * 3600);

/// How the folders `new` and `cur` were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    new: SystemTime,
    cur: SystemTime,
}

impl Stamp {
    fn of(folder: &Path) -> Done<Option<Self>> {
        let modified = |name: &str| {
            let path = folder.join(name);
            let found = disk::if_there(fs::metadata(&path).and_then(|found| found.modified()));
            found.map_err(failed("look at", &path))
        };
        Ok(modified("new")?.zip(modified("cur")?).map(|(new, cur)| Self { new, cur }))
    }
}

/// The files of a folder by the bases of their names.
type Files = HashMap<Box<str>, Place>;

fn files(folder: &Path) -> Done<Option<Files>> {
    let mut files = Files::new();
    // What is moved from `new` to `cur` meanwhile is seen at least once.
    for (name, in_new) in [("new", true), ("cur", false)] {
        let Some(names) = disk::names(&folder.join(name))? else { return Ok(None) };
        for name in names {
            if let Some(parsed) = FileName::parse(&name) {
                let base = parsed.base.into();
                files.insert(base, Place { file: name.into(), in_new });
            }
        }
    }
    Ok(Some(files))
}

impl Work<'_> {
    /// Looks at the files, unless they cannot have changed. After [`sync`](Self::sync).
    pub(super) fn scan(&mut self) -> Done {
        let path = self.folder.path.clone();
        let stamp = Stamp::of(&path)?;
        if stamp.is_some() && stamp == self.folder.stamp {
            return Ok(());
        }
        let Some(files) = files(&path)? else {
            self.set_gone();
            return Err(self.folder.missing());
        };
        let changes = self.compare(files)?;
        self.commit(changes)?;
        let settled = time(self.now).checked_sub(COARSE);
        let is_settled = |stamp: &Stamp| {
            settled.is_some_and(|settled| stamp.new < settled && stamp.cur < settled)
        };
        self.folder.stamp = stamp.filter(is_settled);
        self.clean_tmp();
        Ok(())
    }

    fn compare(&mut self, mut files: Files) -> Done<Vec<Change<Place>>> {
        let mod_seq = self.next_mod_seq();
        let (mut changes, mut missing) = (Vec::new(), Vec::new());
        for entry in self.index().entries() {
            match files.remove(entry.place.base()) {
                Some(place) => push_differences(entry, place, mod_seq, &mut changes),
                None => missing.push(entry.uid),
            }
        }
        if !missing.is_empty() {
            // One that is renamed while the folder is read may not be seen.
            let mut again = self.files_again()?;
            for uid in missing {
                let Some(entry) = self.index().entry(uid) else { continue };
                match again.remove(entry.place.base()) {
                    Some(place) => push_differences(entry, place, mod_seq, &mut changes),
                    None => changes.push(Change::Expunged { uid, mod_seq }),
                }
            }
        }
        let mut new: Vec<_> = files.into_values().collect();
        new.sort_unstable_by_key(|place| {
            let seconds = FileName::parse(&place.file).map(FileName::seconds);
            (seconds, place.file.clone())
        });
        let (mut next, len) = (self.index().next(), self.index().len());
        let max = self.folder.settings.limits.messages_max as usize;
        let mut added = 0;
        for place in new {
            if len + added >= max || next == Uid::MAX {
                tracing::warn!(folder = ?self.folder.path, max, "a mailbox has too many messages; the newest are not shown");
                break;
            }
            if let Some((date, size)) = look_at(&place.path(&self.folder.path))? {
                let (flags, is_recent) = (place.flags(), place.in_new);
                let entry = Entry { uid: next, mod_seq, date, size, flags, is_recent, place };
                changes.push(Change::Added(entry));
                next = next.next().unwrap_or(Uid::MAX);
                added += 1;
            }
        }
        Ok(changes)
    }

    fn files_again(&mut self) -> Done<Files> {
        let found = files(&self.folder.path)?;
        found.ok_or_else(|| self.folder.missing())
    }

    /// Where the file of a message is, if it has been renamed since it was seen.
    pub(super) fn locate(&self, place: &Place) -> Done<Option<Place>> {
        locate(&self.folder.path, place)
    }

    /// Removes what programs that have ended have left in `tmp`, once. It is no matter if that does not work.
    fn clean_tmp(&mut self) {
        if std::mem::replace(&mut self.folder.has_cleaned, true) {
            return;
        }
        let tmp = self.folder.path.join("tmp");
        let Some(oldest) = time(self.now).checked_sub(TMP_AGE_MAX) else { return };
        for name in disk::names(&tmp).ok().flatten().unwrap_or_default() {
            let path = tmp.join(name);
            let modified = fs::symlink_metadata(&path).and_then(|found| found.modified());
            if modified.is_ok_and(|modified| modified < oldest) {
                let _ = disk::remove(&path);
            }
        }
    }
}

/// Finds a file by the base of its name.
pub(super) fn locate(folder: &Path, place: &Place) -> Done<Option<Place>> {
    let base = place.base();
    for (name, in_new) in [("new", true), ("cur", false), ("new", true)] {
        let names = disk::names(&folder.join(name))?.unwrap_or_default();
        let is_it = |name: &String| FileName::parse(name).is_some_and(|name| name.base == base);
        if let Some(file) = names.into_iter().find(is_it) {
            return Ok(Some(Place { file: file.into(), in_new }));
        }
    }
    Ok(None)
}

fn push_differences(
    entry: &Entry<Place>,
    place: Place,
    mod_seq: crate::store::ModSeq,
    changes: &mut Vec<Change<Place>>,
) {
    let (uid, flags) = (entry.uid, place.flags());
    if flags != entry.flags {
        changes.push(Change::Flags { uid, mod_seq, flags });
    }
    if place != entry.place {
        // What was taken out of `new` was seen by somebody.
        let is_recent = place.in_new;
        changes.push(Change::Place { uid, place, is_recent });
    } else if place.in_new && !entry.is_recent {
        changes.push(Change::Place { uid, place, is_recent: true });
    }
}

/// The date and the size of a message. `None` if it is gone, or no file.
fn look_at(path: &Path) -> Done<Option<(i64, u64)>> {
    let look = || {
        let Some(found) = disk::if_there(fs::symlink_metadata(path))? else { return Ok(None) };
        if !found.is_file() {
            return Ok(None);
        }
        let date = seconds(found.modified()?);
        let name = path.file_name().and_then(|name| name.to_str());
        let said = name.and_then(FileName::parse).and_then(FileName::size);
        // What the name says is believed if it is what would be counted in a text of CRLFs only.
        let size = match said {
            Some(size) if size == found.len() => Some(size),
            _ => count(path, &found)?,
        };
        Ok(size.map(|size| (date, size)))
    };
    look().map_err(failed("read", path))
}

/// The size of a text with CRLFs.
fn count(path: &Path, found: &Metadata) -> std::io::Result<Option<u64>> {
    let Some(file) = disk::if_there(File::open(path))? else { return Ok(None) };
    let mut file = file.take(found.len());
    let (mut line_ends, mut size, mut buffer) = (ToCrlf::default(), 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Some(size)),
            Ok(len) => size += line_ends.count(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
