//! What has changed in a mailbox since the last time: [`SyncState`] is what a program keeps, [`Synced`] is what it learns.

use std::collections::BTreeSet;

use super::{Fetched, ImapClient, ImapError, MailboxView};
use crate::imap::codec::{
    Atom, Capabilities, FetchCommand, FetchData, FetchItem, Flag, MailboxName, QResync, SearchKey,
    SequenceSet,
};

/// Most UIDs of one command.
const UIDS_OF_A_COMMAND: usize = 500;

/// Longest set of known UIDs that is sent, so that lines stay short (RFC 7162 4). Without it, the server tells of UIDs that are not known, too.
const KNOWN_MAX: usize = 4 * 1024;

/// What a program knows of a mailbox, and keeps until the next time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncState {
    /// The validity of the UIDs. 0 if nothing is known.
    pub uid_validity: u32,
    /// The highest modification sequence. `None` if the server has none.
    pub highest_modseq: Option<u64>,
    /// The UIDs of all messages.
    pub uids: BTreeSet<u32>,
}

/// What has changed, and what is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Synced {
    /// What to keep until the next time.
    pub state: SyncState,
    /// The mailbox, which is selected.
    pub view: MailboxView,
    /// Whether the UIDs are not those of the last time: all that was known is void, and all messages are new.
    pub is_reset: bool,
    /// Messages that were not known, with their flags.
    pub new: Vec<(u32, Vec<Flag>)>,
    /// Messages that were known, with their flags: those whose flags have changed or, with a server without modification sequences, all.
    pub changed: Vec<(u32, Vec<Flag>)>,
    /// Messages that were known, and are gone.
    pub vanished: BTreeSet<u32>,
}

impl SyncState {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was known already.
    #[must_use]
    pub fn of(uid_validity: u32, highest_modseq: Option<u64>, uids: BTreeSet<u32>) -> Self {
        Self { uid_validity, highest_modseq, uids }
    }
}

impl ImapClient {
    /// Selects a mailbox and learns what has changed since `known`: by QRESYNC, by modification sequences, or by comparing the UIDs and
    /// flags of all messages, whichever is the best that the server has.
    ///
    /// It is not cancel safe: a future that is dropped may leave the mailbox selected.
    ///
    /// # Errors
    ///
    /// [`ImapError`]. Nothing that was returned before is void then. [`ImapError::NotSelected`] if another mailbox was selected, or this one
    /// was left, before it was done.
    pub async fn sync(&self, mailbox: MailboxName, known: SyncState) -> Result<Synced, ImapError> {
        let capabilities = self.capabilities();
        let modseq = known.highest_modseq.filter(|_| known.uid_validity != 0);
        if capabilities.has("QRESYNC") && capabilities.has_or_rev2("ENABLE") {
            self.enable_qresync(&capabilities).await?;
            if let Some(modseq) = modseq.filter(|_| self.shared().has_qresync.get()) {
                return self.sync_quickly(mailbox, known, modseq).await;
            }
        }
        let has_condstore = capabilities.has("CONDSTORE") || capabilities.has("QRESYNC");
        let name = mailbox.clone();
        let view = match has_condstore {
            true => self.select_condstore(mailbox).await?,
            false => self.select(mailbox).await?,
        };
        let selection = self.selection_of(&name)?;
        let mut comparison = Comparison::new(known, view)?;
        comparison.compare(self.all_uids(&comparison.view).await?);
        let since =
            modseq.filter(|_| !comparison.is_reset && comparison.view.highest_modseq.is_some());
        match since {
            Some(since) => self.fetch_changed(&mut comparison, since).await?,
            None => self.fetch_all(&mut comparison).await?,
        }
        self.finish(comparison, selection)
    }

    /// The number of the selection, if this mailbox is the one that is selected.
    fn selection_of(&self, mailbox: &MailboxName) -> Result<u64, ImapError> {
        match self.selected() {
            Some(view) if view.name == *mailbox => Ok(self.shared().selections.get()),
            _ => Err(ImapError::NotSelected),
        }
    }

    /// What has changed, unless somebody has selected another mailbox meanwhile: what was told then may be of that one.
    fn finish(&self, comparison: Comparison, selection: u64) -> Result<Synced, ImapError> {
        match self.shared().selections.get() == selection {
            true => Ok(comparison.finish()),
            false => Err(ImapError::NotSelected),
        }
    }

    /// Once for a connection, and not while a mailbox is selected (RFC 5161 3.1).
    async fn enable_qresync(&self, capabilities: &Capabilities) -> Result<(), ImapError> {
        if self.shared().has_qresync.get() {
            return Ok(());
        }
        if self.selected().is_some() && capabilities.has_or_rev2("UNSELECT") {
            self.unselect().await?;
        }
        self.enable([Atom::from_static("QRESYNC")]).await.map(drop)
    }

