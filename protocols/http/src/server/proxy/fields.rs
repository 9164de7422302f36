//! Fields that a proxy forwards, and those that it adds: [`end_to_end`], [`Forwarding`]. Pure.

use std::net::IpAddr;

use http::Version;

use crate::{
    Fields,
    codec::{FieldError, RequestHead},
};

/// Hop-by-hop fields (RFC 9110 7.6.1), and those that frame the body, which is framed anew.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that a proxy sets itself: those from untrusted clients are dropped.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The end-to-end fields: without those of RFC 9110 7.6.1, and without those that `Connection` names.
pub(super) fn end_to_end(fields: &Fields) -> impl Iterator<Item = (&str, &[u8])> {
    let named: Vec<_> = fields.list("connection").collect();
    fields.iter().filter(move |(name, _)| {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        !HOP_BY_HOP.iter().any(|hop| is(hop)) && !named.iter().any(|named| is(named))
    })
}

/// What a reverse proxy knows about the client.
pub(super) struct Forwarding<'a> {
    pub(super) ip: Option<IpAddr>,
    pub(super) is_secure: bool,
    /// Whether the client is a trusted proxy: its fields are forwarded, too.
    pub(super) is_trusted: bool,
    /// The `Host` for the backend, if it differs from the client's.
    pub(super) host: Option<&'a str>,
    /// The value of `Via`.
    pub(super) pseudonym: &'a str,
    /// The protocol to upgrade to, if any.
    pub(super) upgrade: Option<&'a [u8]>,
}

impl Forwarding<'_> {
    /// The fields for the backend.
    pub(super) fn fields(&self, head: &RequestHead) -> Result<Fields, FieldError> {
        let mut fields = Fields::new();
        // The authority of the target has precedence over `Host` (RFC 9112 3.2.2).
        let host = self.host.or(head.authority()).unwrap_or("localhost");
        fields.append("Host", host)?;
        for (name, value) in end_to_end(head.fields()) {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let is_told = FORWARDED.iter().any(|forwarded| is(forwarded));
            // Many backends treat `X_A` as `X-A`, so an underscore could override any field of this proxy.
            let is_dropped = is("host") || is("expect") || is("via") || name.contains('_');
            if !is_dropped && !is_told {
                fields.append(name, value)?;
            }
        }
        self.tell(head, &mut fields)?;
        if let Some(protocol) = self.upgrade {
            fields.append("Connection", "upgrade")?;
            fields.append("Upgrade", protocol)?;
        }
        Ok(fields)
    }

    fn tell(&self, head: &RequestHead, fields: &mut Fields) -> Result<(), FieldError> {
        let scheme = if self.is_secure { "https" } else { "http" };
        let before = |name: &'static str| {
            let values: Vec<_> = head.fields().list(name).filter(|_| self.is_trusted).collect();
            values.into_iter().map(str::to_owned)
        };
        let mut addresses: Vec<_> = before("x-forwarded-for").collect();
        let mut elements: Vec<_> = before("forwarded").collect();
        addresses.extend(self.ip.map(|ip| ip.to_string()));
        let node = match self.ip {
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => format!("\"[{ip}]\""),
            None => "unknown".to_owned(),
        };
        // An authority never contains the end of a quoted string: the decoder checks it.
        let by_host = head.authority().map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
        elements.push(format!("for={node}{by_host};proto={scheme}"));
        if !addresses.is_empty() {
            fields.append("X-Forwarded-For", addresses.join(", "))?;
        }
        let told = |name: &'static str, own: Option<&str>| {
            let told = head.fields().text(name).filter(|_| self.is_trusted);
            told.or(own).map(str::to_owned)
        };
        if let Some(host) = told("x-forwarded-host", head.authority()) {
            fields.append("X-Forwarded-Host", host)?;
        }
        if let Some(scheme) = told("x-forwarded-proto", Some(scheme)) {
            fields.append("X-Forwarded-Proto", scheme)?;
        }
        fields.append("Forwarded", elements.join(", "))?;
        push_via(fields, head.fields(), head.version(), self.pseudonym)
    }
}

/// Adds this proxy to `Via` (RFC 9110 7.6.3).
pub(super) fn push_via(
    fields: &mut Fields,
    received: &Fields,
    version: Version,
    pseudonym: &str,
) -> Result<(), FieldError> {
    let mut via: Vec<_> = received.list("via").map(str::to_owned).collect();
    let version = if version == Version::HTTP_10 { "1.0" } else { "1.1" };
    via.push(format!("{version} {pseudonym}"));
    fields.append("Via", via.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::HeadLimits;

    fn head(fields: &str) -> RequestHead {
        let mut head = RequestHead::default();
        let text = format!("GET / HTTP/1.1\r\nHost: a.example:81\r\n{fields}\r\n");
        head.decode(text.as_bytes(), 0, &HeadLimits::default()).unwrap().unwrap();
        head
    }

    fn shown(fields: &Fields) -> Vec<String> {
        let line =
            |(name, value): (&str, &[u8])| format!("{name}: {}", String::from_utf8_lossy(value));
        fields.iter().map(line).collect()
    }

    fn forwarding() -> Forwarding<'static> {
        Forwarding {
            ip: Some([192, 0, 2, 1].into()),
            is_secure: false,
            is_trusted: false,
            host: None,
            pseudonym: "p",
            upgrade: None,
        }
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let head = head(
            "Connection: X-Own, close\r\nx-own: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: x\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nContent-Length: 0\r\n\
             Expect: 100-continue\r\nX_A: 1\r\nX-B: 1\r\nx-b: 2\r\nCookie: c\r\n",
        );
        let fields = forwarding().fields(&head).unwrap();
        assert_eq!(
            shown(&fields),
            [
                "Host: a.example:81",
                "X-B: 1",
                "x-b: 2",
                "Cookie: c",
                "X-Forwarded-For: 192.0.2.1",
                "X-Forwarded-Host: a.example:81",
                "X-Forwarded-Proto: http",
                "Forwarded: for=192.0.2.1;host=\"a.example:81\";proto=http",
                "Via: 1.1 p",
            ]
        );
    }

    #[test]
    fn who_is_believed() {
        let head = head(
            "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Host: front\r\nX-Forwarded-Proto: https\r\n\
             X-Forwarded-Port: 1\r\nX-Real-IP: 1\r\nForwarded: for=198.51.100.1\r\nVia: 1.0 front\r\n",
        );
        let untrusted = forwarding().fields(&head).unwrap();
        assert_eq!(
            shown(&untrusted)[1..],
            [
                "X-Forwarded-For: 192.0.2.1",
                "X-Forwarded-Host: a.example:81",
                "X-Forwarded-Proto: http",
                "Forwarded: for=192.0.2.1;host=\"a.example:81\";proto=http",
                "Via: 1.0 front, 1.1 p",
            ]
        );
        let ip = Some("2001:db8::1".parse().unwrap());
        let trusted = Forwarding { is_trusted: true, is_secure: true, ip, ..forwarding() };
        let trusted = Forwarding { host: Some("inside"), upgrade: Some(b"websocket"), ..trusted };
        assert_eq!(
            shown(&trusted.fields(&head).unwrap()),
            [
                "Host: inside",
                "X-Forwarded-For: 198.51.100.1, 2001:db8::1",
                "X-Forwarded-Host: front",
                "X-Forwarded-Proto: https",
                "Forwarded: for=198.51.100.1, for=\"[2001:db8::1]\";host=\"a.example:81\";proto=https",
                "Via: 1.0 front, 1.1 p",
                "Connection: upgrade",
                "Upgrade: websocket",
            ]
        );
    }
}
