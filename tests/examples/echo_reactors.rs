//! Tests of the example `echo_reactors`.

use super::process::Example;
use crate::ENGINES;

#[test]
fn connections_are_served_by_all_reactors() {
    for engine in ENGINES {
        let args = ["--reactors", "2", "--least-loaded", "--pin"];
        let server = Example::serve("echo_reactors", engine, &args);
        let mut clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
        let mut answers = [0; 2];
        for client in &mut clients {
            client.send("hello\n");
            match &*client.line() {
                "reactor 0: hello" => answers[0] += 1,
                "reactor 1: hello" => answers[1] += 1,
                other => panic!("{other}"),
            }
        }
        assert_eq!(answers, [2, 2], "{engine}");
        drop(clients);
        server.finish();
    }
    let server = Example::serve("echo_reactors", "mio", &[]);
    let mut client = server.connect();
    client.send("hello\n");
    assert!(client.line().ends_with(": hello"));
    drop(client);
    server.finish();
}
