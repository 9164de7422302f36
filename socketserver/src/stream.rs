//! Handlers of connections, with a buffered reader and a writer: [`StreamRequestHandler`].

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    time::Duration,
};

use crate::{
    Address, BaseRequestHandler, BaseServer, Context, HandlerResult, Socket, family::Stream,
    handler::phases,
};

/// Handles a connection through [`rfile`](StreamContext::rfile) and [`wfile`](StreamContext::wfile).
///
/// `setup`, `handle` and `finish` are called as described at [`BaseRequestHandler`]. Overriding them requires no call
/// of a base method: the files exist before `setup`, and are flushed after `finish`, also if `handle` failed.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use sinew_socketserver::{HandlerResult, StreamContext, StreamRequestHandler};
///
/// struct Shout;
///
/// impl StreamRequestHandler for Shout {
///     fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
///         let line = cx.readline(10_000)?;
///         cx.wfile.write_all(&line.to_ascii_uppercase())?;
///         Ok(())
///     }
/// }
/// ```
pub trait StreamRequestHandler: 'static {
    /// The size of the buffer of `rfile`. Default 8,192, the effect of Python's -1; less than 1 counts as 1.
    fn rbufsize(&self) -> usize {
        8192
    }

    /// The size of the buffer of `wfile`. Default 0: writes are sent at once.
    fn wbufsize(&self) -> usize {
        0
    }

    /// The timeout of the connection, as [`Socket::settimeout`] sets it. Default: none. Set one on a server that is
    /// exposed to untrusted clients: a client that never sends occupies a thread or a process until then.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Whether to disable Nagle's algorithm (`TCP_NODELAY`), so that small writes are sent without waiting for
    /// acknowledgements. Default `false`, as in Python; no effect on Unix sockets.
    fn disable_nagle_algorithm(&self) -> bool {
        false
    }

    /// Called before `handle`.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn setup(&mut self, cx: &mut StreamContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// Serves the connection.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult;

    /// Called after `handle`, even if that failed.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn finish(&mut self, cx: &mut StreamContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// A [`Context`] with a reader and a writer.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamContext {
    /// The connection; in Python also called `connection`.
    pub request: Socket,
    /// The client's address.
    pub client_address: Address,
    /// The server that accepted it.
    pub server: BaseServer,
    /// Reads from the connection, buffered.
    pub rfile: BufReader<Socket>,
    /// Writes to the connection.
    pub wfile: BufWriter<Socket>,
}

impl StreamContext {
    fn new<H: StreamRequestHandler>(handler: &H, cx: &Context<Stream>) -> io::Result<Self> {
        let socket = &cx.request;
        if let Some(timeout) = handler.timeout() {
            socket.settimeout(Some(timeout))?;
        }
        if handler.disable_nagle_algorithm() && cx.client_address.inet().is_some() {
            socket.raw().set_tcp_nodelay(true)?;
        }
        Ok(Self {
            request: socket.clone(),
            client_address: cx.client_address.clone(),
            server: cx.server.clone(),
            rfile: BufReader::with_capacity(handler.rbufsize().max(1), socket.clone()),
            wfile: BufWriter::with_capacity(handler.wbufsize(), socket.clone()),
        })
    }

    /// The next line including its end, cut after `limit` bytes; the last line may lack its end. Empty at the end of
    /// the input.
    ///
    /// # Errors
    ///
    /// As [`Socket::recv`].
    pub fn readline(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.rfile).take(limit as u64).read_until(b'\n', &mut line)?;
        Ok(line)
    }
}

impl<H: StreamRequestHandler> BaseRequestHandler<Stream> for H {
    fn handle(&mut self, cx: &mut Context<Stream>) -> HandlerResult {
        let mut cx = StreamContext::new(self, cx)?;
        let handled = phases(self, &mut cx, H::setup, H::handle, H::finish);
        let flushed = cx.wfile.flush();
        // Data that could not be sent now must not be retried by the drop.
        let _ = cx.wfile.into_parts();
        handled?;
        Ok(flushed?)
    }
}
