//! The service: [`NewsService`]. It feeds peers, and removes old articles every hour.
//!
//! | call | what happens |
//! |---|---|
//! | `privileged_start` | the ports are opened |
//! | `start` | the spool is opened, and served. If the earlier process of an upgrade, or the service before a reload, still has it, a task waits for it; clients wait in the backlog meanwhile |
//! | `stop` | feeders end, ports close, connections are drained; when none uses the spool, or after 10 seconds, it is closed: the next service has it |

use std::{
    cell::RefCell,
    path::PathBuf,
    rc::Rc,
    time::{Duration, SystemTime},
};

use sinew::{
    application::{Service, StartError, StopError},
    auth::Sessions,
    news::{
        nntp::{
            client::{ClientConfig, FeedConfig, Feeder},
            codec::{Article, ArticleLimits, GroupName, Wildmat},
            server::{
                Access, NewsConnection, NewsHandler, NewsServer, ServerConfig, Session, Verdict,
            },
        },
        store::{ExpiryRule, Spool, SpoolConfig, StoreError},
    },
    prelude::{Deferred, Factory, Peer as Client, Reactor, StreamConfig, Task},
    reactor::{Failure, Promise, with_causes},
};

use super::{
    access::Rights,
    values::{Group, Peer},
};
use crate::{
    run::Context,
    servers::{
        held_folder::HeldFolder,
        public_ports::PublicPorts,
        user_changes::{UsersFile, WatchedUsers, end_sessions},
    },
};

/// Where it listens by default.
const LISTEN: &str = "tcp:119";

/// How often old articles are removed.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// Articles that arrive may be as old as this, and their identifiers are remembered for longer.
const AGE_MAX: Duration = Duration::from_secs(10 * 86_400);
const REMEMBER: Duration = Duration::from_secs(14 * 86_400);

/// How long to wait until the spool is asked for again while another has it, after which time that is an error, and how long to wait
/// then, and after a failure.
const IN_USE_WAIT: Duration = Duration::from_millis(50);
const IN_USE_MAX: Duration = Duration::from_secs(60);
const FAILED_WAIT: Duration = Duration::from_secs(10);

/// How long connections that are being drained may store articles.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What is to be served.
pub(super) struct Plan {
    pub(super) spool: PathBuf,
    pub(super) config: ServerConfig,
    /// Of those who have logged in.
    pub(super) sessions: Sessions,
    pub(super) users: Option<UsersFile>,
    /// How often that file is looked at.
    pub(super) watch: Duration,
    pub(super) limits: ArticleLimits,
    pub(super) rights: Rights,
    pub(super) groups: Vec<Group>,
    pub(super) keep: Duration,
    pub(super) feeds: Vec<Peer>,
    pub(super) feed_groups: Wildmat,
    pub(super) compresses_feeds: bool,
}

pub(super) struct NewsService(Rc<Parts>);

/// What the service is made of, shared with the task that waits for the spool.
struct Parts {
    plan: Plan,
    /// An earlier process may still have the spool.
    has_predecessor: bool,
    streams: Box<dyn Service>,
    server: Late,
    running: RefCell<Option<Running>>,
    watching: RefCell<Option<WatchedUsers>>,
}

/// What ends with the service.
enum Running {
    /// Another one has the spool.
    Waiting { task: Task<()> },
    Serving {
        spool: Spool,
        held: HeldFolder,
        /// When no connection uses the spool any more.
        ended: Deferred<(), Failure>,
        _feeders: Vec<Feeder>,
        _expiry: Task<()>,
        _waited: Option<Task<()>>,
    },
}

/// The server, once the spool is open.
#[derive(Clone, Default)]
struct Late(Rc<RefCell<Option<NewsServer<Spool>>>>);

impl Factory for Late {
    type Protocol = NewsConnection<Spool>;

    fn build_protocol(&mut self, _: &Client) -> Option<NewsConnection<Spool>> {
        self.0.borrow().as_ref().map(NewsServer::connection)
    }
}

/// The handler of a server, which goes with the last connection that uses the spool. Then its promise is broken.
struct Serving {
    rights: Rights,
    _promise: Promise<(), Failure>,
}

impl NewsHandler for Serving {
    fn access(&self, session: &Session) -> Access {
        self.rights.access(session)
    }

    fn moderated(&self, session: &Session, group: &GroupName, article: &Article) -> Verdict {
        self.rights.moderated(session, group, article)
    }
}

impl NewsService {
    pub(super) fn new(context: &Context, plan: Plan) -> Result<Self, StartError> {
        let server = Late::default();
        let config = PublicPorts::new(context.endpoints(LISTEN)?.len()).config();
        let stream = StreamConfig::default();
        let streams = context.serve_with(LISTEN, config, stream, server.clone(), |_, port| port)?;
        let has_predecessor = context.has_predecessor();
        let (running, watching) = (RefCell::default(), RefCell::default());
        let parts = Parts { plan, has_predecessor, streams, server, running, watching };
        Ok(Self(Rc::new(parts)))
    }
}

impl Plan {
    /// Opens the spool, and creates groups that are not there.
    fn open(&self, now: SystemTime) -> Result<Spool, StoreError> {
        let config = SpoolConfig::default().remember(REMEMBER.max(self.keep));
        let spool = Spool::open(&self.spool, config)?;
        for group in &self.groups {
            match spool.group_info(group.name()) {
                None => spool.create_group(group.new_group(), now)?,
                Some(info) if info.status != group.status() => {
                    spool.set_status(group.name(), group.status())?;
                }
                Some(_) => {}
            }
        }
        Ok(spool)
    }
}

