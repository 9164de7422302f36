//! Mail to other hosts: [`relay`], with a smart host, routes, or the mail servers of domains.

use std::net::IpAddr;

use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};
use sinew::{
    application::StartError,
    dns::client::DnsResolver,
    mail::{
        queue::Relay,
        smtp::client::{ClientConfig, Security},
    },
    prelude::{Reactor, TlsClientConfig},
    reactor::{Excerpt, with_causes},
    transports::endpoint::ClientEndpoint,
};

use super::{Mail, domains::check_domain, of_failure};
use crate::sendmail::{Settings, client};

/// The agent for other hosts.
pub(super) fn relay(mail: &Mail, reactor: &Reactor, hostname: &str) -> Result<Relay, StartError> {
    let relay = match &mail.smart_host {
        Some(server) => {
            let (to, config) = server_of(settings(mail, server), hostname)?;
            Relay::new(config).smart_host(to)
        }
        None => Relay::new(to_domains(hostname)?).resolver(DnsResolver::system(reactor)),
    };
    let own = mail.own_address.clone();
    let relay = relay
        .own_addresses(move || own.iter().copied().chain(of_interfaces()).collect())
        .allow(mail.relay_to.iter().map(|network| network.0));
    let relay = mail.tls_required.iter().try_fold(relay, |relay, domain| {
        check_domain(domain)?;
        Ok::<_, StartError>(relay.tls_required(domain))
    })?;
    mail.route.iter().try_fold(relay, |relay, text| {
        let (domain, server) = text.split_once('=').ok_or_else(|| {
            StartError::other(format!("{:?}: write a domain, = and its server", Excerpt::new(text)))
        })?;
        check_domain(domain)?;
        let settings = Settings { server: Some(server.to_owned()), ..Settings::default() };
        let (to, config) = server_of(settings, hostname)?;
        Ok(relay.route(domain, to, config))
    })
}

/// The addresses that the interfaces of this machine have now.
fn of_interfaces() -> Vec<IpAddr> {
    let interfaces = match getifaddrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(error = %with_causes(&error), "the addresses of this machine are not known");
            return Vec::new();
        }
    };
    let address = |address: SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|addr| IpAddr::V4(addr.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|addr| IpAddr::V6(addr.ip())))
    };
    interfaces.filter_map(|interface| address(interface.address?)).collect()
}

fn settings(mail: &Mail, server: &str) -> Settings {
    Settings {
        server: Some(server.to_owned()),
        tls: mail.smart_host_tls,
        ca: mail.smart_host_ca.clone(),
        user: mail.smart_host_user.clone(),
        password_file: mail.smart_host_password_file.clone(),
        ..Settings::default()
    }
}

fn server_of(
    settings: Settings,
    hostname: &str,
) -> Result<(ClientEndpoint, ClientConfig), StartError> {
    let config = ClientConfig::new(hostname).map_err(StartError::other)?;
    client(config, &settings).map_err(|failure| of_failure(&failure))
}

/// For the mail servers of domains. Certificates are not verified: the name of the server comes from an answer that is not, either, and
/// plaintext would be the alternative.
fn to_domains(hostname: &str) -> Result<ClientConfig, StartError> {
    let config = ClientConfig::new(hostname).map_err(StartError::other)?;
    let tls = TlsClientConfig::insecure_without_verification();
    Ok(config.security(Security::IfOffered).tls(tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_one_of_this_machine() {
        assert!(of_interfaces().iter().any(IpAddr::is_loopback));
    }
}
