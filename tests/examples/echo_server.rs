//! Tests of the example `echo_server`.

use std::thread;

use super::process::Example;
use crate::ENGINES;

#[test]
fn echoes_and_prints_nothing() {
    for engine in ENGINES {
        let server = Example::serve("echo_server", engine, &[]);
        let mut client = server.connect();
        client.send("hello\n");
        client.expect("hello\n");

        // More than all buffers hold, so that backpressure sets in.
        let much: Vec<u8> = (0..16_u32 << 20).map(|i| (i % 251) as u8).collect();
        let (mut writer, copy) = (client.another(), much.clone());
        let writing = thread::spawn(move || {
            writer.send(copy);
            writer.close_write();
        });
        assert!(client.rest() == much, "{engine}: what came back is not what was sent");
        writing.join().unwrap();

        client = server.connect();
        client.send("lost");
        client.reset();
        #[cfg(unix)]
        {
            server.signal(rustix::process::Signal::TERM);
            let ended = server.wait();
            assert_eq!(ended.code, Some(0));
            assert_eq!((ended.stdout.len(), ended.stderr.len()), (0, 0), "{engine}: {ended:?}");
        }
    }
}
