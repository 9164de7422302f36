//! Static files of a directory: [`Files`]. `lookup.rs` finds the file of a path, `parts.rs` sends ranges, `listing.rs` lists
//! directories.

mod listing;
mod lookup;
mod parts;

use std::{
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{Method, StatusCode};

use super::{Body, Handler, Reply, Request, Response};
use crate::codec::{
    ByteRange, ETag, FieldError, Fields, Precondition, format_date, if_range, preconditions, ranges,
};
use lookup::{Found, Missing};

/// Most ranges of one request that are served; with more, the whole file is sent.
const RANGES_MAX: usize = 16;

/// Serves the files below a directory.
///
/// - GET and HEAD; 304 by `ETag` and date, 412, `If-Range`, single and multiple ranges, 416. The kernel copies files if it can.
/// - The path of a directory ends with a slash (others are redirected there). It serves its `index.html`, or a listing if that is
///   enabled, or a 404.
/// - Nothing outside of the directory is served, whatever the path and symbolic links: links that lead out of it
///   are not found. Nor are names that begin with a dot, unless they are enabled, nor anything but files and directories. Names
///   cannot contain encoded slashes, backslashes or NUL.
/// - With [`precompressed`](Self::precompressed), a file `x.br` or `x.gz` beside `x` is sent instead, to clients that accept it.
///
/// Files are looked up and opened on the loop's thread: a directory on a slow network file system delays all connections.
///
/// # Examples
///
/// ```no_run
/// use sinew_http::server::{Files, HttpServer};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// reactor.listen_tcp("127.0.0.1:8000", HttpServer::new(Files::new("public")?.listing(true)))?;
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Files {
    /// Absolute, and without symbolic links.
    root: Rc<Path>,
    index: Vec<String>,
    listing: bool,
    dot_files: bool,
    precompressed: bool,
    cache_control: Option<String>,
}

/// An existing file, with its metadata.
struct Representation {
    file: File,
    len: u64,
    modified: Option<SystemTime>,
    etag: Option<ETag>,
    content_type: &'static str,
    encoding: Option<&'static str>,
}

impl Files {
    /// Serves the files below this directory.
    ///
    /// # Errors
    ///
    /// If the directory does not exist or is not accessible.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        let root: PathBuf = folder.as_ref().canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            root: root.into(),
            index: vec!["index.html".to_owned()],
            listing: false,
            dot_files: false,
            precompressed: false,
            cache_control: None,
        })
    }

    /// Index files of a directory: the first that exists is served. Default `index.html`.
    pub fn index(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.index = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a directory without an index file is listed. Default `false`.
    pub fn listing(mut self, listing: bool) -> Self {
        self.listing = listing;
        self
    }

    /// Whether names that begin with a dot are served. Default `false`: they are often keys and version histories.
    pub fn dot_files(mut self, dot_files: bool) -> Self {
        self.dot_files = dot_files;
        self
    }

    /// Whether `x.br` and `x.gz` beside `x` are its compressed forms. Default `false`.
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.precompressed = precompressed;
        self
    }

    /// Sets the `Cache-Control` field. Default: none.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is not valid as a field value.
    pub fn cache_control(mut self, value: impl Into<String>) -> Result<Self, FieldError> {
        let value = value.into();
        Fields::new().append("Cache-Control", &value)?;
        self.cache_control = Some(value);
        Ok(self)
    }

    /// The response to a request, for the part of the path that no router has consumed.
    pub fn response(&self, request: &Request) -> Response {
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => {
                return Response::new(StatusCode::NO_CONTENT)
                    .with("Allow", "GET, HEAD, OPTIONS")
                    .into();
            }
            _ => {
                let refused = Response::new(StatusCode::METHOD_NOT_ALLOWED);
                return refused.with("Allow", "GET, HEAD, OPTIONS").into();
            }
        }
        match self.find(request) {
            Ok(response) => response,
            Err(Missing::NotThere) => StatusCode::NOT_FOUND.into(),
            Err(Missing::Forbidden) => StatusCode::FORBIDDEN.into(),
            Err(Missing::Failed(error)) => {
                tracing::error!(%error, "a file could not be served");
                StatusCode::INTERNAL_SERVER_ERROR.into()
            }
        }
    }

    fn find(&self, request: &Request) -> Result<Response, Missing> {
        match self.look_up(request.rest())? {
            Found::File(path) => self.serve(request, &path),
            Found::FolderWithoutSlash => Ok(to_folder(request)),
            Found::Folder(path) => {
                for name in &self.index {
                    if let Ok(Found::File(path)) = self.inside(&path.join(name)) {
                        return self.serve(request, &path);
                    }
                }
                match self.listing {
                    true => Ok(listing::page(&path, &self.root, self.dot_files)?),
                    false => Err(Missing::NotThere),
                }
            }
        }
    }

    fn serve(&self, request: &Request, path: &Path) -> Result<Response, Missing> {
        let content_type = content_type(path);
        let compressed = self.compressed(request, path);
        let (path, encoding) = match &compressed {
            Some((path, encoding)) => (path.as_path(), Some(*encoding)),
            None => (path, None),
        };
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let representation = Representation {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            etag: etag(&metadata, encoding),
            file,
            content_type,
            encoding,
        };
        let mut response = representation.answer(request);
        if let Err(error) = self.add_fields(&mut response) {
            return Ok(error.into());
        }
        Ok(response)
    }

    fn add_fields(&self, response: &mut Response) -> Result<(), FieldError> {
        if self.precompressed {
            response.append("Vary", "Accept-Encoding")?;
        }
        if let Some(value) = &self.cache_control {
            response.append("Cache-Control", value)?;
        }
        response.append("X-Content-Type-Options", "nosniff")
    }

    /// The compressed form of a file, if it exists and the client accepts it.
    fn compressed(&self, request: &Request, path: &Path) -> Option<(PathBuf, &'static str)> {
        let forms = [("br", "br"), ("gzip", "gz")].into_iter().filter(|_| self.precompressed);
        let mut taken = forms.filter(|(coding, _)| request.accepts_encoding(coding));
        taken.find_map(|(coding, ending)| {
            let mut name = path.file_name()?.to_owned();
            name.push(".");
            name.push(ending);
            match self.inside(&path.with_file_name(name)) {
                Ok(Found::File(path)) => Some((path, coding)),
                _ => None,
            }
        })
    }
}

