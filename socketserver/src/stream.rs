//! Handlers of connections, with a file to read and a file to write: [`StreamRequestHandler`].

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
/// `setup`, `handle` and `finish` are called as [`BaseRequestHandler`] tells. There is no need to call what is overridden:
/// the files are there before `setup`, and flushed after `finish`, also if `handle` failed.
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
    /// Size of the buffer of `rfile`. Default 8,192, which is what Python's -1 comes to; less than 1 counts as 1.
    fn rbufsize(&self) -> usize {
        8192
    }

    /// Size of the buffer of `wfile`. Default 0: what is written is sent.
    fn wbufsize(&self) -> usize {
        0
    }

    /// The timeout of the connection, as [`Socket::settimeout`] sets it. Default: none. A server that strangers can reach
    /// wants one: a client that never sends keeps a thread or a process as long.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Whether small writes leave at once instead of waiting for the answer to those before (`TCP_NODELAY`). Default `false`,
    /// as in Python; no effect on Unix sockets.
    fn disable_nagle_algorithm(&self) -> bool {
        false
    }

    /// Before `handle`.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn setup(&mut self, cx: &mut StreamContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// The work.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult;

    /// After `handle`, however that ended.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn finish(&mut self, cx: &mut StreamContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// A [`Context`] with files.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamContext {
    /// The connection; Python has a second name for it, `connection`.
    pub request: Socket,
    /// Whose it is.
    pub client_address: Address,
    /// The server that got it.
    pub server: BaseServer,
    /// What comes from the client, buffered.
    pub rfile: BufReader<Socket>,
    /// What goes to the client.
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

    /// The next line with its end, cut off after `limit` bytes; the last may lack its end. Empty at the end of the input.
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
        // What could not be sent now is not to be tried once more by a drop.
        let _ = cx.wfile.into_parts();
        handled?;
        Ok(flushed?)
    }
}
