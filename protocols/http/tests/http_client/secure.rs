//! `https`: directly, in a tunnel, over a given endpoint; and certificates that are for somebody else.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sinew_http::{
    client::{ClientConfig, Proxies, RedirectError, Redirects, Request, RequestError},
    server::{HttpServer, Reply, Request as Asked, Response},
};
use sinew_transports::{
    endpoint::ClientEndpoint,
    tls::{Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots},
};

use super::{proxies::Proxy, world::World};

/// A server of `https` on the host `secure`, and the configuration of a client that trusts its certificate.
fn world() -> (World, ClientConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["secure".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let identity = Identity::from_pem(certificate, key.serialize_pem()).unwrap();
    let server = TlsServerConfig::new(identity);
    let world = World::new(|request: Asked, reply: Reply| match request.query() {
        Some(to) => {
            let response = Response::new(sinew_http::StatusCode::FOUND);
            reply.send(response.with("Location", to).unwrap());
        }
        None => reply.send("in the clear"),
    });
    world.network.host("secure").boot(move |reactor| {
        let handler = |request: Asked, reply: Reply| match request.query() {
            Some(to) => {
                let response = Response::new(sinew_http::StatusCode::FOUND);
                reply.send(response.with("Location", to).unwrap());
            }
            None => reply.send("secret"),
        };
        drop(reactor.listen_tls("0.0.0.0:443", &server, HttpServer::new(handler)).unwrap());
    });
    let roots = TrustedRoots::from_pem(root).unwrap();
    (world, ClientConfig::default().tls(TlsClientConfig::new(roots)))
}

#[test]
fn directly() {
    let (world, config) = world();
    let texts = world.run(config, |client| async move {
        let first = client.get("https://secure/").await.unwrap().text;
        let second = client.get("https://secure/").await.unwrap().text;
        assert_eq!(client.client.pool().open(), 1);
        (first, second)
    });
    assert_eq!(texts, ("secret".to_owned(), "secret".to_owned()));
}

#[test]
fn certificates_for_somebody_else() {
    let (world, config) = world();
    world.network.set_name("other", [world.network.host("secure").addr()]);
    let error = world.get(config, "https://other/").unwrap_err();
    assert!(matches!(error, RequestError::Connect(_)), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    let (trusting_nobody, _) = self::world();
    let (_, others) = self::world();
    let error = trusting_nobody.get(others, "https://secure/").unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn in_a_tunnel() {
    let (world, config) = world();
    let proxy = Proxy { wants: Some("Basic YTpi"), challenge: "Basic realm=p", ..Proxy::open() };
    let seen = proxy.seen.clone();
    world.serve("proxy", 3128, move |request: Asked, reply: Reply| proxy.handle(request, reply));
    let through = |login: &str| Proxies::all(&format!("http://{login}proxy:3128")).unwrap();
    let request = || Request::get("https://secure/").unwrap().bearer("t").unwrap();
    let answer = world.send(config.clone().proxies(through("a:b@")), request()).unwrap();
    assert_eq!(answer.text, "secret");
    assert_eq!(*seen.borrow(), ["CONNECT secure:443 Basic"], "the proxy has seen no more");
    let error = world.send(config.clone().proxies(through("")), request()).unwrap_err();
    assert!(matches!(error, RequestError::Tunnel { .. }), "{error}");
    // The certificate is checked in a tunnel, too.
    world.network.set_name("other", [world.network.host("secure").addr()]);
    let error = world.get(config.proxies(through("a:b@")), "https://other/").unwrap_err();
    assert!(matches!(error, RequestError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn over_a_given_endpoint() {
    let (world, config) = world();
    let endpoint: ClientEndpoint = "tcp:secure:443".parse().unwrap();
    let request = Request::get("https://secure/").unwrap().over(endpoint.clone());
    assert_eq!(world.send(config.clone(), request).unwrap().text, "secret");
    let request = Request::get("https://other/").unwrap().over(endpoint);
    let error = world.send(config, request).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn never_from_https_to_http() {
    let (world, config) = world();
    let error = world.get(config.clone(), "https://secure/?http://server/").unwrap_err();
    assert!(matches!(error, RequestError::Redirect(RedirectError::Downgrade { .. })), "{error}");
    let allowed = config.clone().redirects(Redirects::default().allow_downgrade(true));
    assert_eq!(world.get(allowed, "https://secure/?http://server/").unwrap().text, "in the clear");
    assert_eq!(world.get(config, "http://server/?https://secure/").unwrap().text, "secret");
}
