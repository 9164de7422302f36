//! What a stream receives ahead of its task is bounded.

use sinew::transports::async_io::READ_LIMIT;

use super::{
    kinds::noise,
    steps::{Steps, once},
};

/// Most bytes of one read.
const READ: usize = 64 * 1024;

#[test]
fn input_waits_for_a_task() {
    let mut steps = Steps::new();
    let data = noise(1 << 20);
    steps.receive(&data);
    let kept = data.len() - steps.wire.unread_len();
    assert!(kept <= READ, "{kept} bytes were taken, and no task reads");
    assert!(steps.wire.is_paused());

    // A task that waited, and has not run yet.
    let mut got = Vec::new();
    let mut buffer = vec![0; 10_000];
    loop {
        match once(steps.stream.read(&mut buffer)) {
            Some(len) => got.extend_from_slice(&buffer[..len.unwrap()]),
            None if got.len() == data.len() => break,
            None => {
                let before = steps.wire.unread_len();
                steps.turn();
                let taken = before - steps.wire.unread_len();
                assert!(taken > 0, "the task waits for them");
                assert!(taken < READ_LIMIT + READ, "{taken} bytes were taken");
                assert!(steps.wire.is_paused() || steps.wire.unread_len() == 0);
            }
        }
    }
    assert!(got == data);

    // A task that has stopped reading: one more read is kept, and no more.
    steps.receive(b"one");
    assert_eq!(once(steps.stream.read(&mut buffer)).unwrap().unwrap(), 3);
    steps.receive(b"two");
    steps.receive(b"three");
    assert_eq!((steps.wire.unread_len(), steps.wire.is_paused()), (5, true));
    let mut all = Vec::new();
    while all.len() < 8 {
        match once(steps.stream.read(&mut buffer)) {
            Some(len) => all.extend_from_slice(&buffer[..len.unwrap()]),
            None => steps.turn(),
        }
    }
    assert_eq!(all, b"twothree");
}

#[test]
fn a_dropped_read_half_takes_no_more_input() {
    let steps = Steps::new();
    let (read, write) = steps.stream.split();
    drop(read);
    steps.wire.receive(noise(1 << 20));
    steps.reactor.advance(std::time::Duration::from_secs(1)).unwrap();
    assert!(steps.wire.unread_len() >= (1 << 20) - READ);
    drop(write);
    steps.reactor.advance(std::time::Duration::ZERO).unwrap();
    assert!(steps.wire.is_closing());
}

#[test]
fn bytes_put_back_come_first() {
    let mut steps = Steps::new();
    assert!(once(steps.stream.readable()).is_none());
    steps.receive(b"world");
    steps.stream.put_back(b"hello ");
    let mut data = [0; 11];
    once(steps.stream.read_exact(&mut data)).unwrap().unwrap();
    assert_eq!(&data, b"hello world");
}
