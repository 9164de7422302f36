//! Tests of the example `framed_echo`.

use super::process::Example;
use crate::ENGINES;

struct Case {
    codec: &'static str,
    /// Frames, and the expected echo.
    frames: &'static [u8],
    answers: &'static [u8],
    /// Invalid input with `--max 9`, and its error.
    fault: &'static [u8],
    log: &'static str,
}

const CASES: &[Case] = &[
    Case {
        codec: "line",
        frames: b"hello\r\nwor\nld\r\n\r\n",
        answers: b"hello\r\nwor\r\nld\r\n\r\n",
        fault: b"0123456789",
        log: "line longer than 9 bytes",
    },
    Case {
        codec: "netstring",
        frames: b"5:hello,0:,9:012345678,",
        answers: b"5:hello,0:,9:012345678,",
        fault: b"10",
        log: "frame of 10 bytes announced, at most 9 allowed",
    },
    Case {
        codec: "netstring",
        frames: b"5:hello,",
        answers: b"5:hello,",
        fault: b"5:hello.",
        log: "byte 0x2e instead of the comma that ends a netstring",
    },
    Case {
        codec: "int8",
        frames: b"\x05hello\0\x09012345678",
        answers: b"\x05hello\0\x09012345678",
        fault: b"\x0a",
        log: "frame of 10 bytes announced, at most 9 allowed",
    },
    Case {
        codec: "int16",
        frames: b"\0\x05hello\0\0\0\x09012345678",
        answers: b"\0\x05hello\0\0\0\x09012345678",
        fault: b"\xff\xff",
        log: "frame of 65535 bytes announced, at most 9 allowed",
    },
    Case {
        codec: "int32",
        frames: b"\0\0\0\x05hello\0\0\0\0\0\0\0\x09012345678",
        answers: b"\0\0\0\x05hello\0\0\0\0\0\0\0\x09012345678",
        fault: b"\xff\xff\xff\xff",
        log: "frame of 4294967295 bytes announced, at most 9 allowed",
    },
];

#[test]
fn answers_frames_and_rejects_invalid_ones() {
    for engine in ENGINES {
        for case in CASES {
            let server =
                Example::serve("framed_echo", engine, &["--codec", case.codec, "--max", "9"]);
            // At once, byte by byte, and with the invalid frame right after valid ones.
            let mut client = server.connect();
            client.send(case.frames);
            client.expect(case.answers);
            for byte in case.frames {
                client.send([*byte]);
            }
            client.expect(case.answers);
            client.close_write();
            client.expect_end();

            let mut client = server.connect();
            let name = client.addr();
            client.send([case.frames, case.fault].concat());
            client.expect(case.answers);
            client.expect_end();
            assert_eq!(server.line(), format!("{name}: {}", case.log), "{}", case.codec);
            drop(client);
            server.finish();
        }
    }
}

#[test]
fn reports_truncated_frames() {
    let server = Example::serve("framed_echo", "mio", &["--codec", "int16"]);
    let mut client = server.connect();
    client.send(b"\0\x05hel");
    client.close_write();
    client.expect_end();
    let log = format!("{}: input ended 5 bytes into an unfinished frame", client.addr());
    assert_eq!(server.line(), log);
    drop(client);
    server.finish();
}

/// With the default limit of 16 KiB.
#[test]
fn takes_long_frames_by_default() {
    let server = Example::serve("framed_echo", "mio", &["--codec", "netstring"]);
    let mut client = server.connect();
    let frame = format!("16384:{},", "x".repeat(16384));
    for _ in 0..50 {
        client.send(&frame);
        client.expect(&frame);
    }
    drop(client);
    server.finish();
}
