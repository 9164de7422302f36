//! Sending what a store has on to another server: [`Feeder`].

use std::{
    collections::BTreeMap,
    fmt,
    rc::Rc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use sinew_protocols::basic::Word;
use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Reactor, Task, with_causes},
};

use super::{
    ClientConfig, FeedStats, NewsClient, NewsError, feed_batch::Batch, feed_stats::Shared,
};
use crate::{
    nntp::codec::Wildmat,
    store::{Arrival, NewsStore, StoreError},
};

/// How a [`Feeder`] sends.
///
/// | limit | default | |
/// |---|---|---|
/// | [`window`](Self::window): articles that are offered at once | 50, at most 1,000 | |
/// | [`interval`](Self::interval): how often the store is asked for new articles | 5 s | |
/// | [`retry`](Self::retry): the pause after a failure, doubled up to 64 times as much | 5 s | |
/// | [`later`](Self::later): the pause before an article is offered again that the peer did not want at once | 30 s | |
/// | articles that wait for that, fixed | 1,000 | new ones wait |
#[derive(Clone, Debug)]
#[must_use]
pub struct FeedConfig {
    pub(super) peer: String,
    to: ClientEndpoint,
    client: ClientConfig,
    groups: Wildmat,
    pub(super) identity: Option<Word>,
    window: usize,
    interval: Duration,
    retry: Duration,
    later: Duration,
}

/// Most articles that wait to be offered again.
const LATER_MAX: usize = 1_000;
/// Most articles that are offered at once.
const WINDOW_MAX: usize = 1_000;
/// How often the pause after a failure is doubled.
const DOUBLINGS: u32 = 6;

impl FeedConfig {
    /// A feed to this server. Its position in the store is kept under this name of the peer.
    pub fn new(peer: impl Into<String>, to: impl Into<ClientEndpoint>) -> Self {
        Self {
            peer: peer.into(),
            to: to.into(),
            client: ClientConfig::default(),
            groups: Wildmat::all(),
            identity: None,
            window: 50,
            interval: Duration::from_secs(5),
            retry: Duration::from_secs(5),
            later: Duration::from_secs(30),
        }
    }

    /// TLS, login, compression and limits of the connection. An article may be 64 KiB longer than the limit of articles, since a server
    /// adds to the head of what it takes.
    pub fn client(mut self, config: ClientConfig) -> Self {
        self.client = config;
        self
    }

    /// Sends articles of these groups only. Default all.
    pub fn groups(mut self, groups: Wildmat) -> Self {
        self.groups = groups;
        self
    }

    /// The name with which the peer stands in `Path`: articles that it has relayed are not sent to it.
    pub fn path_identity(mut self, name: Word) -> Self {
        self.identity = Some(name);
        self
    }

    /// Articles that are offered at once. Default 50; from 1 to 1,000, so that the responses fit into buffers.
    pub fn window(mut self, articles: usize) -> Self {
        self.window = articles.clamp(1, WINDOW_MAX);
        self
    }

    /// How often the store is asked for new articles. Default every 5 seconds.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The pause after a failure; it is doubled with each further one. Default 5 seconds.
    pub fn retry(mut self, pause: Duration) -> Self {
        self.retry = pause;
        self
    }

    /// The pause before an article is offered again that the peer did not want at once. Default 30 seconds.
    pub fn later(mut self, pause: Duration) -> Self {
        self.later = pause;
        self
    }
}

/// Sends the articles of a store to another server, those that are there and those that arrive. It stops when it is dropped.
///
/// Articles are offered in the order in which they have arrived, by CHECK and TAKETHIS, or by IHAVE where the peer does not stream. How
/// far the peer is, the store remembers: after a crash on either side, what is in doubt is offered again, and the peer knows what it has.
///
/// # Examples
///
/// ```
/// use sinew_news::{nntp::client::{FeedConfig, Feeder}, store::MemoryStore};
/// use sinew_transports::reactor::Reactor;
///
/// fn feed(reactor: &Reactor, store: &MemoryStore) -> Result<Feeder, Box<dyn std::error::Error>> {
///     let config = FeedConfig::new("news.example.net", "news.example.net:119").groups("*,!local.*".parse()?);
///     Ok(Feeder::start(reactor, store.clone(), config))
/// }
/// ```
#[must_use = "it stops when it is dropped"]
pub struct Feeder {
    shared: Rc<Shared>,
    _task: Task<()>,
}

