//! Tests of the order of `setup`, `handle`, `finish`, and of the output that was written.

use std::{
    io::{BufRead, Read, Write},
    net::Shutdown,
    sync::Arc,
};

use sinew_socketserver::*;

use crate::{Log, serving, tcp_client, udp_client};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Well,
    Fails,
    Panics,
}
use Step::{Fails, Panics, Well};

/// A handler whose three calls end as configured.
struct Steps {
    steps: [Step; 3],
    log: Log,
}

impl Steps {
    fn step(&self, number: usize, name: &str) -> HandlerResult {
        self.log.say(name);
        match self.steps[number] {
            Well => Ok(()),
            Fails => Err(format!("{name} failed").into()),
            Panics => panic!("{name} panicked"),
        }
    }
}

impl BaseRequestHandler for Steps {
    fn setup(&mut self, _: &mut Context) -> HandlerResult {
        self.step(0, "setup")
    }

    fn handle(&mut self, _: &mut Context) -> HandlerResult {
        self.step(1, "handle")
    }

    fn finish(&mut self, _: &mut Context) -> HandlerResult {
        self.step(2, "finish")
    }
}

struct Errors(Log);

impl Hooks for Errors {
    fn handle_error(&self, _: &BaseServer, _: &Request, _: &Address, error: &RequestError) {
        self.0.say(format!("error: {error}"));
    }
}

#[test]
fn finish_is_called_whenever_setup_succeeded() {
    let all = ["setup", "handle", "finish"];
    let cases: &[([Step; 3], &[&str], &str)] = &[
        ([Well, Well, Well], &all, ""),
        ([Fails, Well, Well], &["setup"], "setup failed"),
        ([Panics, Well, Well], &["setup"], "panicked: setup panicked"),
        ([Well, Fails, Well], &all, "handle failed"),
        ([Well, Panics, Well], &all, "panicked: handle panicked"),
        ([Well, Well, Fails], &all, "finish failed"),
        // The first error counts.
        ([Well, Fails, Fails], &all, "handle failed"),
        ([Well, Panics, Fails], &all, "panicked: handle panicked"),
        ([Well, Fails, Panics], &all, "handle failed"),
        ([Well, Well, Panics], &all, "panicked: finish panicked"),
    ];
    for (steps, calls, error) in cases {
        let log = Log::default();
        let (steps, handler_log) = (*steps, log.clone());
        let server = TcpServer::bind_with(
            "127.0.0.1:0",
            move || Steps { steps, log: handler_log.clone() },
            ServerConfig::default().hooks(Errors(log.clone())),
        )
        .unwrap();
        serving(server, |server| tcp_client(server)?.read_to_end(&mut Vec::new()));
        let mut expected: Vec<_> = calls.iter().map(|call| (*call).to_owned()).collect();
        expected.extend((!error.is_empty()).then(|| format!("error: {error}")));
        assert_eq!(log.take(), expected, "{steps:?}");
    }
}

/// Writes three lines, buffered; fails in between on request.
struct Buffered;

impl StreamRequestHandler for Buffered {
    fn wbufsize(&self) -> usize {
        1000
    }

    fn rbufsize(&self) -> usize {
        0
    }

    fn disable_nagle_algorithm(&self) -> bool {
        true
    }

    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
        assert!(socket2::SockRef::from(&cx.request).tcp_nodelay()?);
        let mut line = String::new();
        cx.rfile.read_line(&mut line)?;
        writeln!(cx.wfile, "{} said {}", cx.client_address, line.trim_end())?;
        writeln!(cx.wfile, "to {}", cx.server.server_address())?;
        if line.starts_with("fail") {
            return Err("as requested".into());
        }
        Ok(())
    }

    fn finish(&mut self, cx: &mut StreamContext) -> HandlerResult {
        writeln!(cx.wfile, "bye")?;
        Ok(())
    }
}

