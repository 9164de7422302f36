//! Tests of streamed responses, and files.

use std::{
    cell::{Cell, RefCell},
    io::Write,
    rc::Rc,
    time::Duration,
};

use sinew_http::{
    Fields, StatusCode,
    server::{Body, BodySource, BodyWaker, Produced, Reply, Request, Response, answer},
};

use crate::support::{Client, get, ok};

/// A source of `pieces` pieces of `len` bytes each.
struct Pieces {
    left: usize,
    size: usize,
    made: Rc<Cell<usize>>,
}

impl BodySource for Pieces {
    fn produce(&mut self, out: &mut Vec<u8>, _: &BodyWaker) -> Produced {
        self.made.set(self.made.get() + 1);
        out.resize(self.size, b'x');
        self.left -= 1;
        if self.left == 0 { Produced::Done } else { Produced::More }
    }

    fn trailers(&mut self) -> Fields {
        let mut trailers = Fields::new();
        trailers.append("X-Pieces", self.made.get().to_string()).unwrap();
        trailers
    }
}

fn pieces(
    left: usize,
    size: usize,
    announced: Option<u64>,
) -> (Rc<Cell<usize>>, impl Fn(Request, Reply)) {
    let made = Rc::new(Cell::new(0));
    let count = Rc::clone(&made);
    let handler = move |_: Request, reply: Reply| {
        let source = Pieces { left, size, made: Rc::clone(&count) };
        reply.send(Response::new(StatusCode::OK).with_body(Body::source(source, announced)));
    };
    (made, handler)
}

#[test]
fn a_source_with_trailers_and_with_a_length() {
    let (_, handler) = pieces(2, 3, None);
    let client = Client::new(handler);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxxx\r\n3\r\nxxx\r\n0\r\nX-Pieces: 2\r\n\r\n";
    assert_eq!(client.ask(get("/")), chunked);
    let (_, handler) = pieces(2, 3, Some(6));
    let client = Client::new(handler);
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nxxxxxx";
    assert_eq!(client.ask(get("/").repeat(2)), sized.repeat(2));
}

#[test]
fn a_source_with_the_wrong_length_ends_the_connection() {
    for (announced, sent) in [(7, "xxxxxx"), (5, "xxx")] {
        let (_, handler) = pieces(2, 3, Some(announced));
        let client = Client::new(handler);
        let received = client.ask(get("/").repeat(2));
        assert_eq!(
            received,
            format!("HTTP/1.1 200 OK\r\nContent-Length: {announced}\r\n\r\n{sent}")
        );
        assert!(client.is_closing());
    }
}

#[test]
fn a_source_is_called_as_fast_as_the_client_reads() {
    let (made, handler) = pieces(1_000, 10_000, None);
    let client = Client::new(handler);
    client.wire.set_capacity(10_000);
    client.send(get("/"));
    assert!(made.get() < 20, "{} pieces were produced without a reader", made.get());
    client.wire.set_capacity(1 << 20);
    assert!(client.received().len() > 10_000_000);
}

#[test]
fn a_writer_is_notified_of_room_and_of_the_end() {
    let room = Rc::new(Cell::new(None));
    let told = Rc::clone(&room);
    let client = Client::new(move |request: Request, reply: Reply| {
        let (writer, body) = Body::writer();
        reply.send(Response::new(StatusCode::OK).with_body(body));
        assert_eq!(
            writer.write(vec![b'x'; 70_000]),
            sinew_transports::WriteStatus::AboveHighWatermark
        );
        let told = Rc::clone(&told);
        let reactor = request.reactor();
        writer.room(&reactor).then(move |reactor, is_open| {
            told.set(Some(is_open.unwrap()));
            let told = Rc::clone(&told);
            writer.write("y");
            writer.room(reactor).then(move |_, is_open| {
                told.set(Some(is_open.unwrap()));
                std::mem::forget(writer);
            });
        });
    });
    client.send(get("/"));
    assert_eq!(room.get(), Some(true));
    client.wire.reset();
    client.advance(Duration::ZERO);
    let (writer, body) = Body::writer();
    drop(body);
    assert!(writer.is_closed());
    assert_eq!(writer.write("x"), sinew_transports::WriteStatus::Closed);
}

