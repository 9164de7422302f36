//! Bytes in the place of a producer.
//~ Vec<u8>` does not produce output
//~ is written by `write` or `write_bytes`
use sinew::prelude::*;

fn send(transport: Transport) {
    transport.stream(vec![0_u8; 1000]);
}
