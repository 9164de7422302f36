//! A form with files, read as it comes: of a file, nothing is kept but its name and how long it is, so it may be as long as it likes.

use std::rc::Rc;

use sinew::http::{
    Fields, StatusCode,
    codec::{BodyError, Multipart, MultipartError, MultipartEvent, MultipartLimits},
    server::{BodyControl, BodyReceiver, Reply, Request},
};

use crate::{Shared, back};

/// Reads an upload.
struct Upload {
    parts: Multipart,
    /// The file that is coming: its name, and its length so far.
    file: Option<(String, usize)>,
    failed: Option<MultipartError>,
    book: Shared,
    request: Request,
    reply: Reply,
}

/// Takes the body of a request as an upload.
pub(crate) fn receive(book: &Shared, request: &Request, reply: Reply) {
    let content_type = request.field("content-type").unwrap_or_default();
    match Multipart::new(content_type, MultipartLimits::default()) {
        Ok(parts) => request.receive(Upload {
            parts,
            file: None,
            failed: None,
            book: Rc::clone(book),
            request: request.clone(),
            reply,
        }),
        Err(_) => reply.send(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
}

impl Upload {
    fn take(&mut self, mut data: &[u8]) -> Result<(), MultipartError> {
        loop {
            match self.parts.decode(&mut data)? {
                MultipartEvent::Part(head) => self.file = head.file_name().map(|name| (name, 0)),
                MultipartEvent::Data(piece) => {
                    if let Some((_, len)) = &mut self.file {
                        *len += piece.len();
                    }
                }
                MultipartEvent::PartEnd => {
                    if let Some((name, len)) = self.file.take() {
                        self.book.borrow_mut().file(name, len);
                    }
                }
                _ => return Ok(()),
            }
        }
    }
}

impl BodyReceiver for Upload {
    fn data_received(&mut self, _: &BodyControl, data: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.take(data).err();
        }
    }

    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>) {
        if end.is_err() {
            return; // the server answers
        }
        match self.failed.map_or_else(|| self.parts.finish(), Err) {
            Ok(()) => self.reply.send(back(&self.request)),
            Err(error) => {
                tracing::info!(%error, "an upload was refused");
                self.reply.send(StatusCode::BAD_REQUEST);
            }
        }
    }
}
