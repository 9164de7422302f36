//! Slots for files that are uploaded over HTTP (XEP-0363): [`UploadService`], [`UploadFile`], [`Slot`]. The file itself is sent by a
//! client of HTTP, which is not in this crate.

use std::{cell::RefCell, rc::Rc};

use sinew_transports::reactor::{Deferred, Failure, Promise};

use super::{RequestError, XmppClient};
use crate::xmpp::codec::{Element, Iq, Jid, StanzaError, ns};

/// Most entities of a server that are asked whether they take files.
const ITEMS_MAX: usize = 32;

/// Most headers of a slot.
const HEADERS_MAX: usize = 16;

/// The headers that a service may ask for (XEP-0363 5).
const HEADERS: [&str; 3] = ["Authorization", "Cookie", "Expires"];

/// Whom to ask for slots.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadService {
    /// Its address.
    pub jid: Jid,
    /// Most bytes of a file, if the service says it.
    pub size_max: Option<u64>,
}

impl UploadService {
    /// A service whose address is known.
    #[must_use]
    pub const fn new(jid: Jid) -> Self {
        Self { jid, size_max: None }
    }

    /// What the answer to `disco#info` says, if it is such a service.
    fn from_info(jid: Jid, info: &Element) -> Option<Self> {
        let is_feature = |child: &Element| {
            child.is("feature", ns::DISCO_INFO) && child.attribute("var") == Some(ns::UPLOAD)
        };
        info.children().find(|child| is_feature(child))?;
        let value = |form: &Element, name: &str| {
            let mut fields = form.children().filter(|field| field.is("field", ns::DATA_FORMS));
            let field = fields.find(|field| field.attribute("var") == Some(name))?;
            field.child("value", ns::DATA_FORMS).map(Element::text)
        };
        let mut forms = info.children().filter(|form| form.is("x", ns::DATA_FORMS));
        let form = forms.find(|form| value(form, "FORM_TYPE").as_deref() == Some(ns::UPLOAD));
        let size_max = form.and_then(|form| value(form, "max-file-size")?.trim().parse().ok());
        Some(Self { jid, size_max })
    }
}

/// A file for which a slot is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct UploadFile {
    name: String,
    size: u64,
    content_type: Option<String>,
}

impl UploadFile {
    /// A file of this name, without a folder, and this many bytes. Who downloads it may see the name.
    pub fn new(name: impl Into<String>, size: u64) -> Self {
        Self { name: name.into(), size, content_type: None }
    }

    /// Its media type. Default: not said, which is `application/octet-stream`.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }
}

/// Where to send a file, and where others find it then. What the service has said was checked: both are addresses of HTTPS, or of HTTP
/// where [`uploads_without_tls`](super::XmppConfig::uploads_without_tls) allows it, without white space and control characters.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slot {
    /// The URL for a request of the method PUT, with exactly as many bytes as were announced, and the same type.
    pub put: String,
    /// The URL to tell others, once the file is there.
    pub get: String,
    /// Headers for the PUT: of those names only that XEP-0363 allows, and on one line each.
    pub headers: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Slot {
    /// Without the values of headers, which are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Slot")
            .field("put", &self.put)
            .field("get", &self.get)
            .field("headers", &names)
            .finish()
    }
}

/// Why there is no slot.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The server has no service for files.
    #[error("the XMPP server has no service for uploads")]
    NoService,
    /// The service does not take so large a file.
    #[error("the file has {size} bytes, and the service for uploads takes at most {max}")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// There is no slot now; perhaps there is one later.
    #[error("the service for uploads gives no slot before {stamp}")]
    Later {
        /// When to ask again, as XEP-0082 writes dates.
        stamp: String,
    },
    /// The service has answered what is no slot, or what is not safe.
    #[error("the service for uploads has answered {what}")]
    BadSlot {
        /// What is wrong.
        what: &'static str,
    },
    /// The service, or the server, was not asked, has refused, or has not answered.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(UploadError);

impl XmppClient {
    /// Looks for a service for uploads: at the server itself, and at what belongs to it (XEP-0030). The first that says that it is one.
    ///
    /// # Errors
    ///
    /// [`UploadError`].
    pub fn upload_service(&self) -> Deferred<UploadService, UploadError> {
        let (promise, found) = self.0.reactor.promise();
        let (this, server) = (self.clone(), self.jid().of_domain());
        self.disco_items(server.clone()).then(move |_, items| {
            let mut asked = vec![server];
            match items {
                Ok(items) => {
                    let jids = items.children().filter_map(|item| item.attribute("jid"));
                    asked.extend(jids.filter_map(|jid| jid.parse().ok()).take(ITEMS_MAX));
                }
                Err(RequestError::Refused(_)) => {}
                Err(error) => return promise.reject(error.into()),
            }
            let search = Rc::new(Search { promise: RefCell::new(Some(promise)) });
            for jid in asked {
                let search = Rc::clone(&search);
                this.disco_info(jid.clone()).then(move |_, info| {
                    if let Some(service) =
                        info.ok().and_then(|info| UploadService::from_info(jid, &info))
                    {
                        search.settle(Ok(service));
                    }
                });
            }
        });
        found
    }

