//! Files that are read again: the users when their file changes, and with SIGHUP, and the certificate with SIGHUP. A file that is wrong
//! changes nothing. Users who are gone from it, or have another password, lose their sessions.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use sinew::{
    application::StartError,
    auth::PasswordFile,
    chat::xmpp::codec::StreamCondition,
    prelude::{Reactor, Task},
    reactor::{Excerpt, with_causes},
};

use super::open_server::ServerSlot;
use crate::servers::{
    ports::Reloader,
    read_again::{OnHangup, Pace, Stamp},
    user_changes::{UserChange, end_sessions},
    users_file,
};

/// Who has an account: the names in the file of users. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts(Rc<RefCell<HashSet<String>>>);

impl Accounts {
    pub(super) fn replace(&self, names: Vec<String>) {
        self.0.replace(names.into_iter().collect());
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.borrow().contains(name)
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// What is read from files, and where it goes.
pub(super) struct Sources {
    pub(super) accounts: Accounts,
    /// Those that logins are checked with.
    pub(super) passwords: Rc<PasswordFile>,
    pub(super) users: PathBuf,
    /// That file, before it was read first.
    pub(super) seen: Option<Stamp>,
    /// Whose sessions are ended.
    pub(super) slot: ServerSlot,
    pub(super) certificate: Option<Reloader>,
    pub(super) every: Duration,
}

/// Ends the work when it is dropped.
pub(super) struct Watching {
    _hangup: OnHangup,
    _task: Task<()>,
}

impl Sources {
    /// Looks after the files from now on.
    pub(super) fn watch(self, reactor: &Reactor) -> Result<Watching, StartError> {
        let pace = Rc::new(Pace::default());
        let forced = Rc::clone(&pace);
        let hangup =
            OnHangup::call(reactor, "xmpp: reading its files again", move |_| forced.force())?;
        let task = reactor.spawn(self.run(reactor.clone(), pace));
        Ok(Watching { _hangup: hangup, _task: task })
    }

    async fn run(self, reactor: Reactor, pace: Rc<Pace>) {
        let seen = Cell::new(self.seen);
        loop {
            let is_forced = pace.next(&reactor, self.every).await;
            self.read_users(&reactor, &seen, is_forced).await;
            if let Some(certificate) = self.certificate.clone().filter(|_| is_forced) {
                match reactor.defer_to_thread(move || certificate.reload()).await {
                    Ok(Ok(())) => tracing::info!("the certificate is read again"),
                    Ok(Err(error)) => tracing::error!("the certificate stays as it was: {error}"),
                    Err(error) => {
                        tracing::error!(error = %with_causes(&error), "the certificate could not be read")
                    }
                }
            }
        }
    }

    async fn read_users(&self, reactor: &Reactor, seen: &Cell<Option<Stamp>>, is_forced: bool) {
        let (path, before) = (self.users.clone(), seen.get());
        let read = reactor.defer_to_thread(move || {
            let stamp = Stamp::of(&path);
            // Without a file, what was read stays.
            let is_read = is_forced || (stamp.is_some() && stamp != before);
            let names = is_read.then(|| users_file::names(&path));
            (stamp.or(before), names, is_read.then(|| users_file::exposed(&path)).flatten())
        });
        match read.await {
            Ok((stamp, names, exposed)) => {
                seen.set(stamp);
                exposed.into_iter().for_each(|warning| tracing::warn!("{warning}"));
                match names {
                    Some(Ok(names)) => self.replace_users(reactor, names).await,
                    Some(Err(error)) => {
                        tracing::error!(
                            "the users stay as they were: {}: {error}",
                            Excerpt::path(&self.users)
                        );
                    }
                    None => {}
                }
            }
            Err(error) => {
                tracing::error!(error = %with_causes(&error), "the users could not be read")
            }
        }
    }

    /// Logins are checked with the new file before sessions end, so that nobody comes back with what does not count any more.
    async fn replace_users(&self, reactor: &Reactor, names: Vec<String>) {
        let changes = match self.passwords.reload(reactor).await {
            Ok(changes) => changes,
            Err(error) => return tracing::error!("the users stay as they were: {error}"),
        };
        self.accounts.replace(names);
        tracing::info!(users = self.accounts.len(), "the users are read again");
        let Some(server) = self.slot.server() else { return };
        end_sessions(&changes, |user, change| {
            let condition = match change {
                UserChange::Removed => StreamCondition::NotAuthorized,
                UserChange::Replaced => StreamCondition::Reset,
            };
            server.end_sessions(reactor, user, condition)
        });
    }
}
