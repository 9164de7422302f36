//! The steps of a client's request: [`fetch`]. A closed connection, a challenge or a redirect each lead to another request, until a
//! response is final.

use std::{rc::Rc, time::Duration};

use http::{Method, StatusCode};
use sinew_transports::reactor::Reactor;
use url::Url;

use super::{
    Outgoing, Phase, Request, RequestError, Response, Shared,
    auth::{Again, For, Login},
    connecting::Route,
    origin::{Origin, absolute_form, host_field, origin_form},
};
use crate::{
    body::{Body, CODINGS},
    codec::{Fields, challenges},
};

/// Most requests for one URL: without credentials, with them, with a new nonce; each for the server and for a proxy.
const CHALLENGES_MAX: u32 = 4;

/// Most connections that are tried because they were closed before anything was sent.
const CLOSED_MAX: u32 = 16;

/// Longest body of a redirect or challenge that is read before the next request, and the timeout for it.
const REST_MAX: u64 = 16 * 1024;
const REST_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of a request.
struct Fetch {
    shared: Rc<Shared>,
    reactor: Reactor,
    request: Request,
    /// The URLs so far, the current one last.
    urls: Vec<Url>,
    /// The credentials for the last challenge of the server, and of a proxy.
    authorization: Option<String>,
    proxy_authorization: Option<String>,
}

/// Sends a request, and follows its responses.
pub(super) async fn fetch(shared: Rc<Shared>, request: Request) -> Result<Response, RequestError> {
    let reactor = shared.reactor()?;
    let total = request.options.total_timeout.or(shared.config.total_timeout);
    let timeout = request.options.timeout.unwrap_or(shared.config.timeout);
    let timeout = total.map_or(timeout, |total| total.min(timeout));
    let begin = reactor.now();
    let urls = vec![request.url.clone()];
    let fetch = Fetch {
        shared,
        reactor: reactor.clone(),
        request,
        urls,
        authorization: None,
        proxy_authorization: None,
    };
    match reactor.timeout(timeout, fetch.run()).await {
        Ok(result) => {
            let response = result?;
            if let Some(total) = total {
                let passed = reactor.now().saturating_duration_since(begin);
                response.limit_time(total.saturating_sub(passed));
            }
            Ok(response)
        }
        Err(_) => Err(RequestError::TimedOut { phase: Phase::Response, after: timeout }),
    }
}

impl Fetch {
    async fn run(mut self) -> Result<Response, RequestError> {
        let redirects = self.request.options.redirects.unwrap_or(self.shared.config.redirects);
        loop {
            let response = self.answered().await?;
            let location = response.fields().get("location");
            let (method, status) = (&self.request.method, response.status());
            let Some(hop) = redirects.next(method, &self.urls, status, location)? else {
                return Ok(self.finished(response));
            };
            if hop.keeps_body && !self.request.body.is_there() {
                // The body cannot be sent again: this response is final.
                return Ok(self.finished(response));
            }
            self.read_rest(response).await;
            if !hop.keeps_body {
                self.request.body = super::request::RequestBody::Once(Some(Body::empty()));
                remove_content(&mut self.request.fields);
            }
            if hop.changes_origin {
                self.leave_origin();
            }
            self.request.method = hop.method;
            self.request.url = hop.url.clone();
            self.urls.push(hop.url);
        }
    }

    /// Reads the rest of a response that leads to another request, so that its connection can be reused; if it is short and
    /// arrives soon.
    async fn read_rest(&self, response: Response) {
        if response.length().is_some_and(|length| length <= REST_MAX) {
            let rest = self.reactor.timeout(REST_TIMEOUT, response.collect_up_to(REST_MAX)).await;
            tracing::trace!(is_read = matches!(rest, Ok(Ok(_))), "the rest of a response");
        }
    }

    /// Credentials are not sent to another server.
    fn leave_origin(&mut self) {
        for name in ["authorization", "cookie", "cookie2", "proxy-authorization"] {
            self.request.fields.remove(name);
        }
        self.request.login = None;
        self.request.options.over = None;
        self.authorization = None;
    }

