//! Forms, with files and without.

use std::{cell::RefCell, fs, io::Read, rc::Rc, time::Duration};

use sinew_http::{
    codec::{MultipartLimits, PartHead},
    server::{BodyControl, Form, FormFailure, FormLimits, PartReceiver, Reply, Request, Response},
};

use super::folder::Folder;
use crate::support::{Client, ok};

/// Shows what a form holds.
fn show(form: &Form) -> String {
    let mut text = String::new();
    for (name, value) in form.fields() {
        text += &format!("{name}={value};");
    }
    for file in form.files() {
        let mut content = String::new();
        file.open().unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content.len() as u64, file.len());
        let kind = file.content_type().unwrap_or("-");
        text += &format!("{}={}:{kind}:{content};", file.name(), file.file_name());
    }
    text
}

fn client(limits: FormLimits) -> Client {
    Client::new(move |request: Request, reply: Reply| {
        request.form(&limits).then(|_, form| match form {
            Ok(form) => reply.send(Response::text(show(&form))),
            Err(error) => reply.send(Response::text(error.to_string()).with_status(error.status())),
        });
    })
}

fn post(kind: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n\r\n{body}"
    )
}

const PARTS: &str = "multipart/form-data; boundary=xyz";

fn part(disposition: &str, data: &str) -> String {
    format!("--xyz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{data}\r\n")
}

fn parts(parts: &[(&str, &str)]) -> String {
    parts.iter().map(|(disposition, data)| part(disposition, data)).collect::<String>()
        + "--xyz--\r\n"
}

/// Jobs of a simulated reactor take a moment each.
fn ask(client: &Client, request: &str) -> String {
    client.send(request).advance(Duration::from_secs(5));
    client.received()
}

#[test]
fn both_kinds() {
    let client = client(FormLimits::default());
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(ask(&client, &post(kind, "a=1&b=x+y&a=2")), ok("a=1;b=x y;a=2;"));
    let long = "0123456789".repeat(10_000);
    let body = parts(&[
        ("name=a", "1"),
        ("name=f; filename=\"x.txt\"", "hello"),
        ("name=b", ""),
        ("name=f; filename=empty", ""),
        ("name=g; filename=\"../long\"", &long),
    ]);
    let expected = format!("a=1;b=;f=x.txt:-:hello;f=empty:-:;g=../long:-:{long};");
    assert_eq!(ask(&client, &post(PARTS, &body)), ok(&expected));
    let typed = "--xyz\r\nContent-Disposition: form-data; name=f; filename=a\r\nContent-Type: text/x\r\n\r\nA\r\n--xyz--";
    assert_eq!(ask(&client, &post(PARTS, typed)), ok("f=a:text/x:A;"));
}

#[test]
fn files_are_written_while_the_client_is_held_back() {
    let limits = FormLimits::default().file_max(64 << 20).total_max(64 << 20);
    let client = Client::new(move |request: Request, reply: Reply| {
        request
            .form(&limits)
            .then(|_, form| reply.send(form.unwrap().files()[0].len().to_string()));
    });
    let len = 10 << 20;
    let body = parts(&[("name=f; filename=f", &"x".repeat(len))]);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {PARTS}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send(head);
    let mut sent = 0;
    for piece in body.as_bytes().chunks(1 << 20) {
        client.wire.receive(piece);
        sent += piece.len();
    }
    client.advance(Duration::ZERO);
    assert!(!client.connection.transport().is_reading(), "a thread writes what has come");
    assert_eq!(sent, body.len());
    client.advance(Duration::from_secs(30));
    assert_eq!(client.received(), ok(&len.to_string()));
}

