//! Hosts in a simulated network, and a client on one of them.

use std::{cell::RefCell, future::Future, pin::Pin, rc::Rc, time::Duration};

use sinew_http::{
    client::{ClientConfig, HttpClient, Request, RequestError, Response},
    server::{Handler, HttpServer, ServerConfig},
};
use sinew_testkit::sim::Network;
use sinew_transports::{
    ListenConfig, ReactorTcp,
    reactor::{Deferred, Reactor},
};

pub(crate) struct World {
    pub(crate) network: Network,
}

impl World {
    /// With a server on the host `server`, port 80.
    pub(crate) fn new(
        handler: impl Fn(sinew_http::server::Request, sinew_http::server::Reply) + Clone + 'static,
    ) -> Self {
        let world = Self::empty();
        world.serve("server", 80, handler);
        world
    }

    pub(crate) fn empty() -> Self {
        crate::watchdog::watch_this_test();
        Self { network: Network::new(0) }
    }

    /// One more server.
    pub(crate) fn serve(&self, host: &str, port: u16, handler: impl Handler + Clone) {
        self.serve_with(host, port, ServerConfig::default(), handler);
    }

    pub(crate) fn serve_with(
        &self,
        host: &str,
        port: u16,
        config: ServerConfig,
        handler: impl Handler + Clone,
    ) {
        self.network.host(host).boot(move |reactor| {
            let server = HttpServer::with_config(handler.clone(), config.clone());
            let listen = ListenConfig::default();
            let port = reactor.listen_tcp_with(("0.0.0.0", port), listen, server);
            drop(port.expect("a port that is free"));
        });
    }

    /// Runs a program on the host `client`, and hands out what it returns.
    pub(crate) fn run<T, F>(
        &self,
        config: ClientConfig,
        program: impl Fn(Client) -> F + 'static,
    ) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let result = Rc::new(RefCell::new(None));
        let put = Rc::clone(&result);
        let program = Rc::new(program);
        self.network.host("client").boot(move |reactor| {
            let client = HttpClient::with_config(reactor, config.clone());
            let (put, program) = (Rc::clone(&put), Rc::clone(&program));
            let client = Client { reactor: reactor.clone(), client };
            reactor
                .spawn(async move {
                    let done: Pin<Box<dyn Future<Output = T>>> = Box::pin(program(client));
                    *put.borrow_mut() = Some(done.await);
                })
                .detach();
        });
        let within = Duration::from_secs(3_600);
        let is_done = || result.borrow().is_some();
        self.network.run_until(within, is_done).expect("the program comes to its end");
        let done = result.borrow_mut().take();
        done.expect("it is done")
    }

    /// Asks for one URL.
    pub(crate) fn get(&self, config: ClientConfig, url: &str) -> Result<Answer, RequestError> {
        self.send(config, Request::get(url).expect("a good URL"))
    }

    /// Sends one request, and collects the response.
    pub(crate) fn send(
        &self,
        config: ClientConfig,
        request: Request,
    ) -> Result<Answer, RequestError> {
        let request = RefCell::new(Some(request));
        self.run(config, move |client| {
            let request = request.borrow_mut().take().expect("one run");
            async move { client.ask(request).await }
        })
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) reactor: Reactor,
    pub(crate) client: HttpClient,
}

/// A response, collected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) url: String,
}

impl Client {
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, RequestError> {
        answer(self.client.send(request)).await
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Answer, RequestError> {
        answer(self.client.get(url)).await
    }
}

async fn answer(waiting: Deferred<Response, RequestError>) -> Result<Answer, RequestError> {
    let response = waiting.await?;
    let text = match response.text().await {
        Ok(text) => text,
        Err(error) => format!("[{error}]"),
    };
    let url = response.url().map(ToString::to_string).unwrap_or_default();
    Ok(Answer { status: response.status().as_u16(), text, url })
}
