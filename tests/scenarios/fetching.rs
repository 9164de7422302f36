//! Clients and a server of HTTP through cuts, resets, kills and slow links: no response is mixed up with another, none is incomplete and
//! taken for complete, and a request that may not be repeated is never seen twice.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use sinew::{
    http::{
        Body, Method,
        client::{ClientConfig, ConnectionConfig, HttpClient, PoolConfig, Request},
        server::{HttpServer, Reply, Request as Asked, Response, ServerConfig},
    },
    prelude::*,
    sim::{Host, Latency, Link, Network, RandomFaults},
    testing::{assert_clean, simulate},
};

use crate::{millis, secs, seeds};

/// Requests that are sent one after the other by each of the workers of a client.
const REQUESTS: u32 = 15;

/// Workers of a client: they share its connections.
const WORKERS: u32 = 5;

/// What happened to all requests, by their number.
#[derive(Default)]
pub(crate) struct Seen {
    next: Cell<u32>,
    requests: RefCell<BTreeMap<u32, Fate>>,
    pub(crate) repeated: Cell<u32>,
    pub(crate) answered: Cell<u32>,
    workers_done: Cell<u32>,
}

struct Fate {
    method: Method,
    /// How often a server has seen it.
    seen: u32,
}

impl Seen {
    fn begin(&self, method: &Method) -> u32 {
        let number = self.next.get();
        self.next.set(number + 1);
        self.requests.borrow_mut().insert(number, Fate { method: method.clone(), seen: 0 });
        number
    }

    /// A server sees a request.
    fn see(&self, number: u32, method: &Method) {
        let mut requests = self.requests.borrow_mut();
        let fate = requests.get_mut(&number).expect("a client has sent it");
        assert_eq!(fate.method, *method, "the method of request {number}");
        fate.seen += 1;
        let max = if method.is_idempotent() { 2 } else { 1 };
        assert!(fate.seen <= max, "{method} {number} was seen {} times", fate.seen);
        if fate.seen > 1 {
            self.repeated.set(self.repeated.get() + 1);
        }
    }

    /// A client has a response, so a server has seen the request.
    fn answer(&self, number: u32) {
        assert!(self.requests.borrow()[&number].seen > 0, "nobody has seen request {number}");
        self.answered.set(self.answered.get() + 1);
    }
}

/// The body of a request, and that of its response.
fn body(number: u32) -> Vec<u8> {
    let len = (number as usize).wrapping_mul(7_919) % 12_000;
    (0..len).map(|at| (at as u32 ^ number) as u8).collect()
}

fn handler(seen: &Rc<Seen>) -> impl Fn(Asked, Reply) + 'static {
    let seen = Rc::clone(seen);
    move |request, reply| {
        let number: u32 = request.path()[1..].parse().expect("a number");
        seen.see(number, request.method());
        let reactor = request.reactor();
        let random = reactor.random();
        request.clone().collect().then(move |reactor, sent| {
            let Ok(sent) = sent else { return };
            let expected = if request.has_body() { body(number) } else { Vec::new() };
            assert!(sent == expected, "the body of request {number} is another one");
            let response = Response::text(body(number)).with("X-Number", number.to_string());
            let response = response.expect("a number");
            match random % 6 {
                0 => reply.send(response.with_close()),
                1 => {
                    drop(reactor.call_later(millis(random >> 32 & 2_047), |_| reply.send(response)))
                }
                2 => {
                    let (writer, streamed) = Body::writer();
                    reply.send(response.with_body(streamed));
                    reactor.call_later(millis(random >> 32 & 255), move |_| {
                        for piece in body(number).chunks(1_000) {
                            writer.write(piece);
                        }
                        // Sometimes it is given up, which the client has to notice.
                        if random >> 48 & 7 != 0 {
                            writer.finish();
                        }
                    });
                }
                _ => reply.send(response),
            }
        });
    }
}

