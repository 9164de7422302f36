//! The service: [`NewsService`]. It opens the spool when it starts, feeds peers, and removes old articles every hour.

use std::{
    cell::RefCell,
    path::PathBuf,
    rc::Rc,
    time::{Duration, SystemTime},
};

use sinew::{
    application::{Service, StartError, StopError},
    news::{
        nntp::{
            client::{FeedConfig, Feeder},
            codec::Wildmat,
            server::{NewsConnection, NewsServer, ServerConfig},
        },
        store::{ExpiryRule, Spool, SpoolConfig, StoreError},
    },
    prelude::{Deferred, Factory, Peer as Client, Reactor, Task},
};

use super::{
    access::Rights,
    values::{Group, Peer},
};
use crate::run::Context;

/// Where it listens by default.
const LISTEN: &str = "tcp:119";

/// How often old articles are removed.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// Articles that arrive may be as old as this, and their identifiers are remembered for longer.
const AGE_MAX: Duration = Duration::from_secs(10 * 86_400);
const REMEMBER: Duration = Duration::from_secs(14 * 86_400);

/// What is to be served.
pub(super) struct Plan {
    pub(super) spool: PathBuf,
    pub(super) config: ServerConfig,
    pub(super) rights: Rights,
    pub(super) groups: Vec<Group>,
    pub(super) keep: Duration,
    pub(super) feeds: Vec<Peer>,
    pub(super) feed_groups: Wildmat,
}

pub(super) struct NewsService {
    plan: Plan,
    streams: Box<dyn Service>,
    server: Late,
    running: RefCell<Option<Running>>,
}

/// What ends with the service.
struct Running {
    _feeders: Vec<Feeder>,
    _expiry: Task<()>,
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

impl NewsService {
    pub(super) fn new(context: &Context, plan: Plan) -> Result<Self, StartError> {
        let server = Late::default();
        let streams = context.serve(LISTEN, server.clone())?;
        Ok(Self { plan, streams, server, running: RefCell::default() })
    }

    /// Opens the spool, and creates groups that are not there.
    fn open(&self, now: SystemTime) -> Result<Spool, StoreError> {
        let config = SpoolConfig::default().remember(REMEMBER.max(self.plan.keep));
        let spool = Spool::open(&self.plan.spool, config)?;
        for group in &self.plan.groups {
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

    fn feeders(&self, reactor: &Reactor, spool: &Spool) -> Vec<Feeder> {
        let feeder = |peer: &Peer| {
            let config = FeedConfig::new(peer.name.to_string(), peer.to.clone());
            let config = config.groups(self.plan.feed_groups.clone());
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
            Ok(Err(error)) => tracing::error!(%error, "old articles could not be removed"),
            _ => {}
        }
        reactor.sleep(EXPIRE_EVERY).await;
    }
}

impl Service for NewsService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let spool = self.open(reactor.wall_clock()).map_err(StartError::other)?;
        let config = self.plan.config.clone().age_max(AGE_MAX);
        let server = NewsServer::new(config, spool.clone(), self.plan.rights.clone());
        self.server.0.replace(Some(server));
        let feeders = self.feeders(reactor, &spool);
        let expiry = reactor.spawn(expire(reactor.clone(), spool, self.plan.keep));
        self.running.replace(Some(Running { _feeders: feeders, _expiry: expiry }));
        self.streams.start(reactor)
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.running.take());
        drop(self.server.0.take());
        self.streams.stop(reactor)
    }
}
