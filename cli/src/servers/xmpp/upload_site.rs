//! Uploads over HTTP (XEP-0363): [`UploadSite`] takes a file with PUT, if a slot was given for it, and serves it with GET. Pages that a
//! browser shows can do nothing with what was uploaded: it is a download, whatever its type.

use std::{
    cell::{Cell, OnceCell},
    io::{self, Write},
    path::Path,
    rc::Rc,
    time::Duration,
};

use sinew::{
    application::StartError,
    chat::xmpp::server::upload::{Grant, GrantError, UploadKey},
    http::{
        Method, StatusCode,
        codec::{Framing, percent_decode},
        server::{AccessLog, Cors, Files, Handler, LogFormat, Reply, Request, Response, Router},
    },
    prelude::Reactor,
    reactor::{Excerpt, with_causes},
};

use super::upload_folder::{FILE_COST, Place, UploadFolder};

/// How often old files are removed, at most and at least.
const SWEEP_MIN: Duration = Duration::from_secs(1);
const SWEEP_MAX: Duration = Duration::from_secs(3_600);

/// How many of the 32 digits of an id are logged.
const SHOWN: usize = 6;

/// What browsers may do with a file: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// The files of a folder over HTTP. Clones are the same.
#[derive(Clone)]
pub(super) struct UploadSite(Rc<Inner>);

struct Inner {
    folder: UploadFolder,
    total_max: u64,
    keep: Duration,
    /// Bytes of all files, as far as they are known.
    stored: Cell<u64>,
    /// Bytes of files that were added since they are being counted.
    added: Cell<u64>,
    /// Bytes of uploads that run.
    coming: Cell<u64>,
    /// Once the folder is open.
    open: OnceCell<Open>,
}

struct Open {
    key: UploadKey,
    files: Files,
}

/// Bytes that an upload has been promised.
struct Promised {
    site: UploadSite,
    bytes: u64,
}

impl Drop for Promised {
    fn drop(&mut self) {
        let coming = &self.site.0.coming;
        coming.set(coming.get().saturating_sub(self.bytes));
    }
}

