//! The environment variables of a CGI script (RFC 3875 4.1): [`environment`].

use std::{collections::BTreeMap, ffi::OsString, os::unix::ffi::OsStringExt, path::Path};

use http::Version;

use crate::{codec::percent_decode, server::Request};

/// Fields that are not passed to scripts: `Proxy` would become `HTTP_PROXY`, by which programs choose the proxy of their own
/// requests (CVE-2016-5385); `Authorization` contains passwords that were checked before; others have variables of their own, or
/// concern the connection alone.
const KEPT_BACK: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

pub(super) type Environment = BTreeMap<String, OsString>;

/// The variables for a request to a script. `script_len` is the length of the script's part of the path. `None` if the path cannot
/// be passed.
pub(super) fn environment(
    request: &Request,
    script: &Path,
    script_len: usize,
    length: Option<u64>,
) -> Option<Environment> {
    let (name, rest) = request.path().split_at_checked(script_len)?;
    let mut all = Environment::new();
    let mut set = |name: &str, value: &str| {
        all.insert(name.to_owned(), value.into());
    };
    set("GATEWAY_INTERFACE", "CGI/1.1");
    set("SERVER_SOFTWARE", concat!("sinew-http/", env!("CARGO_PKG_VERSION")));
    set(
        "SERVER_PROTOCOL",
        if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
    );
    set("REQUEST_METHOD", request.method().as_str());
    set("REQUEST_URI", request.head().target());
    set("QUERY_STRING", request.query().unwrap_or_default());
    if let Some(length) = length {
        set("CONTENT_LENGTH", &length.to_string());
    }
    if let Some(kind) = request.field("content-type") {
        set("CONTENT_TYPE", kind);
    }
    let local = request.0.transport().and_then(|transport| transport.local());
    let host = request.authority().map(str::to_owned);
    let host = host.or_else(|| local.map(|addr| addr.ip().to_string())).unwrap_or_default();
    set("SERVER_NAME", without_port(&host));
    let usual_port = if request.is_secure() { 443 } else { 80 };
    set("SERVER_PORT", &local.map_or(usual_port, |addr| addr.port()).to_string());
    if request.is_secure() {
        set("HTTPS", "on");
    }
    if let Some(ip) = request.client_ip() {
        set("REMOTE_ADDR", &ip.to_string());
    }
    #[cfg(feature = "guard")]
    if let Some(user) = request.find::<crate::server::AuthenticatedUser>() {
        let scheme = request.field("authorization").and_then(|field| field.split(' ').next());
        set("AUTH_TYPE", scheme.unwrap_or("Basic"));
        set("REMOTE_USER", &user.0);
    }
    all.insert("SCRIPT_FILENAME".to_owned(), script.into());
    all.insert("SCRIPT_NAME".to_owned(), decoded(name)?);
    all.insert("PATH_INFO".to_owned(), decoded(rest)?);
    for (name, value) in request.fields().iter() {
        push_field(&mut all, name, value);
    }
    // Variables cannot contain NUL; only a user name could.
    all.values().all(|value| !value.as_encoded_bytes().contains(&0)).then_some(all)
}

fn decoded(path: &str) -> Option<OsString> {
    let bytes = percent_decode(path)?;
    (!bytes.contains(&0)).then(|| OsString::from_vec(bytes.into_owned()))
}

/// A field as a variable. Names with characters other than letters, digits and `-` are skipped: `X_A` and `X-A` would be the same.
fn push_field(all: &mut Environment, name: &str, value: &[u8]) {
    let is_good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_good || KEPT_BACK.iter().any(|kept| name.eq_ignore_ascii_case(kept)) {
        return;
    }
    let variable = format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"));
    let value = OsString::from_vec(value.to_owned());
    match all.get_mut(&variable) {
        None => {
            all.insert(variable, value);
        }
        Some(first) => {
            first.push(if variable == "HTTP_COOKIE" { "; " } else { ", " });
            first.push(value);
        }
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    }
}
