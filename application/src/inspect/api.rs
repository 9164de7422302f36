//! The interface for programs: paths and their answers. What it answers with is in `gather.rs`.

use std::fmt::Display;

use serde::Serialize;
use sinew_http::{
    StatusCode,
    server::{Reply, Request, Response, Router},
};
use sinew_reactor::Deferred;

use super::{
    gather::{self, Action, GlobalId},
    metrics::{self as prometheus},
    report::PageStart,
};

/// Connections on a page if the request does not say.
const PAGE_DEFAULT: usize = 100;

/// The paths for reading and for changing connections.
pub(super) fn routes() -> Router {
    reading().post("/connections/{id}/{action}", act)
}

/// The paths that change nothing.
pub(super) fn reading() -> Router {
    Router::new()
        .get("/status", status)
        .get("/connections", connections)
        .get("/connections/{id}", connection)
}

fn status(request: Request, reply: Reply) {
    answer_with(gather::status(&request.reactor()), reply, |status| json(&status));
}

pub(super) fn metrics(request: Request, reply: Reply) {
    answer_with(gather::status(&request.reactor()), reply, |status| {
        uncached(Response::text(prometheus::text(&status)).with_type(prometheus::CONTENT_TYPE))
    });
}

fn connections(request: Request, reply: Reply) {
    let number = |name, default| match request.query_value(name) {
        None => Ok(default),
        Some(text) => text.parse::<usize>().map_err(|_| name),
    };
    let asked =
        || Ok::<_, &str>((number("shard", 0)?, number("first", 0)?, number("max", PAGE_DEFAULT)?));
    let (shard, first, max) = match asked() {
        Ok(asked) => asked,
        Err(name) => {
            let text = format!("{name} is not a number\n");
            return reply.send(Response::text(text).with_status(StatusCode::BAD_REQUEST));
        }
    };
    let page = gather::page(&request.reactor(), PageStart { shard, first }, max);
    answer_with(page, reply, |page| json(&page));
}

fn connection(request: Request, reply: Reply) {
    let Some(id) = request.param("id").and_then(|id| GlobalId::parse(&id)) else {
        return reply.send(not_found("no connection has this id"));
    };
    answer_with(gather::connection(&request.reactor(), id), reply, |found| match found {
        Some(connection) => json(&connection),
        None => not_found("the connection is gone"),
    });
}

pub(super) fn act(request: Request, reply: Reply) {
    let id = request.param("id").and_then(|id| GlobalId::parse(&id));
    let action = request.param("action").and_then(|action| Action::parse(&action));
    let (Some(id), Some(action)) = (id, action) else {
        return reply.send(not_found("there is no such connection or action"));
    };
    answer_with(gather::act(&request.reactor(), id, action), reply, |done| match done {
        true => Response::new(StatusCode::NO_CONTENT),
        false => not_found("the connection is gone"),
    });
}

fn not_found(why: &str) -> Response {
    Response::text(format!("{why}\n")).with_status(StatusCode::NOT_FOUND)
}

/// Answers when the result is there.
fn answer_with<T: 'static>(
    result: Deferred<T>,
    reply: Reply,
    answer: impl FnOnce(T) -> Response + 'static,
) {
    result.then(move |_, result| match result {
        Ok(value) => reply.send(answer(value)),
        Err(error) => reply.send(failed(&error)),
    });
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => uncached(Response::json(text)),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Display) -> Response {
    tracing::error!(%error, "a look inside failed");
    Response::new(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn uncached(mut response: Response) -> Response {
    if let Err(error) = response.set("Cache-Control", "no-store") {
        tracing::error!(%error, "an answer may be cached");
    }
    response
}
