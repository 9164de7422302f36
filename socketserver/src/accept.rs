//! What is done when the kernel says that requests are there: get them, verify them, have them processed. Python's
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

/// How long accepting rests after an error that would come again at once. Python goes on at once, at the full cost of a processor.
const REST: Duration = Duration::from_millis(100);

/// Errors of single connections or datagrams in a row, after which it rests, too: so many are not about those.
const SKIPPED_MAX: u32 = 256;

pub(crate) struct Acceptor {
    server: BaseServer,
    watched: Watched,
    /// For one request only.
    once: bool,
    waited: Cell<Waited>,
    resting: Cell<bool>,
    /// Errors of single requests since one was got, or there was none.
    skipped: Cell<u32>,
    /// Getting requests fails, and it has been logged.
    failing: Cell<bool>,
}

/// What became of one attempt.
enum Got {
    Request,
    /// The error was about one that is gone: the next.
    Skip,
    /// No more for now.
    Drained,
    /// Trying again at once would fail again.
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
            waited: Cell::new(Waited::Stopped),
            resting: Cell::new(false),
            skipped: Cell::new(0),
            failing: Cell::new(false),
        });
        reactor.bind(this.token(), this.clone());
        server.core.run.begin();
        server.core.run.watch(server, reactor);
        // There may be something already, which an engine that tells of changes does not tell twice.
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

    pub(crate) fn waited(&self) -> Waited {
        self.waited.get()
    }

    fn time_out(&self, reactor: &Reactor) {
        if self.waited.get() == Waited::Stopped {
            self.finish(reactor, Waited::TimedOut);
            tell(guard(|| {
                self.server.core.hooks.handle_timeout(&self.server);
                Ok(())
            }));
        }
    }

    fn finish(&self, reactor: &Reactor, waited: Waited) {
        self.waited.set(waited);
        // If it stops already, so much the better.
        let _ = reactor.stop();
    }

    /// One pass over what is there.
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
        tell(guard(|| {
            self.server.core.hooks.service_actions(&self.server);
            Ok(())
        }));
    }

    fn accept_some(self: &Rc<Self>, reactor: &Reactor) {
        for _ in 0..self.server.core.run.requests_per_turn() {
            match self.accept_one() {
                Got::Request if self.once => return self.finish(reactor, Waited::Request),
                Got::Request | Got::Skip => {}
                Got::Drained => return,
                Got::Wait => return self.rest(reactor),
            }
            if !self.may_accept() {
                return;
            }
        }
        reactor.reschedule(self.token());
    }

    /// Whether a request that is got now could be handled. If not, whoever makes room wakes the loop.
    fn may_accept(&self) -> bool {
        let core = &self.server.core;
        let is_done = self.once && self.waited.get() != Waited::Stopped;
        if is_done || self.resting.get() || core.serving.is_stopping() {
            return false;
        }
        if core.run.has_room() {
            return true;
        }
        core.serving.want_room();
        // It may have been made just before that was said.
        core.run.has_room()
    }

    fn accept_one(&self) -> Got {
        let hooks = &self.server.core.hooks;
        let got = guard(|| Ok(hooks.get_request(&self.server)));
        let got = match got {
            Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                self.skipped.set(0);
                let Some(got) = self.watched.drained() else { return Got::Drained };
                got
            }
            Ok(got) => got,
            Err(panicked) => Err(io::Error::other(panicked)),
        };
        match got {
            Ok((request, client_address)) => {
                self.failing.set(false);
                self.skipped.set(0);
                self.process(request, &client_address);
                Got::Request
            }
            Err(error) => self.not_got(&error),
        }
    }

    fn not_got(&self, error: &io::Error) -> Got {
        let failure = match AcceptFailure::of(error) {
            // What answers of ours have met.
            _ if !self.server.core.is_stream && is_about_sent(error) => AcceptFailure::Skip,
            failure => failure,
        };
        let skipped = self.skipped.get() + 1;
        match failure {
            AcceptFailure::Skip if skipped < SKIPPED_MAX => {
                self.skipped.set(skipped);
                return Got::Skip;
            }
            AcceptFailure::Drained => return Got::Drained,
            AcceptFailure::Skip | AcceptFailure::NoDescriptors | AcceptFailure::Wait => {}
        }
        self.skipped.set(0);
        if !self.failing.replace(true) {
            let address = self.server.server_address();
            tracing::error!(%address, %error, "requests cannot be got; trying again from time to time");
        }
        Got::Wait
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

    fn rest(self: &Rc<Self>, reactor: &Reactor) {
        self.resting.set(true);
        let this = self.clone();
        reactor.call_later(REST, move |reactor| {
            this.resting.set(false);
            reactor.reschedule(this.token());
        });
    }
}

/// Handles a request to its end, wherever that is done: nothing that a handler or a hook does comes out of it. Whether all went
/// well.
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
    tell(guard(|| {
        server.core.hooks.handle_error(server, &request, client_address, error);
        Ok(())
    }));
    shut_down(server, request);
}

pub(crate) fn shut_down(server: &BaseServer, request: Request) {
    tell(guard(|| {
        server.core.hooks.shutdown_request(server, request);
        Ok(())
    }));
}

fn tell(done: Result<(), RequestError>) {
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
