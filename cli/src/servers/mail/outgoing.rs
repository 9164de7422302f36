//! Mail to other hosts: [`relay`], with a smart host, routes, or the mail servers of domains.

use sinew::{
    application::StartError,
    dns::client::DnsResolver,
    mail::{
        queue::Relay,
        smtp::client::{ClientConfig, Security},
    },
    prelude::{Reactor, TlsClientConfig},
    reactor::Excerpt,
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
