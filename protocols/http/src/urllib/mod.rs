//! Blocking functions in the manner of Python's `urllib.request`: [`urlopen`], [`urlretrieve`], [`build_opener`]. They run a
//! reactor of their own until the response has arrived; programs with a reactor use the [client](crate::client) instead.
//!
//! | Python | here |
//! |---|---|
//! | `urlopen(url)`, a `Request`, `data`, `timeout` | [`urlopen`], [`Request`] |
//! | `HTTPError`, which is a response, too | [`UrlOpenError::Status`] |
//! | `response.read()`, `.status`, `.headers`, `.geturl()` | [`Response`]: [`std::io::Read`], `status`, `fields`, `url` |
//! | `urlretrieve(url, filename, reporthook)`, `urlcleanup()` | [`urlretrieve`], [`urlcleanup`] |
//! | `ContentTooShortError` | [`UrlOpenError::TooShort`] |
//! | `build_opener(…)`, `install_opener`, `OpenerDirector` | [`build_opener`], [`install_opener`], [`Opener`] |
//! | `ProxyHandler`, `HTTPRedirectHandler`, `HTTPCookieProcessor`, `HTTPBasicAuthHandler`, `HTTPDigestAuthHandler`, `ProxyBasicAuthHandler`, `HTTPErrorProcessor`, `FileHandler`, `DataHandler` | the same names |
//! | `BaseHandler` | [`Handler`] |
//! | `urlencode`, `urljoin`, `quote`, `unquote`, `parse_qs` | [`urlencode`], [`urljoin`], [`percent_encode`](crate::codec::percent_encode), [`percent_decode`](crate::codec::percent_decode), [`form`](crate::codec::form) |
//!
//! Unlike Python: redirects from `https` to `http` are refused, credentials do not follow a redirect to another origin, a POST is
//! sent again after 307 and 308, and there is no `ftp:`.
//!
//! # Examples
//!
//! ```
//! use std::io::Read;
//! use sinew_http::urllib::urlopen;
//!
//! let mut text = String::new();
//! urlopen("data:,hello%20there")?.read_to_string(&mut text)?;
//! assert_eq!(text, "hello there");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod handlers;
mod local_urls;
mod opener;
mod request;
mod response;
mod retrieve;

use std::{cell::RefCell, path::Path, rc::Rc};

pub use error::UrlOpenError;
pub use handlers::{
    Handler, Handlers, HttpBasicAuthHandler, HttpCookieProcessor, HttpDigestAuthHandler,
    HttpErrorProcessor, HttpRedirectHandler, ProxyBasicAuthHandler, ProxyHandler,
};
pub use local_urls::{DataHandler, FileHandler};
pub use opener::Opener;
pub use request::Request;
pub use response::Response;
pub use retrieve::{BLOCK_SIZE, Retrieved};

use crate::client::{Url, UrlError};

thread_local! {
    /// The opener of [`urlopen`], built on first use.
    static OPENER: RefCell<Option<Rc<Opener>>> = const { RefCell::new(None) };
}

/// Opens an `http`, `https`, `file` or `data` URL, with the opener of this thread: the proxies of the environment, redirects, no
/// cookies. Blocks until the head of the response has arrived.
///
/// # Errors
///
/// [`UrlOpenError`]; in particular [`Status`](UrlOpenError::Status), with the response, if its status is not 2xx.
///
/// # Examples
///
/// ```no_run
/// use std::{io::Read, time::Duration};
/// use sinew_http::urllib::{Request, urlopen};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request::new("https://example.org/search")
///     .data("q=sinew") // a POST
///     .with("Accept-Language", "en")?
///     .timeout(Duration::from_secs(5));
/// let mut response = urlopen(request)?;
/// let mut page = String::new();
/// response.read_to_string(&mut page)?;
/// println!("{} bytes from {}", page.len(), response.url());
/// # Ok(())
/// # }
/// ```
pub fn urlopen(request: impl Into<Request>) -> Result<Response, UrlOpenError> {
    opener()?.open(request)
}

