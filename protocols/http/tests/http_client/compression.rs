//! Compressed responses: undone as they are read, within the limits of the reader.

use sinew_http::{
    StatusCode,
    client::{ClientConfig, ConnectionConfig, Request},
    server::{Reply, Request as Asked, Response},
};
use sinew_protocols::compression::{Deflate, Flush, Format};

use super::world::World;

fn compressed(format: Format, text: &[u8]) -> Vec<u8> {
    let (mut deflate, mut input, mut out) = (Deflate::new(format, 6), text, Vec::new());
    while let Some(piece) = deflate.deflate(&mut input, Flush::Finish) {
        out.extend_from_slice(piece);
    }
    out
}

/// Answers with this body and coding.
fn serving(coding: &'static str, body: Vec<u8>) -> World {
    World::new(move |request: Asked, reply: Reply| {
        assert_eq!(request.field("accept-encoding"), Some("gzip, deflate"));
        let response = Response::new(StatusCode::OK).with("Content-Encoding", coding).unwrap();
        reply.send(response.with_body(body.clone()));
    })
}

fn text(coding: &'static str, body: Vec<u8>) -> String {
    serving(coding, body).get(ClientConfig::default(), "http://server/").unwrap().text
}

#[test]
fn each_coding() {
    let hello = b"hello hello hello".as_slice();
    for (coding, format) in [
        ("gzip", Format::Gzip),
        ("x-gzip", Format::Gzip),
        ("deflate", Format::Zlib),
        ("Deflate", Format::Raw),
    ] {
        assert_eq!(text(coding, compressed(format, hello)).as_bytes(), hello, "{coding}");
    }
    assert_eq!(
        text("br", b"as it is".to_vec()),
        "as it is",
        "unknown here, and the head still says so"
    );
    assert_eq!(text("gzip", Vec::new()), "", "an empty file");
}

#[test]
fn what_describes_the_compressed_body_is_removed() {
    let world = serving("gzip", compressed(Format::Gzip, b"hello"));
    world.run(ClientConfig::default(), |client| async move {
        let response = client.client.get("http://server/").await.unwrap();
        assert_eq!((response.length(), response.field("content-encoding")), (None, None));
        assert_eq!(response.field("content-length"), None);
        assert_eq!(response.text().await.unwrap(), "hello");
        assert_eq!(client.client.pool().idle(), 1);
    });
}

#[test]
fn corrupt_or_cut_off() {
    let mut data = compressed(Format::Gzip, b"hello hello");
    let cut = data[..data.len() - 4].to_vec();
    assert!(text("gzip", cut).contains("could not be decompressed"));
    let last = data.len() - 6;
    data[last] ^= 1;
    assert!(text("gzip", data).contains("could not be decompressed"));
    assert!(text("gzip", b"hello".to_vec()).contains("could not be decompressed"));
}

#[test]
fn bomb_stops_at_budget() {
    // 4 MiB in 4 KiB.
    let bomb = compressed(Format::Gzip, &vec![0; 4 << 20]);
    assert!(bomb.len() < 10_000);
    let limit = ConnectionConfig::default().body_max(1 << 20);
    let config = ClientConfig::default().connection(limit);
    let answer = serving("gzip", bomb.clone()).get(config, "http://server/").unwrap();
    assert_eq!(answer.text, "[body longer than 1048576 bytes]");
    // Whatever reads it.
    let world = serving("gzip", bomb);
    let (bytes, error) = world.run(ClientConfig::default(), |client| async move {
        let request = Request::get("http://server/").unwrap().body_max(100_000);
        let response = client.client.send(request).await.unwrap();
        let mut bytes = 0;
        loop {
            match response.next_piece().await {
                Ok(Some(piece)) => bytes += piece.len(),
                Ok(None) => panic!("the whole bomb"),
                Err(error) => break (bytes, error.to_string()),
            }
        }
    });
    assert!(bytes <= 100_000, "{bytes}");
    assert_eq!(error, "body longer than 100000 bytes");
}

#[test]
fn requests_that_want_it_as_it_is() {
    let world = World::new(|request: Asked, reply: Reply| {
        let asked = request.field("accept-encoding").unwrap_or("nothing").to_owned();
        let body = compressed(Format::Gzip, asked.as_bytes());
        let response = Response::new(StatusCode::OK).with("Content-Encoding", "gzip").unwrap();
        reply.send(response.with_body(body));
    });
    let length = |request: Request| {
        let request = std::cell::RefCell::new(Some(request));
        world.run(ClientConfig::default(), move |client| {
            let request = request.borrow_mut().take().unwrap();
            async move {
                let response = client.client.send(request).await.unwrap();
                (response.field("content-encoding").is_some(), response.length().is_some())
            }
        })
    };
    let get = || Request::get("http://server/").unwrap();
    assert_eq!(length(get()), (false, false));
    assert_eq!(length(get().with("Range", "bytes=0-").unwrap()), (true, true));
    assert_eq!(length(get().with("Accept-Encoding", "gzip").unwrap()), (true, true));
    assert_eq!(length(get().decompress(false)), (true, true));
}
