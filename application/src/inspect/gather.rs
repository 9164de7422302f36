//! Fills the reports: of this reactor, or of all that run together. Knows nothing of HTTP.

use std::{env, process, time::Duration};

use sinew_reactor::{Deferred, Histogram, LoopReport, PoolReport, Reactor};
use sinew_transports::{
    ConnectionId, Transport,
    inspect::{ConnectionReport, PAGE_MAX, PortReport, ReactorInspect},
    reactors::Shard,
};

use super::report::{
    BOUNDS_US, ConnectionStatus, ConnectionsPage, Counts, Durations, Longest, PageStart, Pool,
    PortStatus, ShardStatus, Slow, Status, TlsStatus, Totals, VERSION,
};

/// Calls `f` on this reactor, or on each that runs with it; an error takes the place of a result. In the order of the
/// reactors.
fn on_each<T: Send + 'static>(
    reactor: &Reactor,
    f: impl Fn(&Reactor, usize) -> T + Send + Sync + 'static,
) -> Deferred<Vec<Result<T, String>>> {
    match Shard::of(reactor) {
        None => Deferred::ready_on(reactor, vec![Ok(f(reactor, 0))]),
        Some(shard) => shard.call_all(move |shard| f(shard.reactor(), shard.index())).map(|all| {
            let all = all?.into_iter();
            Ok(all.map(|result| result.map_err(|error| error.to_string())).collect())
        }),
    }
}

/// The whole program.
pub(super) fn status(reactor: &Reactor) -> Deferred<Status> {
    on_each(reactor, shard_status).map(|shards| {
        let shards = shards?.into_iter().enumerate().map(|(shard, result)| {
            let missing =
                |error| ShardStatus { shard, error: Some(error), ..ShardStatus::default() };
            result.unwrap_or_else(missing)
        });
        let shards: Vec<_> = shards.collect();
        Ok(Status {
            version: VERSION,
            program: program(),
            pid: process::id(),
            sinew: env!("CARGO_PKG_VERSION").to_owned(),
            total: total(&shards),
            shards,
        })
    })
}

fn program() -> String {
    let file = env::args_os().next().map(std::path::PathBuf::from);
    let name = file.as_deref().and_then(|file| file.file_name());
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn total(shards: &[ShardStatus]) -> Totals {
    shards.iter().fold(Totals::default(), |sum, shard| Totals {
        connections: sum.connections + shard.connections,
        connections_made: sum.connections_made + shard.connections_made,
        bytes_received: sum.bytes_received + shard.bytes_received,
        bytes_sent: sum.bytes_sent + shard.bytes_sent,
        slow_callbacks: sum.slow_callbacks + shard.slow_callbacks,
        panics: sum.panics + shard.panics,
        events: sum.events + shard.events,
    })
}

fn shard_status(reactor: &Reactor, shard: usize) -> ShardStatus {
    let report = reactor.loop_report();
    let stats = report.stats;
    ShardStatus {
        shard,
        error: None,
        engine: report.engine.to_string(),
        age_ms: ms(report.age),
        inspected: reactor.is_inspected(),
        turns: stats.turns,
        events: stats.events,
        calls: stats.calls,
        timers_fired: stats.timers_fired,
        timers: stats.timers,
        tasks: stats.tasks,
        handlers: stats.handlers,
        connections: stats.connections,
        connections_made: stats.connections_made,
        bytes_received: stats.bytes_received,
        bytes_sent: stats.bytes_sent,
        bytes_moved: stats.bytes_moved,
        slow_callbacks: stats.slow_callbacks,
        panics: stats.panics,
        longest_turn_us: us(stats.longest_turn),
        lag: report.lag.as_ref().map(durations),
        turn: report.turns.as_ref().map(durations),
        longest: longest(&report),
        slow: slow(&report),
        calls_queued: report.calls_queued,
        calls_max: report.calls_max,
        pool: pool(report.pool),
        lookups: pool(report.lookups),
        ports: reactor.ports().into_iter().map(port).collect(),
    }
}

fn longest(report: &LoopReport) -> Vec<Longest> {
    let each = report.longest.iter().map(|long| Longest {
        name: long.name.clone(),
        longest_us: us(long.longest),
        count: long.count,
    });
    each.collect()
}

fn slow(report: &LoopReport) -> Vec<Slow> {
    let each = report.slow.iter().map(|slow| Slow {
        name: slow.name.clone(),
        took_us: us(slow.took),
        ago_ms: ms(report.age.saturating_sub(slow.at)),
    });
    each.collect()
}

fn durations(histogram: &Histogram) -> Durations {
    let percentile = |share| us(histogram.percentile(share));
    Durations {
        count: histogram.count(),
        sum_us: us(histogram.sum()),
        p50_us: percentile(0.5),
        p90_us: percentile(0.9),
        p99_us: percentile(0.99),
        p999_us: percentile(0.999),
        max_us: us(histogram.max()),
        below: BOUNDS_US
            .iter()
            .map(|bound| histogram.count_below(Duration::from_micros(*bound)))
            .collect(),
    }
}

const fn pool(report: PoolReport) -> Pool {
    Pool {
        threads: report.threads,
        threads_max: report.threads_max,
        jobs: report.jobs,
        queued: report.queued,
        queue_max: report.queue_max,
    }
}

fn port(report: PortReport) -> PortStatus {
    PortStatus {
        address: report.address,
        kind: report.kind.to_owned(),
        tls: report.is_tls,
        factory: report.factory.to_owned(),
        connections: report.connections,
        accepted: report.accepted,
        failures: report.failures,
        limit: report.limit.filter(|limit| *limit != usize::MAX),
        paused: report.paused.map(|why| why.to_string()),
    }
}

/// A page of the connections of one reactor.
pub(super) fn page(reactor: &Reactor, start: PageStart, max: usize) -> Deferred<ConnectionsPage> {
    let on_shard = move |reactor: &Reactor, shard: usize| {
        (shard == start.shard).then(|| {
            let page = reactor.connections_page(start.first, max.clamp(1, PAGE_MAX));
            let connections = page.connections.into_iter();
            let connections: Vec<_> =
                connections.map(|connection| connection_status(shard, connection)).collect();
            (connections, page.next)
        })
    };
    on_each(reactor, on_shard).map(move |pages| {
        let pages = pages?;
        let shards = pages.len();
        // A reactor that does not answer has no connections to show; the next one may have.
        let found = pages.into_iter().flatten().flatten().next();
        let (connections, next) = found.unwrap_or_default();
        let next = match next {
            Some(first) => Some(PageStart { first, ..start }),
            None => Some(start.shard + 1)
                .filter(|shard| *shard < shards)
                .map(|shard| PageStart { shard, first: 0 }),
        };
        Ok(ConnectionsPage { version: VERSION, connections, next })
    })
}

/// The id of a connection among several reactors: `0-1f00000003`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GlobalId {
    shard: usize,
    id: ConnectionId,
}

