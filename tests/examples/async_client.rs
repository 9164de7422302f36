//! Tests of the example `async_client`.

use std::net::TcpListener;

use super::{peer::Peer, process::Example};
use crate::ENGINES;

#[test]
fn two_tasks_talk() {
    for engine in ENGINES {
        let example = Example::serve("async_client", engine, &[]);
        let ended = example.wait();
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        for name in ["ann", "bob"] {
            let said = ended.stdout.iter().filter_map(|line| line.strip_prefix(name));
            assert_eq!(Vec::from_iter(said), [": hello", ": how are you?", ": good bye"]);
        }
        assert_eq!(ended.stdout.len(), 6);
    }
}

fn start(engine: &str) -> (Example, [Peer; 2]) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let example = Example::serve("async_client", engine, &["--to", &to]);
    let mut peers = [(); 2].map(|()| Peer::accept(&listener));
    for peer in &mut peers {
        assert!(peer.line().ends_with(": hello"));
    }
    (example, peers)
}

#[test]
fn waiting_ends_with_the_connection() {
    let (example, peers) = start("mio");
    drop(peers);
    let ended = example.wait();
    assert_eq!((ended.code, ended.stderr.len()), (Some(1), 1), "{ended:?}");
    assert_eq!(
        ended.stderr[0],
        "error: the connection ended before the answer arrived: closed by the peer"
    );
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_waiting() {
    use rustix::process::Signal;
    for engine in ENGINES {
        for signal in [Signal::INT, Signal::TERM] {
            let (example, _peers) = start(engine);
            example.signal(signal);
            let ended = example.wait();
            assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{ended:?}");
        }
    }
}
