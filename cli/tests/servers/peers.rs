//! The other ends of the tests: programs that may be installed, and servers of the standard library.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
};

use socket2::{Domain, Socket, Type};

/// Whether a program is installed; if not, says that the test is skipped.
pub(super) fn has_program(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&paths).any(|directory| directory.join(name).exists());
    if !is_there {
        eprintln!("skipped: {name} is not installed");
    }
    is_there
}

/// Runs a program with this input, to its end.
pub(super) fn run_with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child = spawn(command);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // A program that ends early does not read all.
    let writing = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("a child");
    writing.join().expect("a thread that does not panic");
    output
}

pub(super) fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

/// A program that is killed at the end of the test.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program with this home folder finds what it reads from the environment, whatever that of the test is.
pub(super) fn with_environment<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    command.env("HOME", home).env("SHELL", "/bin/sh").env("LC_ALL", "C.UTF-8").env("TERM", "xterm")
}

/// A server that serves one connection with this function, on a thread.
pub(super) fn serve_one<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    (address, thread::spawn(move || serve(listener.accept().expect("a connection").0)))
}

/// A server that does this with each connection, each on a thread of its own, until the test ends.
pub(super) fn serve_all(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A port on which nobody listens, and the socket that keeps others from it. While it exists, a server of this user can listen there that
/// says `reuseport=yes`; it alone gets connections then.
pub(super) fn closed_port() -> (SocketAddr, Socket) {
    closed_port_at(Ipv4Addr::LOCALHOST)
}

/// The same at another loopback address, if this machine has it.
pub(super) fn closed_port_at(ip: Ipv4Addr) -> (SocketAddr, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("an option of all systems");
    let bind = |ip: Ipv4Addr| socket.bind(&SocketAddr::from((ip, 0)).into());
    bind(ip).or_else(|_| bind(Ipv4Addr::LOCALHOST)).expect("a free port");
    let address = socket.local_addr().expect("an address").as_socket().expect("of IPv4");
    (address, socket)
}

/// A port for a program that cannot choose one by itself. Another process can take it before: who starts that program tries again if it ends.
pub(super) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address")
}

pub(super) fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("a stream that can be read to its end");
    all
}
