//! Says hello over HTTP: a router, parameters of the path and of the query, and an answer that comes later.
//!
//! ```text
//! $ curl http://127.0.0.1:8000/hello/ann
//! hello ann
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use cli::ServerArgs;
use sinew::http::{
    StatusCode,
    server::{HttpServer, Reply, Request, Response, Router, answer, answer_async},
};

/// What is returned is the answer: text, a status, a response, or a `Result` of these.
fn hello(request: &Request) -> Result<String, StatusCode> {
    let name = request.param("name").ok_or(StatusCode::BAD_REQUEST)?;
    let greeting = request.query_value("greeting").unwrap_or_else(|| "hello".to_owned());
    Ok(format!("{greeting} {name}\n"))
}

/// The reply may be kept, and used whenever there is an answer; nobody else waits meanwhile.
fn later(request: Request, reply: Reply) {
    request.reactor().call_later(Duration::from_millis(100), |_| reply.send("here I am\n"));
}

/// A body is gathered, as long as the server's limit allows; on an error the server answers.
async fn echo(request: Request) -> Response {
    match request.collect().await {
        Ok(body) => Response::text(body),
        Err(error) => Response::new(error.status()),
    }
}

fn main() -> ExitCode {
    cli::main_about("Says hello over HTTP", |args: ServerArgs| {
        let router = Router::new()
            .get("/", answer(|_| "hello\n"))
            .get("/hello/{name}", answer(hello))
            .get("/later", later)
            .post("/echo", answer_async(echo));
        let reactor = args.reactor()?;
        let port = args.listen.listen(&reactor, HttpServer::new(router))?;
        cli::run(&reactor, port)
    })
}
