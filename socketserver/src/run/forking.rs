//! The forking mode: each request in a child process: [`Forking`]. The table of children is in `children.rs`, fork(2)
//! in `sys.rs`.

use sinew_reactor::Reactor;

use super::{Mode, Run, children::Children, sealed::Sealed, sys};
use crate::{
    Address, BaseServer, CloseError, Request, RequestError, ServeError, accept::serve_request,
};

/// Requests accepted before the loop does something else.
const REQUESTS_PER_TURN: usize = 16;

/// Each request is handled in a child process, at most [`max_children`](crate::ServerConfig::max_children) at once.
///
/// **A process that has other threads is not forked**: `serve_forever` and `handle_request` fail with
/// [`ForkError::OtherThreads`](crate::ForkError::OtherThreads), and so does each request if threads are started later.
/// So serve from the main thread of a program that has no other. The reasons and alternatives are in
/// `docs/design/10-forking.md`.
///
/// A child leaves by `_exit` when its request is done: destructors of values copied from the parent do not run there,
/// so nothing is flushed, unlinked or committed twice. (Its own standard output is flushed.) Its exit code is 0, or 1
/// if the handler failed. It does not keep the server's port open.
///
/// Ctrl-C in a terminal reaches children, too, and ends them, unless the handler prevents that; SIGTERM to the server
/// alone does not. A server that is killed takes its children with it, on Linux and FreeBSD: they get SIGTERM
/// ([`end_with_parent`](crate::ServerConfig::end_with_parent)).
///
/// Children are reaped one by one, never by SIGCHLD or by waiting for "any", so other children of the program are not
/// affected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Forking {
    pub(crate) max_children: usize,
    pub(crate) block_on_close: bool,
    pub(crate) end_with_parent: bool,
}

impl Default for Forking {
    fn default() -> Self {
        Self { max_children: 40, block_on_close: true, end_with_parent: true }
    }
}

#[derive(Debug)]
struct InChildren {
    children: Children,
    config: Forking,
}

impl Sealed for Forking {}

impl Mode for Forking {
    fn into_run(self) -> Box<dyn Run> {
        Box::new(InChildren { children: Children::default(), config: self })
    }
}

impl Run for InChildren {
    fn check(&self) -> Result<(), ServeError> {
        Ok(sys::check_single_threaded()?)
    }

    fn begin(&self) {
        self.children.reset();
    }

    fn has_room(&self) -> bool {
        self.children.len() < self.config.max_children
    }

    fn requests_per_turn(&self) -> usize {
        REQUESTS_PER_TURN
    }

    fn process(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError> {
        let socket = server.socket().filter(|_| server.core.is_stream);
        let child = sys::fork(socket.as_ref(), self.config.end_with_parent, || {
            if serve_request(server, request.clone(), client_address) { 0 } else { 1 }
        })?;
        self.children.add(child);
        Ok(())
    }

    fn watch(&self, server: &BaseServer, reactor: &Reactor) {
        let server = server.clone();
        self.children.watch(reactor, move || server.core.serving.room_made());
    }

    fn active(&self) -> usize {
        self.children.len()
    }

    fn close(&self, server: &BaseServer) -> Result<(), CloseError> {
        if self.config.block_on_close {
            self.children.finish(server.core.settings.close_timeout)
        } else {
            self.children.abandon();
            Ok(())
        }
    }
}
