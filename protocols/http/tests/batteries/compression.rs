//! Tests of compressed responses.

use sinew_http::server::{Body, Compression, Reply, Request, Response};

use crate::support::{Client, without_dates};

fn handler(request: Request, reply: Reply) {
    let text = "hello, hello, hello\n".repeat(100);
    let response = match request.path() {
        "/short" => Response::text("short"),
        "/image" => Response::text(text).with_type("image/png"),
        "/done" => Response::text(text).with("Content-Encoding", "br").unwrap(),
        "/keep" => Response::text(text).with("Cache-Control", "private, no-transform").unwrap(),
        "/tag" => Response::text(text).with("ETag", "\"a\"").unwrap(),
        "/stream" => {
            let (writer, body) = Body::writer();
            writer.write(&text);
            writer.finish();
            Response::text("").with_body(body)
        }
        _ => Response::text(text),
    };
    reply.send(response);
}

/// The head, and the body as it was sent.
fn ask(method: &str, path: &str, accepts: &str) -> (String, Vec<u8>) {
    let client = Client::new(Compression::new(handler));
    client
        .send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepts}\r\n\r\n"));
    let received = client.wire.take(usize::MAX);
    let end = received.windows(4).position(|text| text == b"\r\n\r\n").unwrap();
    (without_dates(&String::from_utf8_lossy(&received[..end])), received[end + 4..].to_vec())
}

fn inflate(mut input: &[u8]) -> Vec<u8> {
    use sinew_protocols::compression::{Format, Inflate, Inflated};
    let mut inflate = Inflate::new(Format::Gzip);
    let mut output = Vec::new();
    while let Inflated::Output(piece) = inflate.inflate(&mut input).unwrap() {
        output.extend_from_slice(piece);
    }
    inflate.finish().unwrap();
    output
}

#[test]
fn long_text_is_compressed() {
    let (head, body) = ask("GET", "/", "gzip");
    assert!(head.contains("Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())) && body.len() < 200);
    assert_eq!(inflate(&body), "hello, hello, hello\n".repeat(100).as_bytes());
    let (head, body) = ask("HEAD", "/", "gzip");
    assert!(
        head.contains("Content-Encoding: gzip")
            && !head.contains("Content-Length")
            && body.is_empty()
    );
    let (head, _) = ask("GET", "/tag", "gzip");
    assert!(head.contains("ETag: W/\"a\"\r\n"));
}

#[test]
fn a_stream_is_compressed_as_it_comes() {
    let (head, body) = ask("GET", "/stream", "gzip");
    assert!(head.contains("Transfer-Encoding: chunked") && head.contains("Content-Encoding: gzip"));
    let mut decoder =
        sinew_http::codec::ChunkedDecoder::new(sinew_http::codec::ChunkLimits::default());
    let (mut rest, mut data) = (&body[..], Vec::new());
    while let sinew_http::codec::BodyEvent::Data(piece) = decoder.decode(&mut rest).unwrap() {
        data.extend_from_slice(piece);
    }
    assert_eq!(inflate(&data), "hello, hello, hello\n".repeat(100).as_bytes());
}

#[test]
fn responses_that_are_not_compressed() {
    for (path, accepts) in [
        ("/short", "gzip"),
        ("/image", "gzip"),
        ("/done", "gzip"),
        ("/keep", "gzip"),
        ("/", "br"),
        ("/", "gzip;q=0"),
    ] {
        let (head, _) = ask("GET", path, accepts);
        assert!(!head.contains("gzip"), "{path} {accepts}");
    }
    assert!(
        ask("GET", "/", "br").0.contains("Vary: Accept-Encoding"),
        "caches are told of those that could be"
    );
}
