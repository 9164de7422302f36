//! Tests of handlers, hooks and sockets in one process with threads: the order of calls, and their effects. Leaks
//! at the end of a server are tested in `servers.rs`.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use sinew_socketserver::{BaseServer, Family, Server};

mod handlers {
    mod hooks;
    mod lifecycle;
    mod socket;
}

/// How long anything may take before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The calls, in their order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Serves while `f` runs, then closes. A watchdog fails a test that hangs.
fn serving<F: Family, H, M, T>(
    server: Server<F, H, M>,
    f: impl FnOnce(&BaseServer) -> io::Result<T>,
) -> T {
    watchdog::watch_this_test();
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve_forever());
        let done = f(&server);
        server.shutdown().unwrap();
        serving.join().unwrap().unwrap();
        server.server_close().unwrap();
        done.unwrap()
    })
}

fn tcp_client(server: &BaseServer) -> io::Result<std::net::TcpStream> {
    let client = std::net::TcpStream::connect(server.server_address().inet().unwrap())?;
    client.set_read_timeout(Some(TEST_TIMEOUT))?;
    Ok(client)
}

fn udp_client(server: &BaseServer) -> io::Result<std::net::UdpSocket> {
    let client = std::net::UdpSocket::bind("127.0.0.1:0")?;
    client.set_read_timeout(Some(TEST_TIMEOUT))?;
    client.connect(server.server_address().inet().unwrap())?;
    Ok(client)
}
