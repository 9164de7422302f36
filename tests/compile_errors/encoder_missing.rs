//! A decoder that sends, but cannot.
//~ `Decimal` cannot send frames
//~ `Nothing` does not find frames
use sinew::protocols::basic::{Decoded, Decoder, FrameError, FrameHandler, FrameTransport};

struct Decimal;

impl Decoder for Decimal {
    fn decode(&mut self, _: &[u8]) -> Result<Decoded, FrameError> {
        Ok(Decoded::Incomplete)
    }
    fn reset(&mut self) {}
}

struct Echo;

impl FrameHandler<Decimal> for Echo {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, Decimal>, frame: &[u8]) {
        let _ = transport.send(frame);
    }
}

struct Nothing;

impl FrameHandler<Nothing> for Echo {
    fn frame_received(&mut self, _: &mut FrameTransport<'_, Nothing>, _: &[u8]) {}
}
