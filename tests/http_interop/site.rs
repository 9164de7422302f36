//! A server for other programs, and the loop that it runs on.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sinew::{
    auth::Users,
    http::server::{
        AuthenticatedUser, Compression, DigestAlgorithm, FormLimits, Guard, Handler, HttpServer,
        Reply, Request, Response, Router, answer,
    },
    prelude::*,
};

use crate::watchdog::watch_this_test;

/// Serves on a port of this machine while `client` does what it does, on a thread of its own.
pub(crate) fn serve<T: Send + 'static>(
    handler: impl Handler,
    client: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> T {
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(handler)).unwrap();
    run(&reactor, port.local(), client)
}

/// Runs the loop for as long as the client needs.
pub(crate) fn run<A: Send + 'static, T: Send + 'static>(
    reactor: &Reactor,
    at: A,
    client: impl FnOnce(A) -> T + Send + 'static,
) -> T {
    let remote = reactor.remote();
    let client = thread::spawn(move || {
        // Also if it panics, the loop ends.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(at)));
        remote.stop().unwrap();
        result
    });
    reactor.run().unwrap();
    match client.join().unwrap() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What the programs ask for.
pub(crate) fn site() -> impl Handler {
    let users = || Users::new().user("ann", "secret");
    let who = || answer(|request: &Request| request.find::<AuthenticatedUser>().unwrap().0.clone());
    let router = Router::new()
        .get("/hello", answer(|_| "hello\n"))
        .get("/long", answer(|_| Response::text("0123456789".repeat(100_000))))
        .get(
            "/agent",
            answer(|request: &Request| request.field("user-agent").unwrap_or("-").to_owned()),
        )
        .get("/fields", answer(|request: &Request| format!("{:?}\n", request.fields())))
        .get("/basic", Guard::basic("r", users(), who()).unwrap())
        .get("/digest", Guard::digest("r", users(), who()).unwrap())
        // Python's urllib looks at the first challenge alone, and knows no SHA-256.
        .get(
            "/digest-md5",
            Guard::digest("r", users(), who()).unwrap().algorithms([DigestAlgorithm::Md5]),
        )
        .post("/form", form)
        .any("/echo", echo);
    Compression::new(router)
}

/// Gives back the method, and the length and the sum of the body, which is received piece by piece.
fn echo(request: Request, reply: Reply) {
    let reactor = request.reactor();
    let task = reactor.spawn(async move {
        let (mut len, mut sum) = (0_usize, 0_u64);
        while let Ok(Some(piece)) = request.next_piece().await {
            len += piece.len();
            sum += piece.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        reply.send(format!("{} {len} {sum}", request.method()));
    });
    task.detach();
}

fn form(request: Request, reply: Reply) {
    request.form(&FormLimits::default()).then(|_, form| match form {
        Ok(form) => {
            let mut text = String::new();
            form.fields().for_each(|(name, value)| text += &format!("{name}={value};"));
            form.files().iter().for_each(|file| {
                text += &format!("{}:{}:{};", file.name(), file.file_name(), file.len());
            });
            reply.send(text);
        }
        Err(error) => reply.send(error.status()),
    });
}

/// A folder for a test, gone when it is dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("sinew-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