#[test]
fn a_writer_that_is_dropped_leaves_the_body_unfinished() {
    let client = Client::new(|_: Request, reply: Reply| {
        let (writer, body) = Body::writer();
        writer.write("abc");
        reply.send(Response::new(StatusCode::OK).with_body(body));
    });
    let received = client.ask(get("/"));
    assert_eq!(received, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert!(client.is_closing());
    // Where only the end of the connection ends the body, truncation is signalled by a reset.
    let client = Client::new(|_: Request, reply: Reply| {
        let (writer, body) = Body::writer();
        writer.write("abc");
        reply.send(Response::new(StatusCode::OK).with_body(body));
    });
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert!(client.wire.was_reset());
}

#[test]
fn files() {
    let path = std::env::temp_dir().join(format!("sinew-http-{}", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(&vec![b'x'; 300_000]).unwrap();
    let opened = path.clone();
    let client = Client::new(answer(move |request: &Request| {
        let file = std::fs::File::open(&opened).unwrap();
        let body = match request.path() {
            "/part" => Body::file_range(file, 299_990..300_000),
            "/beyond" => Body::file_range(file, 299_990..300_010),
            _ => Body::file(file).unwrap(),
        };
        Response::text("").with_body(body)
    }));
    let received = client.ask([get("/"), get("/part"), get("/")].concat());
    let whole = ok(&"x".repeat(300_000));
    assert!(received == format!("{whole}{}{whole}", ok("xxxxxxxxxx")), "{}", received.len());
    let head = client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("Content-Length: 300000") && head.ends_with("\r\n\r\n"));
    // A file that is shorter than announced ends the connection.
    assert!(client.ask([get("/beyond"), get("/")].concat()).ends_with("\r\n\r\nxxxxxxxxxx"));
    assert!(client.is_closing());
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_for_a_client_that_reads_nothing() {
    let client = Client::new(answer(|_| {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        Response::text("").with_body(Body::file(file).unwrap())
    }));
    client.wire.set_capacity(10_000);
    client.send(get("/")).advance(Duration::from_secs(29));
    assert!(!client.is_closing());
    client.advance(Duration::from_secs(2));
    assert!(client.wire.was_reset());
}

/// A file longer than a segment arrives whole, and how much of it was sent is known meanwhile.
#[test]
fn a_long_file_is_sent_in_segments() {
    let len = 9 << 20;
    let content: Vec<u8> = (0..len).map(|at: u32| (at % 251) as u8).collect();
    let path = std::env::temp_dir().join(format!("sinew-segments-{}", std::process::id()));
    std::fs::write(&path, &content).unwrap();
    let request = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&request);
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let client = Client::new(move |request: Request, reply: Reply| {
        *kept.borrow_mut() = Some(request);
        let body = Body::file(file.try_clone().unwrap()).unwrap();
        reply.send(Response::new(StatusCode::OK).with_body(body));
    });
    client.send(get("/"));
    let request = request.take().unwrap();
    assert_eq!(request.bytes_sent(), 0, "the client has received nothing");
    let (mut received, mut seen) = (Vec::new(), Vec::new());
    loop {
        let piece = client.wire.take(usize::MAX);
        if piece.is_empty() {
            break;
        }
        received.extend_from_slice(&piece);
        client.advance(Duration::ZERO);
        seen.push(request.bytes_sent());
    }
    assert!(received.ends_with(&content), "{} bytes", received.len());
    seen.dedup();
    assert!(seen.contains(&(4 << 20)) && seen.contains(&(8 << 20)), "{seen:?}");
    assert_eq!(seen.last(), Some(&u64::from(len)));
}
