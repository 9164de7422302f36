//! A file that goes to Prosody's `mod_http_file_share`, by a slot that the client has asked for, and comes back.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    rc::Rc,
    time::Duration,
};

use sinew_chat::xmpp::client::{Slot, UploadError, UploadFile, XmppClient, XmppConfig};
use sinew_transports::reactor::Reactor;

use super::{
    prosody::{Prosody, free_port, prosody_with},
    talk::{Notes, Noting, connected},
};

/// One request of HTTP to 127.0.0.1, whatever the host of the URL is. Returns the status and the body.
fn http(method: &str, url: &str, port: u16, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
    let rest = url.strip_prefix("http://").expect("it is HTTP");
    let (host, path) = rest.split_once('/').expect("it has a path");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("it has a head");
    let status = String::from_utf8_lossy(&answer[..end]).lines().next().unwrap().to_owned();
    (status, answer[end + 4..].to_vec())
}

fn exchange(slot: &Slot, port: u16, file: &[u8]) -> (String, String, Vec<u8>) {
    let mut headers = "Content-Type: text/plain\r\n".to_owned();
    for (name, value) in &slot.headers {
        headers += &format!("{name}: {value}\r\n");
    }
    let (put, _) = http("PUT", &slot.put, port, &headers, file);
    let (get, body) = http("GET", &slot.get, port, "", b"");
    (put, get, body)
}

async fn upload(reactor: Reactor, prosody: Rc<Prosody>, port: u16) -> Result<(), UploadError> {
    let config = |without_tls| {
        let config = XmppConfig::new("ann@localhost/desk".parse().unwrap(), "secret of ann");
        config.tls(prosody.tls.clone()).uploads_without_tls(without_tls)
    };
    let client = |config| XmppClient::new(&reactor, config, Noting(Notes::default()));
    let xmpp = client(config(true));
    connected(&reactor, &xmpp, prosody.port).await.expect("it is Prosody");
    let service = xmpp.upload_service().await?;
    assert_eq!((service.jid.domain(), service.size_max), ("files.localhost", Some(100_000)));
    let file = b"a file, <with> & without XML\r\n".repeat(100);
    let told = UploadFile::new("notes & more.txt", file.len() as u64).content_type("text/plain");
    let slot = xmpp.upload_slot(&service, &told).await?;
    let sent = file.clone();
    let (put, get, body) =
        reactor.defer_to_thread(move || exchange(&slot, port, &sent)).await.unwrap();
    assert!(put.contains(" 201 ") && get.contains(" 200 "), "{put}, {get}");
    assert_eq!(body, file);
    // Too large: by what the service has said, and by its own word.
    let large = UploadFile::new("large", 100_001);
    let mut unknown = service.clone();
    unknown.size_max = None;
    for service in [&service, &unknown] {
        match xmpp.upload_slot(service, &large).await {
            Err(UploadError::TooLarge { size: 100_001, max: 100_000 }) => {}
            other => panic!("{other:?}"),
        }
    }
    xmpp.quit();
    // Without TLS it is refused, unless that is allowed.
    let xmpp = client(config(false));
    connected(&reactor, &xmpp, prosody.port).await.expect("it is Prosody");
    match xmpp.upload_slot(&service, &told).await {
        Err(UploadError::BadSlot { .. }) => {}
        other => panic!("{other:?}"),
    }
    xmpp.quit();
    Ok(())
}

#[test]
fn a_file_to_prosody_and_back() {
    crate::watchdog::watch_this_test();
    let port = free_port();
    let component = "Component \"files.localhost\" \"http_file_share\"\n  http_file_share_size_limit = 100000\n";
    let Some(prosody) = prosody_with("upload", Some(port), component).map(Rc::new) else { return };
    let reactor = Reactor::new().unwrap();
    let result = reactor.run_until(upload(reactor.clone(), Rc::clone(&prosody), port)).unwrap();
    if let Err(error) = result {
        panic!("{error:?}\n{}", fs::read_to_string(prosody.folder.join("log")).unwrap_or_default());
    }
}
