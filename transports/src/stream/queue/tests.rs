//! Bytes leave in the order in which they were written, uncopied where they are many.

use proptest::prelude::*;

use super::*;

fn contents(queue: &Queue) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE];
    let filled = queue.fill(&mut slices);
    slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn bytes_leave_in_the_order_written_however_they_are_cut() {
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

/// A step, and how many bytes it is about.
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
    // Around the sizes at which the queue does something else.
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

/// Against a plain vector of bytes: whatever is pushed and however it is consumed, `fill` shows what is left.
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
                match queue.whole() {
                    Some(_) => queue.whole_sent(),
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
        assert!(queue.whole().is_none_or(|whole| whole == model));
    }
}

fn noise(seed: usize, len: usize) -> Vec<u8> {
    (seed..seed + len).map(|n| (n.wrapping_mul(31) >> 3) as u8).collect()
}

proptest! {
    #[test]
    fn it_is_a_queue_of_bytes(steps in prop::collection::vec(step(), 1..30)) {
        compare(&steps);
    }
}

#[test]
fn a_large_bytes_is_not_copied() {
    let mut queue = Queue::default();
    let bytes = Bytes::from(vec![7; COPY_MAX]);
    queue.push_bytes(bytes.clone());
    let mut slices = [IoSlice::new(&[]); 2];
    assert_eq!(queue.fill(&mut slices), 1);
    assert_eq!(slices[0].as_ptr(), bytes.as_ptr());
}

#[test]
fn a_drained_queue_keeps_one_buffer_for_the_next_write() {
    let mut queue = Queue::default();
    queue.push_slice(b"first");
    let before = queue.whole().map(<[u8]>::as_ptr);
    queue.consume(5);
    queue.push_slice(b"again");
    assert_eq!(queue.whole().map(<[u8]>::as_ptr), before);
}
