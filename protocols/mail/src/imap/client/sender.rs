//! The task that writes: [`send`] takes commands out of the queue, waits with their literals where it has to, and idles.

use std::{future::poll_fn, rc::Rc, task::Poll};

use super::{
    ConnectionEnd, ImapError,
    output::Output,
    request::{Kind, Pending, Request},
    shared::{Continuation, Shared},
    source::{MessageSource, Pieces},
};
use crate::imap::codec::{Command, CommandBody, Pause, Tag};

/// What is to be done next.
enum Work {
    Send(Box<Request>),
    Idle,
}

/// Writes until the connection ends.
pub(super) async fn send(shared: Rc<Shared>, mut output: Output) {
    loop {
        let sent = match next(&shared).await {
            Some(Work::Send(request)) => send_request(&shared, &mut output, *request).await,
            Some(Work::Idle) => idle(&shared, &mut output).await,
            None => return,
        };
        if let Err(end) = sent {
            return shared.end(end);
        }
    }
}

/// Waits for work. `None` once the connection has ended.
async fn next(shared: &Shared) -> Option<Work> {
    poll_fn(|context| {
        if shared.is_ended() {
            return Poll::Ready(None);
        }
        if let Some(request) = shared.pop_sendable() {
            return Poll::Ready(Some(Work::Send(Box::new(request))));
        }
        let is_free = shared.queue.borrow().is_empty() && shared.pending.borrow().is_empty();
        if is_free && shared.idle_wanted.get() > 0 {
            return Poll::Ready(Some(Work::Idle));
        }
        shared.poll_change(context)
    })
    .await
}

/// Sends a command. What is wrong with the command is its error, and what is wrong with the connection is returned.
async fn send_request(
    shared: &Rc<Shared>,
    output: &mut Output,
    request: Request,
) -> Result<(), ConnectionEnd> {
    let Request { body, source, sink, promise } = request;
    let (name, kind, tag) = (body.name(), Kind::of(&body), shared.next_tag());
    shared.sending(&body);
    let is_streamed = source.is_some() || sink.is_some();
    let encoded = match Command::new(tag.clone(), body).encode(shared.dialect()) {
        Ok(encoded) => encoded,
        Err(error) => {
            drop(shared.selecting.take());
            promise.reject(error.into());
            return Ok(());
        }
    };
    let timer = (!is_streamed).then(|| Shared::begin_time(shared, tag.clone()));
    let pending =
        Pending { sink, promise: Some(promise), timer, ..Pending::new(tag.clone(), name, kind) };
    begin(shared, pending);
    let mut source = source;
    let mut sent = 0;
    for pause in encoded.pauses() {
        let at = match *pause {
            Pause::Continuation { at } | Pause::Content { at, .. } => at,
        };
        if matches!(pause, Pause::Continuation { .. }) {
            shared.continuation.set(Continuation::Awaited);
        }
        output.write(&encoded.bytes()[sent..at]).await?;
        sent = at;
        match pause {
            Pause::Continuation { .. } => {
                if !is_continued(shared, &tag).await? {
                    // The server has refused the literal, and the command ends there.
                    return Ok(());
                }
            }
            Pause::Content { .. } => {
                if let Some(source) = source.take() {
                    send_source(shared, output, source, &tag).await?;
                }
            }
        }
    }
    output.write(&encoded.bytes()[sent..]).await
}

/// From now on an answer is due.
fn begin(shared: &Rc<Shared>, pending: Pending) {
    shared.touch();
    shared.pending.borrow_mut().push_back(pending);
    Shared::watch(shared);
}

/// Waits for `+`. `false` if the command was answered instead.
async fn is_continued(shared: &Shared, tag: &Tag) -> Result<bool, ConnectionEnd> {
    let is_continued = poll_fn(|context| {
        let ended = shared.ended.borrow().clone();
        if let Some(end) = ended {
            return Poll::Ready(Err(end));
        }
        if shared.continuation.get() == Continuation::Received {
            return Poll::Ready(Ok(true));
        }
        match shared.is_pending(tag) {
            true => shared.poll_change(context),
            false => Poll::Ready(Ok(false)),
        }
    })
    .await;
    shared.continuation.set(Continuation::NotAwaited);
    is_continued
}

/// Sends the message of APPEND.
async fn send_source(
    shared: &Shared,
    output: &mut Output,
    source: MessageSource,
    tag: &Tag,
) -> Result<(), ConnectionEnd> {
    let mut next = match source.pieces {
        Pieces::Bytes(bytes) => return output.write(&bytes).await,
        Pieces::Stream(next) => next,
    };
    let mut left = source.len;
    while left > 0 {
        shared.held.set(shared.held.get() + 1);
        let piece = next(&shared.reactor).await;
        shared.held.set(shared.held.get().saturating_sub(1));
        shared.touch();
        let piece = match piece {
            Ok(Some(piece)) if piece.len() as u64 <= left => piece,
            Ok(Some(_)) => {
                return Err(source_failed(shared, tag, "it is longer than was announced"));
            }
            Ok(None) => return Err(source_failed(shared, tag, "it is shorter than was announced")),
            Err(failure) => return Err(source_failed(shared, tag, &failure.to_string())),
        };
        if shared.is_ended() {
            return Ok(());
        }
        output.write(&piece).await?;
        left -= piece.len() as u64;
    }
    Ok(())
}

/// The server waits for the rest of a message that is not there.
fn source_failed(shared: &Shared, tag: &Tag, reason: &str) -> ConnectionEnd {
    let promise = {
        let mut pending = shared.pending.borrow_mut();
        let found = pending.iter_mut().find(|pending| pending.tag == *tag);
        found.and_then(|pending| pending.promise.take())
    };
    if let Some(promise) = promise {
        promise.reject(ImapError::Source { reason: reason.to_owned() });
    }
    ConnectionEnd::Source
}

/// One IDLE: until it has lasted long enough, nobody wants it any more, or another command is to be sent.
async fn idle(shared: &Rc<Shared>, output: &mut Output) -> Result<(), ConnectionEnd> {
    let tag = shared.next_tag();
    let body = CommandBody::Idle;
    begin(shared, Pending::new(tag.clone(), body.name(), Kind::Exclusive));
    shared.is_idle_done.set(false);
    shared.continuation.set(Continuation::Awaited);
    output.write(format!("{tag} IDLE\r\n").as_bytes()).await?;
    if !is_continued(shared, &tag).await? {
        return Ok(());
    }
    shared.is_idling.set(true);
    let interrupted = poll_fn(|context| {
        let is_over = shared.is_ended()
            || !shared.queue.borrow().is_empty()
            || shared.idle_wanted.get() == 0
            || !shared.is_pending(&tag);
        if is_over { Poll::Ready(()) } else { shared.poll_change(context) }
    });
    // Renewed, if nothing has interrupted it.
    let _ = shared.reactor.timeout(shared.config.idle_renewal, interrupted).await;
    shared.is_idling.set(false);
    if shared.is_ended() || !shared.is_pending(&tag) {
        return Ok(());
    }
    shared.touch();
    Shared::watch(shared);
    shared.is_idle_done.set(true);
    output.write(b"DONE\r\n").await
}
