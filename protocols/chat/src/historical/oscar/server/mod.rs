//! A small server of OSCAR: authorizer and service on one port.
//!
//! What a client may say, by the state of its connection; anything else in a state ends the connection with an error of FLAP:
//!
//! | state | sign-on frame | messages | then |
//! |---|---|---|---|
//! | `New` | without values | | `Authorizing` |
//! | | name and roasted password | | `Checking`, sign-off frame with the answer |
//! | | cookie | | `Serving`, families are told; a wrong cookie ends it |
//! | `Authorizing` | | 17/06 key | key is told, `Keyed` |
//! | `Keyed` | | 17/02 login | `Checking`, 17/03 with the answer |
//! | `Checking` | | | what comes is not read, until the answer; then `Over` |
//! | `Serving` | | all of `service.rs` | others see the user from 01/02 on |
//! | `Over` | dropped | dropped | |
//!
//! Keep-alive frames are allowed in every state, a sign-off frame ends it.

mod lists;
mod service;
mod session;

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_protocols::basic::Framed;
use sinew_transports::{Factory, Peer};

use crate::historical::{Realm, ScreenName, flap::Flaps};

use self::lists::Lists;
pub use self::session::OscarSession;
pub(in crate::historical) use self::session::VERSION;

/// How long a cookie is good for.
const COOKIE_MAX_AGE: Duration = Duration::from_secs(30);

/// Most cookies that are kept: older ones are dropped.
const COOKIES_MAX: usize = 1_000;

/// A server of OSCAR, as a [`Factory`] for any port. Clones share everything.
///
/// | limit | default |
/// |---|---|
/// | a frame | 8 KiB, fixed |
/// | [`sign_on_timeout`](Self::sign_on_timeout): until the client is ready | 60 s |
/// | [`idle_timeout`](Self::idle_timeout): without a frame; clients send one every few minutes | 10 min |
/// | names on a list of buddies; items of a list that the server keeps | 400 each, fixed |
/// | text of a message | 2,048 bytes of UTF-8, fixed |
/// | messages of a user | 20 at once, 2 a second, fixed; 04/01 |
/// | bytes that wait for a client that does not read | 64 KiB, fixed; disconnected |
///
/// See [`Realm`] for an example.
#[derive(Clone)]
pub struct OscarServer {
    shared: Rc<Shared>,
}

/// What the connections of a server share.
pub(super) struct Shared {
    realm: Realm,
    service_address: Option<String>,
    sign_on_timeout: Duration,
    idle_timeout: Duration,
    lists: Lists,
    cookies: RefCell<HashMap<[u8; 32], (ScreenName, Instant)>>,
}

impl OscarServer {
    /// A server for these users.
    #[must_use]
    pub fn new(realm: &Realm) -> Self {
        let shared = Shared {
            realm: realm.clone(),
            service_address: None,
            sign_on_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(600),
            lists: Lists::default(),
            cookies: RefCell::default(),
        };
        Self { shared: Rc::new(shared) }
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = self.shared;
        match Rc::get_mut(&mut shared) {
            Some(shared) => change(shared),
            None => tracing::error!("a server of OSCAR is configured before it is cloned"),
        }
        Self { shared }
    }

    /// Where clients are sent after their login, as `host:port`. Default: the address that they have connected to.
    #[must_use]
    pub fn service_address(self, address: impl Into<String>) -> Self {
        self.with(|shared| shared.service_address = Some(address.into()))
    }

    /// How long a client has until it is ready. Default 60 s.
    #[must_use]
    pub fn sign_on_timeout(self, timeout: Duration) -> Self {
        self.with(|shared| shared.sign_on_timeout = timeout)
    }

    /// How long a client may be silent. Default 10 min.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|shared| shared.idle_timeout = timeout)
    }
}

impl Shared {
    /// A cookie for a user that has logged in.
    fn bake(&self, now: Instant, name: ScreenName) -> Option<[u8; 32]> {
        let mut cookie = [0; 32];
        getrandom::fill(&mut cookie).ok()?;
        let mut cookies = self.cookies.borrow_mut();
        cookies.retain(|_, (_, baked)| now.saturating_duration_since(*baked) < COOKIE_MAX_AGE);
        if cookies.len() >= COOKIES_MAX {
            return None;
        }
        cookies.insert(cookie, (name, now));
        Some(cookie)
    }

    /// Whose cookie it is. It is good once.
    fn eat(&self, now: Instant, cookie: &[u8]) -> Option<ScreenName> {
        let cookie: &[u8; 32] = cookie.try_into().ok()?;
        let (name, baked) = self.cookies.borrow_mut().remove(cookie)?;
        (now.saturating_duration_since(baked) < COOKIE_MAX_AGE).then_some(name)
    }
}

/// Most frames of a connection that are handled in one turn of the event loop.
const FRAMES_PER_TURN: u8 = 32;

impl Factory for OscarServer {
    type Protocol = Framed<Flaps, OscarSession>;

    fn build_protocol(&mut self, _: &Peer) -> Option<Self::Protocol> {
        let session = OscarSession::new(&self.shared);
        Some(Framed::with_decoder(Flaps::default(), session).frames_per_turn(FRAMES_PER_TURN))
    }
}

impl fmt::Debug for OscarServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscarServer").field("realm", &self.shared.realm).finish_non_exhaustive()
    }
}
