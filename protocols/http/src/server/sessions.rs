//! Sessions, which keep data of a client between its requests: [`Sessions`] and [`Session`].

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sha2::Sha256;
use sinew_transports::reactor::{Deferred, Failure};

use super::{Handler, Reply, Request, Response, SessionData, SessionStore};
use crate::codec::{FieldError, hex, unhex};

/// Length of an id in bytes, before it is written in hexadecimal.
const ID_LEN: usize = 16;

/// Longest data of a session, names and values together.
const DATA_MAX: usize = 16 * 1024;

/// The session of a request: [`Request::find`] returns it behind a [`Sessions`]. Nothing is stored, and no cookie sent, until a
/// value is set.
#[derive(Clone)]
pub struct Session(Rc<RefCell<State>>);

struct State {
    /// `None` before it is saved for the first time.
    id: Option<String>,
    /// An id that is to be deleted.
    old_id: Option<String>,
    data: SessionData,
    is_changed: bool,
}

/// A session would exceed its maximum size.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {max} bytes in a session")]
pub struct SessionFull {
    /// The limit.
    pub max: usize,
}

sinew_transports::reactor::error_debug!(SessionFull);

impl Session {
    /// The value with this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        self.0.borrow().data.get(name).cloned()
    }

    /// Sets a value.
    ///
    /// # Errors
    ///
    /// [`SessionFull`] above 16 KiB. Nothing is set then.
    pub fn set(
        &self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), SessionFull> {
        let (name, value) = (name.into(), value.into());
        let mut state = self.0.borrow_mut();
        let others = state.data.iter().filter(|(other, _)| **other != name);
        let len: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if len + name.len() + value.len() > DATA_MAX {
            return Err(SessionFull { max: DATA_MAX });
        }
        state.is_changed |= state.data.insert(name, value.clone()).as_ref() != Some(&value);
        Ok(())
    }

    /// Removes a value.
    pub fn remove(&self, name: &str) {
        let mut state = self.0.borrow_mut();
        state.is_changed |= state.data.remove(name).is_some();
    }

    /// Changes the id of the session, so that the old one becomes useless. Do so when a user logs in.
    pub fn renew(&self) {
        let mut state = self.0.borrow_mut();
        if let Some(id) = state.id.take() {
            state.old_id = Some(id);
            state.is_changed = true;
        }
    }

    /// Deletes the session, as when a user logs out.
    pub fn destroy(&self) {
        self.renew();
        self.0.borrow_mut().data.clear();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The id gives access to the session: it must not be logged.
        let state = self.0.borrow();
        f.debug_struct("Session").field("values", &state.data.len()).finish_non_exhaustive()
    }
}

/// A layer that gives each request its [`Session`], found by a cookie that is signed (HMAC-SHA-256) against forgery.
///
/// The cookie is `HttpOnly`, `SameSite=Lax` and `Secure`, and lasts until the browser is closed. A session expires when it is not
/// used for half an hour.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{MemoryStore, Request, Session, Sessions, answer};
///
/// let key = [7; 32]; // from a file with restricted permissions
/// let site = Sessions::new(&key, MemoryStore::new(), answer(|request: &Request| {
///     let Some(session) = request.find::<Session>() else { return "no session\n".to_owned() };
///     let visits = session.value("visits").and_then(|n| n.parse().ok()).unwrap_or(0) + 1;
///     match session.set("visits", visits.to_string()) {
///         Ok(()) => format!("visit {visits}\n"),
///         Err(error) => error.to_string(),
///     }
/// }));
/// ```
#[must_use]
pub struct Sessions<S, H> {
    inner: Rc<H>,
    policy: Rc<Policy<S>>,
}

struct Policy<S> {
    store: S,
    key: [u8; 32],
    cookie: String,
    lifetime: Duration,
    secure: bool,
}

impl<S: SessionStore, H: Handler> Sessions<S, H> {
    /// Wraps a handler. The key signs the cookies; with another key, all sessions are lost.
    pub fn new(key: &[u8; 32], store: S, inner: H) -> Self {
        let (cookie, lifetime) = ("session".to_owned(), Duration::from_secs(30 * 60));
        let policy = Policy { store, key: *key, cookie, lifetime, secure: true };
        Self { inner: Rc::new(inner), policy: Rc::new(policy) }
    }

