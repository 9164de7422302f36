//! The bodies of the fuzz targets, one function per target. Independent of any fuzzer, so a test on stable Rust
//! (`tests/fuzz_corpus.rs`) replays the corpus through them.

mod auth;
mod compressed_web_sockets;
mod decoding;
mod dns;
mod dns_files;
mod dns_servers;
mod dns_transfers;
mod dots;
mod format;
mod framing;
mod historical;
mod http_bodies;
mod http_client;
mod http_heads;
mod http_proxies;
mod http_server;
mod imap;
mod imap_server;
mod inflating;
mod input;
mod irc;
mod mail_queue;
mod mail_store;
mod news;
mod pieces;
mod pop3;
mod proxy;
mod reference_model;
mod smtp;
mod tls;
mod web_sockets;
mod xmpp;
mod xmpp_archive;
mod xmpp_services;

use self::{format::Format, input::Input};

/// A target: its name and its body.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: [Target; 81] = [
    ("line", line),
    ("netstring", netstring),
    ("int8", int8),
    ("int16", int16),
    ("int32", int32),
    ("fixed", fixed),
    ("framed", framed),
    ("proxy", proxy),
    ("tls_certificate", tls_certificate),
    ("dot_stuffed", dot_stuffed),
    ("dns_message", dns_message),
    ("dns_response", dns_response),
    ("dns_zone", dns_zone),
    ("dns_server", dns_server),
    ("dns_resolv_conf", dns_resolv_conf),
    ("dns_hosts", dns_hosts),
    ("dns_transfer", dns_transfer),
    ("inflate", inflate),
    ("http_request", http_request),
    ("http_response", http_response),
    ("http_chunked", http_chunked),
    ("http_multipart", http_multipart),
    ("http_cookie", http_cookie),
    ("http_challenge", http_challenge),
    ("http_responses", http_responses),
    ("http_cgi", http_cgi),
    ("http_cookies", http_cookies),
    ("http_authorization", http_authorization),
    ("auth_password_file", auth_password_file),
    ("sasl_server", sasl_server),
    ("sasl_client", sasl_client),
    ("http_forwarded", http_forwarded),
    ("http_proxied", http_proxied),
    ("data_url", data_url),
    ("imap_command", imap_command),
    ("imap_response", imap_response),
    ("imap_client", imap_client),
    ("mail_names", mail_names),
    ("maildir", maildir),
    ("irc_message", irc_message),
    ("irc_modes", irc_modes),
    ("irc_dcc", irc_dcc),
    ("irc_formatting", irc_formatting),
    ("irc_isupport", irc_isupport),
    ("irc_client", irc_client),
    ("xmpp_archive", xmpp_archive),
    ("xmpp_stream", xmpp_stream),
    ("xmpp_jid", xmpp_jid),
    ("xmpp_client", xmpp_client),
    ("xmpp_component", xmpp_component),
    ("xmpp_component_port", xmpp_component_port),
    ("xmpp_rooms", xmpp_rooms),
    ("xmpp_server", xmpp_server),
    ("irc_server", irc_server),
    ("oscar_server", oscar_server),
    ("toc_server", toc_server),
    ("msnp_command", msnp_command),
    ("smtp_address", smtp_address),
    ("smtp_command", smtp_command),
    ("smtp_completion", smtp_completion),
    ("smtp_reply", smtp_reply),
    ("smtp_session", smtp_session),
    ("web_socket", web_socket),
    ("web_socket_deflate", web_socket_deflate),
    ("pop3_client", pop3_client),
    ("pop3_command", pop3_command),
    ("pop3_response", pop3_response),
    ("pop3_session", pop3_session),
    ("news_article", news_article),
    ("news_client", news_client),
    ("news_command", news_command),
    ("news_overview", news_overview),
    ("news_response", news_response),
    ("news_session", news_session),
    ("news_spool", news_spool),
    ("news_wildmat", news_wildmat),
    ("mail_aliases", mail_aliases),
    ("mail_spool", mail_spool),
    ("mail_report", mail_report),
    ("imap_message", imap_message),
    ("imap_session", imap_session),
];

pub(crate) fn line(data: &[u8]) {
    decoding::check(data, Format::line);
}

pub(crate) fn netstring(data: &[u8]) {
    decoding::check(data, Format::netstring);
}

pub(crate) fn int8(data: &[u8]) {
    decoding::check(data, |input| Format::int(input, 1));
}

