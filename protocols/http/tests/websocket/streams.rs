//! WebSockets by `await`: order, backpressure both ways, cancellation, and the end.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{
    server::{HttpServer, Request},
    websocket::{
        CloseCode, PreparedMessage, ReceivedMessage, WebSocketConfig, WebSocketStream,
        WebSocketUpgrade,
    },
};
use sinew_transports::{Address, ListeningPort, reactor::Reactor};

use crate::ends::{client, endpoint, listen};

struct Streams {
    reactor: Reactor,
    client: WebSocketStream,
    server: WebSocketStream,
    _port: ListeningPort<Address>,
}

fn streams() -> Streams {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::simulated(0);
    let accepted: Rc<RefCell<Option<WebSocketStream>>> = Rc::default();
    let kept = Rc::clone(&accepted);
    let upgrade = WebSocketUpgrade::new(move |_: &Request| {
        let (handler, stream) = WebSocketStream::pair();
        *kept.borrow_mut() = Some(stream);
        handler
    });
    let port = listen(&reactor, HttpServer::new(upgrade));
    let (handler, stream) = WebSocketStream::pair();
    let config = WebSocketConfig::default().ping_after(None);
    let opened = client().config(config).connect_to(&reactor, &endpoint(), handler);
    reactor.advance(Duration::ZERO).unwrap();
    assert!(opened.take().unwrap().is_ok());
    let server = accepted.take().unwrap();
    Streams { reactor, client: stream, server, _port: port }
}

impl Streams {
    fn settle(&self) {
        self.reactor.advance(Duration::from_millis(5)).unwrap();
    }
}

#[test]
fn messages_in_order() {
    let Streams { reactor, client, server, _port } = streams();
    let done = reactor.spawn(async move {
        for number in 0..500_u32 {
            client.send(format!("{number}")).await.unwrap();
        }
        client.send(vec![7; 100_000]).await.unwrap();
        client.send_prepared(&PreparedMessage::text("news")).await.unwrap();
        client.close(CloseCode::NORMAL);
        assert_eq!(client.recv().await, None);
        client.closed().unwrap()
    });
    let received = reactor.spawn(async move {
        for number in 0..500_u32 {
            assert_eq!(server.recv().await, Some(ReceivedMessage::Text(number.to_string())));
        }
        assert_eq!(server.recv().await.unwrap().len(), 100_000);
        assert_eq!(server.recv().await, Some("news".into()));
        assert_eq!(server.recv().await, None);
        assert!(server.send("late").await.is_err());
        server.closed().unwrap()
    });
    reactor.advance(Duration::from_secs(1)).unwrap();
    for end in [done, received] {
        let mut end = std::pin::pin!(end);
        let waker = std::task::Waker::noop();
        let polled = end.as_mut().poll(&mut std::task::Context::from_waker(waker));
        let std::task::Poll::Ready(Ok(reason)) = polled else { panic!("{polled:?}") };
        assert_eq!(reason.code, CloseCode::NORMAL);
    }
}

#[test]
fn a_slow_receiver_stops_the_sender() {
    let Streams { reactor, client, server, _port } = streams();
    let sent = Rc::new(RefCell::new(0_u32));
    let count = Rc::clone(&sent);
    let task = reactor.spawn(async move {
        while client.send(vec![1; 1_000]).await.is_ok() {
            *count.borrow_mut() += 1;
        }
    });
    reactor.advance(Duration::from_secs(1)).unwrap();
    let before = *sent.borrow();
    assert!((64..2_000).contains(&before), "{before} were sent while nobody receives");
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(*sent.borrow(), before);
    // As it receives, the sender goes on.
    let receive = reactor.spawn(async move {
        for _ in 0..5_000 {
            assert_eq!(server.recv().await.unwrap().len(), 1_000);
        }
        server
    });
    reactor.advance(Duration::from_secs(10)).unwrap();
    assert!(*sent.borrow() > 5_000);
    drop(receive);
    drop(task);
}

#[test]
fn cancelled_calls_lose_nothing() {
    let streams = streams();
    let (reactor, client, server) = (&streams.reactor, &streams.client, &streams.server);
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    for round in 0..10 {
        {
            // Polled, and dropped before a message is there.
            let mut recv = std::pin::pin!(server.recv());
            assert!(recv.as_mut().poll(&mut context).is_pending());
        }
        {
            let mut send = std::pin::pin!(client.send(format!("{round}")));
            assert!(send.as_mut().poll(&mut context).is_ready());
        }
        streams.settle();
        let mut recv = std::pin::pin!(server.recv());
        let polled = recv.as_mut().poll(&mut context);
        assert_eq!(polled, std::task::Poll::Ready(Some(format!("{round}").into())));
    }
    // A send that waits and is dropped has sent nothing.
    let mut sent = 0;
    loop {
        let mut send = std::pin::pin!(client.send(vec![1; 30_000]));
        if send.as_mut().poll(&mut context).is_pending() {
            break;
        }
        sent += 1;
        streams.settle();
    }
    let mut received = 0;
    loop {
        let mut recv = std::pin::pin!(server.recv());
        if recv.as_mut().poll(&mut context).is_pending() {
            break;
        }
        received += 1;
        reactor.advance(Duration::from_millis(5)).unwrap();
    }
    assert_eq!(sent, received);
}

#[test]
fn a_dropped_stream_closes() {
    let Streams { reactor, client, server, _port } = streams();
    drop(client);
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(server.closed().unwrap().code, CloseCode::GOING_AWAY);
    // One whose connection is never made ends, too.
    let (handler, stream) = WebSocketStream::pair();
    drop(handler);
    assert_eq!(stream.closed().unwrap().code, CloseCode::ABNORMAL);
}