impl GlobalId {
    /// `None` if it is not an id.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (shard, id) = text.split_once('-')?;
        Some(Self { shard: shard.parse().ok()?, id: id.parse().ok()? })
    }
}

fn connection_status(shard: usize, report: ConnectionReport) -> ConnectionStatus {
    ConnectionStatus {
        id: format!("{shard}-{}", report.id),
        shard,
        kind: report.kind.to_string(),
        peer: report.peer.to_string(),
        local: report.local.map(|local| local.to_string()),
        port: report.port,
        state: report.state.to_string(),
        paused: report.paused.iter().map(ToString::to_string).collect(),
        queued: report.queued,
        timers: report.timers,
        protocol: report.protocol.map(str::to_owned),
        tls: report.tls.map(|tls| TlsStatus {
            version: tls.version.to_owned(),
            cipher: tls.cipher.to_owned(),
        }),
        counts: report.counts.map(|counts| Counts {
            age_ms: ms(counts.age),
            quiet_ms: ms(counts.quiet),
            received: counts.received,
            sent: counts.sent,
            calls: counts.calls,
            last_us: us(counts.last),
            longest_us: us(counts.longest),
        }),
    }
}

/// One connection; `None` if it is gone.
pub(super) fn connection(reactor: &Reactor, of: GlobalId) -> Deferred<Option<ConnectionStatus>> {
    let find = move |reactor: &Reactor, shard: usize| {
        let report = reactor.connection_report(of.id).filter(|_| shard == of.shard)?;
        Some(connection_status(shard, report))
    };
    on_each(reactor, find).map(|found| Ok(found?.into_iter().flatten().flatten().next()))
}

/// What can be done to a connection from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Close,
    Abort,
    Pause,
    Resume,
}

impl Action {
    /// `None` if there is no such action.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "close" => Some(Self::Close),
            "abort" => Some(Self::Abort),
            "pause" => Some(Self::Pause),
            "resume" => Some(Self::Resume),
            _ => None,
        }
    }

    fn apply(self, transport: &Transport) {
        match self {
            Self::Close => transport.lose_connection(),
            Self::Abort => transport.abort(),
            Self::Pause => transport.pause_reading(),
            Self::Resume => transport.resume_reading(),
        }
    }
}

/// Does this to a connection. Resolves to `false` if it is gone.
pub(super) fn act(reactor: &Reactor, of: GlobalId, action: Action) -> Deferred<bool> {
    let act = move |reactor: &Reactor, shard: usize| {
        let transport = reactor.connection(of.id).filter(|_| shard == of.shard);
        if let Some(transport) = &transport {
            tracing::info!(peer = %transport.peer(), ?action, "a connection is changed from outside");
            action.apply(transport);
        }
        transport.is_some()
    };
    on_each(reactor, act).map(|done| Ok(done?.contains(&Ok(true))))
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
