//! Tests of the example `starttls`.

use super::{process::Example, tls_echo::Folder};

#[test]
fn both_ends_of_the_example_upgrade_to_tls() {
    let folder = Folder::new("starttls");
    drop(Example::serve("tls_echo", "mio", &["--self-signed", &folder.path("")]));
    let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    let server = Example::serve("starttls", "mio", &["--cert", &cert, "--key", &key]);
    let to = format!("localhost:{}", server.addr.port());
    let ended = Example::start("starttls", &["--to", &to, "--cert", &cert]).wait();
    let said = ["in the clear: you said hello", "over TLS 1.3: you said hello"];
    assert_eq!((ended.code, ended.stdout), (Some(0), said.map(str::to_owned).to_vec()));
    // STARTTLS injection: a command in the same segment is never answered.
    let mut injecting = server.connect();
    injecting.send("STARTTLS\r\ninjected\r\n");
    injecting.expect("go ahead\r\n");
    injecting.close_write();
    assert!(!injecting.rest().windows(8).any(|part| part == b"injected"));
}