/// Downloads a URL into a file: this one, or else a temporary file, which [`urlcleanup`] removes. `report` is called with the
/// number of blocks so far, the size of a block ([`BLOCK_SIZE`] bytes), and the total size, if it is known; the first time with no
/// block.
///
/// Without a file, a `file` URL is not copied: the result names the file itself.
///
/// # Errors
///
/// [`UrlOpenError`]; in particular [`TooShort`](UrlOpenError::TooShort), if the body is shorter than announced.
///
/// # Examples
///
/// ```
/// use sinew_http::urllib::{urlcleanup, urlretrieve};
///
/// let retrieved = urlretrieve("data:,hello", None, |blocks, size, total| {
///     println!("{blocks} blocks of {size} bytes, of {total:?} bytes in all");
/// })?;
/// assert_eq!(std::fs::read_to_string(retrieved.path())?, "hello");
/// urlcleanup();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn urlretrieve(
    request: impl Into<Request>,
    to: Option<&Path>,
    report: impl FnMut(u64, usize, Option<u64>),
) -> Result<Retrieved, UrlOpenError> {
    opener()?.retrieve(request, to, report)
}

/// Removes the temporary files of [`urlretrieve`] on this thread, and drops its opener.
pub fn urlcleanup() {
    retrieve::remove_temporary_files();
    drop(OPENER.take());
}

/// An opener with these handlers, and the default ones that they do not replace: `ProxyHandler` with the environment's proxies,
/// `HttpRedirectHandler`, `FileHandler`, `DataHandler` and `HttpErrorProcessor`.
///
/// # Errors
///
/// [`UrlOpenError`]: the reactor could not be created, or a variable of the environment is not the URL of a proxy.
///
/// # Examples
///
/// ```
/// use sinew_http::{client::CookieJar, urllib::{Handlers, HttpCookieProcessor, ProxyHandler, build_opener, install_opener}};
///
/// let jar = CookieJar::new();
/// let handlers = Handlers::new().with(HttpCookieProcessor::new(jar.clone())).with(ProxyHandler::none());
/// let opener = build_opener(handlers)?;
/// install_opener(opener); // for urlopen
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn build_opener(handlers: Handlers) -> Result<Opener, UrlOpenError> {
    Opener::new(handlers)
}

/// Makes [`urlopen`] and [`urlretrieve`] on this thread use this opener.
pub fn install_opener(opener: Opener) {
    OPENER.set(Some(Rc::new(opener)));
}

fn opener() -> Result<Rc<Opener>, UrlOpenError> {
    if let Some(opener) = OPENER.with_borrow(Clone::clone) {
        return Ok(opener);
    }
    let opener = Rc::new(build_opener(Handlers::new())?);
    OPENER.set(Some(Rc::clone(&opener)));
    Ok(opener)
}

/// Encodes names and values as a query or a form body: `a=b&c=d+e`.
///
/// # Examples
///
/// ```
/// assert_eq!(sinew_http::urllib::urlencode([("q", "a b&c"), ("n", "1")]), "q=a+b%26c&n=1");
/// ```
#[must_use]
pub fn urlencode<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(pairs);
    encoded.finish()
}

/// Resolves a reference against the URL of a page.
///
/// # Errors
///
/// [`UrlError`] if one of them is not a URL.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = sinew_http::urllib::urljoin("https://docs.python.org/3/library/", "../tutorial/")?;
/// assert_eq!(url.as_str(), "https://docs.python.org/3/tutorial/");
/// # Ok(())
/// # }
/// ```
pub fn urljoin(page: &str, reference: &str) -> Result<Url, UrlError> {
    let page = Url::parse(page).map_err(|source| UrlError::invalid(page, source))?;
    page.join(reference).map_err(|source| UrlError::invalid(reference, source))
}