    /// With QRESYNC: the server says what is gone, and what has changed, in the answer to SELECT.
    async fn sync_quickly(
        &self,
        mailbox: MailboxName,
        known: SyncState,
        modseq: u64,
    ) -> Result<Synced, ImapError> {
        let mut resync = QResync::new(known.uid_validity, modseq.max(1));
        let uids = SequenceSet::of_sorted(known.uids.iter().copied());
        resync.known_uids = uids.filter(|uids| uids.to_string().len() <= KNOWN_MAX);
        let name = mailbox.clone();
        let selected = self.select_qresync(mailbox, resync).await?;
        let selection = self.selection_of(&name)?;
        let mut comparison = Comparison::new(known, selected.view)?;
        if comparison.is_reset || comparison.view.highest_modseq.is_none() {
            comparison.compare(self.all_uids(&comparison.view).await?);
            self.fetch_all(&mut comparison).await?;
            return self.finish(comparison, selection);
        }
        for uids in &selected.vanished {
            comparison.vanish(uids);
        }
        for (number, items) in selected.changed {
            comparison.note(&Fetched { number, items });
        }
        // A message that the server has told nothing of: one that has come between, or before modification sequences were kept.
        if u64::from(comparison.view.exists) != comparison.uids.len() as u64 {
            comparison.compare(self.all_uids(&comparison.view).await?);
            self.fetch_missing(&mut comparison).await?;
        }
        self.finish(comparison, selection)
    }

    /// The UIDs of all messages.
    async fn all_uids(&self, view: &MailboxView) -> Result<Vec<u32>, ImapError> {
        if view.exists == 0 {
            return Ok(Vec::new());
        }
        self.uid_search(SearchKey::All).await
    }

    /// The flags of all messages, which may be many: their data are taken as they arrive.
    async fn fetch_all(&self, comparison: &mut Comparison) -> Result<(), ImapError> {
        let uids: Vec<u32> = comparison.uids.iter().copied().collect();
        self.fetch_flags(comparison, &uids).await
    }

    /// The flags of messages that were not known and have not been told.
    async fn fetch_missing(&self, comparison: &mut Comparison) -> Result<(), ImapError> {
        let missing: Vec<u32> = comparison.without_flags().collect();
        self.fetch_flags(comparison, &missing).await
    }

    async fn fetch_flags(
        &self,
        comparison: &mut Comparison,
        uids: &[u32],
    ) -> Result<(), ImapError> {
        for uids in uids.chunks(UIDS_OF_A_COMMAND) {
            let Some(set) = SequenceSet::of_sorted(uids.iter().copied()) else { continue };
            for message in self.uid_fetch(set, [FetchItem::Uid, FetchItem::Flags]).await? {
                comparison.note(&message);
            }
        }
        Ok(())
    }

    /// The flags of messages that were changed since then, and of new ones.
    async fn fetch_changed(
        &self,
        comparison: &mut Comparison,
        since: u64,
    ) -> Result<(), ImapError> {
        if comparison.view.exists > 0 {
            let items = [FetchItem::Uid, FetchItem::Flags];
            let mut fetch = FetchCommand::new(SequenceSet::all(), items).by_uid();
            fetch.changed_since = Some(since.max(1));
            for message in self.fetch_with(fetch).await? {
                comparison.note(&message);
            }
        }
        self.fetch_missing(comparison).await
    }
}

/// What is found out, step by step.
struct Comparison {
    known: BTreeSet<u32>,
    uids: BTreeSet<u32>,
    view: MailboxView,
    uid_validity: u32,
    is_reset: bool,
    flags: std::collections::BTreeMap<u32, Vec<Flag>>,
}

impl Comparison {
    fn new(known: SyncState, view: MailboxView) -> Result<Self, ImapError> {
        let missing = ImapError::Incomplete { command: "SELECT", missing: "the validity of UIDs" };
        let uid_validity = view.uid_validity.ok_or(missing)?;
        let is_reset = known.uid_validity != 0 && known.uid_validity != uid_validity;
        let known = if is_reset { BTreeSet::new() } else { known.uids };
        let uids = known.clone();
        Ok(Self { known, uids, view, uid_validity, is_reset, flags: Default::default() })
    }

    /// These are all messages.
    fn compare(&mut self, uids: Vec<u32>) {
        self.uids = uids.into_iter().collect();
    }

    /// These are gone. Ranges may be long, and are compared with what is known.
    fn vanish(&mut self, uids: &SequenceSet) {
        for (from, to) in uids.ranges(u32::MAX) {
            let gone: Vec<u32> = self.uids.range(from..=to).copied().collect();
            for uid in gone {
                self.uids.remove(&uid);
            }
        }
    }

    /// The flags of a message.
    fn note(&mut self, message: &Fetched) {
        let Some(uid) = message.uid() else { return };
        let flags = message.items.iter().find_map(|item| match item {
            FetchData::Flags(flags) => Some(flags.clone()),
            _ => None,
        });
        self.uids.insert(uid);
        if let Some(flags) = flags {
            self.flags.insert(uid, flags);
        }
    }

    /// New messages whose flags are not known.
    fn without_flags(&self) -> impl Iterator<Item = u32> {
        self.uids
            .iter()
            .filter(|uid| !self.known.contains(uid) && !self.flags.contains_key(uid))
            .copied()
    }

    fn finish(self) -> Synced {
        let vanished = self.known.difference(&self.uids).copied().collect();
        let (changed, new) = self.flags.into_iter().partition(|(uid, _)| self.known.contains(uid));
        let state = SyncState {
            uid_validity: self.uid_validity,
            highest_modseq: self.view.highest_modseq,
            uids: self.uids,
        };
        let (view, is_reset) = (self.view, self.is_reset);
        Synced { state, view, is_reset, new, changed, vanished }
    }
}
