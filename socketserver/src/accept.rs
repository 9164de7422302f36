//! Accepting requests when the kernel reports some: get, verify and process them. Python's
//! `_handle_request_noblock`.

use std::{
    cell::Cell,
    io::{self, ErrorKind},
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{
    AcceptFailure, Excerpt, Handler, Interest, Reactor, Ready, Token, is_about_sent,
};

use crate::{
    Address, BaseServer, Request, RequestError, ServeError, Socket, Waited, handler::guard,
    watch::Watched,
};

/// The backoff after an error that would recur at once. Python retries at once, at the full cost of a processor.
const BACKOFF: Duration = Duration::from_millis(100);

/// Consecutive errors of single connections or datagrams after which accepting backs off, too: so many have a common cause.
const SKIPPED_MAX: u32 = 256;

pub(crate) struct Acceptor {
    server: BaseServer,
    watched: Watched,
    /// Serve one request only.
    once: bool,
    outcome: Cell<Waited>,
    backing_off: Cell<bool>,
    /// Errors of single requests since the last success or empty backlog.
    skipped: Cell<u32>,
    /// Getting requests fails, and that has been logged.
    failing: Cell<bool>,
}

/// The result of one attempt.
enum Attempt {
    Request,
    /// The error concerned a single lost request: try the next.
    Skip,
    /// Nothing more for now.
    Drained,
    /// An immediate retry would fail again.
    Wait,
}

impl Acceptor {
    pub(crate) fn register(
        reactor: &Reactor,
        server: &BaseServer,
        socket: Socket,
        once: Option<Option<Duration>>,
    ) -> Result<Rc<Self>, ServeError> {
        let this = Rc::new(Self {
            server: server.clone(),
            watched: Watched::register(reactor, socket)?,
            once: once.is_some(),
            outcome: Cell::new(Waited::Stopped),
            backing_off: Cell::new(false),
            skipped: Cell::new(0),
            failing: Cell::new(false),
        });
        reactor.bind(this.token(), this.clone());
        server.core.run.begin();
        server.core.run.watch(server, reactor);
        // Requests may be pending already, for which an edge-triggered engine reports no event.
        reactor.reschedule(this.token());
        if let Some(timeout) = once.flatten() {
            let this = this.clone();
            reactor.call_later(timeout, move |reactor| this.time_out(reactor));
        }
        let interval = server.core.settings.poll_interval;
        if let Some(interval) = interval.filter(|interval| !interval.is_zero()) {
            let this = this.clone();
            reactor.call_every(interval, move |_| {
                this.service_actions();
            });
        }
        Ok(this)
    }

    pub(crate) fn token(&self) -> Token {
        self.watched.token
    }

    pub(crate) fn outcome(&self) -> Waited {
        self.outcome.get()
    }

    fn time_out(&self, reactor: &Reactor) {
        if self.outcome.get() == Waited::Stopped {
            self.finish(reactor, Waited::TimedOut);
            log_failure(guard(|| {
                self.server.core.hooks.handle_timeout(&self.server);
                Ok(())
            }));
        }
    }

    fn finish(&self, reactor: &Reactor, outcome: Waited) {
        self.outcome.set(outcome);
        // Fails if the loop is stopping already, which is fine.
        let _ = reactor.stop();
    }

    /// One pass over the pending requests.
    fn pass(self: &Rc<Self>, reactor: &Reactor) {
        if self.may_accept() {
            self.accept_some(reactor);
            self.server.core.run.watch(&self.server, reactor);
            self.service_actions();
        }
        let wanted = if self.may_accept() { Interest::READ } else { Interest::NONE };
        reactor.set_interest(self.token(), wanted);
    }

    fn service_actions(&self) {
        log_failure(guard(|| {
            self.server.core.hooks.service_actions(&self.server);
            Ok(())
        }));
    }

    fn accept_some(self: &Rc<Self>, reactor: &Reactor) {
        for _ in 0..self.server.core.run.requests_per_turn() {
            match self.accept_one() {
                Attempt::Request if self.once => return self.finish(reactor, Waited::Request),
                Attempt::Request | Attempt::Skip => {}
                Attempt::Drained => return,
                Attempt::Wait => return self.back_off(reactor),
            }
            if !self.may_accept() {
                return;
            }
        }
        reactor.reschedule(self.token());
    }

    /// Whether a request could be handled now. If not, `room_made` wakes the loop.
    fn may_accept(&self) -> bool {
        let core = &self.server.core;
        let is_done = self.once && self.outcome.get() != Waited::Stopped;
        if is_done || self.backing_off.get() || core.serving.is_stopping() {
            return false;
        }
        if core.run.has_room() {
            return true;
        }
        core.serving.request_room();
        // Room may have been made just before the wakeup was requested.
        core.run.has_room()
    }

    fn accept_one(&self) -> Attempt {
        let hooks = &self.server.core.hooks;
        let result = guard(|| Ok(hooks.get_request(&self.server)));
        let result = match result {
            Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.skipped.set(0);
                let Some(result) = self.watched.drained() else { return Attempt::Drained };
                result
            }
            Ok(result) => result,
            Err(panicked) => Err(io::Error::other(panicked)),
        };
        match result {
            Ok((request, client_address)) => {
                self.failing.set(false);
                self.skipped.set(0);
                self.process(request, &client_address);
                Attempt::Request
            }
            Err(error) => self.accept_failed(&error),
        }
    }

    fn accept_failed(&self, error: &io::Error) -> Attempt {
        let failure = match AcceptFailure::of(error) {
            // Errors caused by our replies.
            _ if !self.server.core.is_stream && is_about_sent(error) => AcceptFailure::Skip,
            failure => failure,
        };
        let skipped = self.skipped.get() + 1;
        match failure {
            AcceptFailure::Skip if skipped < SKIPPED_MAX => {
                self.skipped.set(skipped);
                return Attempt::Skip;
            }
            AcceptFailure::Drained => return Attempt::Drained,
            AcceptFailure::Skip | AcceptFailure::NoDescriptors | AcceptFailure::Wait => {}
        }
        self.skipped.set(0);
        if !self.failing.replace(true) {
            let address = self.server.server_address();
            tracing::error!(%address, %error, "cannot accept requests; retrying");
        }
        Attempt::Wait
    }

    fn process(&self, request: Request, client_address: &Address) {
        let (server, hooks) = (&self.server, &self.server.core.hooks);
        let processed = guard(|| {
            if hooks.verify_request(server, &request, client_address) {
                return hooks.process_request(server, &request, client_address).map(|()| true);
            }
            Ok(false)
        });
        match processed {
            Ok(true) => {}
            Ok(false) => shut_down(server, request),
            Err(error) => fail(server, request, client_address, &error),
        }
    }

    fn back_off(self: &Rc<Self>, reactor: &Reactor) {
        self.backing_off.set(true);
        let this = self.clone();
        reactor.call_later(BACKOFF, move |reactor| {
            this.backing_off.set(false);
            reactor.reschedule(this.token());
        });
    }
}

