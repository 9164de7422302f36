//! Tests of the output queue: bytes leave in the order of the writes, and large pieces are not copied.

use proptest::prelude::*;

use super::*;

fn contents(queue: &Queue) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
    let filled = queue.fill(&mut slices);
    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn bytes_leave_in_write_order_however_they_are_split() {
    let big: Vec<u8> = (0..COPY_MAX).map(|n| n as u8).collect();
    let mut expected = b"one".to_vec();
    expected.extend(&big);
    expected.extend(b"two");
    for step in [1, 2, 3, 1000, expected.len()] {
        let mut queue = Queue::default();
        queue.push_slice(b"on");
        queue.push_slice(b"e");
        queue.push_bytes(Bytes::from(big.clone()));
        queue.push_bytes(Bytes::from_static(b"t"));
        queue.push_slice(b"wo");
        assert_eq!(queue.len(), expected.len());
        let mut seen = Vec::new();
        while !queue.is_empty() {
            let mut next = contents(&queue);
            assert_eq!(next.len(), queue.len());
            next.truncate(step);
            queue.consume(next.len());
            seen.extend(next);
        }
        assert!(seen == expected, "step {step}");
    }
}

/// A step of the model test, with a number of bytes.
#[derive(Clone, Debug)]
enum Step {
    PushSlice(usize),
    PushBytes(usize),
    Consume(usize),
    ConsumeAll,
    Keep(usize),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    // Around the thresholds of the queue.
    let len = prop_oneof![4 => 0..5_usize, 4 => 4_000..4_200_usize, 1 => 60_000..70_000_usize];
    prop_oneof![
        3 => len.clone().prop_map(Step::PushSlice),
        3 => len.clone().prop_map(Step::PushBytes),
        3 => len.clone().prop_map(Step::Consume),
        1 => len.prop_map(Step::Keep),
        1 => Just(Step::ConsumeAll),
        1 => Just(Step::Clear),
    ]
}

/// Compares with a plain vector of bytes: after any pushes and consumes, `fill` returns what is left.
fn compare(steps: &[Step]) {
    let (mut queue, mut model) = (Queue::default(), Vec::new());
    for step in steps {
        match *step {
            Step::PushSlice(len) => {
                let bytes = noise(model.len(), len);
                queue.push_slice(&bytes);
                model.extend(bytes);
            }
            Step::PushBytes(len) => {
                let bytes = noise(model.len(), len);
                model.extend(&bytes);
                queue.push_bytes(bytes.into());
            }
            Step::Consume(len) => {
                let len = len.min(queue.len());
                queue.consume(len);
                model.drain(..len);
            }
            Step::ConsumeAll => {
                match queue.single_piece() {
                    Some(_) => queue.single_piece_sent(),
                    None => queue.consume(queue.len()),
                }
                model.clear();
            }
            Step::Keep(len) => {
                drop(queue.split_off(len));
                model.truncate(len);
            }
            Step::Clear => {
                queue.clear();
                model.clear();
            }
        }
        assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        assert!(contents(&queue) == model, "after {step:?}");
        assert!(queue.single_piece().is_none_or(|single_piece| single_piece == model));
    }
}

fn noise(seed: usize, len: usize) -> Vec<u8> {
    (seed..seed + len).map(|n| (n.wrapping_mul(31) >> 3) as u8).collect()
}

proptest! {
    #[test]
    fn queue_equals_a_plain_vector(steps in prop::collection::vec(step(), 1..30)) {
        compare(&steps);
    }
}

#[test]
fn large_bytes_are_not_copied() {
    let mut queue = Queue::default();
    let bytes = Bytes::from(vec![7; COPY_MAX]);
    queue.push_bytes(bytes.clone());
    let mut slices = [IoSlice::new(&[]); 2];
    assert_eq!(queue.fill(&mut slices), 1);
    assert_eq!(slices[0].as_ptr(), bytes.as_ptr());
}

#[test]
fn drained_queue_keeps_one_buffer_for_the_next_write() {
    let mut queue = Queue::default();
    queue.push_slice(b"first");
    let before = queue.single_piece().map(<[u8]>::as_ptr);
    queue.consume(5);
    queue.push_slice(b"again");
    assert_eq!(queue.single_piece().map(<[u8]>::as_ptr), before);
}