impl Feeder {
    /// Starts to send.
    pub fn start(reactor: &Reactor, store: impl NewsStore, config: FeedConfig) -> Self {
        let shared = Rc::<Shared>::default();
        let feed = Feed {
            reactor: reactor.clone(),
            store,
            config,
            shared: Rc::clone(&shared),
            after: 0,
            later: BTreeMap::new(),
            later_due: None,
            failures: 0,
        };
        Self { shared, _task: reactor.spawn(feed.run()) }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> FeedStats {
        self.shared.stats.get()
    }

    /// Looks for new articles now.
    pub fn wake(&self) {
        if let Some(promise) = self.shared.waiting.take() {
            promise.resolve(());
        }
    }
}

impl fmt::Debug for Feeder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feeder").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The work of a feeder.
struct Feed<S> {
    reactor: Reactor,
    store: S,
    config: FeedConfig,
    shared: Rc<Shared>,
    /// Everything up to here was offered.
    after: u64,
    /// What was offered, and is to be offered again.
    later: BTreeMap<u64, Arrival>,
    later_due: Option<Instant>,
    failures: u32,
}

impl<S: NewsStore> Feed<S> {
    async fn run(mut self) {
        loop {
            match self.store.position(&self.reactor, &self.config.peer).await {
                Ok(position) => break self.after = position,
                Err(error) => self.failed(&error).await,
            }
        }
        let mut client = None;
        loop {
            let batch = match self.next_batch().await {
                Ok(batch) => batch,
                Err(error) => {
                    self.failed(&error).await;
                    continue;
                }
            };
            if batch.is_empty() {
                // A connection that is not needed is not kept.
                if let Some(client) = client.take() {
                    NewsClient::quit(client).await;
                }
                self.save().await;
                self.pause(self.until_due(self.config.interval)).await;
                continue;
            }
            match self.offer(&mut client, batch).await {
                Ok(()) => {
                    self.failures = 0;
                    self.save().await;
                }
                Err(error) => {
                    client = None;
                    self.failed(&error).await;
                }
            }
        }
    }

    /// What is offered next: what is due again, and what has arrived.
    async fn next_batch(&mut self) -> Result<Vec<Arrival>, StoreError> {
        let mut batch = Vec::new();
        if self.later_due.is_some_and(|due| due <= self.reactor.now()) {
            batch.extend(self.later.values().take(self.config.window).cloned());
        }
        let free = self.config.window.saturating_sub(batch.len());
        while batch.is_empty() && free > 0 && self.later.len() < LATER_MAX {
            let arrivals = self.store.arrivals(&self.reactor, self.after, UNIX_EPOCH, free).await?;
            let Some(last) = arrivals.last() else { break };
            let last = last.sequence;
            let is_wanted = |arrival: &Arrival| {
                arrival.groups.iter().any(|group| self.config.groups.matches(group.as_str()))
            };
            batch.extend(arrivals.into_iter().filter(is_wanted));
            if batch.is_empty() {
                self.after = last;
            }
        }
        Ok(batch)
    }

    async fn offer(
        &mut self,
        client: &mut Option<NewsClient>,
        batch: Vec<Arrival>,
    ) -> Result<(), NewsError> {
        if client.is_none() {
            let config = self.config.client.clone().reader(false);
            let connecting = NewsClient::connect(&self.reactor, self.config.to.clone(), config);
            *client = Some(connecting.await?);
        }
        let Some(client) = client.as_mut() else { return Ok(()) };
        let mut sending = Batch::new(&self.reactor, &self.store, &self.config, &self.shared);
        let later = sending.send(client, &batch).await?;
        // Only now is it known of all of them.
        for arrival in batch {
            self.after = self.after.max(arrival.sequence);
            match later.contains(&arrival.sequence) {
                true => drop(self.later.insert(arrival.sequence, arrival)),
                false => drop(self.later.remove(&arrival.sequence)),
            }
        }
        let due = self.reactor.now().checked_add(self.config.later);
        self.later_due = due.filter(|_| !self.later.is_empty());
        Ok(())
    }

    /// Notes how far the peer is.
    async fn save(&mut self) {
        let oldest = self.later.keys().next().map(|first| first.saturating_sub(1));
        let position = oldest.unwrap_or(self.after).min(self.after);
        if self.shared.stats.get().position == position {
            return;
        }
        self.shared.count(|stats| stats.position = position);
        let saved = self.store.set_position(&self.reactor, &self.config.peer, position).await;
        if let Err(error) = saved {
            tracing::warn!(peer = self.config.peer, error = %with_causes(&error), "the position of a feed was not stored");
        }
    }

    async fn failed(&mut self, error: &dyn std::error::Error) {
        tracing::warn!(peer = self.config.peer, error = %with_causes(error), "a feed has failed");
        self.shared.count(|stats| stats.failures += 1);
        let pause = self.config.retry.saturating_mul(1 << self.failures.min(DOUBLINGS));
        self.failures += 1;
        self.pause(pause).await;
    }

    /// So long, or until something is due that is to be offered again.
    fn until_due(&self, pause: Duration) -> Duration {
        let due = self.later_due.map(|due| due.saturating_duration_since(self.reactor.now()));
        due.map_or(pause, |due| due.min(pause))
    }

    /// Waits so long, or until it is woken.
    async fn pause(&self, pause: Duration) {
        let (promise, woken) = self.reactor.promise::<(), sinew_transports::reactor::Failure>();
        self.shared.waiting.replace(Some(promise));
        let _ = self.reactor.timeout(pause, woken).await;
        self.shared.waiting.take();
    }
}
