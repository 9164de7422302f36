//! How many requests each client may send: [`RequestRateLimit`]. It bounds requests; bytes are bounded by
//! `sinew_protocols::policies::RateLimit`.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt, mem,
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
    time::{Duration, Instant},
};

use http::StatusCode;

use super::{Handler, Reply, Request, Response};

/// A layer that answers with 429 and `Retry-After` when a client sends more requests than it may: on average so many a second, and a burst
/// at once.
///
/// A client is an [IP address](Request::client_ip), of IPv6 a network of 64 bits, or what [`by`](Self::by) makes of a request. Requests without
/// one are not limited. It is remembered for as long as it takes until it may send a whole burst again, and of 10,000 clients at most:
/// past that, those that have been quiet for the longest are forgotten first.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{RequestRateLimit, Router};
///
/// let site = RequestRateLimit::new(Router::new(), 10, 50); // 10 a second, 50 at once
/// ```
#[must_use]
pub struct RequestRateLimit<H> {
    inner: H,
    clients: RefCell<Clients>,
    by: Option<Rc<By>>,
}

type By = dyn Fn(&Request) -> Option<String>;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Client {
    Ip(IpAddr),
    Named(String),
}

/// What is known of clients. Pure: the time is an argument.
struct Clients {
    /// The time that a request takes at the average rate.
    each: Duration,
    burst: u32,
    clients_max: usize,
    /// When each client will have its whole burst again. Two maps, of which the older one is forgotten as a whole.
    recent: HashMap<Client, Instant>,
    older: HashMap<Client, Instant>,
    /// When the recent ones become the older ones.
    turn: Option<Instant>,
}

impl<H: Handler> RequestRateLimit<H> {
    /// Around a handler: requests a second on average, at least one, and requests at once, at least one.
    pub fn new(inner: H, per_second: u32, burst: u32) -> Self {
        let each = Duration::from_secs(1) / per_second.max(1);
        let clients = Clients {
            each,
            burst: burst.max(1),
            clients_max: 10_000,
            recent: HashMap::new(),
            older: HashMap::new(),
            turn: None,
        };
        Self { inner, clients: RefCell::new(clients), by: None }
    }

    /// Counts by something else than the address, such as a user or a key. Requests for which it is `None` are not limited.
    pub fn by(mut self, by: impl Fn(&Request) -> Option<String> + 'static) -> Self {
        self.by = Some(Rc::new(by));
        self
    }

    /// How many clients are remembered. Default 10,000.
    pub fn clients_max(self, clients: usize) -> Self {
        self.clients.borrow_mut().clients_max = clients.max(1);
        self
    }
}

impl<H: Handler> Handler for RequestRateLimit<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let client = match &self.by {
            Some(by) => by(&request).map(Client::Named),
            None => request.client_ip().map(network).map(Client::Ip),
        };
        let now = request.reactor().now();
        let wait = client.map_or(Ok(()), |client| self.clients.borrow_mut().take(client, now));
        match wait {
            Ok(()) => self.inner.handle(request, reply),
            Err(wait) => {
                // Rounded up: who comes back a moment too early is refused again.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let response = Response::new(StatusCode::TOO_MANY_REQUESTS);
                reply.send(response.with("Retry-After", seconds.to_string()));
            }
        }
    }
}

impl Clients {
    /// Counts a request; or says how long to wait until one more is allowed.
    fn take(&mut self, client: Client, now: Instant) -> Result<(), Duration> {
        let window = self.each * self.burst;
        let is_over = self.turn.is_none_or(|turn| now >= turn);
        if is_over
            || self.recent.len() >= self.clients_max.div_ceil(2)
                && !self.recent.contains_key(&client)
        {
            self.older = mem::take(&mut self.recent);
            // After so long, each of them has its whole burst again.
            self.turn = now.checked_add(window);
        }
        let known = self.recent.get(&client).or_else(|| self.older.get(&client));
        let full_at = known.map_or(now, |full_at| (*full_at).max(now)) + self.each;
        match (full_at - now).checked_sub(window).filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                self.recent.insert(client, full_at);
                Ok(())
            }
        }
    }
}

/// The network that one client has: all of an address of IPv4, and 64 bits of one of IPv6.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

impl<H> fmt::Debug for RequestRateLimit<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.clients.borrow();
        let known = clients.recent.len() + clients.older.len();
        f.debug_struct("RequestRateLimit").field("clients", &known).finish_non_exhaustive()
    }
}
