//! Where the mail of a domain goes: its exchangers (MX, RFC 5321 5.1), looked up by `sinew-dns`.

use bytes::Bytes;
use sinew_dns::client::{DnsResolver, LookupError};
use sinew_transports::reactor::{Deferred, Reactor, with_causes};

use super::{ClientConfig, Delivery, Envelope, SmtpClient, SmtpError, sendmail::run};
use crate::smtp::codec::host_of_literal;

/// Most exchangers that are tried.
const TRIED_MAX: usize = 10;

/// A server that takes the mail of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchanger {
    /// Lower is better.
    pub preference: u16,
    /// Its name, without a dot at the end, or its address.
    pub host: String,
}

/// The servers that take the mail of a domain, in the order in which to try them: by preference, those of equal preference in random
/// order. A domain without such a record takes its mail itself. A domain in brackets is an address.
///
/// # Errors
///
/// [`SmtpError::NullMx`] if the domain takes no mail, [`SmtpError::Lookup`] if that is not known, or for good if there is no such domain or
/// its aliases (CNAME) lead in a circle.
pub fn exchangers(
    reactor: &Reactor,
    resolver: &DnsResolver,
    domain: &str,
) -> Deferred<Vec<Exchanger>, SmtpError> {
    let (resolver, domain) = (resolver.clone(), domain.to_owned());
    run(reactor, async move { look_up(&resolver, &domain).await })
}

async fn look_up(resolver: &DnsResolver, domain: &str) -> Result<Vec<Exchanger>, SmtpError> {
    if domain.starts_with('[') {
        return Ok(vec![Exchanger { preference: 0, host: host_of_literal(domain).to_owned() }]);
    }
    let records = match resolver.mx(domain).await {
        Ok(records) => records,
        Err(LookupError::NoRecord { .. }) => {
            return Ok(vec![Exchanger { preference: 0, host: domain.to_owned() }]);
        }
        Err(error) => {
            // A circle of aliases is an answer, too: only who has the domain can mend it.
            let is_temporary =
                !error.is_negative() && !matches!(error, LookupError::ChainLoop { .. });
            let (domain, source) = (domain.to_owned(), error.into());
            return Err(SmtpError::Lookup { domain, is_temporary, source });
        }
    };
    let exchangers = records.iter().filter_map(|mx| {
        let host = mx.exchange.to_ascii();
        let host = host.trim_end_matches('.').to_owned();
        (!host.is_empty()).then_some(Exchanger { preference: mx.preference, host })
    });
    let exchangers: Vec<_> = exchangers.take(TRIED_MAX).collect();
    if exchangers.is_empty() {
        // RFC 7505 3: the root alone.
        return Err(SmtpError::NullMx { domain: domain.to_owned() });
    }
    Ok(exchangers)
}

/// Sends a message to the exchangers of a domain: to the first of at most ten that takes part in a conversation. All recipients should
/// be of that domain.
///
/// The next one is tried only if it is certain that the one before has not taken the message. STARTTLS verifies the name of the
/// exchanger, which proves little as long as the lookup is not authenticated (DANE is not there). So there is no login, even if the
/// configuration has one.
///
/// # Errors
///
/// [`SmtpError`], by the deferred: that of the last exchanger.
pub fn send_to_domain(
    reactor: &Reactor,
    resolver: &DnsResolver,
    domain: &str,
    config: ClientConfig,
    envelope: Envelope,
    message: impl Into<Bytes>,
) -> Deferred<Delivery, SmtpError> {
    let (resolver, domain, message) = (resolver.clone(), domain.to_owned(), message.into());
    let config = config.without_login();
    let of_task = reactor.clone();
    run(reactor, async move {
        let mut exchangers = look_up(&resolver, &domain).await?.into_iter().peekable();
        loop {
            let Some(Exchanger { host, .. }) = exchangers.next() else {
                return Err(SmtpError::NullMx { domain });
            };
            let tried = send(&of_task, &host, &config, &envelope, message.clone()).await;
            match tried {
                Err(error)
                    if error.is_temporary()
                        && !error.may_be_delivered()
                        && exchangers.peek().is_some() =>
                {
                    tracing::debug!(%host, error = %with_causes(&error), "the next mail exchanger is tried");
                }
                result => return result,
            }
        }
    })
}

async fn send(
    reactor: &Reactor,
    host: &str,
    config: &ClientConfig,
    envelope: &Envelope,
    message: Bytes,
) -> Result<Delivery, SmtpError> {
    let to = (host, config.port);
    let mut client = SmtpClient::connect(reactor, to, config.clone()).await?;
    let delivery = client.send(envelope, message).await?;
    client.quit().await;
    Ok(delivery)
}
