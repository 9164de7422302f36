//! Files that clients send: by a form at `/upload`, or by PUT to the name that they are to have. They come to lie in the top folder.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

use sinew::http::{
    Method, StatusCode,
    codec::percent_decode,
    server::{Form, FormLimits, Handler, Reply, Request, Response, UploadedFile},
};

const PAGE: &str = "<!doctype html>\n<title>Upload</title>\n<form method=post enctype=multipart/form-data>\n\
    <input type=file name=file multiple> <button>Upload</button>\n</form>\n";

/// Longest file, and longest form.
const FILE_MAX: u64 = 1 << 30;

/// Takes files, and leaves all other requests to what is inside.
pub(crate) struct Uploads<H> {
    inner: H,
    folder: Rc<Path>,
    limits: FormLimits,
}

impl<H: Handler> Uploads<H> {
    pub(crate) fn new(folder: &Path, inner: H) -> Self {
        // Temporary files lie in the same file system, so that they can be kept.
        let limits = FormLimits::default().file_max(FILE_MAX).total_max(FILE_MAX).folder(folder);
        Self { inner, folder: folder.into(), limits }
    }
}

impl<H: Handler> Handler for Uploads<H> {
    fn handle(&self, request: Request, reply: Reply) {
        match (request.method(), request.path()) {
            (&Method::GET, "/upload") => reply.send(Response::html(PAGE)),
            (&Method::POST, "/upload") => self.form(&request, reply),
            (&Method::PUT, _) => self.put(request, reply),
            _ => self.inner.handle(request, reply),
        }
    }
}

impl<H> Uploads<H> {
    fn form(&self, request: &Request, reply: Reply) {
        // A page of somebody else, in the browser of somebody who has logged in here.
        if request.field("sec-fetch-site") == Some("cross-site") {
            return reply.send(StatusCode::FORBIDDEN);
        }
        let folder = PathBuf::from(&*self.folder);
        request.form(&self.limits).then(move |reactor, form| match form {
            Ok(form) => {
                // Renaming is quick, but the disk may not be.
                reactor.defer_to_thread(move || keep_all(&folder, form)).then(|_, kept| {
                    reply.send(match kept {
                        Ok(Ok(count)) => Response::text(format!("{count} files\n")),
                        Ok(Err(error)) => failed(&error),
                        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into(),
                    });
                });
            }
            Err(error) => reply.send(error.status()),
        });
    }

    fn put(&self, request: Request, reply: Reply) {
        let name = percent_decode(&request.path()[1..]).map(|name| name.into_owned());
        let name = name.and_then(|name| String::from_utf8(name).ok());
        let name = name.filter(|name| safe_name(name).is_some());
        let Some(name) = name else { return reply.send(StatusCode::FORBIDDEN) };
        let path = self.folder.join(name);
        let reactor = request.reactor();
        let task = reactor.spawn({
            let reactor = reactor.clone();
            async move {
                let response = match receive(&reactor, &request, path).await {
                    Ok(()) => StatusCode::CREATED.into(),
                    Err(error) => failed(&error),
                };
                reply.send(response);
            }
        });
        task.detach();
    }
}

/// Writes a body to a new file, piece by piece, on threads. One that is not whole is not kept.
async fn receive(
    reactor: &sinew::reactor::Reactor,
    request: &Request,
    path: PathBuf,
) -> io::Result<()> {
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let create = part.clone();
    let mut file = on_thread(reactor, move || fs::File::create_new(create)).await?;
    let mut received = Ok(());
    loop {
        match request.next_piece().await {
            Ok(Some(piece)) => {
                let written =
                    on_thread(reactor, move || file.write_all(&piece).map(|()| file)).await;
                match written {
                    Ok(back) => file = back,
                    Err(error) => {
                        received = Err(error);
                        break;
                    }
                }
            }
            Ok(None) => break,
            Err(error) => {
                received = Err(io::Error::new(io::ErrorKind::ConnectionAborted, error));
                break;
            }
        }
    }
    on_thread(reactor, move || {
        let kept = received.and_then(|()| fs::hard_link(&part, &path));
        fs::remove_file(&part)?;
        kept
    })
    .await
}

async fn on_thread<T: Send + 'static>(
    reactor: &sinew::reactor::Reactor,
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    reactor.defer_to_thread(f).await.map_err(|failure| io::Error::other(failure.to_string()))?
}

fn keep_all(folder: &Path, mut form: Form) -> io::Result<usize> {
    let mut count = 0;
    for file in form.take_files().into_iter().filter(|file| !file.file_name().is_empty()) {
        keep(folder, &file)?;
        count += 1;
    }
    Ok(count)
}

/// Gives a file its name, unless something else has it.
fn keep(folder: &Path, file: &UploadedFile) -> io::Result<()> {
    // Some browsers send a path.
    let name = file.file_name().rsplit(['/', '\\']).next().unwrap_or_default();
    let name = safe_name(name).ok_or(io::ErrorKind::InvalidInput)?;
    let from = file.path().ok_or(io::ErrorKind::NotFound)?;
    fs::hard_link(from, folder.join(name))
}

/// A name of a file in a folder, and nothing else: no path, no hidden file, nothing that a terminal would obey.
fn safe_name(name: &str) -> Option<&str> {
    let is_good = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control);
    is_good.then_some(name)
}

fn failed(error: &io::Error) -> Response {
    let status = match error.kind() {
        io::ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        io::ErrorKind::InvalidInput => StatusCode::FORBIDDEN,
        // The server has answered.
        io::ErrorKind::ConnectionAborted => StatusCode::BAD_REQUEST,
        _ => {
            tracing::error!(%error, "an upload failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    status.into()
}
