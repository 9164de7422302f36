//! Request rate limit of each client: [`RequestRateLimit`]. Limits requests; bytes are limited by
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

/// A layer that responds with 429 and `Retry-After` when a client exceeds its rate: an average number of requests a second, with
/// bursts.
///
/// A client is an [IP address](Request::client_ip) (an IPv6 /64 network), or the key that [`by`](Self::by) makes of a request.
/// Requests without a key are not limited. Clients are remembered until they may send a whole burst again, at most 10,000:
/// above that, those that were quiet for longest are forgotten first.
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

/// The state of clients. Pure: the time is an argument.
struct Clients {
    /// The time for one request at the average rate.
    each: Duration,
    burst: u32,
    clients_max: usize,
    /// When each client will have its whole burst again. Two generations of maps; the older one is dropped as a whole.
    recent: HashMap<Client, Instant>,
    older: HashMap<Client, Instant>,
    /// When the recent map becomes the older one.
    turn: Option<Instant>,
}

impl<H: Handler> RequestRateLimit<H> {
    /// Wraps a handler, with requests a second on average, and requests in a burst, at least one each.
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

    /// Counts by another key than the address, such as a user or an API key. Requests for which it is `None` are not limited.
    pub fn by(mut self, by: impl Fn(&Request) -> Option<String> + 'static) -> Self {
        self.by = Some(Rc::new(by));
        self
    }

    /// Most clients that are remembered. Default 10,000.
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
                // Rounded up: a client that returns a moment too early is rejected again.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let response = Response::new(StatusCode::TOO_MANY_REQUESTS);
                reply.send(response.with("Retry-After", seconds.to_string()));
            }
        }
    }
}

impl Clients {
    /// Counts a request; or returns how long to wait until one more is allowed.
    fn take(&mut self, client: Client, now: Instant) -> Result<(), Duration> {
        let window = self.each * self.burst;
        let is_over = self.turn.is_none_or(|turn| now >= turn);
        if is_over
            || self.recent.len() >= self.clients_max.div_ceil(2)
                && !self.recent.contains_key(&client)
        {
            self.older = mem::take(&mut self.recent);
            // By then, each of them has its whole burst again.
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

/// The network of one client: the whole IPv4 address, or 64 bits of an IPv6 address.
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