#[test]
fn limits() {
    let small = || {
        FormLimits::default()
            .fields_max(2)
            .value_max(3)
            .file_max(4)
            .total_max(9)
            .parts(MultipartLimits::default().parts_max(3))
    };
    let cases = [
        (parts(&[("name=a", "123")]), "200", "a=123;"),
        (parts(&[("name=a", "1234")]), "413", "the value of a field is longer than 3 bytes"),
        (parts(&[("name=a; filename=a", "1234")]), "200", "a=a:-:1234;"),
        (parts(&[("name=a; filename=a", "12345")]), "413", "a file is longer than 4 bytes"),
        (
            parts(&[("name=a; filename=a", "1234"), ("name=a", "123"), ("name=b", "123")]),
            "413",
            "the form is longer than 9 bytes",
        ),
        (parts(&[("name=a", ""); 4]), "400", "more than 3 parts"),
        (part("name=a", "1"), "400", "the body ended before its last boundary"),
        ("nonsense".to_owned(), "400", "the body ended before its last boundary"),
    ];
    for (body, status, text) in cases {
        let received = ask(&client(small()), &post(PARTS, &body));
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{body}: {received}");
        assert!(received.ends_with(&format!("\r\n\r\n{text}")), "{body}: {received}");
    }
    let received = ask(&client(small()), &post("application/x-www-form-urlencoded", "a&b&c"));
    assert!(received.ends_with("more than 2 fields in a form"), "{received}");
    let received = ask(&client(small()), &post("text/plain", "a=b"));
    assert!(received.starts_with("HTTP/1.1 415 "), "{received}");
}

#[test]
fn temporary_files_do_not_stay() {
    let folder = Folder::new();
    let limits = FormLimits::default().folder(folder.path());
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let there = || fs::read_dir(folder.path()).unwrap().count();
    let client = Client::new(move |request: Request, reply: Reply| {
        let keep = Rc::clone(&keep);
        request.form(&limits).then(move |_, form| {
            *keep.borrow_mut() = form.ok();
            reply.send("x");
        });
    });
    let body = parts(&[("name=f; filename=f", "hello"), ("name=g; filename=g", "x")]);
    assert_eq!(ask(&client, &post(PARTS, &body)), ok("x"));
    assert_eq!(there(), 2);
    let files = kept.take().unwrap().take_files();
    let [first, second] = files.try_into().ok().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(first.path().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else can read it");
    }
    first.persist(folder.path().join("kept")).unwrap();
    drop(second);
    assert_eq!(there(), 1);
    assert_eq!(fs::read_to_string(folder.path().join("kept")).unwrap(), "hello");
    // Nor does what a client leaves behind that goes away.
    let cut = post(PARTS, &body);
    client.send(&cut[..cut.len() - 15]).advance(Duration::from_secs(5));
    client.wire.reset();
    client.advance(Duration::from_secs(5));
    drop((client, kept));
    assert_eq!(there(), 1);
}

/// Notes what it is told.
struct Notes {
    text: Rc<RefCell<String>>,
    holds: Option<BodyControl>,
    reply: Option<Reply>,
}

impl PartReceiver for Notes {
    fn part_begun(&mut self, head: PartHead) {
        *self.text.borrow_mut() += &format!("[{}:", head.name().unwrap_or_default());
    }

    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        *self.text.borrow_mut() += &String::from_utf8_lossy(data);
        self.holds.get_or_insert_with(|| body.clone());
    }

    fn part_ended(&mut self) {
        *self.text.borrow_mut() += "]";
    }

    fn parts_ended(mut self: Box<Self>, end: Result<(), FormFailure>) {
        *self.text.borrow_mut() +=
            &end.as_ref().map_or_else(ToString::to_string, |()| "end".into());
        if let Some(reply) = self.reply.take() {
            reply.send(end.map_or_else(|error| error.status().into(), |()| Response::text("x")));
        }
    }
}

#[test]
fn parts_as_they_come() {
    let text = Rc::new(RefCell::new(String::new()));
    let notes = Rc::clone(&text);
    let client = Client::new(move |request: Request, reply: Reply| {
        let receiver = Notes { text: Rc::clone(&notes), holds: None, reply: Some(reply) };
        request.receive_parts(MultipartLimits::default(), receiver);
    });
    let body = parts(&[("name=a", "12"), ("name=b; filename=b", "34")]);
    for byte in post(PARTS, &body).bytes() {
        client.send([byte]);
    }
    assert_eq!(client.received(), ok("x"));
    assert_eq!(text.take(), "[a:12][b:34]end");
    assert!(client.ask(post("text/plain", "x")).starts_with("HTTP/1.1 415 "));
    assert_eq!(text.take(), "the content type of the body is not that of a form");
    let cut = post(PARTS, &body);
    client.send(&cut[..cut.len() - 15]);
    client.wire.reset();
    client.advance(Duration::ZERO);
    assert!(text.take().ends_with("the connection ended before the body did"));
}
