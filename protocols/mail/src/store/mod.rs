//! Where mail is kept: the traits [`Store`], [`Account`] and [`Mailbox`], and two stores, [`MemoryStore`] and,
//! on Unix, `MaildirStore`.
//!
//! Servers of IMAP and POP3 read from a store, and a server of SMTP or LMTP delivers into it. They know the traits; what is behind them is
//! the matter of a program.
//!
//! # Examples
//!
//! ```
//! use sinew_mail::store::{MailboxName, MemoryStore, NewMessage, Store, Uid};
//! use sinew_transports::reactor::Reactor;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let store = MemoryStore::default();
//! store.create_account("ann")?;
//! let clone = reactor.clone();
//! let text = reactor.run_until(async move {
//!     let account = store.account(&clone, "ann").await?;
//!     let mut message = account.deliver(&MailboxName::inbox(), NewMessage::new()).await?;
//!     message.write("Subject: hello\r\n\r\nHello, Ann.\r\n".into()).await?;
//!     let added = message.finish().await?;
//!
//!     let inbox = account.open(&MailboxName::inbox()).await?;
//!     assert_eq!((added.uid, inbox.status().messages), (Uid::MIN, 1));
//!     inbox.read(added.uid, 0, 100).await
//! })??;
//! assert!(text.starts_with(b"Subject: hello"));
//! # Ok(())
//! # }
//! ```

mod account;
mod changes;
mod config;
#[cfg_attr(not(unix), allow(dead_code, reason = "mail on the disk needs more of it"))]
mod crlf;
mod error;
mod flags;
mod hierarchy;
#[cfg_attr(not(unix), allow(dead_code, reason = "mail on the disk needs more of it"))]
mod index;
mod mailbox;
mod mailbox_info;
mod mailbox_name;
#[cfg(unix)]
mod maildir;
mod memory;
mod message;
mod uid;
mod uid_set;
mod user_name;
mod watchers;

#[cfg(unix)]
pub use self::maildir::{MaildirConfig, MaildirStore};
pub use self::{
    account::{Account, Store},
    changes::Changes,
    config::StoreLimits,
    error::StoreError,
    flags::{FlagChange, Flags, Keyword, KeywordError, SystemFlag},
    mailbox::{Append, Expunge, FlagsSet, Mailbox},
    mailbox_info::{MailboxInfo, Quota, SpecialUse, Status},
    mailbox_name::{MailboxName, MailboxNameError},
    memory::MemoryStore,
    message::{Appended, Copied, MessageInfo, NewMessage},
    uid::{ModSeq, Uid, UidValidity},
    uid_set::{UidSet, UidSetError},
    watchers::{ExclusiveLock, Watch, Watchers},
};

/// Most bytes that [`Mailbox::read`] gives at once: 64 KiB.
pub const READ_LEN_MAX: usize = 64 * 1024;