    /// The response for the user.
    fn finished(&self, mut response: Response) -> Response {
        response.set_urls(self.urls.iter().map(ToString::to_string));
        if self.decompresses() {
            response.decompress();
        }
        if let Some(timeout) = self.request.options.idle_timeout {
            response.set_idle_timeout(timeout);
        }
        if let Some(max) = self.request.options.body_max {
            response.limit_body(max);
        }
        response
    }

    /// The response for the current URL, after challenges.
    async fn answered(&mut self) -> Result<Response, RequestError> {
        let mut was_answered = (false, false);
        for _ in 1..CHALLENGES_MAX {
            let response = self.sent().await?;
            let is_answered = self.request.body.is_there()
                && match response.status() {
                    StatusCode::UNAUTHORIZED => {
                        self.answer(&response, &mut was_answered.0, false)?
                    }
                    StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                        self.answer(&response, &mut was_answered.1, true)?
                    }
                    _ => false,
                };
            if !is_answered {
                return Ok(response);
            }
            self.read_rest(response).await;
        }
        self.sent().await
    }

    /// Responds to the challenges of a response in the next request. `false` if that is impossible, or the last credentials were
    /// rejected.
    fn answer(
        &mut self,
        response: &Response,
        was_answered: &mut bool,
        is_proxy: bool,
    ) -> Result<bool, RequestError> {
        let name = if is_proxy { "proxy-authenticate" } else { "www-authenticate" };
        let texts = response.fields().all(name).filter_map(|field| std::str::from_utf8(field).ok());
        let offered: Vec<_> = texts.flat_map(challenges).collect();
        let route = self.route()?;
        let (key, target) = self.signed(&route, is_proxy);
        let request = For { origin: &key, method: &self.request.method, target: &target };
        let proxy_login = route.proxy().and_then(|proxy| proxy.login.clone());
        let login = |realm: &str| match is_proxy {
            true => proxy_login.clone(),
            false => self.login(realm),
        };
        let random = self.shared.random();
        let mut sessions = self.shared.sessions.borrow_mut();
        let answer = sessions.answer(&offered, request, login, random);
        let value = match answer {
            Some((value, Again::Stale)) => value,
            Some((value, Again::Try)) if !*was_answered => value,
            Some(_) => {
                // Rejected: they are not sent unasked any more.
                sessions.forget(&key);
                return Ok(false);
            }
            None => return Ok(false),
        };
        drop(sessions);
        *was_answered = true;
        match is_proxy {
            true => self.proxy_authorization = Some(value),
            false => self.authorization = Some(value),
        }
        Ok(true)
    }

    /// The login and the target for authentication.
    fn signed(&self, route: &Route, is_proxy: bool) -> (String, String) {
        let url = &self.request.url;
        match route.proxy().filter(|_| is_proxy) {
            Some(proxy) => (format!("proxy {}", proxy.key()), absolute_form(url)),
            None => {
                let origin = Origin::of(url).map_or_else(|_| String::new(), |origin| origin.key());
                (origin, origin_form(url))
            }
        }
    }

    fn login(&self, realm: &str) -> Option<Login> {
        let known = || self.shared.config.passwords.find(realm, &self.request.url).cloned();
        self.request.login.clone().or_else(known)
    }

    fn route(&self) -> Result<Route, RequestError> {
        Ok(Route::new(&self.shared, &self.request.url, self.request.options.over.as_ref())?)
    }

    /// The response to one request. Stores its cookies.
    async fn sent(&mut self) -> Result<Response, RequestError> {
        let response = self.exchanged().await?;
        if let Some(jar) = &self.shared.config.cookies {
            let now = self.reactor.wall_clock();
            for cookie in response.fields().all("set-cookie") {
                jar.store(&self.request.url, cookie, now);
            }
        }
        Ok(response)
    }

    /// Sends the request, on another connection if the first one was closed before a response.
    async fn exchanged(&mut self) -> Result<Response, RequestError> {
        let route = self.route()?;
        let key = route.key();
        let (mut is_retried, mut closed) = (false, 0);
        loop {
            let (shared, way) = (Rc::clone(&self.shared), route.clone());
            let connect = move |_: &Reactor| {
                let connecting = way.connect(Rc::clone(&shared));
                shared.run(connecting)
            };
            let connection = self.shared.pool.connection(&self.reactor, &key, connect).await?;
            let outgoing = self.outgoing(&route)?;
            let waiting = match connection.send(outgoing) {
                Ok(waiting) => waiting,
                Err(unsent) if closed < CLOSED_MAX => {
                    closed += 1;
                    self.request.body.put_back(unsent.into_body());
                    continue;
                }
                Err(_) => {
                    let reason = "it was closed before anything was sent".to_owned();
                    return Err(RequestError::Lost { reason, is_stale: false });
                }
            };
            match waiting.await {
                Err(error) if error.is_stale() && !is_retried && self.is_repeatable() => {
                    tracing::debug!(%error, method = %self.request.method, "a request is repeated");
                    is_retried = true;
                    // Other idle connections are probably closed too.
                    self.shared.pool.close_idle_of(&key);
                }
                result => return result,
            }
        }
    }

    /// Whether sending it twice has the same effect as once (RFC 9110 9.2.2), and is possible.
    fn is_repeatable(&self) -> bool {
        self.request.method.is_idempotent() && self.request.body.is_there()
    }

    fn outgoing(&mut self, route: &Route) -> Result<Outgoing, RequestError> {
        let url = &self.request.url;
        let target = match route.proxy() {
            Some(_) => absolute_form(url),
            None => origin_form(url),
        };
        let fields = self.fields(route)?;
        let body = self.request.body.next().ok_or(RequestError::BodyGone)?;
        let options = &self.request.options;
        Ok(Outgoing::new(self.request.method.clone(), target, fields)
            .body(body)
            .expect_continue(options.expects_continue)
            .close(options.closes))
    }

    fn fields(&self, route: &Route) -> Result<Fields, RequestError> {
        let (request, config) = (&self.request, &self.shared.config);
        let mut fields = Fields::new();
        fields.append("Host", host_field(&request.url))?;
        let defaults = config.fields.iter().filter(|(name, _)| request.fields.get(name).is_none());
        for (name, value) in defaults.chain(request.fields.iter()) {
            fields.append(name, value)?;
        }
        if let Some(codings) = CODINGS.filter(|_| self.decompresses()) {
            fields.append("Accept-Encoding", codings)?;
        }
        if let Some(jar) = &config.cookies
            && request.fields.get("cookie").is_none()
            && let Some(cookies) = jar.header(&request.url, self.reactor.wall_clock())
        {
            fields.append("Cookie", cookies)?;
        }
        if let Some(authorization) = self.authorization(route) {
            fields.set("Authorization", authorization)?;
        }
        if let Some(authorization) = self.proxy_authorization(route) {
            fields.set("Proxy-Authorization", authorization)?;
        }
        Ok(fields)
    }

    /// The credentials for a challenge; or, without one, for a server that has sent a challenge before.
    fn authorization(&self, route: &Route) -> Option<String> {
        if let Some(answer) = &self.authorization {
            return Some(answer.clone());
        }
        if self.request.fields.get("authorization").is_some() {
            return None;
        }
        let (key, target) = self.signed(route, false);
        let request = For { origin: &key, method: &self.request.method, target: &target };
        self.shared.sessions.borrow_mut().known(request, |realm| self.login(realm))
    }

    fn proxy_authorization(&self, route: &Route) -> Option<String> {
        let proxy = route.proxy()?;
        if let Some(answer) = &self.proxy_authorization {
            return Some(answer.clone());
        }
        let (key, target) = self.signed(route, true);
        let request = For { origin: &key, method: &self.request.method, target: &target };
        self.shared.proxy_credentials(proxy, request)
    }

    /// Whether to request compression: ranges refer to the stored bytes.
    fn decompresses(&self) -> bool {
        let request = &self.request;
        request.options.decompress.unwrap_or(self.shared.config.decompress)
            && CODINGS.is_some()
            && request.method != Method::HEAD
            && request.fields.get("range").is_none()
            && request.fields.get("accept-encoding").is_none()
    }
}

/// Removes fields that describe a body that is not sent any more.
fn remove_content(fields: &mut Fields) {
    let of_content: Vec<_> = fields
        .iter()
        .filter(|(name, _)| {
            name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
        })
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in of_content {
        fields.remove(&name);
    }
}
