//! Handlers of datagrams, with a file to read and a file to write: [`DatagramRequestHandler`].

use std::{io::Cursor, sync::Arc};

use crate::{
    Address, BaseRequestHandler, BaseServer, Context, HandlerResult, Packet, Socket,
    family::Datagram, handler::phases,
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
///     fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
///         let answer = cx.packet.to_ascii_uppercase();
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
    fn setup(&mut self, cx: &mut DatagramContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// The work.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult;

    /// After `handle`, however that ended.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn finish(&mut self, cx: &mut DatagramContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// A [`Context`] with files.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatagramContext {
    /// The datagram and the socket that it came to.
    pub request: Packet,
    /// The datagram: `request.data`.
    pub packet: Arc<[u8]>,
    /// The server's socket: `request.socket`.
    pub socket: Socket,
    /// Whose it is.
    pub client_address: Address,
    /// The server that got it.
    pub server: BaseServer,
    /// The datagram, to be read like a file.
    pub rfile: Cursor<Arc<[u8]>>,
    /// The answer.
    pub wfile: Vec<u8>,
}

impl<H: DatagramRequestHandler> BaseRequestHandler<Datagram> for H {
    fn handle(&mut self, cx: &mut Context<Datagram>) -> HandlerResult {
        let mut cx = DatagramContext {
            request: cx.request.clone(),
            packet: cx.request.data.clone(),
            socket: cx.request.socket.clone(),
            client_address: cx.client_address.clone(),
            server: cx.server.clone(),
            rfile: Cursor::new(cx.request.data.clone()),
            wfile: Vec::new(),
        };
        phases(self, &mut cx, H::setup, H::handle, H::finish)?;
        if !cx.wfile.is_empty() {
            cx.socket.sendto(&cx.wfile, &cx.client_address)?;
        }
        Ok(())
    }
}
