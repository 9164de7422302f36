//! What a stream does on every engine, over every kind of connection.

use std::{io, time::Duration};

use sinew::transports::{AsyncStream, Peer, async_io::WRITE_MAX};

use super::kinds::{Kind, echo, everywhere, noise};

#[test]
fn echoes_of_every_length_with_halves_in_two_tasks() {
    everywhere("echo", async |mut place| {
        let (server, client) = place.pair().await;
        let server = place.reactor.spawn(echo(server));
        let (mut read, mut write) = client.split();
        let lens = [1, 2, 100, 5_000, 16_384, 70_000, 300_000];
        let writer = place.reactor.spawn(async move {
            for len in lens {
                write.write_all(&noise(len)).await.unwrap();
            }
            write.shutdown().await.unwrap();
            write
        });
        for len in lens {
            let mut answer = vec![0; len];
            read.read_exact(&mut answer).await.unwrap();
            assert!(answer == noise(len), "{len} bytes");
        }
        assert_eq!(read.read(&mut [0; 10]).await.unwrap(), 0);
        let write = writer.await.unwrap();
        server.await.unwrap().unwrap();
        let whole = AsyncStream::reunite(read, write).unwrap();
        let is_inet = matches!(whole.peer(), Peer::Inet(_));
        assert_eq!(is_inet, matches!(place.kind, Kind::Tcp | Kind::Tls));
    });
}

#[test]
fn a_half_close_ends_one_direction() {
    everywhere("half-close", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        client.shutdown().await.unwrap();
        let error = client.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");

        let mut question = [0; 100];
        let mut len = 0;
        loop {
            match server.read(&mut question[len..]).await.unwrap() {
                0 => break,
                more => len += more,
            }
        }
        assert_eq!(&question[..len], b"question");
        assert_eq!(server.read(&mut question).await.unwrap(), 0, "still at the end");
        server.write_all(b"answer").await.unwrap();
        drop(server);

        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        assert_eq!(client.read(&mut answer).await.unwrap(), 0);
    });
}

#[test]
fn a_drop_closes_with_everything_sent() {
    everywhere("drop", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let data = noise(200_000);
        let sent = data.clone();
        let sender = place.reactor.spawn(async move { client.write_all(&sent).await });
        let mut received = vec![0; data.len()];
        server.read_exact(&mut received).await.unwrap();
        assert!(received == data);
        sender.await.unwrap().unwrap();
        assert_eq!(server.read(&mut received).await.unwrap(), 0);
    });
}

#[test]
fn dropped_halves_end_what_is_theirs() {
    everywhere("halves", async |mut place| {
        let (mut server, client) = place.pair().await;
        let (mut read, mut write) = client.split();
        write.write_all(b"all").await.unwrap();
        drop(write);
        let mut data = [0; 3];
        server.read_exact(&mut data).await.unwrap();
        assert_eq!(
            server.read(&mut data).await.unwrap(),
            0,
            "the dropped half has ended the output"
        );
        server.write_all(b"yet").await.unwrap();
        read.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"yet");
        drop(read);
        assert_eq!(server.read(&mut data).await.unwrap(), 0);
        drop(server);

        let (mut server, client) = place.pair().await;
        let (read, mut write) = client.split();
        drop(read);
        write.write_all(b"one").await.unwrap();
        server.read_exact(&mut data).await.unwrap();
        write.write_all(b"two").await.unwrap();
        server.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"two");
        drop(write);
        assert_eq!(server.read(&mut data).await.unwrap(), 0);
    });
}

#[test]
fn an_abort_is_an_error_at_both_ends() {
    everywhere("abort", async |mut place| {
        let (mut server, client) = place.pair().await;
        let transport = client.transport().clone();
        let (mut read, mut write) = client.split();
        let reader = place.reactor.spawn(async move { read.read(&mut [0; 8]).await });
        server.write_all(b"unread").await.unwrap();
        // The read half takes it.
        assert_eq!(reader.await.unwrap().unwrap(), 6);
        transport.abort();
        let error = write.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{error}");
        let read = server.read(&mut [0; 8]).await;
        if place.kind.shows_resets() {
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
            let error = server.write(b"x").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
        }
    });
}

