//! Files that are read again when they change, or when SIGHUP comes: users, aliases, and the certificate with SIGHUP alone. A file that is
//! wrong changes nothing. Users who are gone from theirs, or have another password, lose their sessions.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use sinew::{
    application::StartError,
    auth::{PasswordFile, Sessions, UserChanges},
    mail::routing::{Router, TargetRules},
    prelude::{Reactor, Task},
    reactor::{Excerpt, with_causes},
};

use super::{
    names::{self, Names, ReadNames},
    refusals::Refusals,
};
use crate::servers::{
    ports::Reloader,
    read_again::{OnHangup, Pace, Stamp},
    user_changes::end_sessions,
    users_file,
};

/// What is read from files, and where it goes.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) names: Names,
    pub(super) users: Option<PathBuf>,
    /// Those that logins are checked with, if they are in that file.
    pub(super) passwords: Option<Rc<PasswordFile>>,
    /// Of all protocols.
    pub(super) sessions: Sessions,
    pub(super) router: Router,
    pub(super) refusals: Refusals,
    pub(super) aliases: Option<PathBuf>,
    pub(super) rules: TargetRules,
    pub(super) certificate: Option<Reloader>,
    pub(super) every: Duration,
}

/// The work, while the service runs.
struct Watched {
    sources: Sources,
    seen: RefCell<HashMap<PathBuf, Stamp>>,
    pace: Pace,
}

/// Ends the work when it is dropped.
pub(super) struct Watching {
    _hangup: OnHangup,
    _task: Task<()>,
}

impl Sources {
    /// Looks after the files from now on.
    pub(super) fn watch(self, reactor: &Reactor) -> Result<Watching, StartError> {
        let paths = [&self.users, &self.aliases].into_iter().flatten().cloned();
        let seen = paths.filter_map(|path| Some((path.clone(), Stamp::of(&path)?))).collect();
        let seen = RefCell::new(seen);
        let watched = Rc::new(Watched { sources: self, seen, pace: Pace::default() });
        let forced = watched.clone();
        let hangup =
            OnHangup::call(reactor, "mail: reading its files again", move |_| forced.pace.force())?;
        let task = reactor.spawn(watched.run(reactor.clone()));
        Ok(Watching { _hangup: hangup, _task: task })
    }
}

impl Watched {
    async fn run(self: Rc<Self>, reactor: Reactor) {
        self.check_refusals(&reactor).await;
        loop {
            let is_forced = self.pace.next(&reactor, self.sources.every).await;
            if self.look(&reactor, is_forced).await {
                self.check_refusals(&reactor).await;
            }
        }
    }

    async fn check_refusals(&self, reactor: &Reactor) {
        for text in self.sources.refusals.texts(reactor).await {
            tracing::warn!("{text}");
        }
    }

    /// Returns whether users or aliases were read again.
    async fn look(&self, reactor: &Reactor, is_forced: bool) -> bool {
        let mut is_read = false;
        if let Some(path) = self.sources.users.clone()
            && self.has_changed(reactor, &path, is_forced).await
        {
            is_read |= self.read_users(reactor, path).await;
        }
        if let Some(path) = self.sources.aliases.clone()
            && self.has_changed(reactor, &path, is_forced).await
        {
            let shown = Excerpt::path(&path).to_string();
            let loading = self.sources.router.load_aliases(reactor, path, self.sources.rules);
            match loading.await {
                Ok(names) => {
                    is_read = true;
                    tracing::info!(names, "the aliases are read again");
                }
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::error!("the aliases stay as they were: {shown}: {error}");
                }
            }
        }
        if let Some(certificate) = self.sources.certificate.clone().filter(|_| is_forced) {
            match reactor.defer_to_thread(move || certificate.reload()).await {
                Ok(Ok(())) => tracing::info!("the certificate is read again"),
                Ok(Err(error)) => tracing::error!("the certificate stays as it was: {error}"),
                Err(error) => {
                    tracing::error!(error = %with_causes(&error), "the certificate could not be read")
                }
            }
        }
        is_read
    }

    /// Returns whether they were read.
    async fn read_users(&self, reactor: &Reactor, path: PathBuf) -> bool {
        let shown = Excerpt::path(&path).to_string();
        let read = move || (names::read(&path), users_file::exposed(&path));
        match reactor.defer_to_thread(read).await {
            Ok((Ok(read), exposed)) => {
                exposed.into_iter().for_each(|warning| tracing::warn!("{warning}"));
                return self.replace_users(reactor, read).await;
            }
            Ok((Err(error), _)) => tracing::error!("the users stay as they were: {shown}: {error}"),
            Err(error) => {
                tracing::error!(error = %with_causes(&error), "the users could not be read")
            }
        }
        false
    }

    /// Logins are checked with the new file before sessions end, so that nobody comes back with what does not count any more. Returns whether
    /// the users are others.
    async fn replace_users(&self, reactor: &Reactor, read: ReadNames) -> bool {
        let changes = match &self.sources.passwords {
            Some(passwords) => passwords.reload(reactor).await,
            None => Ok(UserChanges::default()),
        };
        let changes = match changes {
            Ok(changes) => changes,
            Err(error) => {
                tracing::error!("the users stay as they were: {error}");
                return false;
            }
        };
        self.sources.names.replace(read);
        tracing::info!(users = self.sources.names.len(), "the users are read again");
        end_sessions(&changes, |user, _| self.sources.sessions.end(user));
        true
    }

    async fn has_changed(&self, reactor: &Reactor, path: &Path, is_forced: bool) -> bool {
        let of_thread = path.to_owned();
        let stamp = reactor.defer_to_thread(move || Stamp::of(&of_thread)).await;
        // Without a file, what was read stays.
        let Some(stamp) = stamp.ok().flatten() else { return is_forced };
        self.seen.borrow_mut().insert(path.to_owned(), stamp) != Some(stamp) || is_forced
    }
}
