//! Multipart bodies, received incrementally: [`PartReceiver`], and its driver.

use std::mem;

use crate::{
    codec::{BodyError, Fields, Multipart, MultipartEvent, MultipartLimits, PartHead},
    server::{BodyControl, BodyReceiver, Request},
};

use super::FormFailure;

/// Receives the parts of a body, above all `multipart/form-data`, in pieces; nothing is kept, whatever the length.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::{MultipartLimits, PartHead};
/// use sinew_http::server::{BodyControl, FormFailure, PartReceiver, Reply, Request, Response};
///
/// /// Counts the bytes of all files.
/// struct Count { is_file: bool, bytes: u64, reply: Reply }
///
/// impl PartReceiver for Count {
///     fn part_begun(&mut self, head: PartHead) {
///         self.is_file = head.file_name().is_some();
///     }
///
///     fn data_received(&mut self, _: &BodyControl, data: &[u8]) {
///         self.bytes += if self.is_file { data.len() as u64 } else { 0 };
///     }
///
///     fn parts_ended(self: Box<Self>, end: Result<(), FormFailure>) {
///         match end {
///             Ok(()) => self.reply.send(Response::text(self.bytes.to_string())),
///             Err(error) => self.reply.send(error.status()),
///         }
///     }
/// }
///
/// fn count(request: Request, reply: Reply) {
///     request.receive_parts(MultipartLimits::default(), Count { is_file: false, bytes: 0, reply });
/// }
/// ```
pub trait PartReceiver: 'static {
    /// A part begins.
    fn part_begun(&mut self, head: PartHead);

    /// A piece of its data. Pausing the body stops later input; data that has been received already is still delivered.
    fn data_received(&mut self, body: &BodyControl, data: &[u8]);

    /// The part is complete.
    fn part_ended(&mut self) {}

    /// All parts are complete; or nothing more will arrive.
    fn parts_ended(self: Box<Self>, end: Result<(), FormFailure>);
}

impl Request {
    /// Passes the parts of the body to a receiver. A body that is not multipart is [`FormFailure::NoForm`], reported by the loop.
    pub fn receive_parts(&self, limits: MultipartLimits, receiver: impl PartReceiver) {
        let content_type = self.field("content-type").unwrap_or_default();
        match Multipart::new(content_type, limits) {
            Ok(parts) => self.receive(Parts { parts, receiver: Some(Box::new(receiver)) }),
            Err(_) => {
                self.reactor()
                    .call_soon(|_| Box::new(receiver).parts_ended(Err(FormFailure::NoForm)));
            }
        }
    }
}

/// Decodes parts for their receiver.
struct Parts {
    parts: Multipart,
    /// `None` once it was told of the end.
    receiver: Option<Box<dyn PartReceiver>>,
}

impl Parts {
    fn decode(&mut self, body: &BodyControl, mut data: &[u8]) -> Result<(), FormFailure> {
        let Some(receiver) = &mut self.receiver else { return Ok(()) };
        loop {
            match self.parts.decode(&mut data)? {
                MultipartEvent::Part(head) => receiver.part_begun(head),
                MultipartEvent::Data(piece) => receiver.data_received(body, piece),
                MultipartEvent::PartEnd => receiver.part_ended(),
                MultipartEvent::End | MultipartEvent::Incomplete => return Ok(()),
            }
        }
    }

    fn end(&mut self, end: Result<(), FormFailure>) {
        if let Some(receiver) = mem::take(&mut self.receiver) {
            receiver.parts_ended(end);
        }
    }
}

impl BodyReceiver for Parts {
    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        if let Err(failure) = self.decode(body, data) {
            self.end(Err(failure));
        }
    }

    fn body_ended(mut self: Box<Self>, end: Result<Fields, BodyError>) {
        let end = match end {
            Ok(_) => self.parts.finish().map_err(FormFailure::from),
            Err(error) => Err(error.into()),
        };
        self.end(end);
    }
}
