//! Feeds a body to its reader, with backpressure: methods of each message that is [`Receiving`] one. The state is in
//! `incoming.rs`.

use std::{cell::RefCell, mem, rc::Rc};

use bytes::Bytes;

use super::incoming::{BodyControl, Incoming, Pausing, Reader};
use crate::codec::{BodyError, BodyEvent, Fields};

impl<T: Receiving> Pausing for T {
    fn is_paused(&self) -> bool {
        self.incoming().borrow().paused
    }

    fn set_paused(&self, paused: bool) {
        self.incoming().borrow_mut().paused = paused;
        if !paused {
            self.wake();
        }
    }
}

/// A message whose body is being received, shared by its connection and the user's handles.
pub(crate) trait Receiving: Sized + 'static {
    /// The body.
    fn incoming(&self) -> &RefCell<Incoming>;

    /// Has the loop call the connection.
    fn wake(&self);

    /// Feeds the body from the input, as far as its reader wants; returns how much was consumed.
    fn feed(self: &Rc<Self>, input: &[u8]) -> Result<usize, BodyError> {
        let mut rest = input;
        loop {
            let mut incoming = self.incoming().borrow_mut();
            if !incoming.is_wanted() || incoming.end.is_some() {
                return Ok(input.len() - rest.len());
            }
            if incoming.decoding.as_ref().is_some_and(|decoding| !decoding.is_drained()) {
                drop(incoming);
                self.deliver_decoded()?;
                continue;
            }
            match incoming.decoder.decode(&mut rest)? {
                BodyEvent::Incomplete => return Ok(input.len() - rest.len()),
                BodyEvent::Data(data) => {
                    incoming.received += data.len() as u64;
                    if let Some(decoding) = &mut incoming.decoding {
                        decoding.push(data);
                        continue;
                    }
                    drop(incoming);
                    self.deliver(data)?;
                }
                BodyEvent::End => {
                    if let Some(decoding) = &incoming.decoding {
                        decoding.finish()?;
                    }
                    let trailers = incoming.decoder.take_trailers();
                    drop(incoming);
                    self.end_body(Ok(trailers));
                }
            }
        }
    }

    /// Delivers what can be decoded, as far as its reader wants.
    fn deliver_decoded(self: &Rc<Self>) -> Result<(), BodyError> {
        let Some(mut decoding) = self.incoming().borrow_mut().decoding.take() else {
            return Ok(());
        };
        while self.incoming().borrow().is_wanted()
            && let Some(piece) = decoding.next()?
        {
            self.deliver(piece)?;
        }
        let mut incoming = self.incoming().borrow_mut();
        if !matches!(incoming.reader, Reader::Discard) {
            incoming.decoding = Some(decoding);
        }
        Ok(())
    }

    fn deliver(self: &Rc<Self>, data: &[u8]) -> Result<(), BodyError> {
        let mut incoming = self.incoming().borrow_mut();
        incoming.delivered += data.len() as u64;
        if let Some(max) = incoming.delivered_max
            && incoming.delivered > max
            && !matches!(incoming.reader, Reader::Discard)
        {
            return Err(BodyError::TooLong { max });
        }
        match &mut incoming.reader {
            Reader::Collect { limit, bytes, .. } => {
                if (bytes.len() + data.len()) as u64 > *limit {
                    return Err(BodyError::TooLong { max: *limit });
                }
                bytes.extend_from_slice(data);
            }
            Reader::Pull(promise) => {
                if let Some(promise) = promise.take() {
                    promise.resolve(Some(Bytes::copy_from_slice(data)));
                }
            }
            Reader::Receive(_) => {
                let Reader::Receive(mut receiver) =
                    mem::replace(&mut incoming.reader, Reader::Called)
                else {
                    return Ok(());
                };
                drop(incoming);
                receiver.data_received(&BodyControl::new(Rc::<Self>::clone(self)), data);
                self.incoming().borrow_mut().reader = Reader::Receive(receiver);
            }
            Reader::Nobody | Reader::Discard | Reader::Told | Reader::Called => {}
        }
        Ok(())
    }

    /// The body is not needed any more: the rest is dropped as it arrives, and its reader is told so.
    fn discard_body(self: &Rc<Self>) {
        let mut incoming = self.incoming().borrow_mut();
        let reader = mem::replace(&mut incoming.reader, Reader::Discard);
        incoming.paused = false;
        incoming.received = 0;
        // What is dropped need not be decoded.
        incoming.decoding = None;
        drop(incoming);
        match reader {
            Reader::Collect { promise, .. } => promise.reject(BodyError::Taken),
            Reader::Pull(Some(promise)) => promise.reject(BodyError::Taken),
            Reader::Receive(receiver) => receiver.body_ended(Err(BodyError::Taken)),
            _ => {}
        }
    }

    /// The body has ended, complete or not: tells its reader.
    fn end_body(self: &Rc<Self>, end: Result<Fields, BodyError>) {
        let mut incoming = self.incoming().borrow_mut();
        if incoming.end.is_some() {
            return;
        }
        incoming.end = Some(end.as_ref().map(|_| ()).map_err(Clone::clone));
        let reader = mem::replace(&mut incoming.reader, Reader::Told);
        if let (Ok(trailers), false) = (&end, matches!(reader, Reader::Receive(_))) {
            incoming.trailers = trailers.clone();
        }
        drop(incoming);
        match reader {
            Reader::Collect { bytes, promise, .. } => promise.settle(end.map(|_| bytes.into())),
            Reader::Pull(Some(promise)) => promise.settle(end.map(|_| None)),
            Reader::Receive(receiver) => receiver.body_ended(end),
            _ => {}
        }
    }
}
