//! Users whose credentials have changed lose their sessions: [`end_sessions`], and [`UsersFile`], which looks after a file of users for that.

use std::{cell::Cell, fmt, path::PathBuf, rc::Rc, time::Duration};

use sinew::{
    application::StartError,
    auth::{PasswordFile, PasswordFileError, UserChanges},
    prelude::{Reactor, Task},
    reactor::Excerpt,
};

use super::{
    read_again::{OnHangup, Pace, Stamp},
    users_file,
};
use crate::run::Context;

/// What has become of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserChange {
    /// It is not in the file any more.
    Removed,
    /// It has another password.
    Replaced,
}

/// Ends the sessions of users whose credentials have changed, by `end`, which returns how many there were. Logins are checked with the new file
/// by then, so that nobody comes back with what does not count any more.
pub(super) fn end_sessions(changes: &UserChanges, end: impl Fn(&str, UserChange) -> usize) {
    let removed = changes.removed.iter().map(|user| (user, UserChange::Removed));
    let replaced = changes.replaced.iter().map(|user| (user, UserChange::Replaced));
    for (user, change) in removed.chain(replaced) {
        let sessions = end(user, change);
        if sessions > 0 {
            let user = Excerpt::new(user);
            tracing::info!(%user, sessions, %change, "the user's credentials have changed: its sessions end");
        }
    }
}

impl fmt::Display for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => "removed",
            Self::Replaced => "replaced",
        })
    }
}

/// A file of users that is read again when it changes, and with SIGHUP.
#[derive(Clone, Debug)]
pub(super) struct UsersFile {
    /// As it is called in the log.
    what: &'static str,
    path: PathBuf,
    passwords: Rc<PasswordFile>,
    /// The file, before it was read first.
    seen: Option<Stamp>,
}

/// Ends the work when it is dropped.
pub(super) struct WatchedUsers {
    _hangup: OnHangup,
    _task: Task<()>,
}

impl UsersFile {
    /// Reads it, which blocks, and warns of one that everyone may read.
    pub(super) fn open(
        context: &Context,
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> Result<Self, PasswordFileError> {
        let path = path.into();
        users_file::warn(context, &path);
        let seen = Stamp::of(&path);
        let passwords = Rc::new(PasswordFile::open(&path)?);
        Ok(Self { what, path, passwords, seen })
    }

    /// What logins are checked with.
    pub(super) fn passwords(&self) -> Rc<PasswordFile> {
        Rc::clone(&self.passwords)
    }

    /// Looks after the file from now on. When it was read again, `changed` has what was changed, to [end sessions](end_sessions) for that.
    pub(super) fn watch(
        self,
        reactor: &Reactor,
        every: Duration,
        changed: impl Fn(&Reactor, &UserChanges) + 'static,
    ) -> Result<WatchedUsers, StartError> {
        let pace = Rc::new(Pace::default());
        let forced = Rc::clone(&pace);
        let hangup =
            OnHangup::call(reactor, "reading the file of users again", move |_| forced.force())?;
        let task = reactor.spawn(self.run(reactor.clone(), every, pace, changed));
        Ok(WatchedUsers { _hangup: hangup, _task: task })
    }

    async fn run(
        self,
        reactor: Reactor,
        every: Duration,
        pace: Rc<Pace>,
        changed: impl Fn(&Reactor, &UserChanges) + 'static,
    ) {
        let seen = Cell::new(self.seen);
        loop {
            let is_forced = pace.next(&reactor, every).await;
            let path = self.path.clone();
            let stamp = reactor.defer_to_thread(move || Stamp::of(&path)).await.ok().flatten();
            // Without a file, what was read stays.
            let has_changed = stamp.is_some() && stamp != seen.get();
            seen.set(stamp.or(seen.get()));
            if !is_forced && !has_changed {
                continue;
            }
            match self.passwords.reload(&reactor).await {
                Ok(changes) => {
                    tracing::info!("the {} are read again", self.what);
                    let path = self.path.clone();
                    let exposed = reactor.defer_to_thread(move || users_file::exposed(&path)).await;
                    exposed.into_iter().flatten().for_each(|warning| tracing::warn!("{warning}"));
                    changed(&reactor, &changes);
                }
                Err(error) => tracing::error!("the {} stay as they were: {error}", self.what),
            }
        }
    }
}