pub(crate) fn int16(data: &[u8]) {
    decoding::check(data, |input| Format::int(input, 2));
}

pub(crate) fn int32(data: &[u8]) {
    decoding::check(data, |input| Format::int(input, 4));
}

pub(crate) fn fixed(data: &[u8]) {
    decoding::check(data, Format::fixed);
}

pub(crate) fn framed(data: &[u8]) {
    framing::check(&mut Input::new(data));
}

pub(crate) fn proxy(data: &[u8]) {
    proxy::check(data);
}

pub(crate) fn tls_certificate(data: &[u8]) {
    tls::certificate(data);
}

pub(crate) fn dot_stuffed(data: &[u8]) {
    dots::check(&mut Input::new(data));
}

pub(crate) fn inflate(data: &[u8]) {
    inflating::check(&mut Input::new(data));
}

pub(crate) fn dns_message(data: &[u8]) {
    dns::message(&mut Input::new(data));
}

pub(crate) fn dns_zone(data: &[u8]) {
    dns_servers::zone(&mut Input::new(data));
}

pub(crate) fn dns_server(data: &[u8]) {
    dns_servers::queries(&mut Input::new(data));
}

pub(crate) fn dns_resolv_conf(data: &[u8]) {
    dns_files::resolv_conf(&mut Input::new(data));
}

pub(crate) fn dns_hosts(data: &[u8]) {
    dns_files::hosts(&mut Input::new(data));
}

pub(crate) fn dns_transfer(data: &[u8]) {
    dns_transfers::check(&mut Input::new(data));
}

pub(crate) fn dns_response(data: &[u8]) {
    dns::response(&mut Input::new(data));
}

pub(crate) fn http_request(data: &[u8]) {
    http_heads::request(&mut Input::new(data));
}

pub(crate) fn http_response(data: &[u8]) {
    http_heads::response(&mut Input::new(data));
}

pub(crate) fn http_chunked(data: &[u8]) {
    http_bodies::chunked(&mut Input::new(data));
}

pub(crate) fn http_multipart(data: &[u8]) {
    http_bodies::multipart(&mut Input::new(data));
}

pub(crate) fn web_socket(data: &[u8]) {
    web_sockets::check(&mut Input::new(data));
}

pub(crate) fn web_socket_deflate(data: &[u8]) {
    compressed_web_sockets::check(&mut Input::new(data));
}

pub(crate) fn http_cookie(data: &[u8]) {
    http_client::cookie(&mut Input::new(data));
}

pub(crate) fn http_challenge(data: &[u8]) {
    http_client::challenge(&mut Input::new(data));
}

pub(crate) fn http_responses(data: &[u8]) {
    http_client::responses(&mut Input::new(data));
}

pub(crate) fn data_url(data: &[u8]) {
    http_client::data_url(&mut Input::new(data));
}

pub(crate) fn http_cgi(data: &[u8]) {
    http_server::cgi(&mut Input::new(data));
}

pub(crate) fn http_cookies(data: &[u8]) {
    http_server::cookies(&mut Input::new(data));
}

pub(crate) fn http_authorization(data: &[u8]) {
    http_server::authorization(&mut Input::new(data));
}

pub(crate) fn auth_password_file(data: &[u8]) {
    auth::password_file(&mut Input::new(data));
}

pub(crate) fn sasl_server(data: &[u8]) {
    auth::server(&mut Input::new(data));
}

pub(crate) fn sasl_client(data: &[u8]) {
    auth::client(&mut Input::new(data));
}

pub(crate) fn http_forwarded(data: &[u8]) {
    http_proxies::forwarded(&mut Input::new(data));
}

pub(crate) fn http_proxied(data: &[u8]) {
    http_proxies::proxied(&mut Input::new(data));
}

pub(crate) fn imap_command(data: &[u8]) {
    imap::command(&mut Input::new(data));
}

pub(crate) fn imap_response(data: &[u8]) {
    imap::response(&mut Input::new(data));
}

pub(crate) fn imap_client(data: &[u8]) {
    imap::client(&mut Input::new(data));
}

pub(crate) fn mail_names(data: &[u8]) {
    mail_store::names(&mut Input::new(data));
}

pub(crate) fn maildir(data: &[u8]) {
    mail_store::maildir(&mut Input::new(data));
}

pub(crate) fn smtp_address(data: &[u8]) {
    smtp::address(&mut Input::new(data));
}