/// Sends requests one after the other, and checks what comes back.
async fn work(reactor: Reactor, client: HttpClient, seen: Rc<Seen>) {
    for _ in 0..REQUESTS {
        let random = reactor.random();
        let method =
            [Method::GET, Method::POST, Method::PUT, Method::HEAD][random as usize % 4].clone();
        let number = seen.begin(&method);
        let has_body = matches!(method, Method::POST | Method::PUT);
        let request = Request::new(method.clone(), format!("http://server/{number}"));
        let mut request = request.expect("a good URL");
        if has_body {
            request = request.body(body(number));
        }
        // Some are given up before they are answered.
        let patience = if random >> 8 & 7 == 0 { random >> 16 & 511 } else { 60_000 };
        let exchange = fetch(&client, request, &method, number, &seen);
        let _ = reactor.timeout(millis(patience), exchange).await;
        // Around the time that a server keeps an idle connection.
        let pause = [0, 10, 900, 1_000, 1_100, 3_000][(random >> 32) as usize % 6];
        reactor.sleep(millis(pause)).await;
    }
    seen.workers_done.set(seen.workers_done.get() + 1);
}

async fn fetch(client: &HttpClient, request: Request, method: &Method, number: u32, seen: &Seen) {
    let Ok(response) = client.send(request).await else { return };
    assert_eq!(response.status().as_u16(), 200, "request {number}");
    let expected = number.to_string();
    assert_eq!(response.field("x-number"), Some(expected.as_str()), "a response is mixed up");
    let Ok(came) = response.collect().await else { return };
    let whole = if *method == Method::HEAD { Vec::new() } else { body(number) };
    assert!(came == whole, "{} of {} bytes of response {number}", came.len(), whole.len());
    seen.answer(number);
}

fn boot_client(host: &Host, seen: &Rc<Seen>) {
    let seen = Rc::clone(seen);
    host.boot(move |reactor| {
        let connection = ConnectionConfig::default().head_timeout(secs(5)).idle_timeout(secs(5));
        let pool = PoolConfig::default().per_key_max(3);
        let config = ClientConfig::default().timeout(secs(20)).connection(connection).pool(pool);
        let client = HttpClient::with_config(reactor, config);
        for _ in 0..WORKERS {
            reactor.spawn(work(reactor.clone(), client.clone(), Rc::clone(&seen))).detach();
        }
    });
}

pub(crate) fn fetching(network: &Network, total: &Seen) {
    let seen = Rc::new(Seen::default());
    let server = network.host("server");
    let clients = [network.host("one"), network.host("two")];
    let random = server.reactor().random();
    if random.is_multiple_of(2) {
        let latency = Latency::Tailed(millis(20), millis(20));
        network.set_link(Link::default().latency(latency).loss(0.01).bandwidth(100_000));
    }
    let served = Rc::clone(&seen);
    server.boot(move |reactor| {
        let config = ServerConfig::default().keep_alive(secs(1)).requests_max(10);
        let server = HttpServer::with_config(handler(&served), config);
        drop(reactor.listen_tcp("0.0.0.0:80", server).expect("a free port"));
    });
    clients.iter().for_each(|client| boot_client(client, &seen));
    let faults = RandomFaults::every(secs(3)).lasting(secs(2)).cuts().resets().pauses();
    network.set_random_faults(if random >> 8 & 3 == 0 { faults.kills() } else { faults });
    network.run_for(secs(60)).unwrap();
    network.set_random_faults(None);
    // All faults are over: every request ends, with a response or without.
    network.run_for(secs(3_000)).unwrap();
    let are_whole = !network.faults().to_string().contains("kill");
    if are_whole {
        assert_eq!(seen.workers_done.get(), 2 * WORKERS, "every request has ended");
    }
    for client in &clients {
        assert_clean(&client.reactor());
    }
    total.repeated.set(total.repeated.get() + seen.repeated.get());
    total.answered.set(total.answered.get() + seen.answered.get());
}

#[test]
fn responses_are_never_mixed_up() {
    let total = Seen::default();
    let count = seeds().count() as u32;
    simulate(seeds(), |network| fetching(network, &total));
    assert!(total.answered.get() > count * 20, "{} answers", total.answered.get());
    assert!(count < 20 || total.repeated.get() > 0, "no request was ever repeated");
}
