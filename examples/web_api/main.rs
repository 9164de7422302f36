//! A list of things to do, as JSON, by futures: what takes long is awaited, and nobody else waits meanwhile.
//!
//! ```text
//! $ curl --json '{"text":"buy milk"}' http://127.0.0.1:8000/todos
//! {"id":1,"text":"buy milk","done":false}
//! $ curl http://127.0.0.1:8000/todos
//! [{"id":1,"text":"buy milk","done":false}]
//! ```

#[path = "../cli/mod.rs"]
mod cli;

use std::{cell::RefCell, collections::BTreeMap, process::ExitCode, rc::Rc, time::Duration};

use cli::ServerArgs;
use serde::{Deserialize, Serialize};
use sinew::http::{
    StatusCode,
    server::{
        Cors, HttpServer, Request, RequestRateLimit, Response, Router, Timeout, answer_async,
    },
};

#[derive(Clone, Serialize)]
struct Todo {
    id: u64,
    text: String,
    done: bool,
}

/// What a client sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    text: Option<String>,
    done: Option<bool>,
}

#[derive(Default)]
struct Todos {
    all: RefCell<BTreeMap<u64, Todo>>,
}

type Shared = Rc<Todos>;

/// A status, and why.
type Problem = (StatusCode, &'static str);

const TODOS_MAX: usize = 1_000;

async fn list(todos: Shared, _: Request) -> Result<Response, Problem> {
    let all = todos.all.borrow();
    json(StatusCode::OK, &all.values().collect::<Vec<_>>())
}

async fn add(todos: Shared, request: Request) -> Result<Response, Problem> {
    let change = change(&request).await?;
    let text = change.text.ok_or((StatusCode::UNPROCESSABLE_ENTITY, "a todo has a text"))?;
    let mut all = todos.all.borrow_mut();
    if all.len() >= TODOS_MAX {
        return Err((StatusCode::INSUFFICIENT_STORAGE, "there is too much to do"));
    }
    let id = all.last_key_value().map_or(1, |(id, _)| id + 1);
    let todo = Todo { id, text, done: change.done.unwrap_or(false) };
    all.insert(id, todo.clone());
    json(StatusCode::CREATED, &todo)
}

async fn set(todos: Shared, request: Request) -> Result<Response, Problem> {
    let id = id(&request)?;
    let change = change(&request).await?;
    let mut all = todos.all.borrow_mut();
    let todo = all.get_mut(&id).ok_or((StatusCode::NOT_FOUND, "there is no such todo"))?;
    todo.text = change.text.unwrap_or_else(|| todo.text.clone());
    todo.done = change.done.unwrap_or(todo.done);
    json(StatusCode::OK, todo)
}

async fn remove(todos: Shared, request: Request) -> Result<Response, Problem> {
    let id = id(&request)?;
    let removed = todos.all.borrow_mut().remove(&id);
    removed
        .map(|_| StatusCode::NO_CONTENT.into())
        .ok_or((StatusCode::NOT_FOUND, "there is no such todo"))
}

/// What a slow disk or a long computation would do: it runs on a thread, and is awaited.
async fn digest(todos: Shared, request: Request) -> Result<Response, Problem> {
    let texts: Vec<_> = todos.all.borrow().values().map(|todo| todo.text.clone()).collect();
    let letters = request
        .reactor()
        .defer_to_thread(move || texts.iter().map(|text| text.chars().count()).sum::<usize>());
    let letters = letters.await.map_err(|_| (StatusCode::SERVICE_UNAVAILABLE, "too much to do"))?;
    json(StatusCode::OK, &serde_json::json!({ "letters": letters }))
}

fn id(request: &Request) -> Result<u64, Problem> {
    let id = request.param("id").and_then(|id| id.parse().ok());
    id.ok_or((StatusCode::BAD_REQUEST, "an id is a number"))
}

async fn change(request: &Request) -> Result<Change, Problem> {
    let kind = request.field("content-type").unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/json" {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "it takes application/json"));
    }
    let body = request.collect_up_to(64 * 1024).await;
    let body = body.map_err(|error| (error.status(), "the body was not received"))?;
    serde_json::from_slice(&body).map_err(|_| (StatusCode::BAD_REQUEST, "that is no todo"))
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_vec(value);
    let text = text.map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "it cannot be told"))?;
    Ok(Response::json(text).with_status(status))
}

/// One handler, from a function that is given what all share.
fn handler<F>(
    todos: &Shared,
    f: impl Fn(Shared, Request) -> F + 'static,
) -> impl sinew::http::server::Handler
where
    F: Future<Output = Result<Response, Problem>> + 'static,
{
    let todos = Rc::clone(todos);
    answer_async(move |request| {
        let answer = f(Rc::clone(&todos), request);
        async {
            answer.await.unwrap_or_else(|(status, why)| {
                Response::json(serde_json::json!({ "error": why }).to_string()).with_status(status)
            })
        }
    })
}

fn main() -> ExitCode {
    cli::main_about("A list of things to do, as JSON", |args: ServerArgs| {
        let todos = Shared::default();
        let router = Router::new()
            .get("/todos", handler(&todos, list))
            .post("/todos", handler(&todos, add))
            .put("/todos/{id}", handler(&todos, set))
            .delete("/todos/{id}", handler(&todos, remove))
            .get("/digest", handler(&todos, digest));
        let site = Cors::new(Timeout::new(router, Duration::from_secs(10)));
        let reactor = args.reactor()?;
        let server = HttpServer::new(RequestRateLimit::new(site, 100, 200));
        let port = args.listen.listen(&reactor, server)?;
        cli::run(&reactor, port)
    })
}
