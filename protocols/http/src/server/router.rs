//! Routing of requests by path and method: [`Router`].

use std::{fmt, rc::Rc};

use http::{Method, StatusCode};

use super::{Handler, Reply, Request, Response};
use crate::codec::percent_decode;

/// Chooses a handler by the path and the method of a request.
///
/// A pattern is a path of segments: text, `{name}` for any one segment, or, as the last, `{name...}` for the rest of the path with
/// its slashes. Text has precedence over `{name}`, and that over `{name...}`. `/a` and `/a/` are different paths. Segments are
/// compared decoded, so `/caf%C3%A9` is `/café`; an encoded slash does not separate.
///
/// A path without a pattern is a 404, a method without a handler is a 405 with `Allow`. A handler for GET also handles HEAD, and
/// OPTIONS responds with `Allow`, unless they have handlers of their own.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Request, Router, answer};
///
/// let router = Router::new()
///     .get("/", answer(|_| "the front page\n"))
///     .get("/users/{name}", answer(|request: &Request| match request.param("name") {
///         Some(name) => format!("hello {name}\n"),
///         None => "who?\n".to_owned(),
///     }))
///     .post("/users/{name}", answer(|_| "changed\n"))
///     .nest("/api", Router::new().get("/version", answer(|_| "1\n")));
/// ```
#[derive(Default)]
#[must_use]
pub struct Router {
    root: Node,
    fallback: Option<Rc<dyn Handler>>,
}

#[derive(Default)]
struct Node {
    /// The nodes after a segment of text.
    texts: Vec<TextNode>,
    /// The node after any segment.
    any: Option<Box<Self>>,
    /// The route for the rest of the path, and the name of its parameter.
    rest: Option<(Rc<str>, Endpoint)>,
    /// The route for this path.
    here: Option<Endpoint>,
    /// The nested handler for everything below this path.
    nested: Option<Nested>,
}

/// A node, and the segment before it.
struct TextNode {
    /// Decoded.
    text: Box<[u8]>,
    /// Whether it has a percent sign, which requests have to encode.
    has_percent: bool,
    node: Node,
}

/// A nested handler, and the names of the parameters before it.
type Nested = (Vec<Rc<str>>, Rc<dyn Handler>);

/// The handlers of a pattern.
#[derive(Default)]
struct Endpoint {
    /// The names of the parameters, in the order of the path, except that of the rest.
    names: Vec<Rc<str>>,
    methods: Vec<(Method, Rc<dyn Handler>)>,
    any: Option<Rc<dyn Handler>>,
}

/// The result of a lookup.
enum Found<'a> {
    Endpoint(&'a Endpoint, Option<(&'a Rc<str>, usize)>),
    /// The nested handler, and the position in the path where it begins.
    Nested(&'a [Rc<str>], &'a Rc<dyn Handler>, usize),
}

impl Router {
    /// A router without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler for GET, and so for HEAD, of this pattern.
    ///
    /// # Panics
    ///
    /// If the pattern is malformed, or has a handler for the method already.
    #[track_caller]
    pub fn get(self, pattern: &str, handler: impl Handler) -> Self {
        self.route(Method::GET, pattern, handler)
    }

