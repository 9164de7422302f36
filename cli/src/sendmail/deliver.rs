//! Sends a message to one server, or to those of the domains of its recipients: [`to_server`], [`to_domains`]. Nothing is tried twice.

use sinew::{
    dns::client::DnsResolver,
    mail::smtp::{
        client::{ClientConfig, Delivery, Envelope, SmtpClient, SmtpError, exchangers},
        codec::{Address, Notify, Recipient, Sender},
    },
    reactor::Reactor,
    transports::endpoint::ClientEndpoint,
};

use super::{outcome::Outcome, stored::Stored};

/// How many recipients a server has to take (RFC 5321 4.5.3.1.8): more are sent in groups.
const RECIPIENTS: usize = 100;

/// A message, and from whom to whom.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) sender: Sender,
    pub(super) recipients: Vec<Address>,
    pub(super) notify: Option<Notify>,
    pub(super) message: Stored,
}

impl Letter {
    fn envelope(&self, recipients: &[Address]) -> Envelope {
        let envelope = Envelope::new(None, []).with_sender(self.sender.clone());
        recipients.iter().fold(envelope, |envelope, address| {
            let recipient = Recipient::new(address.clone());
            envelope.with_recipient(match self.notify {
                Some(notify) => recipient.with_notify(notify),
                None => recipient,
            })
        })
    }
}

/// Over one connection.
pub(super) async fn to_server(
    reactor: &Reactor,
    to: ClientEndpoint,
    config: ClientConfig,
    letter: &Letter,
) -> Vec<Outcome> {
    let mut client = match SmtpClient::connect(reactor, to, config).await {
        Ok(client) => client,
        Err(error) => return Outcome::failed(&letter.recipients, error).collect(),
    };
    let mut outcomes = Vec::new();
    for group in letter.recipients.chunks(RECIPIENTS) {
        let mut message = letter.message.read(reactor);
        match client.send_stream(&letter.envelope(group), &mut message).await {
            Ok(delivery) => outcomes.extend(Outcome::of(&delivery)),
            Err(error) => {
                let rest = &letter.recipients[outcomes.len()..];
                outcomes.extend(Outcome::failed(rest, error));
                break;
            }
        }
    }
    client.quit().await;
    outcomes
}

/// Over a connection to a mail server of each domain, one after the other.
pub(super) async fn to_domains(
    reactor: &Reactor,
    config: &ClientConfig,
    port: u16,
    letter: &Letter,
) -> Vec<Outcome> {
    let resolver = DnsResolver::system(reactor);
    let mut outcomes = Vec::new();
    for (domain, recipients) in by_domain(&letter.recipients) {
        for group in recipients.chunks(RECIPIENTS) {
            match to_domain(reactor, &resolver, &domain, (config, port), letter, group).await {
                Ok(delivery) => outcomes.extend(Outcome::of(&delivery)),
                Err(error) => outcomes.extend(Outcome::failed(group, error)),
            }
        }
    }
    outcomes
}

/// To the first mail server of a domain that takes part in a conversation. The next one is tried only if it is certain that the one before has
/// not taken the message.
async fn to_domain(
    reactor: &Reactor,
    resolver: &DnsResolver,
    domain: &str,
    (config, port): (&ClientConfig, u16),
    letter: &Letter,
    recipients: &[Address],
) -> Result<Delivery, SmtpError> {
    let mut found = exchangers(reactor, resolver, domain).await?.into_iter().peekable();
    loop {
        let Some(exchanger) = found.next() else {
            return Err(SmtpError::NullMx { domain: domain.to_owned() });
        };
        let attempt = async {
            let to = (exchanger.host.as_str(), port);
            let mut client = SmtpClient::connect(reactor, to, config.clone()).await?;
            let mut message = letter.message.read(reactor);
            let delivery = client.send_stream(&letter.envelope(recipients), &mut message).await?;
            client.quit().await;
            Ok::<_, SmtpError>(delivery)
        };
        match attempt.await {
            Err(error)
                if error.is_temporary() && !error.may_be_delivered() && found.peek().is_some() => {}
            result => return result,
        }
    }
}

/// The recipients of each domain, in the order in which the domains come first.
fn by_domain(recipients: &[Address]) -> Vec<(String, Vec<Address>)> {
    let mut domains: Vec<(String, Vec<Address>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for address in recipients {
        let domain = address.domain().to_lowercase();
        let place = *places.entry(domain.clone()).or_insert_with(|| {
            domains.push((domain, Vec::new()));
            domains.len() - 1
        });
        domains[place].1.push(address.clone());
    }
    domains
}
