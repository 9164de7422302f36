//! Commands that change messages: STORE, EXPUNGE, COPY, MOVE, CLOSE.

use super::{
    answer::Done,
    select::write_flags,
    selected::{Known, Occasion},
    session::Session,
    store_values::{flags_of, name_of},
};
use crate::{
    imap::codec::{CopyCommand, SequenceSet, StoreAction, StoreCommand},
    store::{Copied, Expunge, FlagChange, FlagsSet, ModSeq, Uid, UidSet},
};

impl Session {
    pub(super) async fn store(&self, command: StoreCommand) -> Result<Done, Done> {
        let uids = self.messages(&command.set, command.is_uid)?;
        let mailbox = self.writable_mailbox()?;
        let flags = flags_of(&command.flags);
        let change = match command.action {
            StoreAction::Replace => FlagChange::Replace(flags),
            StoreAction::Add => FlagChange::Add(flags),
            StoreAction::Remove => FlagChange::Remove(flags),
        };
        let unchanged_since =
            command.unchanged_since.map(|since| ModSeq::new(since).unwrap_or(ModSeq::MAX));
        if unchanged_since.is_some() {
            self.enable_condstore();
        }
        if command.is_silent {
            // What others have changed is told first: afterwards, it looks like what this client has changed.
            self.tell_changes(Occasion::NumbersAreUsed, &Known::default()).await?;
        }
        let keywords = mailbox.keywords().len();
        let set = mailbox.set_flags(&uids, change, unchanged_since).await?;
        if mailbox.keywords().len() > keywords {
            let mut out = Vec::new();
            write_flags(&mut out, &*mailbox, false);
            self.write(&out);
        }
        self.write_stored(&command, &set).await?;
        let known = Known { uids: set.done, mod_seq: Some(set.mod_seq) };
        let done = match set.modified.is_empty() {
            true => Done::ok("Done"),
            false => Done::ok("Some had changed")
                .code(format!("MODIFIED {}", self.told(&set.modified, command.is_uid)?)),
        };
        Ok(done.knowing(known))
    }

    /// Tells the flags of the messages that were changed. If the client does not want to know them, their modification sequences are
    /// told still (RFC 7162 3.1.3).
    async fn write_stored(&self, command: &StoreCommand, set: &FlagsSet) -> Result<(), Done> {
        let enabled = self.enabled.get();
        let tells_mod_seq = enabled.condstore || enabled.qresync;
        if command.is_silent && !tells_mod_seq {
            return Ok(());
        }
        let mailbox = self.mailbox()?;
        for (index, uid) in set.done.iter().enumerate() {
            if index % 100 == 99 {
                self.pause().await?;
            }
            let Some(info) = mailbox.message(uid) else { continue };
            if command.is_silent && info.mod_seq != set.mod_seq {
                continue;
            }
            let out = self.with_selected(|selected| {
                let mut out = format!("* {} FETCH (", selected.view.number(uid)?).into_bytes();
                if command.is_uid || enabled.qresync {
                    out.extend_from_slice(format!("UID {uid} ").as_bytes());
                }
                if tells_mod_seq {
                    out.extend_from_slice(format!("MODSEQ ({}) ", info.mod_seq).as_bytes());
                }
                match command.is_silent {
                    true => drop(out.pop()),
                    false => selected.write_flag_list(&mut out, &info),
                }
                out.extend_from_slice(b")\r\n");
                Some(out)
            })?;
            self.write(&out.unwrap_or_default());
            self.room().await?;
        }
        Ok(())
    }

    /// Messages as the client has named them.
    fn told(&self, uids: &UidSet, is_uid: bool) -> Result<String, Done> {
        if is_uid {
            return Ok(uids.to_string());
        }
        let numbers = self.with_selected(|selected| selected.view.numbers(uids))?;
        let ranges = numbers.iter().map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{from}:{to}"),
        });
        Ok(ranges.collect::<Vec<_>>().join(","))
    }

    pub(super) async fn expunge(&self, uids: Option<SequenceSet>) -> Result<Done, Done> {
        let uids = match uids {
            Some(uids) => self.messages(&uids, true)?,
            None => self.with_selected(|selected| selected.view.all())?,
        };
        let mailbox = self.writable_mailbox()?;
        let gone = mailbox.expunge(&uids, Expunge::Deleted).await?;
        let done = Done::ok("Done");
        match self.enabled.get().qresync && !gone.is_empty() {
            true => {
                // The number is that up to which all is told (RFC 7162 3.2.7).
                self.tell_changes(Occasion::Any, &Known::default()).await?;
                let highest = self.with_selected(|selected| selected.highest())?;
                Ok(done.code(format!("HIGHESTMODSEQ {highest}")))
            }
            false => Ok(done),
        }
    }

    /// CLOSE: messages with `\Deleted` go, and nobody is told here.
    pub(super) async fn close(&self) -> Result<Done, Done> {
        // Not the number of the last change: the client was not told of all up to there, nor of what goes now.
        let (all, told) =
            self.with_selected(|selected| (selected.view.all(), selected.highest()))?;
        let expunged = match self.writable_mailbox() {
            Ok(mailbox) => mailbox.expunge(&all, Expunge::Deleted).await.map(drop),
            Err(_) => Ok(()),
        };
        self.unselect();
        expunged?;
        let done = Done::ok("Done");
        Ok(if self.enabled.get().qresync {
            done.code(format!("HIGHESTMODSEQ {told}"))
        } else {
            done
        })
    }

    pub(super) async fn copy(&self, command: CopyCommand) -> Result<Done, Done> {
        let uids = self.messages(&command.set, command.is_uid)?;
        let to = name_of(&command.mailbox)?;
        let copied =
            self.mailbox()?.copy(&uids, &to).await.map_err(|error| Done::refused_target(&error))?;
        let done = Done::ok("Done");
        Ok(match copied.uids.is_empty() {
            true => done,
            false => done.code(copy_uid(&copied)),
        })
    }

    pub(super) async fn move_to(&self, command: CopyCommand) -> Result<Done, Done> {
        let uids = self.messages(&command.set, command.is_uid)?;
        let to = name_of(&command.mailbox)?;
        let mailbox = self.writable_mailbox()?;
        let moved =
            mailbox.move_to(&uids, &to).await.map_err(|error| Done::refused_target(&error))?;
        if !moved.uids.is_empty() {
            // RFC 6851 4.3: told before the messages go.
            self.write(format!("* OK [{}] Moved\r\n", copy_uid(&moved)).as_bytes());
        }
        Ok(Done::ok("Done"))
    }
}

/// `COPYUID` (RFC 4315 3): both sets have the same order.
fn copy_uid(copied: &Copied) -> String {
    let text = |uids: &mut dyn Iterator<Item = Uid>| {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for uid in uids {
            match ranges.last_mut() {
                Some((_, to)) if to.checked_add(1) == Some(uid.get()) => *to = uid.get(),
                _ => ranges.push((uid.get(), uid.get())),
            }
        }
        let ranges = ranges.iter().map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{from}:{to}"),
        });
        ranges.collect::<Vec<_>>().join(",")
    };
    let from = text(&mut copied.uids.iter().map(|(from, _)| *from));
    let to = text(&mut copied.uids.iter().map(|(_, to)| *to));
    format!("COPYUID {} {from} {to}", copied.uid_validity)
}
