//! A mailbox on the disk, as a thread of the pool sees it: [`Folder`] is what is remembered of its files, [`Work`] one piece of work on
//! them, under the lock of the folder. What is done with messages is in `edits.rs`; how other programs' changes are found, in `scan.rs`.
//!
//! The index belongs to the loop, which shows it to sessions. Work has a reference to it, and returns the changes that it has made, for
//! the loop to apply: so nothing is copied. Only if work needs the index as others have changed it meanwhile, it makes one of its own,
//! which replaces that of the loop.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    config::Settings,
    disk::{self, Done, FileId},
    keywords_file,
    place::Place,
    stamp::Stamp,
    uid_list::{self, Lines, ListEnd},
};
use crate::{
    file_lock::FileLock,
    store::{
        FlagChange, Flags, Keyword, MailboxName, ModSeq, StoreError, Uid, UidValidity,
        index::{Change, Index},
    },
};

pub(super) const LIST: &str = "sinew-uidlist";
pub(super) const LIST_LOCK: &str = "sinew-uidlist.lock";
pub(super) const POP3_LOCK: &str = "sinew-pop3.lock";
const VALIDITY: &str = "sinew-uidvalidity";
const VALIDITY_LOCK: &str = "sinew-uidvalidity.lock";
const KEYWORDS: &str = "dovecot-keywords";

/// A list with fewer lines than this is not made shorter.
const LINES_MIN: usize = 1_024;

/// How much of the end of a list is read for a message that is added.
const END_LEN: u64 = 8 * 1024;

/// What is remembered of the files of a mailbox between two pieces of work.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) name: MailboxName,
    pub(super) path: PathBuf,
    /// The Maildir that it is in.
    pub(super) root: PathBuf,
    pub(super) settings: Arc<Settings>,
    /// The list as it was read or written last, and its lines.
    list: Option<(FileId, usize)>,
    keywords: Option<FileId>,
    /// How its folders were at the last scan, if that can be told.
    pub(super) stamp: Option<Stamp>,
    pub(super) has_cleaned: bool,
}

/// What work has brought about, for the loop.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The index as others have changed it.
    pub(super) replaced: Option<Arc<Index<Place>>>,
    pub(super) keywords: Option<Vec<Keyword>>,
    /// On top of that.
    pub(super) changes: Vec<Change<Place>>,
    /// The mailbox is not there any more, or is another.
    pub(super) is_gone: bool,
}

/// One piece of work. It has the lock of the folder.
pub(super) struct Work<'a> {
    pub(super) folder: &'a mut Folder,
    index: Option<Arc<Index<Place>>>,
    outcome: Outcome,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// The list was made just now, so no message has a UID yet.
    is_new: bool,
    _lock: FileLock,
}

/// What came of trying to work.
pub(super) enum Tried {
    /// Another process has the lock.
    Busy,
    Done(Outcome),
}

impl Folder {
    pub(super) fn new(
        name: MailboxName,
        path: PathBuf,
        root: PathBuf,
        settings: Arc<Settings>,
    ) -> Self {
        let (list, keywords, stamp) = (None, None, None);
        Self { name, path, root, settings, list, keywords, stamp, has_cleaned: false }
    }

    /// With the name and the path that it has now.
    pub(super) fn renamed(self, name: MailboxName, path: PathBuf) -> Self {
        Self { name, path, ..self }
    }

    pub(super) fn missing(&self) -> StoreError {
        StoreError::NoSuchMailbox { name: self.name.clone() }
    }

    /// Takes the lock and works. `Busy` before anything was done.
    pub(super) fn work(
        &mut self,
        index: Option<Arc<Index<Place>>>,
        now: i64,
        work: &mut dyn FnMut(Result<&mut Work<'_>, StoreError>),
    ) -> Tried {
        let gone = || Outcome { is_gone: true, ..Outcome::default() };
        let lock = match disk::try_lock(&self.path.join(LIST_LOCK)) {
            Ok(Some(Some(lock))) => lock,
            Ok(Some(None)) => return Tried::Busy,
            Ok(None) => {
                work(Err(self.missing()));
                return Tried::Done(gone());
            }
            Err(error) => {
                work(Err(error));
                return Tried::Done(Outcome::default());
            }
        };
        let (outcome, had_index) = (Outcome::default(), index.is_some());
        let mut begun = Work { folder: self, index, outcome, now, is_new: false, _lock: lock };
        work(Ok(&mut begun));
        let Work { folder, outcome, .. } = begun;
        if !had_index && outcome.replaced.is_none() {
            // The loop has no index that these would be part of, so the next work reads them anew.
            (folder.list, folder.keywords) = (None, None);
        }
        Tried::Done(outcome)
    }
}

impl Work<'_> {
    /// Knows the list as it is on the disk, and makes one if there is none.
    pub(super) fn sync(&mut self) -> Done {
        let path = self.folder.path.join(LIST);
        match (FileId::of(&path)?, self.folder.list) {
            (None, _) => self.create_list(&path)?,
            (Some(id), Some((known, _))) if id == known && self.index.is_some() => {}
            (Some(id), Some((known, _))) if id.is_grown_from(&known) && self.index.is_some() => {
                self.read_tail(&path, known)?;
            }
            (Some(id), _) => self.read_list(&path, id)?,
        }
        self.sync_keywords()?;
        if mem::take(&mut self.is_new) {
            self.scan()?;
        }
        let lines = self.folder.list.map_or(0, |(_, lines)| lines);
        let index = self.index();
        let shortest = 1 + index.len() + index.expunged().0.len();
        if lines > LINES_MIN.max(2 * shortest) {
            self.write_list(&path)?;
        }
        Ok(())
    }

