//! One download: its file, what is asked for, and what becomes of the response.

use std::{
    cell::RefCell,
    error::Error,
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use sinew::{
    http::{
        StatusCode,
        client::{HttpClient, Request, RequestError, Response, Url},
        codec::percent_decode,
    },
    prelude::*,
};

use crate::{partial::Partial, progress::Progress, with_path};

/// The wait before the first retry; it doubles with each.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What is to be downloaded, and where to.
pub(crate) struct Download {
    url: Url,
    to: PathBuf,
    sha256: Option<String>,
    force: bool,
    retries: u32,
}

/// Why there is no file.
#[derive(Debug)]
pub(crate) enum Problem {
    Failed(String),
    Mismatch { expected: String, found: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Mismatch { expected, found } => {
                write!(f, "its SHA-256 is {found}, not {expected}; the file is removed")
            }
        }
    }
}

impl Error for Problem {}

/// What a try has come to.
enum Try {
    Whole(u64),
    /// Worth another try.
    Again(String),
}

impl Download {
    pub(crate) fn new(
        url: &str,
        dir: &Path,
        to: Option<PathBuf>,
        sha256: Option<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut url = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
        let wanted = url.fragment().and_then(|fragment| fragment.strip_prefix("sha256="));
        let sha256 = match wanted {
            Some(wanted) => Some(digest(wanted)?),
            None => sha256,
        };
        url.set_fragment(None);
        // Whether it can be asked for at all is known at once.
        drop(Request::get(&url)?);
        let to = to.unwrap_or_else(|| dir.join(file_name(&url)));
        Ok(Self { url, to, sha256, force: false, retries: 0 })
    }

    pub(crate) const fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    pub(crate) const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    pub(crate) fn name(&self) -> String {
        self.to.display().to_string()
    }

    /// Downloads it; the size of the file.
    pub(crate) async fn run(
        &self,
        reactor: &Reactor,
        client: &HttpClient,
        progress: &Rc<RefCell<Progress>>,
        bar: usize,
    ) -> Result<u64, Problem> {
        if self.to.exists() && !self.force {
            return Err(Problem::Failed(
                "the file is there already (--force overwrites it)".to_owned(),
            ));
        }
        progress.borrow_mut().begin(bar, reactor.now());
        let mut delay = RETRY_DELAY;
        for left in (0..=self.retries).rev() {
            match self.try_once(reactor, client, progress, bar).await? {
                Try::Whole(bytes) => return Ok(bytes),
                Try::Again(why) if left == 0 => return Err(Problem::Failed(why)),
                Try::Again(why) => progress.borrow_mut().note(bar, &why),
            }
            reactor.sleep(delay).await;
            delay *= 2;
        }
        Err(Problem::Failed("it was not tried".to_owned()))
    }

    async fn try_once(
        &self,
        reactor: &Reactor,
        client: &HttpClient,
        progress: &Rc<RefCell<Progress>>,
        bar: usize,
    ) -> Result<Try, Problem> {
        let failed = |error: &std::io::Error| Problem::Failed(with_path(&self.to, error));
        // Reading what is there already may take a while, so it is done on a thread.
        let (to, resumes) = (self.to.clone(), !self.force);
        let opened = reactor.defer_to_thread(move || Partial::open(&to, resumes)).await;
        let mut partial = match opened {
            Ok(opened) => opened.map_err(|error| failed(&error))?,
            Err(failure) => return Err(Problem::Failed(failure.to_string())),
        };
        let request =
            Request::get(&self.url).map_err(|error| Problem::Failed(error.to_string()))?;
        let request = match partial.resumes_by() {
            None => Ok(request),
            Some(validator) => request
                .with("Range", format!("bytes={}-", partial.len()))
                .and_then(|request| request.with("If-Range", validator)),
        };
        let request = request.map_err(|error| Problem::Failed(error.to_string()))?;
        let response = match client.send(request).await {
            Ok(response) => response,
            Err(error) if is_temporary(&error) => return Ok(Try::Again(error.to_string())),
            Err(error) => return Err(Problem::Failed(error.to_string())),
        };
        let status = response.status();
        let begins_at = match status {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(partial.len()) => {
                partial.len()
            }
            // All of it was there before.
            StatusCode::RANGE_NOT_SATISFIABLE if partial.len() > 0 => {
                if range_total(&response) == Some(partial.len()) {
                    return self.complete(partial).map(Try::Whole);
                }
                partial.restart(None).map_err(|error| failed(&error))?;
                return Ok(Try::Again("the file has changed; it is downloaded anew".to_owned()));
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                return Ok(Try::Again(status.to_string()));
            }
            _ => return Err(Problem::Failed(format!("the server says {status}"))),
        };
        if begins_at == 0 {
            partial.restart(validator(&response)).map_err(|error| failed(&error))?;
        }
        let total = response.length().map(|length| begins_at + length);
        progress.borrow_mut().set(bar, partial.len(), total);
        loop {
            match response.next_piece().await {
                Ok(Some(piece)) => {
                    // A file takes what a socket brings at once; it need not leave the loop for that.
                    partial.write(&piece).map_err(|error| failed(&error))?;
                    progress.borrow_mut().set(bar, partial.len(), total);
                }
                Ok(None) => return self.complete(partial).map(Try::Whole),
                Err(error) => {
                    partial.keep().map_err(|error| failed(&error))?;
                    return Ok(Try::Again(error.to_string()));
                }
            }
        }
    }

    /// All of it is there: it is checked, and gets its name.
    fn complete(&self, partial: Partial) -> Result<u64, Problem> {
        let len = partial.len();
        let found = partial.digest();
        if let Some(expected) = self.sha256.as_ref().filter(|expected| **expected != found) {
            partial.remove();
            return Err(Problem::Mismatch { expected: expected.clone(), found });
        }
        partial.complete(&self.to).map_err(|error| Problem::Failed(with_path(&self.to, &error)))?;
        Ok(len)
    }
}

/// Whether it may work in a moment.
fn is_temporary(error: &RequestError) -> bool {
    error.is_timeout() || matches!(error, RequestError::Lost { .. } | RequestError::Connect(_))
}

/// By what the server knows this state of the file: a strong tag, or the time of its last change (RFC 9110 13.1.5).
fn validator(response: &Response) -> Option<String> {
    let tag = response.field("etag").filter(|tag| tag.starts_with('"'));
    tag.or_else(|| response.field("last-modified")).map(str::to_owned)
}

/// Where the range of a response begins: `bytes 100-199/200`.
fn range_start(response: &Response) -> Option<u64> {
    let range = response.field("content-range")?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.parse().ok()
}

/// The size of the whole: `bytes */200`.
fn range_total(response: &Response) -> Option<u64> {
    response.field("content-range")?.rsplit_once('/')?.1.parse().ok()
}

/// The last part of the path, if it can be the name of a file: what a server chooses must not lead elsewhere.
fn file_name(url: &Url) -> String {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    let decoded = percent_decode(last).and_then(|name| String::from_utf8(name.into_owned()).ok());
    let is_name = |name: &String| {
        !name.is_empty()
            && !name.starts_with('.')
            && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | ':'))
    };
    decoded.filter(is_name).unwrap_or_else(|| "index.html".to_owned())
}

/// A SHA-256 in hexadecimal digits, in lower case.
pub(crate) fn digest(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("a SHA-256 has 64 hexadecimal digits".to_owned()),
    }
}