/// Handles a request to its end, in any mode: no panic of a handler or a hook escapes. Returns whether it succeeded.
pub(crate) fn serve_request(
    server: &BaseServer,
    request: Request,
    client_address: &Address,
) -> bool {
    let hooks = &server.core.hooks;
    match guard(|| hooks.finish_request(server, &request, client_address)) {
        Ok(()) => {
            shut_down(server, request);
            true
        }
        Err(error) => {
            fail(server, request, client_address, &error);
            false
        }
    }
}

fn fail(server: &BaseServer, request: Request, client_address: &Address, error: &RequestError) {
    log_failure(guard(|| {
        server.core.hooks.handle_error(server, &request, client_address, error);
        Ok(())
    }));
    shut_down(server, request);
}

pub(crate) fn shut_down(server: &BaseServer, request: Request) {
    log_failure(guard(|| {
        server.core.hooks.shutdown_request(server, request);
        Ok(())
    }));
}

fn log_failure(done: Result<(), RequestError>) {
    if let Err(error) = done {
        let error = error.to_string();
        tracing::error!(error = %Excerpt::new(&error), "a hook failed");
    }
}

impl Handler for Acceptor {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.pass(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.pass(reactor);
    }

    fn describe(&self) -> String {
        format!("the server on {}", self.server.server_address())
    }
}
