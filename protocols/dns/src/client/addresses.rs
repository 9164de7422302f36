//! The addresses of a host: hosts file, search domains, A and AAAA side by side, and their order. The resolver of connections.

use std::{
    future::{Future, poll_fn},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::Duration,
};

use sinew_transports::{
    DatagramProtocol, DatagramTransport, ReactorUdp,
    reactor::{Deferred, Reactor},
};

use super::{
    Answer, LookupError,
    order::{Candidate, sort},
    search::{absolute, candidates},
    shared::Shared,
    special::{Special, special},
};
use crate::codec::{Name, Question, RData, RecordType};

/// Addresses of a name that are used. Happy Eyeballs tries no more.
const ADDRESSES_MAX: usize = 64;

/// Seconds for which the order of addresses from the hosts file holds, unless that changes.
const HOSTS_TTL: u32 = 60;

/// The port to which a socket is connected that asks the kernel for its source address: discard. Nothing is sent.
const PORT: u16 = 9;

type Found = Result<Answer, LookupError>;

impl Shared {
    /// What is known of a host without waiting.
    pub(super) fn known_addresses(
        self: &Rc<Self>,
        reactor: &Reactor,
        host: &str,
    ) -> Option<Result<Vec<SocketAddr>, LookupError>> {
        self.refresh(reactor);
        if let Some(addrs) = self.addresses.borrow().get(host, reactor.now()) {
            return Some(Ok(addrs.to_vec()));
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Some(Ok(vec![(ip, 0).into()]));
        }
        let name = match absolute(host) {
            Ok(name) => name,
            Err(error) => return Some(Err(error)),
        };
        let no_aaaa = self.settings.borrow().no_aaaa;
        let hosts = self.hosts.borrow();
        let addrs = hosts.addrs(&name)?.iter().filter(|addr| addr.is_ipv4() || !no_aaaa);
        let addrs = self.in_order(reactor, addrs.take(ADDRESSES_MAX).copied().collect());
        if addrs.is_empty() {
            let (name, record_type) = (Box::new(name), RecordType::A);
            return Some(Err(LookupError::NoRecord { name, record_type }));
        }
        self.addresses.borrow_mut().insert(host, &addrs, HOSTS_TTL, reactor.now());
        Some(Ok(addrs))
    }

    /// Looks a host up that is not known.
    pub(super) async fn find_addresses(
        self: Rc<Self>,
        reactor: Reactor,
        host: String,
    ) -> Result<Vec<SocketAddr>, LookupError> {
        let settings = self.settings();
        let mut error = None;
        for name in candidates(&host, &settings)? {
            match self.addresses_of(&reactor, name, settings.no_aaaa).await {
                Ok((addrs, ttl)) => {
                    let addrs = self.in_order(&reactor, addrs);
                    let mut cache = self.addresses.borrow_mut();
                    cache.insert(&host, &addrs, ttl, reactor.now());
                    return Ok(addrs);
                }
                // That a name exists is better news than that it does not.
                Err(next) if next.is_negative() || is_refused(&next) => {
                    error = Some(more_telling(error, next));
                }
                // No server answers, and none would for the next name.
                Err(error) => return Err(error),
            }
        }
        Err(error.unwrap_or(LookupError::NoServers))
    }