#[test]
fn a_writer_waits_for_a_reader() {
    everywhere("backpressure", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let transport = client.transport().clone();
        let data = noise(4 << 20);
        let expected = data.clone();
        // Nobody reads: the writer stops, having queued no more than the high watermark and one write.
        let written = {
            let mut written = 0;
            let mut longest_queue = 0;
            while let Ok(more) = place
                .reactor
                .timeout(Duration::from_millis(200), client.write(&data[written..]))
                .await
            {
                written += more.unwrap();
                longest_queue = longest_queue.max(transport.queued());
                if written == data.len() {
                    break;
                }
            }
            let bound = 64 * 1024 + WRITE_MAX;
            assert!(longest_queue <= bound, "{longest_queue} bytes queued");
            written
        };
        if place.kind != Kind::Memory {
            assert!(written < data.len(), "the kernel has buffered all of it");
        }
        let sender = place.reactor.spawn(async move {
            client.write_all(&data[written..]).await.unwrap();
            client.flush().await.unwrap();
            assert_eq!(client.transport().queued(), 0);
        });
        let mut received = vec![0; expected.len()];
        let mut len = 0;
        loop {
            match server.read(&mut received[len..]).await.unwrap() {
                0 => break,
                more => len += more,
            }
            if len == received.len() {
                break;
            }
        }
        assert!(received == expected);
        sender.await.unwrap();
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn flush_waits_until_all_is_sent() {
    everywhere("flush", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        client.flush().await.unwrap();
        client.write_all(b"short").await.unwrap();
        client.flush().await.unwrap();
        assert_eq!(client.transport().queued(), 0);
        let mut data = [0; 5];
        server.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"short");

        let long = noise(3 << 20);
        let expected = long.clone();
        let sender = place.reactor.spawn(async move {
            client.write_all(&long).await.unwrap();
            client.flush().await.unwrap();
            assert_eq!(client.transport().queued(), 0);
            client
        });
        let mut received = vec![0; expected.len()];
        server.read_exact(&mut received).await.unwrap();
        assert!(received == expected);
        drop(sender.await.unwrap());
    });
}

#[test]
fn a_read_that_timed_out_has_lost_nothing() {
    everywhere("timeout", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let mut data = [0; 6];
        let tick = Duration::from_millis(1);
        for _ in 0..3 {
            assert!(place.reactor.timeout(tick, server.read(&mut data)).await.is_err());
        }
        client.write_all(b"abc").await.unwrap();
        // What has come of it stays where it is until all is there.
        for _ in 0..3 {
            assert!(place.reactor.timeout(tick, server.read_exact(&mut data)).await.is_err());
        }
        client.write_all(b"def").await.unwrap();
        server.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"abcdef");
    });
}

#[test]
fn an_idle_timeout_is_an_error() {
    everywhere("idle timeout", async |mut place| {
        let (mut server, client) = place.pair().await;
        server.transport().set_idle_timeout(Duration::from_millis(5));
        let error = server.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        drop(client);
    });
}

#[test]
#[cfg(unix)]
fn a_program_is_a_stream() {
    use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

    crate::watchdog::watch_this_test();
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let handle = reactor.clone();
        let ran = reactor.run_until(async move {
            let program: ClientEndpoint = "process:cat".parse().unwrap();
            let mut cat = AsyncStream::connect(&handle, program).await.unwrap();
            cat.write_all(&noise(1000)).await.unwrap();
            cat.shutdown().await.unwrap();
            let mut answer = vec![0; 1000];
            cat.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, noise(1000));
            assert_eq!(cat.read(&mut answer).await.unwrap(), 0);
        });
        ran.unwrap();
    }
}

#[test]
fn a_failed_attempt_says_why() {
    use sinew::prelude::*;

    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    // Bound, so that no other program gets the port, and not listening.
    let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    closed.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let addr = closed.local_addr().unwrap().as_socket().unwrap();
    let connecting = AsyncStream::connect(&reactor, addr);
    let error = reactor.run_until(connecting).unwrap().unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}
