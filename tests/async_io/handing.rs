//! Connections that go from tasks to callbacks and back, with what was received and not used.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
    transports::{AsyncStream, NotHandedOver},
};

use super::kinds::everywhere;

type Log = Rc<RefCell<Vec<String>>>;

/// Logs lines. After "task" it gives the connection to a task.
struct Lines {
    log: Log,
    reactor: Reactor,
}

impl LineHandler for Lines {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        self.log.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
        if line == b"task" {
            let stream = AsyncStream::take_over(transport).unwrap();
            assert_eq!(AsyncStream::take_over(transport).unwrap_err(), NotHandedOver::Pending);
            self.reactor.spawn(as_task(stream, self.log.clone(), self.reactor.clone())).detach();
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.log.borrow_mut().push(format!("lines: {reason}"));
    }
}

/// Reads five bytes and gives the connection back.
async fn as_task(mut stream: AsyncStream, log: Log, reactor: Reactor) {
    let mut five = [0; 5];
    stream.read_exact(&mut five).await.unwrap();
    log.borrow_mut().push(format!("task: {}", five.escape_ascii()));
    stream.write_all(&five).await.unwrap();
    stream.into_protocol(LineReceiver::new(Lines { log, reactor })).unwrap();
}

#[test]
fn a_connection_goes_back_and_forth_with_its_unread_input() {
    everywhere("back and forth", async |mut place| {
        let (server, mut client) = place.pair().await;
        let log = Log::default();
        let lines = Lines { log: log.clone(), reactor: place.reactor.clone() };
        server.into_protocol(LineReceiver::new(lines)).unwrap();
        // Everything at once, so that each has received what the next one needs.
        client.write_all(b"one\r\ntask\r\nabcdetwo\r\ntask\r\nfghijthree\r\nhal").await.unwrap();
        let mut echoed = [0; 10];
        client.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"abcdefghij");
        client.write_all(b"f\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut echoed).await.unwrap(), 0);
        drop(client);
        while log.borrow().len() < 11 {
            place.reactor.sleep(std::time::Duration::from_millis(1)).await;
        }
        let handed_over = "lines: handed over to another protocol";
        let expected = [
            "one",
            "task",
            handed_over,
            "task: abcde",
            "two",
            "task",
            handed_over,
            "task: fghij",
            "three",
            "half",
            "lines: closed by the peer",
        ];
        assert_eq!(*log.borrow(), expected);
    });
}

/// Receives everything.
struct All(Rc<RefCell<Vec<u8>>>);

impl Protocol for All {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
}

#[test]
fn looked_at_bytes_go_along() {
    everywhere("looked at", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        client.write_all(b"0123456789").await.unwrap();
        while server.fill_buf().await.unwrap().len() < 10 {
            // They come in one piece on a real network, and may not elsewhere.
            let piece = server.fill_buf().await.unwrap().to_vec();
            server.consume(piece.len());
            server.put_back(&piece);
            place.reactor.sleep(std::time::Duration::from_millis(1)).await;
        }
        server.consume(4);
        let received = Rc::default();
        server.into_protocol(All(Rc::clone(&received))).unwrap();
        client.write_all(b"more").await.unwrap();
        drop(client);
        while received.borrow().len() < 10 {
            place.reactor.sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(*received.borrow(), b"456789more");
    });
}

/// Keeps everything and gives it back when it is handed over.
#[derive(Default)]
struct Hoards(Vec<u8>);

impl Protocol for Hoards {
    fn connection_made(&mut self, transport: &Transport) {
        transport.pause_reading();
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.extend_from_slice(data);
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        std::mem::take(&mut self.0).into()
    }
}

/// The old protocol has paused reading, and the input has ended.
#[test]
fn a_pause_and_an_end_are_taken_over() {
    everywhere("paused", async |mut place| {
        let (mut server, client) = place.pair().await;
        let connection = client.into_protocol(Hoards::default()).unwrap();
        server.write_all(b"hello").await.unwrap();
        server.shutdown().await.unwrap();
        place.reactor.sleep(std::time::Duration::from_millis(2)).await;
        let mut client = AsyncStream::take_over(connection.transport()).unwrap();
        let mut data = [0; 5];
        client.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"hello");
        assert_eq!(client.read(&mut data).await.unwrap(), 0);
        client.write_all(b"still").await.unwrap();
        server.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"still");
    });
}