    /// Asks a service for a slot.
    ///
    /// # Errors
    ///
    /// [`UploadError`].
    pub fn upload_slot(
        &self,
        service: &UploadService,
        file: &UploadFile,
    ) -> Deferred<Slot, UploadError> {
        let size = file.size;
        if let Some(max) = service.size_max.filter(|max| size > *max) {
            let (promise, slot) = self.0.reactor.promise();
            promise.reject(UploadError::TooLarge { size, max });
            return slot;
        }
        let mut request = Element::new("request", ns::UPLOAD)
            .with_attribute("filename", file.name.as_str())
            .with_attribute("size", size.to_string());
        if let Some(content_type) = &file.content_type {
            request.set_attribute("content-type", content_type.as_str());
        }
        let without_tls = self.0.config.uploads_without_tls;
        let answer = self.request(Iq::get(request).with_to(service.jid.clone()));
        answer.map(move |answer| match answer {
            Ok(answer) => read_slot(&answer, without_tls),
            Err(RequestError::Refused(error)) => Err(refusal(error, size)),
            Err(error) => Err(error.into()),
        })
    }
}

/// A search for a service, over when the first is found, or when nobody can be one any more.
struct Search {
    promise: RefCell<Option<Promise<UploadService, UploadError>>>,
}

impl Search {
    fn settle(&self, result: Result<UploadService, UploadError>) {
        let promise = self.promise.borrow_mut().take();
        if let Some(promise) = promise {
            promise.settle(result);
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.settle(Err(UploadError::NoService));
    }
}

/// What a refusal says in the words of XEP-0363.
fn refusal(error: StanzaError, size: u64) -> UploadError {
    let application = error.application.as_ref().filter(|child| child.ns() == ns::UPLOAD);
    if let Some(reason) = application.filter(|child| child.name() == "file-too-large") {
        let max = reason.child("max-file-size", ns::UPLOAD).map(Element::text);
        if let Some(max) = max.and_then(|max| max.trim().parse().ok()) {
            return UploadError::TooLarge { size, max };
        }
    }
    if let Some(reason) = application.filter(|child| child.name() == "retry")
        && let Some(stamp) = reason.attribute("stamp").filter(|stamp| is_stamp(stamp))
    {
        return UploadError::Later { stamp: stamp.to_owned() };
    }
    RequestError::Refused(error).into()
}

fn is_stamp(stamp: &str) -> bool {
    stamp.len() <= 64 && stamp.bytes().all(|byte| byte.is_ascii_graphic())
}

fn read_slot(answer: &Iq, without_tls: bool) -> Result<Slot, UploadError> {
    let bad = |what| UploadError::BadSlot { what };
    let slot = answer.child("slot", ns::UPLOAD).ok_or(bad("no slot"))?;
    let part = |name| slot.child(name, ns::UPLOAD).ok_or(bad("a slot without its addresses"));
    let (put, get) = (part("put")?, part("get")?);
    let url = |part: &Element| {
        let url = part.attribute("url").filter(|url| is_url(url, without_tls));
        url.map(str::to_owned).ok_or(bad("an address that is none of HTTPS"))
    };
    let mut headers = Vec::new();
    for header in put.children().filter(|child| child.is("header", ns::UPLOAD)) {
        let name = header.attribute("name").unwrap_or_default();
        // Others are ignored: they would change the request in ways that nobody has agreed to (XEP-0363 5).
        let known = HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        let Some(name) = known else { continue };
        if headers.len() == HEADERS_MAX {
            return Err(bad("too many headers"));
        }
        let value = header.text();
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(bad("a header that is more than one line"));
        }
        headers.push((name, value));
    }
    Ok(Slot { put: url(put)?, get: url(get)?, headers })
}

fn is_url(url: &str, without_tls: bool) -> bool {
    let rest = url.split_once("://").and_then(|(scheme, rest)| {
        let is_good = scheme.eq_ignore_ascii_case("https")
            || (without_tls && scheme.eq_ignore_ascii_case("http"));
        is_good.then_some(rest)
    });
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty()) && url.bytes().all(|byte| byte.is_ascii_graphic())
}
