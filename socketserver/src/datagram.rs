//! Handlers of datagrams, with a file to read and a file to write: [`DatagramRequestHandler`].

use std::{
    io::Cursor,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use crate::{
    BaseRequestHandler, Context, HandlerResult, Socket, family::Datagram, handler::phases,
};

/// Handles a datagram: it is what [`rfile`](DatagramContext::rfile) has, and what was written to
/// [`wfile`](DatagramContext::wfile) is the answer, in one datagram, after `finish`.
///
/// If nothing was written, nothing is sent (Python sends an empty datagram). If `handle` or `finish` failed, nothing is sent
/// either: half an answer in a datagram cannot be told from a whole one.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use sinew_socketserver::{DatagramContext, DatagramRequestHandler, HandlerResult};
///
/// struct Shout;
///
/// impl DatagramRequestHandler for Shout {
///     fn handle(&mut self, cx: &mut DatagramContext<'_>) -> HandlerResult {
///         let answer = cx.packet().to_ascii_uppercase();
///         cx.wfile.write_all(&answer)?;
///         Ok(())
///     }
/// }
/// ```
pub trait DatagramRequestHandler: 'static {
    /// Before `handle`.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn setup(&mut self, cx: &mut DatagramContext<'_>) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// The work.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn handle(&mut self, cx: &mut DatagramContext<'_>) -> HandlerResult;

    /// After `handle`, however that ended.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn finish(&mut self, cx: &mut DatagramContext<'_>) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// A [`Context`] with files.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatagramContext<'a> {
    cx: &'a mut Context<Datagram>,
    /// The datagram, to be read like a file.
    pub rfile: Cursor<Arc<[u8]>>,
    /// The answer.
    pub wfile: Vec<u8>,
}

impl DatagramContext<'_> {
    /// The datagram.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        &self.cx.request.data
    }

    /// The server's socket.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.cx.request.socket
    }
}

impl Deref for DatagramContext<'_> {
    type Target = Context<Datagram>;

    fn deref(&self) -> &Context<Datagram> {
        self.cx
    }
}

impl DerefMut for DatagramContext<'_> {
    fn deref_mut(&mut self) -> &mut Context<Datagram> {
        self.cx
    }
}

impl<H: DatagramRequestHandler> BaseRequestHandler<Datagram> for H {
    fn handle(&mut self, cx: &mut Context<Datagram>) -> HandlerResult {
        let rfile = Cursor::new(cx.request.data.clone());
        let mut cx = DatagramContext { cx, rfile, wfile: Vec::new() };
        phases(self, &mut cx, H::setup, H::handle, H::finish)?;
        if !cx.wfile.is_empty() {
            cx.socket().sendto(&cx.wfile, &cx.client_address)?;
        }
        Ok(())
    }
}
