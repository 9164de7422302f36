//! The defaults of [`Hooks`](crate::Hooks), one function each, for calling from your own hooks as with Python's `super()`.

use std::{io, net::Shutdown};

use sinew_reactor::Excerpt;

use crate::{Address, AddressFamily, BaseServer, Packet, Request, RequestError, server::closed};

/// Sets the address-reuse options, and binds.
///
/// # Errors
///
/// The error of bind(2).
pub fn server_bind(server: &BaseServer) -> io::Result<()> {
    let socket = server.socket().ok_or_else(closed)?;
    let address = server.server_address();
    if address.inet().is_some() {
        socket.raw().set_reuse_address(server.allow_reuse_address())?;
        #[cfg(unix)]
        if server.core.settings.allow_reuse_port {
            socket.raw().set_reuse_port(true)?;
        }
    } else if server.allow_reuse_address() {
        #[cfg(unix)]
        crate::unix_path::remove_if_dead(&address, socket.raw())?;
    }
    socket.raw().bind(&address.to_system()?)
}

/// Starts listening, for stream servers.
///
/// # Errors
///
/// The error of listen(2).
pub fn server_activate(server: &BaseServer) -> io::Result<()> {
    if !server.core.is_stream {
        return Ok(());
    }
    let backlog = i32::try_from(server.request_queue_size()).unwrap_or(i32::MAX);
    server.socket().ok_or_else(closed)?.raw().listen(backlog)
}

/// Accepts a connection, or receives a datagram.
///
/// # Errors
///
/// `WouldBlock` if there is none; else the error of accept(2) or recvfrom(2).
pub fn get_request(server: &BaseServer) -> io::Result<(Request, Address)> {
    let socket = server.socket().ok_or_else(closed)?;
    if server.core.is_stream {
        let (stream, address) = socket.raw().accept()?;
        // On Linux accepted sockets are blocking; elsewhere they inherit the listener's flag.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        stream.set_nonblocking(false)?;
        let address = Address::of_system(&address);
        return Ok((Request::Stream(crate::Socket::new(stream)), address));
    }
    // One more byte shows whether the datagram was longer.
    let max = server.max_packet_size();
    let mut data = vec![0; max.saturating_add(1)];
    let is_udp = server.address_family() != AddressFamily::Unix;
    let (len, address, info) = socket.receive_now(&mut data, is_udp)?;
    let truncated = len > max;
    let socket = match (address.inet(), info) {
        (Some(client), Some(info)) => socket.replying(client, info),
        _ => socket,
    };
    let packet = Packet { data: data[..len.min(max)].into(), socket, info, truncated };
    Ok((Request::Datagram(packet), address))
}

/// Has the request handled in the server's mode: in place, in a thread, or in a child.
///
/// # Errors
///
/// If no thread or child can be started.
pub fn process_request(
    server: &BaseServer,
    request: &Request,
    client_address: &Address,
) -> Result<(), RequestError> {
    server.core.run.process(server, request, client_address)
}

/// Makes a handler and has it handle the request.
///
/// # Errors
///
/// The handler's error.
pub fn finish_request(
    server: &BaseServer,
    request: &Request,
    client_address: &Address,
) -> Result<(), RequestError> {
    (server.core.handle)(server, request, client_address)
}

/// Logs the error. (The panic hook has also printed the message of a panic.)
pub fn handle_error(_: &BaseServer, _: &Request, client_address: &Address, error: &RequestError) {
    let error = error.to_string();
    tracing::error!(client = %client_address, error = %Excerpt::new(&error), "a request failed");
}

/// Shuts down the sending side of a connection and drops it.
pub fn shutdown_request(server: &BaseServer, request: Request) {
    if let Request::Stream(socket) = &request {
        // Fails if the peer has gone, which does not matter.
        let _ = socket.shutdown(Shutdown::Write);
        socket.drain();
    }
    server.core.hooks.close_request(server, request);
}

/// Drops a request.
pub fn close_request(_: &BaseServer, request: Request) {
    drop(request);
}

/// Closes the server's socket and, for a Unix socket, removes its file if it is still the same one.
pub fn server_close(server: &BaseServer) {
    #[cfg(unix)]
    if let Some(file) = server.core.file.get() {
        file.remove();
    }
    drop(server.core.take_socket());
}