    /// Whether the loop has the index, or this work has read it.
    pub(super) fn has_index(&self) -> bool {
        self.index.is_some()
    }

    /// What a message needs to know that is added to a mailbox that nobody has open: from the first and the last lines of the list, so that
    /// it does not take longer the more messages there are. `None` if these do not tell it; then all of the list is read.
    pub(super) fn sync_end(&mut self) -> Done<Option<ListEnd>> {
        let path = self.folder.path.join(LIST);
        let Some(bytes) = disk::read_ends(&path, END_LEN)? else { return Ok(None) };
        let end = ListEnd::parse(&bytes.first, &bytes.last);
        // There may be as many messages as there is room for lines.
        let lines_max = bytes.len / uid_list::LINE_LEN_MIN as u64;
        let is_known = lines_max < u64::from(self.folder.settings.limits.messages_max);
        if end.is_some() && is_known {
            self.sync_keywords()?;
        }
        Ok(end.filter(|_| is_known))
    }

    /// The index, with all changes.
    ///
    /// Only after [`sync`](Self::sync): before that there may be none, and an empty one is made that nobody sees.
    pub(super) fn index(&mut self) -> &Index<Place> {
        if !self.outcome.changes.is_empty() {
            let changes = mem::take(&mut self.outcome.changes);
            self.index_mut().apply(changes);
            self.outcome.replaced = self.index.clone();
        }
        self.index_mut_if_none()
    }

    fn index_mut_if_none(&mut self) -> &Index<Place> {
        let limits = &self.folder.settings.limits;
        let empty = || Arc::new(Index::new(UidValidity::after(None, 0), limits));
        self.index.get_or_insert_with(empty)
    }

    /// The index, to be changed here: a copy, unless it is one already.
    fn index_mut(&mut self) -> &mut Index<Place> {
        self.outcome.replaced = None;
        self.index_mut_if_none();
        Arc::make_mut(self.index.as_mut().expect("it was made in the line above"))
    }

    fn set_index(&mut self, mut index: Index<Place>) -> Done {
        let before = self.index.as_ref().map(|index| index.validity());
        if before.is_some_and(|before| before != index.validity()) {
            // The sessions have opened another one.
            self.outcome.is_gone = true;
            return Err(self.folder.missing());
        }
        if let Some(keywords) = self
            .outcome
            .keywords
            .take()
            .or_else(|| self.index.as_ref().map(|index| index.keywords().to_vec()))
        {
            index.set_keywords(keywords);
        }
        self.outcome.changes.clear();
        self.index = Some(Arc::new(index));
        self.outcome.replaced = self.index.clone();
        // Where the files are is not in the list.
        self.folder.stamp = None;
        Ok(())
    }

    fn create_list(&mut self, path: &Path) -> Done {
        let validity = self.new_validity()?;
        self.set_index(Index::new(validity, &self.folder.settings.limits))?;
        self.is_new = true;
        self.write_list(path)
    }

    fn read_list(&mut self, path: &Path, id: FileId) -> Done {
        let bytes = disk::read(path, 0)?.unwrap_or_default();
        let parsed = Lines::parse(&bytes, true);
        let Some((header, lines)) = parsed.ok().and_then(|lines| Some((lines.header?, lines)))
        else {
            tracing::error!(?path, "the list of a mailbox is damaged: its messages get new UIDs");
            return self.create_list(path);
        };
        let Lines { changes, torn, .. } = lines;
        let count = changes.len() + 1;
        let mut index = Index::new(header.validity, &self.folder.settings.limits);
        index.forget_before(header.forgotten);
        index.apply(changes);
        skip(&mut index, header.next, header.highest, torn);
        self.set_index(index)?;
        self.folder.list = Some((id, count));
        if torn > 0 { self.write_list(path) } else { Ok(()) }
    }

