//! Random bytes, and queries with changed bytes.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is received, nothing panics, and what is sent is a response with the same identifier that fits.
    #[test]
    fn any_bytes(mut message in proptest::collection::vec(any::<u8>(), 0..200), flips in proptest::collection::vec((0usize..100, any::<u8>()), 0..4), is_near in any::<bool>()) {
        if is_near {
            message = bytes(&with_edns(query("x.sub.example.", RecordType::A), 512, true));
            for (at, byte) in flips {
                let len = message.len();
                message[at % len] = byte;
            }
        }
        let bench = Bench::new(DnsServer::new(zones()));
        if let Some(answer) = bench.udp(&message) {
            prop_assert!(answer.len() <= 1232);
            prop_assert_eq!(&answer[..2], &message[..2]);
            prop_assert!(answer[2] & 0x80 != 0);
            prop_assert!(decode(&answer, &MessageLimits::response()).is_ok());
        }
    }
}
