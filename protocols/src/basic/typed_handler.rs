//! The handler trait for parsed frames: [`TypedHandler`], driven by [`Framed`] through the adapter [`Typed`].

use sinew_transports::{ConnectionLost, TimerId};

use super::{
    FrameError, FrameHandler, FrameTransport, Framed, TypedDecoder,
    handler::{common_callbacks, forward_common_callbacks},
};

/// Frames decoded and parsed by a [`TypedDecoder`]; created by [`Framed::typed`]. The handler is a [`TypedHandler`].
pub type TypedReceiver<D, H> = Framed<D, Typed<H>>;

/// The handler of a connection whose messages arrive as parsed values: a [`FrameHandler`] for a [`TypedDecoder`].
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{
///     FrameTransport, Framed, Line, Parse, Parsed, TypedHandler,
/// };
/// use std::num::ParseIntError;
///
/// /// Numbers, one a line.
/// #[derive(Default)]
/// struct Numbers;
///
/// impl Parse for Numbers {
///     type Frame<'a> = i64;
///     type Error = ParseIntError;
///
///     fn parse(&mut self, line: &[u8]) -> Result<i64, ParseIntError> {
///         String::from_utf8_lossy(line).parse()
///     }
/// }
///
/// type NumberLines = Parsed<Line, Numbers>;
///
/// /// Answers each with the sum so far.
/// struct Sum(i64);
///
/// impl TypedHandler<NumberLines> for Sum {
///     fn frame_received(&mut self, transport: &mut FrameTransport<'_, NumberLines>, number: i64) {
///         self.0 = self.0.saturating_add(number);
///         transport.write(format!("{}\r\n", self.0).as_bytes());
///     }
///
///     fn frame_refused(&mut self, transport: &mut FrameTransport<'_, NumberLines>, error: ParseIntError) {
///         transport.write(format!("{error}\r\n").as_bytes());
///     }
/// }
///
/// # use sinew_transports::{Protocol, Transport};
/// let mut sum = Framed::typed(NumberLines::default(), Sum(0));
/// let (transport, wire) = Transport::memory();
/// sum.data_received(&transport, b"1\r\ntwo\r\n3\r\n");
/// assert_eq!(wire.sent(), b"1\r\ninvalid digit found in string\r\n4\r\n");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of what `{D}` gives",
    note = "implement `TypedHandler<{D}>`"
)]
pub trait TypedHandler<D: TypedDecoder>: 'static {
    /// A frame was received and parsed.
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: D::Frame<'_>);

    /// A frame was received that cannot be parsed; later frames are delivered as usual. By default the connection is
    /// closed with `error` as its reason.
    fn frame_refused(&mut self, transport: &mut FrameTransport<'_, D>, error: D::Error) {
        transport.fail(error);
    }

    common_callbacks!(FrameTransport<'_, D>);
}

/// Adapter that lets [`Framed`] drive a [`TypedHandler`]: parses each frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Typed<H> {
    handler: H,
}

impl<H> Typed<H> {
    /// The handler.
    pub const fn get_ref(&self) -> &H {
        &self.handler
    }

    /// Mutable access to the handler.
    pub const fn get_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Unwraps the handler.
    pub fn into_inner(self) -> H {
        self.handler
    }
}

impl<D: TypedDecoder, H: TypedHandler<D>> TypedReceiver<D, H> {
    /// Frames decoded and parsed by `decoder`, for `handler`.
    #[must_use]
    pub const fn typed(decoder: D, handler: H) -> Self {
        Self::with_decoder(decoder, Typed { handler })
    }
}

impl<D: TypedDecoder, H: TypedHandler<D>> FrameHandler<D> for Typed<H> {
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        match transport.decoder_mut().parse(frame) {
            Ok(frame) => self.handler.frame_received(transport, frame),
            Err(error) => self.handler.frame_refused(transport, error),
        }
    }

    forward_common_callbacks!(TypedHandler, FrameTransport<'_, D>, handler);
}
