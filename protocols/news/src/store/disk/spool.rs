//! The spool: [`Spool`], opened and changed by calls that block. What cleans it is in `upkeep.rs`, what a server needs, on threads of the
//! pool, in `store.rs`.

use sinew_transports::reactor::with_causes;

use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use fs4::fs_std::FileExt;

use super::{
    super::{
        GroupInfo, GroupStatus, Locator, NewArticle, NewGroup, StoreError, Stored,
        index::{Entry, Index},
        memory::{line_of, placed},
    },
    folder,
    history::History,
    overviews::{self, LineAt},
    record::Record,
    texts,
};
use crate::nntp::codec::{
    Article, ArticleLimits, GroupName, MessageId, OverviewLine, Range, seconds,
};

/// Most bytes of a piece of the overview that are read for one question.
const OVERVIEW_PIECE: u64 = 1024 * 1024;

/// How a spool is kept.
#[derive(Clone, Debug)]
#[must_use]
pub struct SpoolConfig {
    is_synced: bool,
    pub(super) remember: Duration,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self { is_synced: true, remember: Duration::from_secs(14 * 24 * 60 * 60) }
    }
}

impl SpoolConfig {
    /// Whether an article is on the disk before it is said to be stored. Default yes. Without, a crash of the process loses nothing;
    /// one of the system may lose the last articles.
    pub fn sync(mut self, is_synced: bool) -> Self {
        self.is_synced = is_synced;
        self
    }

    /// How long identifiers are remembered, counted from the arrival of the article. Default 14 days. It must be longer than the
    /// age at which a server refuses articles, or old ones can arrive twice.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }
}

/// Groups and articles in a folder. A handle: clones are the same spool, also on other threads.
///
/// Its own methods block: call them before the loop runs, or by `defer_to_thread`. As a [`NewsStore`](super::super::NewsStore) it
/// reads and writes files on the thread pool. What it knows of articles, but for texts and overview, it keeps in memory: some hundred
/// bytes an article.
///
/// # Examples
///
/// ```no_run
/// use std::time::SystemTime;
/// use sinew_news::store::{NewGroup, Spool, SpoolConfig};
///
/// fn open(now: SystemTime) -> Result<Spool, Box<dyn std::error::Error>> {
///     let spool = Spool::open("/var/spool/news", SpoolConfig::default())?;
///     let name = "misc.test".parse()?;
///     if spool.group_info(&name).is_none() {
///         spool.create_group(NewGroup::new(name), now)?;
///     }
///     Ok(spool)
/// }
/// ```
#[derive(Clone)]
pub struct Spool(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) root: PathBuf,
    pub(super) config: SpoolConfig,
    /// Held while something is changed. Never taken while `index` is held.
    history: Mutex<History>,
    /// Held for lookups, and for slices of what goes through all of it; never while a file is read or written.
    pub(super) index: Mutex<Index<LineAt>>,
    /// Held until it is closed.
    lock: Mutex<Option<File>>,
    /// How often the index was held.
    #[cfg(test)]
    pub(super) holds: std::sync::atomic::AtomicUsize,
}

impl Spool {
    /// Opens the spool in this folder, or creates it, and mends what a crash has left.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: a file cannot be read or written, another process has the spool open, or its history is damaged.
    pub fn open(root: impl Into<PathBuf>, config: SpoolConfig) -> Result<Self, StoreError> {
        let root = root.into();
        for path in [root.clone(), root.join("articles"), root.join("overview"), root.join("feeds")]
        {
            folder::create(&path, config.is_synced)?;
        }
        let path = root.join("lock");
        let lock = File::create(&path).map_err(StoreError::file("open", &path))?;
        match FileExt::try_lock_exclusive(&lock) {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::InUse { path: root }),
            Err(error) => return Err(StoreError::file("lock", path)(error)),
        }
        let mut index = Index::default();
        let mut homeless = Vec::new();
        let history = History::open(&root, config.is_synced, |record| {
            homeless.extend(apply(&mut index, record));
        })?;
        // A crash between a record and its removals.
        homeless.retain(|sequence| !index.articles.contains_key(sequence));
        homeless.iter().for_each(|sequence| texts::remove(&root, *sequence));
        let inner = Inner {
            root,
            config,
            history: Mutex::new(history),
            index: Mutex::new(index),
            lock: Mutex::new(Some(lock)),
            #[cfg(test)]
            holds: Default::default(),
        };
        inner.mend_overview()?;
        Ok(Self(Arc::new(inner)))
    }

    /// Stores nothing more, and lets another process open the spool, once a change that has begun is done. What is here can still be
    /// read: connections that are being drained get their responses, and what they send is refused for now, by
    /// [`StoreError::Closed`]. All clones are closed; without a call, the spool is when the last one is dropped.
    pub fn close(&self) {
        let mut history = self.0.history();
        history.close();
        // Unlocks.
        drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// What is known of a group.
    #[must_use]
    pub fn group_info(&self, name: &GroupName) -> Option<GroupInfo> {
        self.0.index().group(name)
    }

    /// Creates a group.
    ///
    /// # Errors
    ///
    /// [`StoreError::GroupExists`], or the history cannot be written.
    pub fn create_group(&self, group: NewGroup, now: SystemTime) -> Result<(), StoreError> {
        let mut history = self.0.history();
        let id = self.0.index().new_group(&group)?;
        let created = seconds(now);
        history.append(&[Record::Group { id, group: group.clone(), created, high: 0 }])?;
        self.0.index().put_group(id, group, created, 0);
        Ok(())
    }

    /// Changes who may post to a group.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoGroup`], or the history cannot be written.
    pub fn set_status(&self, name: &GroupName, status: GroupStatus) -> Result<(), StoreError> {
        let mut history = self.0.history();
        let (id, group, created, high) = {
            let index = self.0.index();
            let group = index.groups.get(name).ok_or_else(|| StoreError::NoGroup(name.clone()))?;
            (group.id, group.as_new(name).status(status), group.created, group.high)
        };
        history.append(&[Record::Group { id, group: group.clone(), created, high }])?;
        self.0.index().put_group(id, group, created, high);
        Ok(())
    }
}