#[test]
fn buffered_output_is_sent_also_if_handle_failed() {
    for text in ["hello", "fail"] {
        let server = ThreadingTcpServer::bind("127.0.0.1:0", || Buffered).unwrap();
        serving(server, |server| {
            let mut client = tcp_client(server)?;
            client.write_all(text.as_bytes())?;
            client.shutdown(Shutdown::Write)?;
            let mut said = String::new();
            client.read_to_string(&mut said)?;
            let (from, to) = (client.local_addr()?, server.server_address());
            assert_eq!(said, format!("{from} said {text}\nto {to}\nbye\n"));
            Ok(())
        });
    }
}

/// Cuts lines at four bytes.
struct Lines;

impl StreamRequestHandler for Lines {
    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
        loop {
            let line = cx.readline(4)?;
            if line.is_empty() {
                return Ok(());
            }
            write!(cx.wfile, "[{}]", line.escape_ascii())?;
        }
    }
}

#[test]
fn a_line_is_cut_at_its_limit() {
    let server = TcpServer::bind("127.0.0.1:0", || Lines).unwrap();
    serving(server, |server| {
        let mut client = tcp_client(server)?;
        client.write_all(b"ab\n\nabc\nabcdefg\nxy")?;
        client.shutdown(Shutdown::Write)?;
        let mut said = String::new();
        client.read_to_string(&mut said)?;
        assert_eq!(said, r"[ab\n][\n][abc\n][abcd][efg\n][xy]");
        Ok(())
    });
}

struct Datagrams;

impl DatagramRequestHandler for Datagrams {
    fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
        let mut text = String::new();
        cx.rfile.read_to_string(&mut text)?;
        match &*text {
            "nothing" => return Ok(()),
            "half" => {
                write!(cx.wfile, "half an ans")?;
                return Err("as requested".into());
            }
            _ => {}
        }
        assert_eq!(text.as_bytes(), &*cx.packet);
        assert_eq!(cx.socket.getsockname()?, cx.server.server_address());
        write!(cx.wfile, "{} said ", cx.client_address)?;
        write!(cx.wfile, "{text}{}", if cx.request.truncated { " and more" } else { "" })?;
        Ok(())
    }
}

/// A reply is one datagram; no reply, or a partial one, is not sent. A datagram that is too long is truncated and marked.
#[test]
fn a_reply_is_one_datagram_or_none() {
    let config = ServerConfig::default().max_packet_size(10);
    let server = UdpServer::bind_with("127.0.0.1:0", || Datagrams, config).unwrap();
    serving(server, |server| {
        let client = udp_client(server)?;
        let name = client.local_addr()?;
        let cases = [
            ("hello", "hello"),
            ("0123456789", "0123456789"),
            ("0123456789a", "0123456789 and more"),
        ];
        for (text, answer) in cases {
            // The earlier two are handled by the time the last is answered, and their replies would come first.
            for text in ["nothing", "half", text] {
                client.send(text.as_bytes())?;
            }
            let mut said = [0; 100];
            let len = client.recv(&mut said)?;
            assert_eq!(std::str::from_utf8(&said[..len]).unwrap(), format!("{name} said {answer}"));
        }
        Ok(())
    });
}

/// The closure captures what handlers share.
#[test]
fn a_handler_is_made_for_each_request() {
    struct Counted(Arc<()>);
    impl BaseRequestHandler for Counted {
        fn handle(&mut self, cx: &mut Context) -> HandlerResult {
            Ok(cx.request.sendall(format!("{}", Arc::strong_count(&self.0)).as_bytes())?)
        }
    }
    let shared = Arc::new(());
    let captured = shared.clone();
    let server = TcpServer::bind("127.0.0.1:0", move || Counted(captured.clone())).unwrap();
    serving(server, |server| {
        for _ in 0..3 {
            let mut said = String::new();
            tcp_client(server)?.read_to_string(&mut said)?;
            assert_eq!(said, "3", "one in the test, one in the closure, one in this handler");
        }
        Ok(())
    });
    assert_eq!(Arc::strong_count(&shared), 1);
}
