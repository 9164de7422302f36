//! Matching of cookies with hosts and paths (RFC 6265 5.1.3 and 5.1.4), and public suffixes.

/// Whether the host is the domain or a subdomain of it. An address has no parent domain.
pub(super) fn domain_matches(host: &str, domain: &str) -> bool {
    if host == domain {
        return true;
    }
    let is_name = !is_address(host);
    is_name && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether the host of a URL is an IP address.
pub(super) fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a path is that of the cookie or below it.
pub(super) fn path_matches(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| rest.is_empty() || of_cookie.ends_with('/') || rest.starts_with('/'))
}

/// The default path of a cookie: the directory of the page that set it.
pub(super) fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) if at > 0 && path.starts_with('/') => &path[..at],
        _ => "/",
    }
}

/// Whether anyone may register names below the domain, such as `com` and `co.uk`: a cookie for it would be shared by strangers.
#[cfg(feature = "public-suffix")]
pub(super) fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes()).is_none_or(|suffix| suffix.as_bytes().len() >= domain.len())
}

/// Without the list of public suffixes: whether it is a single label.
#[cfg(not(feature = "public-suffix"))]
pub(super) fn is_public_suffix(domain: &str) -> bool {
    !domain.trim_end_matches('.').contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for (host, domain, expected) in [
            ("a.example.org", "example.org", true),
            ("example.org", "example.org", true),
            ("badexample.org", "example.org", false),
            ("example.org", "a.example.org", false),
            ("1.2.3.4", "3.4", false),
            ("1.2.3.4", "1.2.3.4", true),
        ] {
            assert_eq!(domain_matches(host, domain), expected, "{host} {domain}");
        }
    }

    #[test]
    fn paths() {
        for (path, of_cookie, expected) in [
            ("/a/b", "/a", true),
            ("/a", "/a", true),
            ("/ab", "/a", false),
            ("/a/b", "/a/", true),
            ("/", "/a", false),
            ("/x", "/", true),
        ] {
            assert_eq!(path_matches(path, of_cookie), expected, "{path} {of_cookie}");
        }
        for (path, expected) in [("/", "/"), ("/a", "/"), ("/a/b", "/a"), ("/a/", "/a"), ("", "/")]
        {
            assert_eq!(default_path(path), expected, "{path}");
        }
    }

    #[test]
    fn public_suffixes() {
        for (domain, expected) in [("org", true), ("localhost", true), ("example.org", false)] {
            assert_eq!(is_public_suffix(domain), expected, "{domain}");
        }
        let knows_the_list = cfg!(feature = "public-suffix");
        for domain in ["co.uk", "github.io"] {
            assert_eq!(is_public_suffix(domain), knows_the_list, "{domain}");
        }
    }
}