impl Parts {
    /// Serves the spool from here on.
    fn serve(
        &self,
        reactor: &Reactor,
        spool: Spool,
        waited: Option<Task<()>>,
    ) -> Result<(), StartError> {
        let config = self.plan.config.clone().age_max(AGE_MAX);
        let (promise, ended) = reactor.promise();
        let handler = Serving { rights: self.plan.rights.clone(), _promise: promise };
        let server = NewsServer::new(config, spool.clone(), handler);
        self.server.0.replace(Some(server));
        let running = Running::Serving {
            _waited: waited,
            ended,
            held: HeldFolder::new(&self.plan.spool),
            _feeders: self.feeders(reactor, &spool),
            _expiry: reactor.spawn(expire(reactor.clone(), spool.clone(), self.plan.keep)),
            spool,
        };
        self.running.replace(Some(running));
        self.streams.start(reactor)
    }

    /// Opens the spool once the one that has it lets it go, and serves it.
    async fn wait(self: Rc<Self>, reactor: Reactor) {
        let mut since = None;
        let spool = loop {
            let pause = match self.plan.open(reactor.wall_clock()) {
                Ok(spool) => break spool,
                Err(StoreError::InUse { .. }) => {
                    let since = *since.get_or_insert_with(|| {
                        tracing::info!("the spool is still in use; news is served when it is free");
                        reactor.now()
                    });
                    if reactor.now().saturating_duration_since(since) > IN_USE_MAX {
                        tracing::error!("the spool is in use for too long");
                        FAILED_WAIT
                    } else {
                        IN_USE_WAIT
                    }
                }
                Err(error) => {
                    tracing::error!(error = %with_causes(&error), "the spool could not be opened");
                    FAILED_WAIT
                }
            };
            reactor.sleep(pause).await;
        };
        // Its task is kept until the service ends: dropped here, it would not come to its end.
        let task = match self.running.take() {
            Some(Running::Waiting { task }) => Some(task),
            _ => None,
        };
        match self.serve(&reactor, spool, task) {
            Ok(()) => tracing::info!("the spool is open: news is served"),
            Err(error) => tracing::error!(error = %with_causes(&error), "news cannot be served"),
        }
    }

    /// Looks after the file of users.
    fn watch(&self, reactor: &Reactor) -> Result<(), StartError> {
        if let Some(users) = self.plan.users.clone() {
            let sessions = self.plan.sessions.clone();
            let watching = users.watch(reactor, self.plan.watch, move |_, changes| {
                end_sessions(changes, |user, _| sessions.end(user));
            });
            self.watching.replace(Some(watching?));
        }
        Ok(())
    }

    fn feeders(&self, reactor: &Reactor, spool: &Spool) -> Vec<Feeder> {
        let feeder = |peer: &Peer| {
            let config = FeedConfig::new(peer.name.to_string(), peer.to.clone());
            let client = ClientConfig::default().compress(self.plan.compresses_feeds);
            let client = client.article_limits(self.plan.limits);
            let config = config.client(client).groups(self.plan.feed_groups.clone());
            Feeder::start(reactor, spool.clone(), config.path_identity(peer.name.clone()))
        };
        self.plan.feeds.iter().map(feeder).collect()
    }
}

/// Removes what is older than `keep`, now and then.
async fn expire(reactor: Reactor, spool: Spool, keep: Duration) {
    loop {
        let (spool, now) = (spool.clone(), reactor.wall_clock());
        let rules = [ExpiryRule::new(Wildmat::all(), keep)];
        match reactor.defer_to_thread(move || spool.expire(&rules, now)).await {
            Ok(Ok(expired)) if expired.articles > 0 => {
                tracing::info!(articles = expired.articles, "old articles were removed");
            }
            Ok(Err(error)) => {
                tracing::error!(error = %with_causes(&error), "old articles could not be removed")
            }
            _ => {}
        }
        reactor.sleep(EXPIRE_EVERY).await;
    }
}

impl Service for NewsService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.0.streams.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.0.watch(reactor)?;
        match self.0.plan.open(reactor.wall_clock()) {
            Ok(spool) => self.0.serve(reactor, spool, None),
            // An upgrade or a reload. In any other case there are two servers that do not know of each other.
            Err(StoreError::InUse { .. })
                if self.0.has_predecessor || HeldFolder::is(&self.0.plan.spool) =>
            {
                let task = reactor.spawn(Rc::clone(&self.0).wait(reactor.clone()));
                self.0.running.replace(Some(Running::Waiting { task }));
                Ok(())
            }
            Err(error) => Err(StartError::other(error)),
        }
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.0.watching.take());
        drop(self.0.server.0.take());
        let streams = self.0.streams.stop(reactor);
        let (spool, held, ended) = match self.0.running.take() {
            Some(Running::Serving { spool, held, ended, .. }) => (spool, held, ended),
            _ => return streams,
        };
        let (promise, stopped) = reactor.promise();
        let of_task = reactor.clone();
        let task = async move {
            // Earlier than its connections: clients may take their time to close them.
            drop(of_task.timeout(STOP_GRACE, ended).await);
            // It waits for a change that has begun. The next service can open the spool then.
            drop(of_task.defer_to_thread(move || spool.close()).await);
            drop(held);
            promise.settle(streams.await);
        };
        reactor.spawn(task).detach();
        stopped
    }
}
