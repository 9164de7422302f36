//! Files that are read again when they change, or when SIGHUP comes: users, aliases, and the certificate with SIGHUP alone. A file that is
//! wrong changes nothing.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, SystemTime},
};

use sinew::{
    mail::routing::{Router, TargetRules},
    prelude::{Promise, Reactor, Task},
    reactor::{
        Excerpt, Failure, Signal, SignalWatch,
        source::{Handler, Ready, Registration},
    },
};

use super::{
    domains::with_cause,
    names::{self, Names},
    ports::Reloader,
};

/// How often files are looked at, at most.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// What is read from files, and where it goes.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) names: Names,
    pub(super) users: Option<PathBuf>,
    pub(super) router: Router,
    pub(super) aliases: Option<PathBuf>,
    pub(super) rules: TargetRules,
    pub(super) certificate: Option<Reloader>,
    pub(super) every: Duration,
}

/// What tells that a file is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// The work, while the service runs.
struct Watched {
    sources: Sources,
    seen: RefCell<HashMap<PathBuf, Stamp>>,
    /// SIGHUP: all files are read.
    is_forced: Cell<bool>,
    /// Ends the wait.
    wake: RefCell<Option<Promise<(), Failure>>>,
}

/// Ends the work when it is dropped.
pub(super) struct Watching {
    _signal: SignalWatch,
    _handler: Registration,
    _task: Task<()>,
}

impl Stamp {
    /// `None` while there is no file.
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { modified: file.modified().ok(), len: file.len(), inode: file.ino() })
    }
}

impl Sources {
    /// Looks after the files from now on.
    pub(super) fn watch(self, reactor: &Reactor) -> std::io::Result<Watching> {
        let paths = [&self.users, &self.aliases].into_iter().flatten().cloned();
        let seen = paths.filter_map(|path| Some((path.clone(), Stamp::of(&path)?))).collect();
        let (is_forced, wake) = (Cell::new(false), RefCell::default());
        let watched = Rc::new(Watched { sources: self, seen: RefCell::new(seen), is_forced, wake });
        let handler = reactor.register_unwatched(watched.clone())?;
        let token = handler.token().expect("it has just been registered");
        let signal = reactor.wake_on_signal(Signal::HUP, token)?;
        let task = reactor.spawn(watched.run(reactor.clone()));
        Ok(Watching { _signal: signal, _handler: handler, _task: task })
    }
}

impl Watched {
    async fn run(self: Rc<Self>, reactor: Reactor) {
        loop {
            let (promise, woken) = reactor.promise();
            self.wake.replace(Some(promise));
            if !self.is_forced.get() {
                // An error says that the time is over.
                drop(reactor.timeout(self.sources.every.max(EVERY_MIN), woken).await);
            }
            let is_forced = self.is_forced.replace(false);
            self.look(&reactor, is_forced).await;
        }
    }

    async fn look(&self, reactor: &Reactor, is_forced: bool) {
        if let Some(path) = self.sources.users.clone()
            && self.has_changed(reactor, &path, is_forced).await
        {
            self.read_users(reactor, path).await;
        }
        if let Some(path) = self.sources.aliases.clone()
            && self.has_changed(reactor, &path, is_forced).await
        {
            let shown = Excerpt::path(&path).to_string();
            let loading = self.sources.router.load_aliases(reactor, path, self.sources.rules);
            match loading.await {
                Ok(names) => tracing::info!(names, "the aliases are read again"),
                Err(error) => {
                    let error = with_cause(&error);
                    tracing::error!("the aliases stay as they were: {shown}: {error}");
                }
            }
        }
        if let Some(certificate) = self.sources.certificate.clone().filter(|_| is_forced) {
            match reactor.defer_to_thread(move || certificate.reload()).await {
                Ok(Ok(())) => tracing::info!("the certificate is read again"),
                Ok(Err(error)) => tracing::error!("the certificate stays as it was: {error}"),
                Err(error) => tracing::error!(%error, "the certificate could not be read"),
            }
        }
    }

    async fn read_users(&self, reactor: &Reactor, path: PathBuf) {
        let shown = Excerpt::path(&path).to_string();
        match reactor.defer_to_thread(move || names::read(&path)).await {
            Ok(Ok(read)) => {
                self.sources.names.replace(read);
                tracing::info!(users = self.sources.names.len(), "the users are read again");
            }
            Ok(Err(error)) => tracing::error!("the users stay as they were: {shown}: {error}"),
            Err(error) => tracing::error!(%error, "the users could not be read"),
        }
    }

    async fn has_changed(&self, reactor: &Reactor, path: &Path, is_forced: bool) -> bool {
        let of_thread = path.to_owned();
        let stamp = reactor.defer_to_thread(move || Stamp::of(&of_thread)).await;
        // Without a file, what was read stays.
        let Some(stamp) = stamp.ok().flatten() else { return is_forced };
        self.seen.borrow_mut().insert(path.to_owned(), stamp) != Some(stamp) || is_forced
    }
}

/// SIGHUP.
impl Handler for Watched {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.rescheduled(reactor);
    }

    fn rescheduled(self: Rc<Self>, _: &Reactor) {
        self.is_forced.set(true);
        if let Some(wake) = self.wake.take() {
            wake.resolve(());
        }
    }

    fn describe(&self) -> String {
        "mail: reading its files again".to_owned()
    }
}
