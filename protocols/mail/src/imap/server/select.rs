//! SELECT and EXAMINE, with what a client is told of a mailbox that it opens, and the quick resynchronization (RFC 7162 3.2.5).

use std::rc::Rc;

use super::{
    answer::Done,
    selected::{Enabled, Selected, line},
    session::Session,
    store_values::name_of,
    uid_ranges::{difference, intersection, uid_set},
};
use crate::{
    imap::codec::{QResync, SelectCommand},
    store::{Mailbox, ModSeq, SystemFlag, Uid},
};

/// How many messages are looked at before others have the loop.
const MESSAGES_AT_ONCE: usize = 1_000;

impl Session {
    pub(super) async fn select_mailbox(
        &self,
        command: SelectCommand,
        is_read_only: bool,
    ) -> Result<Done, Done> {
        // Whatever becomes of this, no mailbox is selected before it (RFC 3501 6.3.1).
        if self.unselect() {
            self.write(b"* OK [CLOSED] Closed\r\n");
        }
        if command.qresync.is_some() && !self.enabled.get().qresync {
            return Err(Done::bad("Enable QRESYNC first"));
        }
        if command.has_condstore || command.qresync.is_some() {
            self.enable_condstore();
        }
        let name = name_of(&command.mailbox)?;
        let mailbox = self.account()?.open(&name).await?;
        mailbox.refresh().await?;
        let selected = Selected::new(Rc::clone(&mailbox), is_read_only);
        let mut out = Vec::new();
        write_flags(&mut out, &*mailbox, is_read_only);
        line(&mut out, format_args!("* {} EXISTS", selected.view.len()));
        let status = mailbox.status();
        let recent = if is_read_only { status.recent.into() } else { selected.recent_count() };
        line(&mut out, format_args!("* {recent} RECENT"));
        if let Some(number) = self.first_unseen(&selected).await? {
            line(&mut out, format_args!("* OK [UNSEEN {number}] The first that was not read"));
        }
        line(&mut out, format_args!("* OK [UIDVALIDITY {}] Valid", status.uid_validity));
        line(&mut out, format_args!("* OK [UIDNEXT {}] The next", status.uid_next));
        line(&mut out, format_args!("* OK [HIGHESTMODSEQ {}] The last change", selected.highest()));
        self.write(&out);
        let resync =
            command.qresync.filter(|resync| resync.uid_validity == status.uid_validity.get());
        if let Some(resync) = resync {
            self.resynchronize(&selected, &resync).await?;
        }
        self.select(selected);
        Ok(match is_read_only {
            true => Done::ok("For reading").code("READ-ONLY"),
            false => Done::ok("Selected").code("READ-WRITE"),
        })
    }

    /// The number of the first message without `\Seen`.
    async fn first_unseen(&self, selected: &Selected) -> Result<Option<u32>, Done> {
        let mut from = (selected.mailbox.status().unseen > 0).then_some(Uid::MIN);
        while let Some(first) = from {
            let messages = selected.mailbox.messages(first, MESSAGES_AT_ONCE);
            let unseen = messages.iter().find(|info| !info.flags.contains(SystemFlag::Seen));
            if let Some(info) = unseen {
                return Ok(selected.view.number(info.uid));
            }
            from = messages.last().and_then(|last| last.uid.next());
            self.pause().await?;
        }
        Ok(None)
    }

    /// Tells what has changed since the client was here.
    async fn resynchronize(&self, selected: &Selected, resync: &QResync) -> Result<(), Done> {
        let mailbox = &selected.mailbox;
        let last = mailbox.status().uid_next.get().saturating_sub(1);
        let known = match &resync.known_uids {
            Some(uids) => uid_set(uids.ranges(last.max(1)), last),
            None => uid_set(std::iter::once((1, last)), last),
        };
        let since = ModSeq::new(resync.modseq).unwrap_or(ModSeq::MAX);
        let changes = mailbox.changes_since(since);
        let vanished = match changes.vanished {
            Some(vanished) => intersection(&vanished, &known),
            None => known.clone(),
        };
        // What has gone since the messages were counted is told later.
        let vanished = difference(&vanished, &selected.view.all());
        self.tell_vanished_earlier(vanished).await?;
        let mut out = Vec::new();
        for uid in changes.changed.iter().filter(|uid| known.contains(**uid)) {
            selected.write_flags(&mut out, *uid, Enabled { condstore: true, qresync: true });
            if out.len() > 16 << 10 {
                self.write(&std::mem::take(&mut out));
                self.room().await?;
            }
        }
        self.write(&out);
        Ok(())
    }

    /// Looks for what others have changed, as NOOP and CHECK do.
    pub(super) async fn refresh(&self) -> Result<Done, Done> {
        if let Ok(mailbox) = self.mailbox() {
            mailbox.refresh().await?;
        }
        Ok(Done::ok("Done"))
    }
}

/// The flags that messages have or may have.
pub(super) fn write_flags(out: &mut Vec<u8>, mailbox: &dyn Mailbox, is_read_only: bool) {
    let mut flags = "\\Answered \\Flagged \\Deleted \\Seen \\Draft".to_owned();
    for keyword in mailbox.keywords() {
        flags += &format!(" {keyword}");
    }
    line(out, format_args!("* FLAGS ({flags})"));
    let permanent = match (is_read_only, mailbox.takes_new_keywords()) {
        (true, _) => String::new(),
        (false, true) => format!("{flags} \\*"),
        (false, false) => flags,
    };
    line(out, format_args!("* OK [PERMANENTFLAGS ({permanent})] These stay"));
}
