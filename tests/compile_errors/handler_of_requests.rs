//! What handles no requests.
//~ `Echo` does not handle requests
//~ implement `StreamRequestHandler` for connections
use sinew_socketserver::ThreadingTcpServer;

struct Echo;

fn bind() {
    let _ = ThreadingTcpServer::bind("127.0.0.1:0", || Echo);
}