    fn change(mut self, change: impl FnOnce(&mut Policy<S>)) -> Self {
        if let Some(policy) = Rc::get_mut(&mut self.policy) {
            change(policy);
        }
        self
    }

    /// How long an unused session is kept. Default half an hour.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.change(|policy| policy.lifetime = lifetime)
    }

    /// Whether browsers send the cookie over TLS only. Default `true`.
    pub fn secure(self, secure: bool) -> Self {
        self.change(|policy| policy.secure = secure)
    }
}

impl<S: SessionStore, H: Handler> Handler for Sessions<S, H> {
    fn handle(&self, request: Request, reply: Reply) {
        let id = request.cookie(&self.policy.cookie).and_then(|value| self.policy.verified(value));
        let reactor = request.reactor();
        let loaded = match &id {
            Some(id) => self.policy.store.load(&reactor, id),
            None => Deferred::ready_on(&reactor, None),
        };
        let (inner, policy) = (Rc::clone(&self.inner), Rc::clone(&self.policy));
        loaded.then(move |_, loaded| match loaded {
            Ok(data) => policy.serve(&*inner, request, reply, id, data),
            Err(error) => {
                tracing::error!(%error, "a session could not be loaded");
                reply.send(StatusCode::INTERNAL_SERVER_ERROR);
            }
        });
    }
}

impl<S: SessionStore> Policy<S> {
    fn serve(
        self: Rc<Self>,
        inner: &impl Handler,
        request: Request,
        reply: Reply,
        id: Option<String>,
        data: Option<SessionData>,
    ) {
        // An id that was never issued, or has expired, is not used again.
        let id = id.filter(|_| data.is_some());
        let data = data.unwrap_or_default();
        let session =
            Session(Rc::new(RefCell::new(State { id, old_id: None, data, is_changed: false })));
        request.put(session.clone());
        let reply = reply.map(move |request, response| {
            if let Err(error) = self.keep(request, response, &session) {
                tracing::error!(%error, "a session could not be kept");
            }
        });
        inner.handle(request, reply);
    }

    fn keep(
        &self,
        request: &Request,
        response: &mut Response,
        session: &Session,
    ) -> Result<(), FieldError> {
        let mut state = session.0.borrow_mut();
        if !state.is_changed {
            return Ok(());
        }
        let reactor = request.reactor();
        if let Some(old) = state.old_id.take() {
            self.store.remove(&reactor, &old).then(|_, done| log(done));
            if state.data.is_empty() {
                return response.append("Set-Cookie", self.set_cookie("", "; Max-Age=0"));
            }
        }
        let is_new = state.id.is_none();
        let id = match &state.id {
            Some(id) => id.clone(),
            None => match new_id() {
                Ok(id) => id,
                Err(error) => {
                    tracing::error!(%error, "the system gives no random bytes");
                    return Ok(());
                }
            },
        };
        state.id = Some(id.clone());
        self.store.save(&reactor, &id, state.data.clone(), self.lifetime).then(|_, done| log(done));
        if is_new {
            let value = format!("{id}.{}", hex(&self.mac(&id).finalize().into_bytes()));
            response.append("Set-Cookie", self.set_cookie(&value, ""))?;
            // A cache must not give one client's cookie to another.
            response.append("Cache-Control", "private")?;
        }
        Ok(())
    }

    fn set_cookie(&self, value: &str, attributes: &str) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{attributes}", self.cookie)
    }

    /// The id in a cookie, if its signature is valid.
    fn verified(&self, value: &str) -> Option<String> {
        let (id, signature) = value.split_once('.')?;
        if id.len() != 2 * ID_LEN {
            return None;
        }
        // A comparison in constant time.
        self.mac(id).verify_slice(&unhex(signature)?).ok()?;
        Some(id.to_owned())
    }

    fn mac(&self, id: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        let mut mac = mac.expect("HMAC accepts keys of any length");
        mac.update(id.as_bytes());
        mac
    }
}

impl<S, H> fmt::Debug for Sessions<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("lifetime", &self.policy.lifetime).finish_non_exhaustive()
    }
}

fn log(done: Result<(), Failure>) {
    if let Err(error) = done {
        tracing::error!(%error, "a session could not be kept");
    }
}

fn new_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; ID_LEN];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}