    /// The addresses of an absolute name, IPv6 first, and for how long they hold.
    async fn addresses_of(
        self: &Rc<Self>,
        reactor: &Reactor,
        name: Name,
        no_aaaa: bool,
    ) -> Result<(Vec<SocketAddr>, u32), LookupError> {
        if special(&name) == Some(Special::Loopback) {
            let v6 = (Ipv6Addr::LOCALHOST, 0).into();
            let v4 = (Ipv4Addr::LOCALHOST, 0).into();
            return Ok((if no_aaaa { vec![v4] } else { vec![v6, v4] }, 0));
        }
        let v4 = self.look_up(Question::new(name.clone(), RecordType::A));
        let (v4, v6) = if no_aaaa {
            (Some(v4.await), None)
        } else {
            let v6 = self.look_up(Question::new(name.clone(), RecordType::AAAA));
            both(reactor, v4, v6, self.config.other_family).await
        };
        let mut addrs = Vec::new();
        let (mut ttl, mut error) = (u32::MAX, None);
        for found in [v6, v4].into_iter().flatten() {
            match found {
                Ok(answer) => {
                    ttl = ttl.min(answer.ttl());
                    addrs.extend(answer.records().iter().filter_map(|record| addr(&record.data)));
                }
                Err(next) => error = Some(more_telling(error, next)),
            }
        }
        addrs.truncate(ADDRESSES_MAX);
        let none = || LookupError::NoRecord { name: Box::new(name), record_type: RecordType::A };
        if addrs.is_empty() { Err(error.unwrap_or_else(none)) } else { Ok((addrs, ttl)) }
    }

    /// Best first.
    fn in_order(&self, reactor: &Reactor, addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
        if addrs.len() < 2 || !self.config.rfc6724 {
            return addrs;
        }
        let candidate = |to| Candidate { to, from: source(reactor, to) };
        let mut candidates: Vec<_> = addrs.into_iter().map(candidate).collect();
        sort(&mut candidates);
        candidates.into_iter().map(|candidate| candidate.to).collect()
    }
}

/// Waits for both. Once one has found something, the other is waited for only so long.
async fn both(
    reactor: &Reactor,
    first: Deferred<Answer, LookupError>,
    second: Deferred<Answer, LookupError>,
    wait: Duration,
) -> (Option<Found>, Option<Found>) {
    let mut pending = [Some(first), Some(second)];
    let mut found = [None, None];
    let mut sleep = pin!(None);
    poll_fn(|context| {
        for (pending, found) in pending.iter_mut().zip(&mut found) {
            if let Some(deferred) = pending
                && let Poll::Ready(result) = Pin::new(deferred).poll(context)
            {
                (*pending, *found) = (None, Some(result));
            }
        }
        if pending.iter().all(Option::is_none) {
            return Poll::Ready(());
        }
        if !found.iter().any(|found| matches!(found, Some(Ok(_)))) {
            return Poll::Pending;
        }
        if sleep.is_none() {
            sleep.set(Some(reactor.sleep(wait)));
        }
        match sleep.as_mut().as_pin_mut() {
            Some(sleep) => sleep.poll(context),
            None => Poll::Pending,
        }
    })
    .await;
    let [first, second] = found;
    (first, second)
}

fn addr(data: &RData) -> Option<SocketAddr> {
    match data {
        RData::A(ip) => Some((ip.0, 0).into()),
        RData::AAAA(ip) => Some((ip.0, 0).into()),
        _ => None,
    }
}

/// The address from which the system would connect. The socket is closed by the event loop.
fn source(reactor: &Reactor, mut to: SocketAddr) -> Option<IpAddr> {
    struct Nothing;

    impl DatagramProtocol for Nothing {
        fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: SocketAddr) {}
    }

    to.set_port(PORT);
    let socket = reactor.connect_udp(to, Nothing).ok()?;
    socket.stop();
    Some(socket.local().ip())
}

const fn is_refused(error: &LookupError) -> bool {
    matches!(error, LookupError::NotInDns { .. })
}

/// Of two errors, the one that says more: servers failed; names are not looked up in DNS; there is no record; there is no name.
fn more_telling(old: Option<LookupError>, new: LookupError) -> LookupError {
    let rank = |error: &LookupError| match error {
        LookupError::NoSuchName { .. } => 0,
        LookupError::NoRecord { .. } => 1,
        LookupError::NotInDns { .. } => 2,
        _ => 3,
    };
    match old {
        Some(old) if rank(&old) >= rank(&new) => old,
        _ => new,
    }
}