impl Handler for Files {
    fn handle(&self, request: Request, reply: Reply) {
        reply.send(self.response(&request));
    }
}

impl Representation {
    fn answer(self, request: &Request) -> Response {
        let fields = request.fields();
        let (etag, modified) = (self.etag.as_ref(), self.modified);
        match preconditions(request.method(), fields, etag, modified) {
            Precondition::Proceed => {}
            Precondition::NotModified => return self.head(StatusCode::NOT_MODIFIED),
            Precondition::Failed => return StatusCode::PRECONDITION_FAILED.into(),
        }
        // RFC 9110 14.2: for GET only.
        let range = request.field("range").filter(|_| *request.method() == Method::GET);
        let wanted = match range.filter(|_| if_range(fields, etag, modified)) {
            Some(range) => ranges(range, self.len, RANGES_MAX),
            None => Ok(None),
        };
        match wanted {
            Ok(None) => self.whole(),
            Ok(Some(ranges)) => match ranges.as_slice() {
                [range] => self.part(*range),
                ranges => self.parts(request, ranges),
            },
            Err(_) => {
                let refused = Response::new(StatusCode::RANGE_NOT_SATISFIABLE);
                refused.with("Content-Range", format!("bytes */{}", self.len)).into()
            }
        }
    }

    fn head(&self, status: StatusCode) -> Response {
        self.try_head(status).into()
    }

    fn try_head(&self, status: StatusCode) -> Result<Response, FieldError> {
        let mut response = Response::new(status);
        if status != StatusCode::NOT_MODIFIED {
            response = response.with_type(self.content_type);
            response.append("Accept-Ranges", "bytes")?;
            if let Some(encoding) = self.encoding {
                response.append("Content-Encoding", encoding)?;
            }
        }
        if let Some(etag) = &self.etag {
            response.append("ETag", etag.to_string())?;
        }
        if let Some(modified) = self.modified {
            response.append("Last-Modified", format_date(modified))?;
        }
        Ok(response)
    }

    fn whole(self) -> Response {
        let response = self.head(StatusCode::OK);
        response.with_body(Body::file_range(self.file, 0..self.len))
    }

    fn part(self, range: ByteRange) -> Response {
        let mut response = self.head(StatusCode::PARTIAL_CONTENT);
        let field = format!("bytes {}-{}/{}", range.start, range.last, self.len);
        if let Err(error) = response.append("Content-Range", field) {
            return error.into();
        }
        response.with_body(Body::file_range(self.file, range.start..range.last + 1))
    }

    fn parts(self, request: &Request, ranges: &[ByteRange]) -> Response {
        let boundary =
            format!("{:016x}{:016x}", request.reactor().random(), request.reactor().random());
        let mut response = self.head(StatusCode::PARTIAL_CONTENT);
        if let Err(error) =
            response.set("Content-Type", format!("multipart/byteranges; boundary={boundary}"))
        {
            return error.into();
        }
        let parts = parts::Parts::new(self.file, self.len, self.content_type, &boundary, ranges);
        let length = parts.length();
        response.with_body(Body::source(parts, length))
    }
}

/// Redirects to the directory with a slash after it. The location is relative, so that neither the mount point nor the host name
/// matters. It starts with `./`, because a name with a colon would be a scheme, and one that begins with slashes a host.
fn to_folder(request: &Request) -> Response {
    let name = request.path().rsplit('/').next().unwrap_or_default();
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("./{name}/{query}");
    Response::new(StatusCode::PERMANENT_REDIRECT).with("Location", location).into()
}

/// The entity tag of a file: its modification time and length.
fn etag(metadata: &Metadata, encoding: Option<&str>) -> Option<ETag> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let suffix = encoding.map(|encoding| format!("-{encoding}")).unwrap_or_default();
    ETag::strong(format!("{:x}-{:x}{suffix}", since.as_nanos(), metadata.len()))
}

/// The content type, by file extension.
fn content_type(path: &Path) -> &'static str {
    match mime_guess::from_path(path).first_raw() {
        Some("text/html") => "text/html; charset=utf-8",
        Some("text/css") => "text/css; charset=utf-8",
        Some("text/plain") => "text/plain; charset=utf-8",
        Some("text/javascript" | "application/javascript") => "text/javascript; charset=utf-8",
        Some("text/markdown") => "text/markdown; charset=utf-8",
        Some("text/csv") => "text/csv; charset=utf-8",
        Some(other) => other,
        None => "application/octet-stream",
    }
}
