//! CGI (RFC 3875): [`Cgi`] handles requests by programs. Unix only. The variables are in `environment.rs`, a running script in
//! `running.rs`; its output is parsed by the [codec](crate::codec::CgiHeadReader).

mod environment;
mod running;

use std::{
    cell::Cell,
    ffi::{OsStr, OsString},
    fmt, fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    time::Duration,
};

use http::StatusCode;
use sinew_transports::{ReactorProcesses, reactor::Excerpt};

use self::{
    environment::environment,
    running::{Feed, Run, Running},
};
use super::{Handler, Reply, Request};
use crate::codec::{BodyError, Framing, percent_decode};

/// Handles each request by a new process of a program: CGI/1.1 (RFC 3875).
///
/// The body of the request is the program's standard input, and its output the response, both with backpressure: a head with
/// `Content-Type`, or with `Status` or `Location`, an empty line, the body. Its standard error is logged.
/// It is terminated when the client disconnects, and when it is silent for too long.
///
/// It runs in its own directory, with the variables of the RFC and those that are [set](Self::env), and none of this process;
/// `PATH` is `/usr/local/bin:/usr/bin:/bin`. Request fields are in `HTTP_` variables, except `Proxy` (CVE-2016-5385),
/// `Authorization`, and names with an underscore. A query never becomes arguments (CVE-2012-1823). A `Location` with a path is
/// also sent to the client as a redirect.
///
/// | event | status |
/// |---|---|
/// | its output is not a valid response | 502 |
/// | it is silent for 60 s (see [`timeout`](Self::timeout)) | 504, or the response is truncated |
/// | 32 programs are running (see [`processes_max`](Self::processes_max)) | 503 |
/// | it cannot be started | 500 |
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Cgi, Router};
///
/// let router = Router::new()
///     .nest("/cgi-bin", Cgi::folder("/usr/lib/cgi-bin"))
///     .nest("/search", Cgi::program("/usr/lib/search/search.py"));
/// ```
#[must_use]
pub struct Cgi(Rc<Settings>);

#[derive(Clone)]
struct Settings {
    what: What,
    interpreter: Option<PathBuf>,
    variables: Vec<(OsString, OsString)>,
    timeout: Duration,
    processes_max: usize,
    running: Rc<Cell<usize>>,
}

#[derive(Clone)]
enum What {
    Program(PathBuf),
    Folder(PathBuf),
}

impl Cgi {
    /// One program for everything below a path.
    pub fn program(path: impl AsRef<Path>) -> Self {
        Self::new(What::Program(absolute(path.as_ref())))
    }

    /// The programs of a directory, by the first segment of the path: files that this user may execute. Names that begin with
    /// a dot, and links that lead out of the directory, are not found.
    pub fn folder(path: impl AsRef<Path>) -> Self {
        Self::new(What::Folder(absolute(path.as_ref())))
    }

    fn new(what: What) -> Self {
        Self(Rc::new(Settings {
            what,
            interpreter: None,
            variables: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
            timeout: Duration::from_secs(60),
            processes_max: 32,
            running: Rc::default(),
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Rc::make_mut(&mut self.0));
        self
    }

    /// Runs this program with the script as its argument. Scripts need not be executable then.
    pub fn interpreter(self, program: impl AsRef<Path>) -> Self {
        let program = program.as_ref().to_owned();
        self.change(|settings| settings.interpreter = Some(program))
    }

    /// Sets a variable for every run.
    pub fn env(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.change(|settings| settings.variables.push(variable))
    }

    /// How long a program may be silent: neither writing nor reading. Default 60 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|settings| settings.timeout = timeout)
    }

    /// Most programs at once. Default 32.
    pub fn processes_max(self, processes: usize) -> Self {
        self.change(|settings| settings.processes_max = processes.max(1))
    }
}

impl Settings {
    /// The script of a request, and the length of its part of the path.
    fn find(&self, request: &Request) -> Result<(PathBuf, usize), StatusCode> {
        let mounted = request.path().len() - request.rest().len();
        let folder = match &self.what {
            What::Program(path) => return Ok((path.clone(), mounted)),
            What::Folder(folder) => folder,
        };
        let rest = request.rest().strip_prefix('/').unwrap_or_default();
        let segment = rest.split('/').next().unwrap_or_default();
        let name = percent_decode(segment).ok_or(StatusCode::BAD_REQUEST)?;
        let is_good =
            !name.is_empty() && name[0] != b'.' && !name.iter().any(|b| matches!(b, b'/' | 0));
        let path = is_good.then(|| script_in(folder, OsStr::from_bytes(&name))).transpose();
        let path = path.ok().flatten().flatten().ok_or(StatusCode::NOT_FOUND)?;
        let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
        if self.interpreter.is_none() && mode & 0o111 == 0 {
            return Err(StatusCode::FORBIDDEN);
        }
        Ok((path, mounted + 1 + segment.len()))
    }

