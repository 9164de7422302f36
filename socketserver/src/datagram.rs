//! Handlers of datagrams, with a reader of the request and a buffer for the reply: [`DatagramRequestHandler`].

use std::{io::Cursor, sync::Arc};

use crate::{
    Address, BaseRequestHandler, BaseServer, Context, HandlerResult, Packet, Socket,
    family::Datagram, handler::phases,
};

/// Handles a datagram, which is read from [`rfile`](DatagramContext::rfile). What was written to
/// [`wfile`](DatagramContext::wfile) is sent as the reply, in one datagram, after `finish`.
///
/// If nothing was written, nothing is sent (Python sends an empty datagram). If `handle` or `finish` failed, nothing is
/// sent either: a client cannot tell a partial reply in a datagram from a complete one.
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
    /// Called before `handle`.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn setup(&mut self, cx: &mut DatagramContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// Serves the datagram.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult;

    /// Called after `handle`, even if that failed.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn finish(&mut self, cx: &mut DatagramContext) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// A [`Context`] with a reader and a reply buffer.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatagramContext {
    /// The datagram and the socket that received it.
    pub request: Packet,
    /// The datagram: `request.data`.
    pub packet: Arc<[u8]>,
    /// The server's socket: `request.socket`.
    pub socket: Socket,
    /// The client's address.
    pub client_address: Address,
    /// The server that received it.
    pub server: BaseServer,
    /// The datagram, as a reader.
    pub rfile: Cursor<Arc<[u8]>>,
    /// The reply.
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
