//! What is done to a connection from outside.

use std::io::{ErrorKind, Read, Write};

use super::client::Program;

fn only_client(program: &Program) -> serde_json::Value {
    let page = program.json("/connections");
    let all = page["connections"].as_array().expect("a list").clone();
    all.into_iter().find(|one| one["kind"] == "tcp").expect("the client's connection")
}

#[test]
fn a_connection_is_counted() {
    let program = Program::start(true, |_| {});
    let client = program.client(100);
    let found = only_client(&program);
    let counts = &found["counts"];
    assert_eq!((counts["received"].as_u64(), counts["sent"].as_u64()), (Some(100), Some(100)));
    assert!(counts["calls"].as_u64() >= Some(1), "{counts}");
    assert_eq!(found["peer"], client.local_addr().expect("it is open").to_string());
    assert_eq!(found["port"], program.echo.to_string());
    assert_eq!(found["local"], program.echo.to_string());
    assert!(found["protocol"].as_str().expect("a name").ends_with("::Echo"), "{found}");
    let id = found["id"].as_str().expect("an id");
    let one = program.json(&format!("/connections/{id}"));
    assert_eq!((&one["id"], &one["peer"]), (&found["id"], &found["peer"]));
}

#[test]
fn without_inspection_the_rest_is_there() {
    let program = Program::start(false, |_| {});
    let _client = program.client(1);
    let found = only_client(&program);
    assert_eq!(
        (&found["counts"], found["state"].as_str()),
        (&serde_json::Value::Null, Some("open"))
    );
    let status = program.json("/status");
    assert_eq!(status["shards"][0]["lag"], serde_json::Value::Null);
    assert!(status["shards"][0]["bytes_received"].as_u64() >= Some(1));
}

#[test]
fn a_connection_is_paused_resumed_and_closed() {
    let program = Program::start(true, |_| {});
    let mut client = program.client(1);
    let id = only_client(&program)["id"].as_str().expect("an id").to_owned();
    let act = |action: &str| program.ask("POST", &format!("/connections/{id}/{action}")).status;
    assert_eq!(act("pause"), 204);
    assert_eq!(only_client(&program)["paused"], serde_json::json!(["user"]));
    client.write_all(b"wait").expect("it is open");
    // The status is answered by the same loop, which would have echoed the bytes before.
    for _ in 0..3 {
        program.json("/status");
    }
    client.set_nonblocking(true).expect("a socket");
    assert_eq!(client.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    client.set_nonblocking(false).expect("a socket");
    assert_eq!(act("resume"), 204);
    let mut echoed = [0; 4];
    client.read_exact(&mut echoed).expect("it answers");
    assert_eq!(&echoed, b"wait");
    assert_eq!(act("close"), 204);
    assert_eq!(client.read(&mut [0]).expect("a clean end"), 0);
    drop(client);
    while program.json("/status")["total"]["connections"] != 1 {}
    assert_eq!(act("close"), 404);
}

#[test]
fn a_connection_is_aborted() {
    let program = Program::start(true, |_| {});
    let mut client = program.client(1);
    let id = only_client(&program)["id"].as_str().expect("an id").to_owned();
    assert_eq!(program.ask("POST", &format!("/connections/{id}/abort")).status, 204);
    let error = client.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(program.ask("GET", &format!("/connections/{id}")).status, 404);
}

#[test]
fn wrong_ids_actions_and_numbers_are_refused() {
    let program = Program::start(true, |_| {});
    let ids = [
        "",
        "0",
        "x",
        "0-",
        "-1",
        "0-zz",
        "0-ffffffffffffffff",
        "9-0",
        "0-1-1",
        "99999999999999999999-1",
        "%00-1",
    ];
    for id in ids {
        assert_eq!(program.ask("GET", &format!("/connections/{id}")).status, 404, "{id}");
        assert_eq!(program.ask("POST", &format!("/connections/{id}/close")).status, 404, "{id}");
    }
    for query in ["first=x", "max=-1", "shard=99999999999999999999", "first="] {
        assert_eq!(program.ask("GET", &format!("/connections?{query}")).status, 400, "{query}");
    }
    for query in ["first=18446744073709551615", "shard=7", "max=0", "max=18446744073709551615"] {
        assert_eq!(program.ask("GET", &format!("/connections?{query}")).status, 200, "{query}");
    }
    assert_eq!(program.ask("POST", "/connections/0-1/explode").status, 404);
    assert_eq!(program.ask("GET", "/connections/0-1/close").status, 405);
}