impl UploadSite {
    /// With at most so many bytes, each file kept so long.
    pub(super) fn new(folder: UploadFolder, total_max: u64, keep: Duration) -> Self {
        let (stored, added, coming) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let open = OnceCell::new();
        Self(Rc::new(Inner { folder, total_max, keep, stored, added, coming, open }))
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// Opens the folder, which is there. Returns the key that is to sign the slots. Blocks.
    pub(super) fn open(&self) -> Result<UploadKey, StartError> {
        let failed = |error: io::Error| {
            StartError::other(format!("{}: {error}", Excerpt::path(self.folder())))
        };
        let key = UploadKey::new(self.0.folder.key().map_err(failed)?.as_str());
        let files = Files::new(self.folder()).map_err(failed)?.dot_files(true);
        let files =
            files.cache_control("private, max-age=86400, immutable").map_err(StartError::other)?;
        // Another attempt has opened it.
        let _ = self.0.open.set(Open { key: key.clone(), files });
        Ok(key)
    }

    /// Answers requests below a path.
    pub(super) fn handler(&self, path: &str) -> impl Handler + use<> {
        let site = Cors::new(self.clone())
            .any_origin()
            .methods("GET, HEAD, PUT, OPTIONS")
            .headers("Authorization, Content-Type")
            .max_age(SWEEP_MAX);
        let router = match path {
            "" => Router::new().fallback(site),
            path => Router::new().nest(path, site),
        };
        let path = path.to_owned();
        let log = AccessLog::new(router).format(LogFormat::Common);
        log.target(move |target| without_secret(target, &path))
    }

    /// Removes old files from time to time, and counts those that stay.
    pub(super) fn sweep(&self, reactor: &Reactor) -> impl Future<Output = ()> + use<> {
        let (site, reactor) = (self.clone(), reactor.clone());
        async move {
            let every = (site.0.keep / 24).clamp(SWEEP_MIN, SWEEP_MAX);
            loop {
                site.0.added.set(0);
                let (folder, keep, now) =
                    (site.0.folder.clone(), site.0.keep, reactor.wall_clock());
                match reactor.defer_to_thread(move || folder.remove_older(keep, now)).await {
                    Ok(Ok((bytes, removed))) => {
                        // It may have missed them.
                        site.0.stored.set(bytes.saturating_add(site.0.added.get()));
                        if removed > 0 {
                            tracing::info!(removed, bytes, "old uploads were removed");
                        }
                    }
                    Ok(Err(error)) => {
                        let path = Excerpt::path(site.folder());
                        tracing::error!("{path}: old uploads could not be removed: {error}");
                    }
                    Err(error) => {
                        tracing::error!(error = %with_causes(&error), "old uploads could not be removed")
                    }
                }
                reactor.sleep(every).await;
            }
        }
    }

    fn get(&self, open: &Open, place: &Place, request: &Request) -> Response {
        let mut response = open.files.response(request);
        // That of several ranges says where each begins.
        let is_whole = response.content_type().is_some_and(|kind| !kind.starts_with("multipart/"));
        let kind = self.0.folder.kind(place).filter(|_| is_whole && response.status().is_success());
        let fields = [("Content-Disposition", "attachment"), ("Content-Security-Policy", POLICY)];
        let more = fields.into_iter().chain(kind.as_deref().map(|kind| ("Content-Type", kind)));
        for (name, value) in more {
            if let Err(error) = response.set(name, value) {
                return error.into();
            }
        }
        response
    }

    fn put(&self, open: &Open, place: Place, request: Request, reply: Reply) {
        let grant = match granted(open, &request) {
            Ok(grant) => grant,
            Err(refused) => return reply.send(refused),
        };
        let taken = self.0.stored.get().saturating_add(self.0.coming.get());
        let bytes = grant.size.saturating_add(FILE_COST);
        if taken.saturating_add(bytes) > self.0.total_max {
            tracing::warn!(bytes = taken, "an upload is refused: upload_total is reached");
            return reply.send(StatusCode::INSUFFICIENT_STORAGE);
        }
        self.0.coming.set(self.0.coming.get().saturating_add(bytes));
        let promised = Promised { site: self.clone(), bytes };
        let reactor = request.reactor();
        let upload = receive(reactor.clone(), request, promised, place, grant);
        reactor.spawn(async move { reply.send(upload.await) }).detach();
    }
}

impl Handler for UploadSite {
    fn handle(&self, request: Request, reply: Reply) {
        let Some(open) = self.0.open.get() else {
            return reply.send(StatusCode::SERVICE_UNAVAILABLE);
        };
        let Some(place) = place_of(request.rest()) else {
            return reply.send(StatusCode::NOT_FOUND);
        };
        match *request.method() {
            Method::GET | Method::HEAD => {
                let response = self.get(open, &place, &request);
                reply.send(response);
            }
            Method::PUT => self.put(open, place, request, reply),
            _ => {
                let allowed = Response::new(StatusCode::METHOD_NOT_ALLOWED);
                reply.send(allowed.with("Allow", "GET, HEAD, PUT, OPTIONS"));
            }
        }
    }
}

/// What the log has of an address: who knows all of it reads the file (XEP-0363 9). Without the name of the file, and with so much of the
/// id that a request can be found that somebody asks about.
fn without_secret(target: &str, path: &str) -> String {
    let below = target.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'));
    let begin: String = below.unwrap_or_default().chars().take(SHOWN).collect();
    match below {
        Some(_) if begin.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!("{path}/{begin}...")
        }
        _ => "...".to_owned(),
    }
}

/// `/ID/NAME`, percent-encoded.
fn place_of(path: &str) -> Option<Place> {
    let (id, name) = path.strip_prefix('/')?.split_once('/')?;
    let name = String::from_utf8(percent_decode(name)?.into_owned()).ok()?;
    Place::new(id, &name)
}