    /// Adds a handler for POST of this pattern.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn post(self, pattern: &str, handler: impl Handler) -> Self {
        self.route(Method::POST, pattern, handler)
    }

    /// Adds a handler for PUT of this pattern.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn put(self, pattern: &str, handler: impl Handler) -> Self {
        self.route(Method::PUT, pattern, handler)
    }

    /// Adds a handler for DELETE of this pattern.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn delete(self, pattern: &str, handler: impl Handler) -> Self {
        self.route(Method::DELETE, pattern, handler)
    }

    /// Adds a handler for a method of this pattern.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn route(mut self, method: Method, pattern: &str, handler: impl Handler) -> Self {
        let endpoint = self.root.endpoint(pattern);
        let is_taken = endpoint.methods.iter().any(|(taken, _)| *taken == method);
        assert!(!is_taken, "{method} {pattern} has a handler already");
        endpoint.methods.push((method, Rc::new(handler)));
        self
    }

    /// Adds a handler for all methods of this pattern without handlers of their own.
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn any(mut self, pattern: &str, handler: impl Handler) -> Self {
        let endpoint = self.root.endpoint(pattern);
        assert!(endpoint.any.is_none(), "{pattern} has a handler already");
        endpoint.any = Some(Rc::new(handler));
        self
    }

    /// Routes everything below a path to a handler, another router or a directory of files: `/api`, `/api/` and `/api/users` for
    /// `/api`. It finds the rest of the path in [`Request::rest`].
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get), and if the path ends with a slash or contains a `{name...}`.
    #[track_caller]
    pub fn nest(mut self, path: &str, handler: impl Handler) -> Self {
        assert!(!path.ends_with('/'), "{path} ends with a slash, which belongs to what is nested");
        let mut node = &mut self.root;
        let mut names = Vec::new();
        for segment in segments(path) {
            assert!(rest_name(segment).is_none(), "nothing can be nested below {path}");
            names.extend(param_name(segment).map(Rc::from));
            node = node.child(segment);
        }
        assert!(node.nested.is_none(), "{path} has a handler already");
        node.nested = Some((names, Rc::new(handler)));
        self
    }

    /// Sets the handler for all other paths, instead of a 404.
    pub fn fallback(mut self, handler: impl Handler) -> Self {
        self.fallback = Some(Rc::new(handler));
        self
    }

    fn missing(&self, request: Request, reply: Reply) {
        match &self.fallback {
            Some(fallback) => fallback.handle(request, reply),
            None => reply.send(StatusCode::NOT_FOUND),
        }
    }
}

impl Handler for Router {
    fn handle(&self, request: Request, reply: Reply) {
        let path = request.head().path_bytes();
        let start = request.0.mounted.get();
        let rest = path.get(start..).unwrap_or_default();
        if !matches!(rest, [] | [b'/', ..]) {
            // `OPTIONS *`, CONNECT.
            return self.missing(request, reply);
        }
        // A handler nested under `/api` handles `/api` as well as `/api/`.
        let at = if rest.is_empty() { path.len() } else { start + 1 };
        let mark = request.0.params.borrow().len();
        match self.root.find(path, at, rest.is_empty(), &request) {
            Some(Found::Endpoint(endpoint, rest)) => {
                let rest = rest.map(|(name, at)| (name, at..path.len()));
                if rest.is_some() || !endpoint.names.is_empty() {
                    request.0.name_params(mark, &endpoint.names, rest);
                }
                endpoint.handle(request, reply);
            }
            Some(Found::Nested(names, handler, at)) => {
                request.0.name_params(mark, names, None);
                request.0.mounted.set(at);
                handler.handle(request, reply);
            }
            None => {
                request.0.params.borrow_mut().truncate(mark);
                self.missing(request, reply);
            }
        }
    }
}

impl Node {
    #[track_caller]
    fn endpoint(&mut self, pattern: &str) -> &mut Endpoint {
        let mut node = self;
        let mut names = Vec::new();
        let mut all = segments(pattern).peekable();
        while let Some(segment) = all.next() {
            if let Some(name) = rest_name(segment) {
                assert!(all.peek().is_none(), "{pattern}: nothing can follow {segment}");
                let (_, endpoint) =
                    node.rest.get_or_insert_with(|| (name.into(), Endpoint::default()));
                endpoint.names = names;
                return endpoint;
            }
            if let Some(name) = param_name(segment) {
                names.push(name.into());
            }
            node = node.child(segment);
        }
        let endpoint = node.here.get_or_insert_default();
        endpoint.names = names;
        endpoint
    }