pub(crate) fn smtp_command(data: &[u8]) {
    smtp::command(&mut Input::new(data));
}

pub(crate) fn smtp_completion(data: &[u8]) {
    smtp::completion(&mut Input::new(data));
}

pub(crate) fn smtp_reply(data: &[u8]) {
    smtp::reply(&mut Input::new(data));
}

pub(crate) fn smtp_session(data: &[u8]) {
    smtp::session(&mut Input::new(data));
}

pub(crate) fn oscar_server(data: &[u8]) {
    historical::oscar(&mut Input::new(data));
}

pub(crate) fn toc_server(data: &[u8]) {
    historical::toc(&mut Input::new(data));
}

pub(crate) fn msnp_command(data: &[u8]) {
    historical::msnp(&mut Input::new(data));
}

pub(crate) fn irc_message(data: &[u8]) {
    irc::message(&mut Input::new(data));
}

pub(crate) fn irc_modes(data: &[u8]) {
    irc::modes(&mut Input::new(data));
}

pub(crate) fn irc_dcc(data: &[u8]) {
    irc::dcc(&mut Input::new(data));
}

pub(crate) fn irc_formatting(data: &[u8]) {
    irc::formatting(&mut Input::new(data));
}

pub(crate) fn irc_isupport(data: &[u8]) {
    irc::isupport(&mut Input::new(data));
}

pub(crate) fn irc_client(data: &[u8]) {
    irc::client(&mut Input::new(data));
}

pub(crate) fn xmpp_archive(data: &[u8]) {
    xmpp_archive::check(&mut Input::new(data));
}

pub(crate) fn xmpp_stream(data: &[u8]) {
    xmpp::stream(&mut Input::new(data));
}

pub(crate) fn xmpp_jid(data: &[u8]) {
    xmpp::jid(&mut Input::new(data));
}

pub(crate) fn xmpp_client(data: &[u8]) {
    xmpp::client(&mut Input::new(data));
}

pub(crate) fn xmpp_component(data: &[u8]) {
    xmpp_services::component(&mut Input::new(data));
}

pub(crate) fn xmpp_component_port(data: &[u8]) {
    xmpp_services::component_port(&mut Input::new(data));
}

pub(crate) fn xmpp_rooms(data: &[u8]) {
    xmpp_services::rooms(&mut Input::new(data));
}

pub(crate) fn xmpp_server(data: &[u8]) {
    xmpp::server(&mut Input::new(data));
}

pub(crate) fn irc_server(data: &[u8]) {
    irc::server(&mut Input::new(data));
}

pub(crate) fn pop3_client(data: &[u8]) {
    pop3::client(&mut Input::new(data));
}

pub(crate) fn pop3_command(data: &[u8]) {
    pop3::command(&mut Input::new(data));
}

pub(crate) fn pop3_response(data: &[u8]) {
    pop3::response(&mut Input::new(data));
}

pub(crate) fn pop3_session(data: &[u8]) {
    pop3::session(&mut Input::new(data));
}

pub(crate) fn news_article(data: &[u8]) {
    news::article(&mut Input::new(data));
}

pub(crate) fn news_client(data: &[u8]) {
    news::client(&mut Input::new(data));
}

pub(crate) fn news_command(data: &[u8]) {
    news::command(&mut Input::new(data));
}

pub(crate) fn news_overview(data: &[u8]) {
    news::overview(&mut Input::new(data));
}

pub(crate) fn news_response(data: &[u8]) {
    news::response(&mut Input::new(data));
}

pub(crate) fn news_session(data: &[u8]) {
    news::session(&mut Input::new(data));
}

pub(crate) fn news_spool(data: &[u8]) {
    news::spool(&mut Input::new(data));
}

pub(crate) fn news_wildmat(data: &[u8]) {
    news::wildmat(&mut Input::new(data));
}

pub(crate) fn mail_aliases(data: &[u8]) {
    mail_queue::aliases(&mut Input::new(data));
}

pub(crate) fn mail_spool(data: &[u8]) {
    mail_queue::spool(&mut Input::new(data));
}

pub(crate) fn mail_report(data: &[u8]) {
    mail_queue::report(&mut Input::new(data));
}

pub(crate) fn imap_message(data: &[u8]) {
    imap_server::message(&mut Input::new(data));
}

pub(crate) fn imap_session(data: &[u8]) {
    imap_server::session(&mut Input::new(data));
}