/// What may be uploaded, if this upload is it.
fn granted(open: &Open, request: &Request) -> Result<Grant, Response> {
    let token = request.field("authorization").unwrap_or_default();
    let now = request.reactor().wall_clock();
    let grant = open.key.verify(request.path(), token, now).map_err(|error| match error {
        GrantError::Malformed => {
            Response::new(StatusCode::UNAUTHORIZED).with("WWW-Authenticate", "Bearer").into()
        }
        _ => Response::text(format!("{error}\n")).with_status(StatusCode::FORBIDDEN),
    })?;
    let refused = |status, why: &'static str| Err(Response::text(why).with_status(status));
    match request.head().framing() {
        Framing::Length(size) if size == grant.size => {}
        Framing::Length(size) if size > grant.size => {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, "the slot is for a smaller file\n");
        }
        Framing::Chunked => {
            return refused(StatusCode::LENGTH_REQUIRED, "say how long the file is\n");
        }
        _ => return refused(StatusCode::BAD_REQUEST, "the slot is for a larger file\n"),
    }
    let kind = request.field("content-type");
    match grant.content_type.as_deref().zip(kind) {
        Some((expected, kind)) if !expected.eq_ignore_ascii_case(kind) => {
            refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the slot is for a file of another type\n")
        }
        _ => Ok(grant),
    }
}

/// Writes the body to the folder, piece by piece, on threads. A file that is not whole is not kept.
async fn receive(
    reactor: Reactor,
    request: Request,
    promised: Promised,
    place: Place,
    grant: Grant,
) -> Response {
    let folder = promised.site.0.folder.clone();
    let begun = (folder.clone(), place.clone());
    let begun = on_thread(&reactor, move || begun.0.begin(&begun.1)).await;
    let file = match begun {
        Ok(file) => file,
        Err(error) => return failed(&error),
    };
    // It stays locked until what has come of it is removed.
    let locked = file.try_clone();
    let written = async {
        let mut file = file;
        let body_lost = |error| io::Error::new(io::ErrorKind::ConnectionAborted, error);
        while let Some(piece) = request.next_piece().await.map_err(body_lost)? {
            file = on_thread(&reactor, move || file.write_all(&piece).map(|()| file)).await?;
        }
        let (folder, place) = (folder.clone(), place.clone());
        on_thread(&reactor, move || folder.keep(&place, &file, grant.content_type.as_deref())).await
    };
    match written.await {
        Ok(()) => {
            let Inner { stored, added, .. } = &*promised.site.0;
            for bytes in [stored, added] {
                bytes.set(bytes.get().saturating_add(promised.bytes));
            }
            StatusCode::CREATED.into()
        }
        Err(error) => {
            if let Err(error) = on_thread(&reactor, move || folder.drop_part(&place)).await {
                tracing::warn!(error = %with_causes(&error), "what has come of an upload stays for a day");
            }
            drop(locked);
            failed(&error)
        }
    }
}

async fn on_thread<T: Send + 'static>(
    reactor: &Reactor,
    f: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    reactor.defer_to_thread(f).await.map_err(|failure| io::Error::other(failure.to_string()))?
}

fn failed(error: &io::Error) -> Response {
    let status = match error.kind() {
        io::ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        // The server has answered.
        io::ErrorKind::ConnectionAborted => StatusCode::BAD_REQUEST,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::error!(error = %with_causes(&error), "an upload failed");
    }
    status.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_of_an_address() {
        for (target, path, expected) in [
            ("/upload/0123456789abcdef/cat.png", "/upload", "/upload/012345..."),
            ("/0123456789abcdef/cat.png", "", "/012345..."),
            ("/upload/0/c.png", "/upload", "..."),
            ("/upl%6fad/0123456789abcdef/cat.png", "/upload", "..."),
            ("http://x/upload/0123456789abcdef/cat.png", "/upload", "..."),
            ("*", "/upload", "..."),
        ] {
            assert_eq!(without_secret(target, path), expected, "{target}");
        }
    }
}
