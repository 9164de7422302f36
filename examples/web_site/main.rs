//! A guest book: a router, pages made by hand, a form, an upload, sessions and static files.
//!
//! Everything is in memory, and gone when the program ends. `pages.rs` is what browsers see, `book.rs` what is kept, `upload.rs` how a
//! form with a file is read.

mod book;
#[path = "../cli/mod.rs"]
mod cli;
mod pages;
mod upload;

use std::{cell::RefCell, path::PathBuf, process::ExitCode, rc::Rc};

use book::{Book, Entry};
use clap::Parser;
use cli::ServerArgs;
use sinew::{
    http::{
        StatusCode,
        codec::form,
        server::{
            Compression, ErrorPages, Files, HttpServer, MemoryStore, Redirect, Reply, Request,
            Response, Router, Session, Sessions, answer,
        },
    },
    prelude::Reactor,
};

/// A guest book
#[derive(Parser, Debug)]
struct Args {
    /// A folder whose files are served under /static
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,

    #[command(flatten)]
    server: ServerArgs,
}

type Shared = Rc<RefCell<Book>>;

/// The most fields of the form; it has two.
const FIELDS_MAX: usize = 10;

fn front(book: &Shared, request: &Request) -> Response {
    let name = request.find::<Session>().and_then(|session| session.value("name"));
    Response::html(pages::front(&book.borrow(), name.as_deref()))
}

/// Signs the book, and sends the browser back to the front page, so that a reload signs nothing.
fn sign(book: &Shared, request: Request, reply: Reply) {
    let book = Rc::clone(book);
    request.collect_up_to(16 * 1024).then(move |_, body| {
        let Ok(body) = body else { return };
        let response = form(&body, FIELDS_MAX)
            .map_err(|_| StatusCode::BAD_REQUEST)
            .and_then(|fields| Entry::from_form(&fields).ok_or(StatusCode::BAD_REQUEST))
            .map(|entry| {
                remember(&request, &entry.name);
                book.borrow_mut().sign(entry);
                back(&request)
            });
        reply.send(response);
    });
}

/// The name is put into the form the next time.
fn remember(request: &Request, name: &str) {
    if let Some(session) = request.find::<Session>()
        && let Err(error) = session.set("name", name)
    {
        tracing::warn!(%error, "a name is not remembered");
    }
}

fn back(request: &Request) -> Response {
    match Redirect::see_other("/") {
        Ok(redirect) => redirect.response(request),
        Err(error) => error.into(),
    }
}

fn router(book: &Shared, files: Option<Files>) -> Router {
    let (front_book, sign_book, upload_book) = (Rc::clone(book), Rc::clone(book), Rc::clone(book));
    let router = Router::new()
        .get("/", answer(move |request| front(&front_book, request)))
        .post("/sign", move |request: Request, reply: Reply| sign(&sign_book, request, reply))
        .post("/upload", move |request: Request, reply: Reply| {
            upload::receive(&upload_book, &request, reply);
        })
        .get("/style.css", answer(|_| Response::text(pages::STYLE).with_type("text/css")));
    match files {
        Some(files) => router.nest("/static", files),
        None => router,
    }
}

/// Signs the cookies of this run: those of another one count for nothing.
fn key(reactor: &Reactor) -> [u8; 32] {
    let mut key = [0; 32];
    for piece in key.chunks_mut(8) {
        piece.copy_from_slice(&reactor.random().to_ne_bytes());
    }
    key
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let files = args.files.as_ref().map(Files::new).transpose()?;
        let reactor = args.server.reactor()?;
        let book = Shared::default();
        // Over plain HTTP, browsers would not send a cookie that is `Secure`.
        let site =
            Sessions::new(&key(&reactor), MemoryStore::new(), router(&book, files)).secure(false);
        let server = HttpServer::new(ErrorPages::new(Compression::new(site)));
        let port = args.server.listen.listen(&reactor, server)?;
        cli::run(&reactor, port)
    })
}
