//! The head of a request, and its decoder: [`RequestHead`]. Parsed in place, then copied as a whole into reused storage.

use std::{mem::MaybeUninit, ops::Range, str};

use http::{Method, Version};
use httparse::{Header, Status};

use super::{
    Fields, Framing, HeadError, HeadLimits, TargetForm,
    connection_options::ConnectionOptions,
    fields::place,
    framing::Gathered,
    lines::FIELDS_CAP,
    target::{Target, is_host},
};

/// A decoded request head: request line and fields (RFC 9112 3 and 5).
///
/// Strict, but for this:
///
/// | leniency | reason |
/// |---|---|
/// | up to 4 empty lines before a request | RFC 9112 2.2; old clients sent one after a body |
/// | `"`, `^`, `` ` ``, `{`, `\|` and `}` in a target | browsers send them as they are |
/// | several `Content-Length` that are equal | RFC 9112 6.3; proxies that joined requests repeated it |
/// | bytes beyond ASCII in the value of a field | RFC 9110 5.5; cookies and names of files hold them |
/// | no `Host` in HTTP/1.0 | RFC 1945 had none |
///
/// # Examples
///
/// ```
/// use sinew_http::codec::{HeadLimits, RequestHead};
///
/// let mut head = RequestHead::default();
/// let input = b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\nthe rest";
/// let len = head.decode(input, 0, &HeadLimits::default())?.unwrap();
/// assert_eq!(&input[len..], b"the rest");
/// assert_eq!((head.path(), head.query(), head.authority()), ("/a", Some("b=c"), Some("example.org")));
/// # Ok::<(), sinew_http::codec::HeadError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    method: Method,
    version: Version,
    target: Target,
    /// The position of the target in the bytes of the fields.
    target_at: Range<usize>,
    /// The position of the authority: of the target, or else of `Host`.
    authority: Option<Range<usize>>,
    fields: Fields,
    framing: Framing,
    connection: ConnectionOptions,
    expects_continue: bool,
}

impl RequestHead {
    /// Decodes the head at the start of the input. Returns `None` if it is incomplete, otherwise its length, including empty lines
    /// before it, which a server skips (RFC 9112 2.2). `seen` is the length of the input at the last call that returned `None`:
    /// the head is not parsed again until another line is complete.
    ///
    /// # Errors
    ///
    /// [`HeadError`], with the status to respond with. It depends on the bytes alone, not on how they were split.
    pub fn decode(
        &mut self,
        input: &[u8],
        seen: usize,
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        if seen > 0 && memchr::memchr(b'\n', &input[seen.min(input.len())..]).is_none() {
            return limits.check_rest(input).map(|()| None);
        }
        let window = limits.window(input);
        let mut places = [const { MaybeUninit::uninit() }; FIELDS_CAP];
        let mut request = httparse::Request::new(&mut []);
        let places = &mut places[..limits.fields_max];
        match request.parse_with_uninit_headers(window, places) {
            Ok(Status::Complete(len)) => {
                let head = &window[..len];
                let starts =
                    request.headers.iter().map(|field| place(head, field.name.as_bytes()).start);
                limits.check_head(head, starts)?;
                self.fill(head, &request)?;
                Ok(Some(len))
            }
            Ok(Status::Partial) => limits.check_part(input).map(|()| None),
            Err(_) => Err(limits.blame(window, |lines| {
                let mut places = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_CAP];
                let mut request = httparse::Request::new(&mut []);
                let places = &mut places[..limits.fields_max];
                request.parse_with_uninit_headers(lines, places).err()
            })),
        }
    }

    fn fill(&mut self, head: &[u8], parsed: &httparse::Request<'_, '_>) -> Result<(), HeadError> {
        let malformed = HeadError::Malformed { what: "first line" };
        let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
            return Err(malformed);
        };
        self.method = Method::from_bytes(method.as_bytes()).map_err(|_| malformed)?;
        let is_1_0 = parsed.version == Some(0);
        self.version = if is_1_0 { Version::HTTP_10 } else { Version::HTTP_11 };
        self.target = Target::parse(&self.method, target.as_bytes())?;
        self.target_at = place(head, target.as_bytes());
        self.fields.begin(head);
        (self.connection, self.expects_continue) = Default::default();
        let mut gathered = Gathered::default();
        let mut host = None;
        for header in &*parsed.headers {
            let value = self.fields.push_parsed(head, header);
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                4 if is("host") => match host.replace(place(head, value)) {
                    None if is_host(value) => {}
                    _ => return Err(HeadError::Host),
                },
                6 if is("expect") => self.expect(value)?,
                10 if is("connection") => self.connection.add(value),
                14 if is("content-length") => gathered.length(value)?,
                17 if is("transfer-encoding") => gathered.encoding(value),
                _ => {}
            }
        }
        self.framing = gathered.framing(is_1_0)?.unwrap_or_default();
        self.authority = self.find_authority(host)?;
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), HeadError> {
        match value.eq_ignore_ascii_case(b"100-continue") {
            // RFC 9110 10.1.1: a server ignores it in HTTP/1.0.
            true => self.expects_continue = self.version == Version::HTTP_11,
            false => return Err(HeadError::Expectation),
        }
        Ok(())
    }

    fn find_authority(
        &self,
        host: Option<Range<usize>>,
    ) -> Result<Option<Range<usize>>, HeadError> {
        if host.is_none() && self.version == Version::HTTP_11 {
            return Err(HeadError::Host);
        }
        let Some(inside) = &self.target.authority else { return Ok(host) };
        let named = self.target_at.start + inside.start..self.target_at.start + inside.end;
        let differs = host.is_some_and(|host| {
            !self.fields.bytes[host].eq_ignore_ascii_case(&self.fields.bytes[named.clone()])
        });
        // RFC 9112 3.2.2 lets a server ignore Host. A request in which the two differ is an attempt to make two servers disagree.
        if differs { Err(HeadError::HostDiffers) } else { Ok(Some(named)) }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The target as it was sent.
    #[must_use]
    pub fn target(&self) -> &str {
        self.text(self.target_at.clone())
    }

    /// The form of the target.
    #[must_use]
    pub const fn target_form(&self) -> TargetForm {
        self.target.form
    }

    /// The path as it was sent, not decoded. `/` if the target names a server without a path; `*` for `OPTIONS *`; empty for
    /// `CONNECT`.
    #[must_use]
    pub fn path(&self) -> &str {
        match &self.target {
            Target { form: TargetForm::Absolute, path, .. } if path.is_empty() => "/",
            Target { path, .. } => &self.target()[path.clone()],
        }
    }

    /// The part after the question mark, as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.query.clone().map(|query| &self.target()[query])
    }

    /// The host and port that the request is for: from its target, or else from its `Host` field. `None` if an HTTP/1.0 request has
    /// neither.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority.clone().map(|authority| self.text(authority))
    }

    /// The fields.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The framing of the body.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub const fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether the client wants to send another request on this connection (RFC 9112 9.3).
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.connection.is_persistent(self.version)
    }

    /// Whether the client asks for another protocol on this connection (RFC 9110 7.8). The `Upgrade` field says which.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.connection.upgrade
            && self.version == Version::HTTP_11
            && self.fields.get("upgrade").is_some()
    }

    /// Frees storage beyond what a usual head needs.
    pub(crate) fn shrink(&mut self) {
        self.fields.shrink(2 * 1024, 32);
    }

    fn text(&self, range: Range<usize>) -> &str {
        str::from_utf8(&self.fields.bytes[range]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