/// Makes a change. Returns the articles whose texts are not needed any more.
pub(super) fn apply(index: &mut Index<LineAt>, record: Record) -> Vec<u64> {
    match record {
        Record::Begin { next_sequence } => {
            index.next_sequence = index.next_sequence.max(next_sequence);
        }
        Record::Group { id, group, created, high } => index.put_group(id, group, created, high),
        Record::GroupGone { id } => {
            return index.remove_group(id);
        }
        Record::Article { sequence, entry } => index.put_article(sequence, entry),
        Record::Gone { sequences } => {
            sequences.iter().for_each(|sequence| index.remove_article(*sequence));
            return sequences;
        }
        Record::Seen { id, at } => index.remember(id, at),
    }
    Vec::new()
}

impl Inner {
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        // A panic in between leaves a state that the next change finds as it is on the disk, or refuses.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index<LineAt>> {
        #[cfg(test)]
        self.holds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores an article. `None` if it was seen before.
    pub(super) fn put(
        &self,
        new: &NewArticle,
        now: SystemTime,
    ) -> Result<Option<Stored>, StoreError> {
        let mut history = self.history();
        history.check()?;
        let (sequence, places, stored, at) = {
            let index = self.index();
            if index.history.contains_key(&new.id) {
                return Ok(None);
            }
            let (sequence, places) = (index.next_sequence, index.places(&new.groups));
            let stored = index.stored(sequence, &places);
            (sequence, places, stored, seconds(now).max(index.last_at))
        };
        let (article, line) = placed(&new.article, &new.host, &stored.places);
        texts::write(&self.root, sequence, article.text(), self.config.is_synced)?;
        let entry = Entry { id: new.id.clone(), at, places: places.clone() };
        history.append(&[Record::Article { sequence, entry: entry.clone() }])?;
        self.index().put_article(sequence, entry);
        for (id, number) in places {
            self.add_line_if_possible(id, &line.with_number(number));
        }
        Ok(Some(stored))
    }

    pub(super) fn remember(&self, id: &MessageId, now: SystemTime) -> Result<(), StoreError> {
        let mut history = self.history();
        if self.index().history.contains_key(id) {
            return Ok(());
        }
        let at = seconds(now);
        history.append(&[Record::Seen { id: id.clone(), at }])?;
        self.index().remember(id.clone(), at);
        Ok(())
    }

    /// A line that cannot be written, as on a disk that is full, is read from the article until the spool is opened the next time.
    fn add_line_if_possible(&self, group: u32, line: &OverviewLine) {
        if let Err(error) = self.add_line(group, line) {
            tracing::warn!(error = %with_causes(&error), "a line of the overview was not written");
        }
    }

    fn add_line(&self, group: u32, line: &OverviewLine) -> Result<(), StoreError> {
        let note = overviews::append(&self.root, group, line)?;
        let mut index = self.index();
        if let Some(slot) =
            index.group_of(group).and_then(|group| group.articles.get_mut(&line.number()))
        {
            slot.note = note;
        }
        Ok(())
    }

    /// Finds the lines of the overview, and makes those that are missing.
    fn mend_overview(&self) -> Result<(), StoreError> {
        let mut index = self.index();
        let groups: Vec<_> =
            index.groups.iter().map(|(name, group)| (name.clone(), group.id)).collect();
        let mut missing = Vec::new();
        for (name, id) in groups {
            overviews::scan(&self.root, id, |number, line, note| {
                let Some(found) = index.find(&Locator::Number(name.clone(), number)) else {
                    return;
                };
                // A line of another article, whose record was lost, may have had the number.
                let is_right = line.message_id().as_ref() == Some(&found.id);
                let group = index.groups.get_mut(&name).filter(|_| is_right);
                if let Some(slot) = group.and_then(|group| group.articles.get_mut(&number)) {
                    slot.note = note;
                }
            })?;
            let without = index.slots(&name, Range::all()).filter(|(_, slot)| slot.note.len == 0);
            missing.extend(without.map(|(number, slot)| (id, number, slot.sequence)));
        }
        drop(index);
        for (group, number, sequence) in missing {
            match self.line_from_text(sequence, number)? {
                Some(line) => self.add_line_if_possible(group, &line),
                None => self.lost(sequence)?,
            }
        }
        Ok(())
    }

