//! Tests of the example `wire_server`.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    peer::Peer,
    process::{Example, listening},
};
use crate::ENGINES;

#[test]
fn six_services_on_six_ports() {
    for engine in ENGINES {
        let server =
            Example::start("wire_server", &["--listen", "127.0.0.1:0", "--engine", engine]);
        let services: HashMap<String, SocketAddr> = (0..6)
            .map(|_| {
                let line = server.line();
                let (addr, name) = listening(&line).split_once(" for ").unwrap();
                (name.to_owned(), addr.parse().unwrap())
            })
            .collect();
        let connect = |name: &str| Peer::connect(services[name]);

        let mut echo = connect("echo");
        echo.send("hello");
        echo.expect("hello");
        echo.close_write();
        echo.expect_end();

        let mut discard = connect("discard");
        discard.send("hello");
        discard.close_write();
        discard.expect_end();

        let daytime = String::from_utf8(connect("daytime").rest()).unwrap();
        assert!(daytime.ends_with(" GMT\r\n"), "{daytime}");

        let quote = connect("qotd").rest();
        assert!(quote.ends_with(b"\r\n") && quote.len() < 512);

        let mut chargen = connect("chargen");
        for number in 0..1000 {
            let line = chargen.exactly(74);
            assert_eq!(line[0], b' ' + (number % 95) as u8);
            assert!(line.ends_with(b"\r\n"));
        }
        chargen.reset();

        let time: [u8; 4] = connect("time").rest().try_into().expect("four bytes");
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let time = u64::from(u32::from_be_bytes(time)) - 2_208_988_800;
        assert!(time.abs_diff(since_1970) < 600, "{time}");

        drop((echo, discard));
        server.finish();
    }
}