    fn command(
        &self,
        request: &Request,
        length: Option<u64>,
    ) -> Result<(Command, PathBuf), StatusCode> {
        let (script, len) = self.find(request)?;
        let all = environment(request, &script, len, length).ok_or(StatusCode::BAD_REQUEST)?;
        let mut command = match &self.interpreter {
            None => Command::new(&script),
            Some(interpreter) => {
                let mut command = Command::new(interpreter);
                command.arg(&script);
                command
            }
        };
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(all);
        if let Some(folder) = script.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            command.current_dir(folder);
        }
        Ok((command, script))
    }

    /// Starts the script; returns its process, which receives the body.
    fn start(&self, request: &Request, reply: Reply, length: Option<u64>) -> Option<Feed> {
        let (command, script) = match self.command(request, length) {
            Ok(found) => found,
            Err(status) => {
                reply.send(status);
                return None;
            }
        };
        if self.running.get() >= self.processes_max {
            reply.send(StatusCode::SERVICE_UNAVAILABLE);
            return None;
        }
        let reactor = request.reactor();
        let run = Run::new(request, reply, script.clone(), self.timeout, &self.running);
        match reactor.spawn_process(Running::new(&run), command) {
            Ok(process) => {
                run.begin(&reactor, process.clone());
                let gone = Rc::downgrade(&run);
                request.on_disconnect(move |_| {
                    if let Some(run) = gone.upgrade() {
                        run.end();
                    }
                });
                Some(Feed { run, process })
            }
            Err(error) => {
                tracing::error!(script = %Excerpt::path(&script), %error, "a script could not be started");
                run.fail(StatusCode::INTERNAL_SERVER_ERROR);
                None
            }
        }
    }

    /// A body of unknown length is collected first: a script must be told its length (RFC 3875 4.1.2).
    fn gather(self: &Rc<Self>, request: Request, reply: Reply) {
        let this = Rc::clone(self);
        request.collect().then(move |_, body: Result<_, BodyError>| {
            let Ok(body) = body else { return };
            if let Some(feed) = this.start(&request, reply, Some(body.len() as u64)) {
                feed.process.write_bytes(body);
                feed.process.close_stdin();
            }
        });
    }
}

/// A program starts in its own directory, where a relative path would differ.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A file of a directory, if it is below it.
fn script_in(folder: &Path, name: &OsStr) -> io::Result<Option<PathBuf>> {
    let path = folder.join(name).canonicalize()?;
    let is_inside = path.starts_with(folder.canonicalize()?);
    Ok((is_inside && path.is_file()).then_some(path))
}

impl Handler for Cgi {
    fn handle(&self, request: Request, reply: Reply) {
        match request.head().framing() {
            Framing::Chunked => self.0.gather(request, reply),
            Framing::Length(length) if length > 0 => {
                if let Some(feed) = self.0.start(&request, reply, Some(length)) {
                    request.receive(feed);
                }
            }
            _ => {
                if let Some(feed) = self.0.start(&request, reply, None) {
                    feed.process.close_stdin();
                }
            }
        }
    }
}

impl fmt::Debug for Cgi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (What::Program(path) | What::Folder(path)) = &self.0.what;
        f.debug_struct("Cgi")
            .field("path", path)
            .field("running", &self.0.running.get())
            .finish_non_exhaustive()
    }
}
