//! What other programs have done to the files of a mailbox: delivered, flagged, renamed, removed.

use sinew_transports::reactor::with_causes;

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    disk::{self, Done, failed},
    file_name::FileName,
    folder::Work,
    place::Place,
    stamp::Stamp,
};
use crate::store::{
    Uid,
    crlf::ToCrlf,
    index::{Change, Entry, seconds, time},
};

/// A folder may change again without its time changing, if the clock of the file system is this coarse.
const COARSE: Duration = Duration::from_secs(2);

/// How often a folder is read for messages that are not where they were.
const READS_MAX: u32 = 3;

/// What is in `tmp` for longer is of a program that has ended (maildir(5)).
const TMP_AGE_MAX: Duration = Duration::from_secs(36 * 3600);

/// The files of a folder by the bases of their names.
type Files = HashMap<Box<str>, Place>;

fn files(folder: &Path) -> Done<Option<Files>> {
    let mut files = Files::new();
    // What is moved from `new` to `cur` meanwhile is seen at least once.
    for (name, in_new) in [("new", true), ("cur", false)] {
        let Some(names) = disk::names(&folder.join(name))? else { return Ok(None) };
        for name in names {
            let Some(parsed) = FileName::parse(&name) else { continue };
            let base: Box<str> = parsed.base.into();
            let place = Place { file: name.into(), in_new };
            let place = match files.remove(&base) {
                Some(other) if other.in_new == in_new => one_of(folder, other, place)?,
                _ => place,
            };
            files.insert(base, place);
        }
    }
    Ok(Some(files))
}

/// Which of two files is the message whose base name both have: always the same, in whatever order a folder gives them. One that is
/// renamed while the folder is read may be seen twice.
fn one_of(folder: &Path, one: Place, other: Place) -> Done<Place> {
    let (less, more) = if one.file < other.file { (one, other) } else { (other, one) };
    if disk::look(&more.path(folder))?.is_none() {
        return Ok(less);
    }
    if disk::look(&less.path(folder))?.is_some() {
        tracing::warn!(?folder, used = %more.file, left_out = %less.file, "two files in a Maildir have the name of one message");
    }
    Ok(more)
}

/// Finds the files of messages that have been renamed since they were seen, by the bases of their names.
///
/// It reads the folder when the first is missed, and a few times more for others that are not there, as one that is renamed meanwhile may
/// not be seen. So the work for many messages does not grow with their number times that of the files.
pub(super) struct Locator {
    folder: PathBuf,
    files: Option<Files>,
    reads_left: u32,
}

impl Locator {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: None, reads_left: READS_MAX }
    }

    /// Where the file is that is not at this place. `None` if it is gone.
    ///
    /// # Errors
    ///
    /// Also if the folder is gone: where the files are cannot be said then.
    pub(super) fn find(&mut self, place: &Place) -> Done<Option<Place>> {
        loop {
            let found = self.files.as_ref().and_then(|files| files.get(place.base()));
            if let Some(found) = found.filter(|found| *found != place) {
                return Ok(Some(found.clone()));
            }
            if self.reads_left == 0 {
                return Ok(None);
            }
            self.reads_left -= 1;
            let missing = || failed("read the folder", &self.folder)(ErrorKind::NotFound.into());
            self.files = Some(files(&self.folder)?.ok_or_else(missing)?);
        }
    }
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
        let (changes, left_out) = self.compare(files)?;
        self.commit(changes)?;
        let settled = time(self.now).checked_sub(COARSE);
        let is_settled = |stamp: &Stamp| {
            settled.is_some_and(|settled| stamp.new < settled && stamp.cur < settled)
        };
        // What could not be read now may be later, without a change of the folders.
        self.folder.stamp = stamp.filter(|stamp| !left_out && is_settled(stamp));
        self.clean_tmp();
        Ok(())
    }

    /// What has changed, and whether a new file was left out: one that cannot be read keeps nobody from all others.
    fn compare(&mut self, mut files: Files) -> Done<(Vec<Change<Place>>, bool)> {
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
        let (mut added, mut left_out) = (0, false);
        for place in new {
            if len + added >= max || next == Uid::MAX {
                tracing::warn!(folder = ?self.folder.path, max, "a mailbox has too many messages; the newest are not shown");
                break;
            }
            let found = look_at(&place.path(&self.folder.path)).unwrap_or_else(|error| {
                tracing::warn!(error = %with_causes(&error), "a file in a Maildir is left out");
                left_out = true;
                None
            });
            if let Some((date, size)) = found {
                let (flags, is_recent) = (place.flags(), place.in_new);
                let entry = Entry { uid: next, mod_seq, date, size, flags, is_recent, place };
                changes.push(Change::Added(entry));
                next = next.next().unwrap_or(Uid::MAX);
                added += 1;
            }
        }
        Ok((changes, left_out))
    }

    fn files_again(&mut self) -> Done<Files> {
        let found = files(&self.folder.path)?;
        found.ok_or_else(|| self.folder.missing())
    }

    /// Finds files of this mailbox.
    pub(super) fn locator(&self) -> Locator {
        Locator::new(&self.folder.path)
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
    let Some(found) = disk::look(path)?.filter(Metadata::is_file) else { return Ok(None) };
    let date = seconds(found.modified().map_err(failed("look at", path))?);
    let name = path.file_name().and_then(|name| name.to_str());
    let said = name.and_then(FileName::parse).and_then(FileName::size);
    // What the name says is believed if it is what would be counted in a text of CRLFs only.
    if let Some(size) = said.filter(|size| *size == found.len()) {
        return Ok(Some((date, size)));
    }
    let Some((file, _)) = disk::open_message(path)? else { return Ok(None) };
    let size = count(file, &found).map_err(failed("read", path))?;
    Ok(Some((date, size)))
}

/// The size of a text with CRLFs.
fn count(file: File, found: &Metadata) -> std::io::Result<u64> {
    let mut file = file.take(found.len());
    let (mut line_ends, mut size, mut buffer) = (ToCrlf::default(), 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(len) => size += line_ends.count(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
