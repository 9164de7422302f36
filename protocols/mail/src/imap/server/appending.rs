//! APPEND: a message that comes in pieces and is written as it comes. Nothing of it is seen before its end.
//!
//! | state | what happens | next |
//! |---|---|---|
//! | the literal is announced | the mailbox or the store refuses | `NO`; the literal is not sent, or skipped |
//! | the literal is announced | the store takes it | `+`, pieces |
//! | pieces | a piece | it is written, and reading waits for that |
//! | pieces | writing fails | the rest is skipped, `NO` |
//! | pieces | the end of the literal | the end of the command |
//! | the end of the command | nothing but the line end | the message is added, `OK [APPENDUID …]` |
//! | the end of the command | anything else | the message is dropped, `BAD` |

use super::{
    answer::Done,
    change::{flags_of, name_of},
    session::Session,
};
use crate::{
    imap::codec::AppendCommand,
    store::{Append, NewMessage, StoreError},
};

impl Session {
    /// Asks the store for a place for a message.
    pub(super) async fn begin_append(
        &self,
        command: AppendCommand,
        len: u64,
    ) -> Result<Box<dyn Append>, Done> {
        let account = self.account()?;
        if command.is_binary {
            return Err(Done::no("Messages with NULs are not taken").code("UNKNOWN-CTE"));
        }
        if len > self.config.append_max {
            return Err(Done::no("The message is too large").code("TOOBIG"));
        }
        let name = name_of(&command.mailbox)?;
        let mut message = NewMessage::new().flags(flags_of(&command.flags)).size(len);
        if let Some(date) = command.date {
            message = message.date(system_time(date.unix()));
        }
        account.deliver(&name, message).await.map_err(|error| Done::refused_target(&error))
    }
}

/// The end of an APPEND.
pub(super) async fn finish_append(append: Box<dyn Append>) -> Result<Done, Done> {
    let appended =
        append.finish().await.map_err(|error: StoreError| Done::refused_target(&error))?;
    Ok(Done::ok("Added").code(format!("APPENDUID {} {}", appended.uid_validity, appended.uid)))
}

fn system_time(seconds: i64) -> std::time::SystemTime {
    let since = std::time::Duration::from_secs(seconds.unsigned_abs());
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let time = if seconds < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) };
    time.unwrap_or(epoch)
}