    /// Reads what others have appended.
    fn read_tail(&mut self, path: &Path, known: FileId) -> Done {
        let bytes = disk::read(path, known.len)?.unwrap_or_default();
        let id = FileId::of(path)?.unwrap_or(known);
        let read = known.len + bytes.len() as u64;
        match Lines::parse(&bytes, false) {
            Ok(Lines { changes, torn: 0, .. }) if id.len == read => {
                let lines = self.folder.list.map_or(0, |(_, lines)| lines) + changes.len();
                self.folder.list = Some((id, lines));
                self.outcome.changes.extend(changes);
                // Where the files are now is not in the list.
                self.folder.stamp = None;
                Ok(())
            }
            _ => self.read_list(path, id),
        }
    }

    /// Writes the list anew, as short as can be.
    fn write_list(&mut self, path: &Path) -> Done {
        let text = uid_list::encode(self.index());
        let lines = text.lines().count();
        self.folder.list = None;
        let id = disk::replace(path, text.as_bytes())?;
        self.folder.list = Some((id, lines));
        Ok(())
    }

    /// Has changes in the list, on the disk, and for the loop.
    pub(super) fn commit(&mut self, changes: Vec<Change<Place>>) -> Done {
        let text = uid_list::encode_changes(&changes);
        if !text.is_empty() {
            let lines = self.folder.list.take().map_or(0, |(_, lines)| lines);
            let id = disk::append(&self.folder.path.join(LIST), text.as_bytes())?;
            self.folder.list = Some((id, lines + text.lines().count()));
        }
        self.outcome.changes.extend(changes);
        Ok(())
    }

    /// The number of the next change.
    pub(super) fn next_mod_seq(&mut self) -> ModSeq {
        self.index().highest().next()
    }

    /// A validity that no mailbox of the account has had.
    fn new_validity(&self) -> Done<UidValidity> {
        let root = &self.folder.root;
        let _lock = disk::lock(&root.join(VALIDITY_LOCK))?.ok_or_else(|| self.folder.missing())?;
        let path = root.join(VALIDITY);
        let last = disk::read_text(&path)?.and_then(|text| text.trim().parse().ok());
        let now = u64::try_from(self.now).unwrap_or_default();
        let validity = UidValidity::after(last.and_then(UidValidity::new), now);
        disk::replace(&path, format!("{validity}\n").as_bytes())?;
        Ok(validity)
    }

    fn sync_keywords(&mut self) -> Done {
        let path = self.folder.path.join(KEYWORDS);
        let id = FileId::of(&path)?;
        if id == self.folder.keywords {
            return Ok(());
        }
        let keywords = keywords_file::parse(&disk::read_text(&path)?.unwrap_or_default());
        self.folder.keywords = id;
        if self.keywords() != keywords {
            self.outcome.keywords = Some(keywords);
        }
        Ok(())
    }

    /// The keywords, as they are known by now.
    pub(super) fn keywords(&self) -> &[Keyword] {
        match (&self.outcome.keywords, &self.index) {
            (Some(keywords), _) => keywords,
            (None, Some(index)) => index.keywords(),
            (None, None) => &[],
        }
    }

    /// Gives new keywords their letters, as long as there are any.
    pub(super) fn learn(&mut self, flags: &Flags) -> Done {
        let max = self.folder.settings.limits.keywords_max;
        let mut keywords = self.keywords().to_vec();
        let known = keywords.len();
        for keyword in flags.keywords() {
            if keywords.len() < max && !keywords.contains(keyword) {
                keywords.push(keyword.clone());
            }
        }
        if keywords.len() > known {
            let text = keywords_file::format(&keywords);
            let path = self.folder.path.join(KEYWORDS);
            self.folder.keywords = Some(disk::replace(&path, text.as_bytes())?);
            self.outcome.keywords = Some(keywords);
        }
        Ok(())
    }

    /// As [`learn`](Self::learn), unless the flags are only taken away.
    pub(super) fn learn_for(&mut self, change: &FlagChange) -> Done {
        if matches!(change, FlagChange::Remove(_)) { Ok(()) } else { self.learn(change.flags()) }
    }

    /// The mailbox is not there any more.
    pub(super) fn set_gone(&mut self) {
        self.outcome.is_gone = true;
    }
}

/// What was not written to its end may have been UIDs that were given out.
fn skip(index: &mut Index<Place>, next: Uid, highest: ModSeq, torn: u32) {
    let (mut next, mut highest) = (index.next().max(next), index.highest().max(highest));
    if torn > 0 {
        next = Uid::new(next.get().saturating_add(torn)).unwrap_or(Uid::MAX);
        highest = highest.next();
    }
    index.loaded(next, highest);
}
