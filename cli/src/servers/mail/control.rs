//! The queue for `sinew mailq`, by HTTP on a Unix socket: [`routes`].
//!
//! | request | answer |
//! |---|---|
//! | `GET /queue?after=ID&max=N` | messages: `queue_report::Page` |
//! | `GET /queue/ID` | one message |
//! | `POST /queue/ID/ACTION` | 204: `retry`, `hold`, `release`, `remove` |
//! | `POST /queue` | 204: all are tried now |
//!
//! 404 says that there is no such message, 503 that the queue is not open.

use serde::Serialize;
use sinew::{
    http::{
        StatusCode,
        server::{Reply, Request, Response, Router},
    },
    mail::queue::{MessageId, Queue, QueueError},
};

use super::{
    queue_report::{Page, QueuedReport},
    queue_slot::QueueSlot,
};

/// Messages on a page, if the request does not say, and most of them.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// The paths.
pub(super) fn routes(slot: &QueueSlot) -> Router {
    let on = |answer: fn(&Queue, Request, Reply)| {
        let slot = slot.clone();
        move |request: Request, reply: Reply| match slot.queue() {
            Some(queue) => answer(&queue, request, reply),
            None => reply.send(text(StatusCode::SERVICE_UNAVAILABLE, "the queue is not open")),
        }
    };
    Router::new()
        .get("/queue", on(list))
        .post("/queue", on(retry_all))
        .get("/queue/{id}", on(show))
        .post("/queue/{id}/{action}", on(act))
}

fn list(queue: &Queue, request: Request, reply: Reply) {
    let max = request.query_value("max").and_then(|max| max.parse().ok()).unwrap_or(PAGE);
    let max = max.clamp(1, PAGE_MAX);
    let after: Option<MessageId> = request.query_value("after").and_then(|id| id.parse().ok());
    let mut found = queue.list(after.as_ref(), max + 1);
    let has_more = found.len() > max;
    found.truncate(max);
    let (now, stats) = (request.reactor().wall_clock(), queue.stats());
    let messages = found.iter().map(|message| QueuedReport::of(message, now)).collect();
    reply.send(json(&Page { messages, has_more, total: stats.messages, bytes: stats.bytes }));
}

fn show(queue: &Queue, request: Request, reply: Reply) {
    let message = id(&request).and_then(|id| queue.message(&id));
    reply.send(match message {
        Some(message) => json(&QueuedReport::of(&message, request.reactor().wall_clock())),
        None => no_message(),
    });
}

fn retry_all(queue: &Queue, _: Request, reply: Reply) {
    queue.retry_all();
    reply.send(Response::new(StatusCode::NO_CONTENT));
}

fn act(queue: &Queue, request: Request, reply: Reply) {
    let action = request.param("action").unwrap_or_default().into_owned();
    let Some(id) = id(&request).filter(|id| queue.message(id).is_some()) else {
        return reply.send(no_message());
    };
    let done = match action.as_str() {
        "retry" => {
            return reply.send(match queue.retry_now(&id) {
                true => Response::new(StatusCode::NO_CONTENT),
                false => text(StatusCode::CONFLICT, "the message is held"),
            });
        }
        "hold" => queue.hold(&id),
        "release" => queue.release(&id),
        "remove" => queue.delete(&id),
        _ => return reply.send(text(StatusCode::NOT_FOUND, "there is no such action")),
    };
    done.then(move |_, done| {
        reply.send(match done {
            Ok(()) => Response::new(StatusCode::NO_CONTENT),
            Err(QueueError::NoMessage(_)) => no_message(),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        });
    });
}

fn id(request: &Request) -> Option<MessageId> {
    request.param("id")?.parse().ok()
}

fn no_message() -> Response {
    text(StatusCode::NOT_FOUND, "there is no such message in the queue")
}

fn text(status: StatusCode, text: &str) -> Response {
    Response::text(format!("{text}\n")).with_status(status)
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => Response::json(text),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