    #[track_caller]
    fn child(&mut self, segment: &str) -> &mut Self {
        if param_name(segment).is_some() {
            return self.any.get_or_insert_default();
        }
        assert!(!segment.contains(['{', '}']), "{segment} is neither text nor a {{name}}");
        let text = segment.as_bytes();
        let at = self.texts.iter().position(|known| *known.text == *text).unwrap_or_else(|| {
            let (has_percent, node) = (text.contains(&b'%'), Self::default());
            self.texts.push(TextNode { text: text.into(), has_percent, node });
            self.texts.len() - 1
        });
        &mut self.texts[at].node
    }

    /// Finds the route for the path from `at`, where a segment begins, and records the positions of the parameters. `is_over` if
    /// there are no more segments, because the slash before them is missing.
    fn find<'a>(
        &'a self,
        path: &[u8],
        at: usize,
        is_over: bool,
        request: &Request,
    ) -> Option<Found<'a>> {
        let slash = path[at..].iter().position(|byte| *byte == b'/');
        let end = slash.map_or(path.len(), |len| at + len);
        let segment = &path[at..end];
        let is_last = end == path.len();
        let below = |node: &'a Self| match is_last {
            true => node
                .here
                .as_ref()
                .map(|endpoint| Found::Endpoint(endpoint, None))
                .or_else(|| node.nested(end)),
            false => node.find(path, end + 1, false, request).or_else(|| node.nested(end)),
        };
        if let Some(found) = self.behind(segment).and_then(below) {
            return Some(found);
        }
        if let Some(node) = self.any.as_deref().filter(|_| !segment.is_empty()) {
            let mark = request.0.params.borrow().len();
            request.0.add_param(at..end);
            if let Some(found) = below(node) {
                return Some(found);
            }
            request.0.params.borrow_mut().truncate(mark);
        }
        let rest = self.rest.as_ref().filter(|_| !is_over);
        rest.map(|(name, endpoint)| Found::Endpoint(endpoint, Some((name, at))))
    }

    /// The node after a segment that decodes to its text.
    fn behind(&self, segment: &[u8]) -> Option<&Self> {
        let known = self.texts.iter().find(|known| *known.text == *segment && !known.has_percent);
        let known = match known {
            None if segment.contains(&b'%') => {
                let decoded = percent_decode(std::str::from_utf8(segment).ok()?)?;
                self.texts.iter().find(|known| *known.text == *decoded)
            }
            known => known,
        };
        known.map(|known| &known.node)
    }

    fn nested(&self, end: usize) -> Option<Found<'_>> {
        let (names, handler) = self.nested.as_ref()?;
        Some(Found::Nested(names, handler, end))
    }
}

impl Endpoint {
    fn handle(&self, request: Request, reply: Reply) {
        let method = request.method();
        let of = |wanted: &Method| {
            self.methods.iter().find(|(method, _)| method == wanted).map(|(_, handler)| handler)
        };
        let handler = of(method)
            .or_else(|| of(&Method::GET).filter(|_| *method == Method::HEAD))
            .or(self.any.as_ref());
        if let Some(handler) = handler {
            return handler.handle(request, reply);
        }
        let status = match *method {
            Method::OPTIONS => StatusCode::NO_CONTENT,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        reply.send(Response::new(status).with("Allow", self.allowed()));
    }

    fn allowed(&self) -> String {
        let mut names: Vec<&str> = self.methods.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        if !names.contains(&"OPTIONS") {
            names.push("OPTIONS");
        }
        names.sort_unstable();
        names.join(", ")
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

#[track_caller]
fn segments(pattern: &str) -> impl Iterator<Item = &str> {
    let path = pattern.strip_prefix('/');
    path.unwrap_or_else(|| panic!("{pattern:?} does not begin with a slash")).split('/')
}

fn param_name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['{', '}', '.'])).then_some(name)
}

fn rest_name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix("...}")?;
    (!name.is_empty() && !name.contains(['{', '}', '.'])).then_some(name)
}