    /// The text of an article is gone, or is no article: the spool goes on without.
    fn lost(&self, sequence: u64) -> Result<(), StoreError> {
        tracing::error!(path = %texts::path(&self.root, sequence).display(), "an article is lost");
        self.history().append(&[Record::Gone { sequences: vec![sequence] }])?;
        self.index().remove_article(sequence);
        texts::remove(&self.root, sequence);
        Ok(())
    }

    fn line_from_text(
        &self,
        sequence: u64,
        number: u64,
    ) -> Result<Option<OverviewLine>, StoreError> {
        let Some(text) = texts::read(&self.root, sequence)? else { return Ok(None) };
        let limits = ArticleLimits::default().bytes_max(usize::MAX).head_max(usize::MAX);
        let article = Article::new(text, &limits.fields_max(usize::MAX));
        Ok(article.ok().map(|article| line_of(&article, number)))
    }

    /// The overview of some articles of a group; none only if there are none in the rest of the range, whatever texts are lost.
    pub(super) fn lines(
        &self,
        group: &GroupName,
        mut range: Range,
        max: usize,
    ) -> Result<Vec<OverviewLine>, StoreError> {
        loop {
            let (id, slots) = {
                let index = self.index();
                let Some(id) = index.groups.get(group).map(|group| group.id) else {
                    return Ok(Vec::new());
                };
                let slots = index.slots(group, range).take(max);
                let slots: Vec<_> =
                    slots.map(|(number, slot)| (number, slot.sequence, slot.note)).collect();
                (id, slots)
            };
            let Some((last, ..)) = slots.last() else { return Ok(Vec::new()) };
            let lines = self.lines_at(id, &slots)?;
            if !lines.is_empty() {
                return Ok(lines);
            }
            range.first = last.saturating_add(1);
        }
    }

    /// The overview of articles whose places were looked up: their numbers, sequence numbers and lines.
    fn lines_at(
        &self,
        id: u32,
        slots: &[(u64, u64, LineAt)],
    ) -> Result<Vec<OverviewLine>, StoreError> {
        let mut reader = overviews::Reader::open(&self.root, id)?;
        let mut lines = Vec::with_capacity(slots.len());
        let mut rest = slots;
        while let Some((_, _, first)) = rest.first() {
            // Lines that lie behind one another are read together, as far as they are not too many bytes.
            let end = |note: &LineAt| note.at + u64::from(note.len);
            let is_near = |note: &LineAt| {
                note.len > 0 && note.at >= first.at && end(note) - first.at <= OVERVIEW_PIECE
            };
            let count = rest.iter().take_while(|(_, _, note)| is_near(note)).count().max(1);
            let (some, others) = rest.split_at(count);
            rest = others;
            let to = some.iter().map(|(_, _, note)| end(note)).max().unwrap_or_default();
            let bytes = reader.read(first.at, to)?;
            for (number, sequence, note) in some {
                let at = usize::try_from(note.at.saturating_sub(first.at)).unwrap_or(usize::MAX);
                let line = match note.len {
                    0 => None,
                    _ => overviews::line(&bytes, at).filter(|line| line.number() == *number),
                };
                match line {
                    Some(line) => lines.push(line),
                    None => lines.extend(self.line_from_text(*sequence, *number)?),
                }
            }
        }
        Ok(lines)
    }

    pub(super) fn line_of_id(&self, id: &MessageId) -> Result<Option<OverviewLine>, StoreError> {
        let found = self.index().find(&Locator::Id(id.clone()));
        match found {
            Some(found) => self.line_from_text(found.sequence, 0),
            None => Ok(None),
        }
    }

    pub(super) fn position(&self, peer: &str) -> Result<u64, StoreError> {
        let path = self.feed(peer);
        match fs::read_to_string(&path) {
            // A crash of the system may leave an empty file: everything is offered again.
            Ok(text) => Ok(text.trim().parse().unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(StoreError::file("read", path)(error)),
        }
    }

    pub(super) fn set_position(&self, peer: &str, sequence: u64) -> Result<(), StoreError> {
        let history = self.history();
        history.check()?;
        let path = self.feed(peer);
        let new = path.with_file_name(format!(".{}.new", file_name(peer)));
        let written =
            fs::write(&new, format!("{sequence}\n")).and_then(|()| fs::rename(&new, &path));
        written.map_err(StoreError::file("write", path))
    }

    fn feed(&self, peer: &str) -> PathBuf {
        self.root.join("feeds").join(file_name(peer))
    }
}

/// The name of a peer, as it may stand in a path.
fn file_name(peer: &str) -> String {
    let plain = peer.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    });
    plain.fold("to-".to_owned(), |name, part| name + &part)
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = self.0.index();
        f.debug_struct("Spool")
            .field("root", &Path::new(&self.0.root))
            .field("groups", &index.groups.len())
            .field("articles", &index.articles.len())
            .finish_non_exhaustive()
    }
}
