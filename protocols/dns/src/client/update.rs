//! Changes of a zone (UPDATE, RFC 2136): [`Update`]; and telling a server that a zone has changed (NOTIFY, RFC 1996). Both may be signed.

use std::{rc::Rc, time::Duration};

use sinew_transports::reactor::{Deferred, Failure, Reactor};

use super::{
    DnsResolver, LookupError, NameServer, ServerError,
    resolver::spawn,
    search::absolute,
    server::Over,
    shared::Shared,
    transfer::{SignError, seconds, sign},
    udp::{self, Asked},
};
use crate::{
    codec::{
        Checked, DNSClass, EncodeError, Message, MessageType, Name, OpCode, Query, RData, Record,
        RecordType, ResponseCode, SentQuery, UDP_PAYLOAD,
        rdata::SOA,
        tsig::{TsigError, TsigKey, TsigVerifier},
    },
    counter::count,
    random::random,
};

/// Changes of a zone that are made all or not at all, if all conditions hold.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use sinew_dns::{client::Update, codec::{RData, Record, RecordType}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name: sinew_dns::codec::Name = "www.example.org.".parse()?;
/// let address = RData::A(Ipv4Addr::new(192, 0, 2, 7).into());
/// let update = Update::new("example.org")?
///     .require_records(name.clone(), RecordType::A)
///     .remove_records(name.clone(), RecordType::A)
///     .insert(Record::from_rdata(name, 300, address));
/// # drop(update);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is sent by `DnsResolver::update`"]
pub struct Update {
    message: Message,
}

/// A server did not take an update or a notification.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The server does not respond.
    #[error("{server}: {cause}")]
    Server {
        /// The server.
        server: NameServer,
        /// Why.
        cause: ServerError,
    },
    /// The server refuses: a condition does not hold (`YXDomain`, `YXRRSet`, `NXDomain`, `NXRRSet`), or it is not allowed.
    #[error("the server responds {}", .0.to_str())]
    Refused(ResponseCode),
    /// The message cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The signature of the response is missing or wrong.
    #[error(transparent)]
    Signature(#[from] TsigError),
    /// The name of the zone is none.
    #[error(transparent)]
    Zone(#[from] LookupError),
    /// It was cancelled, or the reactor ended first.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(UpdateError);

impl From<SignError> for UpdateError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Encode(error) => error.into(),
            SignError::Tsig(error) => error.into(),
        }
    }
}

impl Update {
    /// No changes of a zone yet.
    ///
    /// # Errors
    ///
    /// [`LookupError::BadName`].
    pub fn new(zone: &str) -> Result<Self, LookupError> {
        let mut message = Message::new(0, MessageType::Query, OpCode::Update);
        message.add_query(Query::query(absolute(zone)?, RecordType::SOA));
        Ok(Self { message })
    }

    /// Requires that the name has records (RFC 2136, section 2.4.4).
    pub fn require_name(self, name: Name) -> Self {
        self.require(name, RecordType::ANY, DNSClass::ANY)
    }

    /// Requires that the name has no records (section 2.4.5).
    pub fn require_no_name(self, name: Name) -> Self {
        self.require(name, RecordType::ANY, DNSClass::NONE)
    }

    /// Requires that the name has records of this type (section 2.4.1).
    pub fn require_records(self, name: Name, record_type: RecordType) -> Self {
        self.require(name, record_type, DNSClass::ANY)
    }

    /// Requires that the name has no records of this type (section 2.4.3).
    pub fn require_no_records(self, name: Name, record_type: RecordType) -> Self {
        self.require(name, record_type, DNSClass::NONE)
    }

    /// Requires that this record is there (section 2.4.2). Of one name and type, all records have to be required.
    pub fn require_record(mut self, mut record: Record) -> Self {
        record.ttl = 0;
        self.message.add_answer(record);
        self
    }

    fn require(mut self, name: Name, record_type: RecordType, class: DNSClass) -> Self {
        self.message.add_answer(empty(name, record_type, class));
        self
    }

    /// Adds a record (section 2.5.1).
    pub fn insert(mut self, record: Record) -> Self {
        self.message.add_authority(record);
        self
    }

    /// Removes all records of this type (section 2.5.2).
    pub fn remove_records(mut self, name: Name, record_type: RecordType) -> Self {
        self.message.add_authority(empty(name, record_type, DNSClass::ANY));
        self
    }

    /// Removes all records of a name (section 2.5.3).
    pub fn remove_name(self, name: Name) -> Self {
        self.remove_records(name, RecordType::ANY)
    }

    /// Removes a record (section 2.5.4).
    pub fn remove(mut self, mut record: Record) -> Self {
        record.ttl = 0;
        record.dns_class = DNSClass::NONE;
        self.message.add_authority(record);
        self
    }
}

/// A record without data.
fn empty(name: Name, record_type: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name, 0, record_type);
    record.dns_class = class;
    record
}

impl DnsResolver {
    /// Sends changes of a zone to its primary server, signed if there is a key. It is asked again only if it has certainly not received
    /// the update: over UDP never.
    ///
    /// # Errors
    ///
    /// [`UpdateError`], by the deferred.
    pub fn update(
        &self,
        server: &NameServer,
        update: Update,
        key: Option<TsigKey>,
    ) -> Deferred<(), UpdateError> {
        self.send(server, update.message, key, 1)
    }

    /// Tells a secondary server that a zone has changed, with the new start of authority if it is given. It is told again, until it
    /// confirms.
    ///
    /// # Errors
    ///
    /// [`UpdateError`], by the deferred.
    pub fn notify(
        &self,
        server: &NameServer,
        zone: &str,
        soa: Option<SOA>,
        key: Option<TsigKey>,
    ) -> Deferred<(), UpdateError> {
        let zone = match absolute(zone) {
            Ok(zone) => zone,
            Err(error) => {
                let (promise, deferred) = self.shared.reactor.promise();
                promise.reject(error.into());
                return deferred;
            }
        };
        let mut message = Message::new(0, MessageType::Query, OpCode::Notify);
        message.metadata.authoritative = true;
        message.add_query(Query::query(zone.clone(), RecordType::SOA));
        message.add_answers(soa.map(|soa| Record::from_rdata(zone, 0, RData::SOA(soa))));
        // RFC 1996, section 3.6
        self.send(server, message, key, 3)
    }

    fn send(
        &self,
        server: &NameServer,
        mut message: Message,
        key: Option<TsigKey>,
        tries: u32,
    ) -> Deferred<(), UpdateError> {
        let Some(reactor) = self.reactor() else { return self.shared.reactor.promise().1 };
        message.metadata.id = random(&reactor) as u16;
        let (shared, server) = (self.shared.clone(), server.clone());
        spawn(&reactor, async move {
            let reactor = shared.reactor.upgrade().ok_or(Failure::Abandoned)?;
            let wait = shared.settings().timeout;
            let mut failure = None;
            for round in 0..tries {
                let (sent, verifier) = sign(&reactor, &message, key.as_ref())?;
                let exchange = Sending { shared: &shared, reactor: &reactor, server: &server };
                match exchange.ask(sent, verifier, wait * (1 << round)).await? {
                    Ok(ResponseCode::NoError) => return Ok(()),
                    Ok(code) => return Err(UpdateError::Refused(code)),
                    Err(cause) => failure = Some(cause),
                }
            }
            let cause = failure.unwrap_or(ServerError::TimedOut(wait));
            Err(UpdateError::Server { server, cause })
        })
    }
}

/// A message on its way to a server.
struct Sending<'a> {
    shared: &'a Rc<Shared>,
    reactor: &'a Reactor,
    server: &'a NameServer,
}

impl Sending<'_> {
    /// Sends it, over UDP if it fits there, and returns what the server responds, or that it does not.
    async fn ask(
        &self,
        sent: SentQuery,
        verifier: Option<TsigVerifier>,
        wait: Duration,
    ) -> Result<Result<ResponseCode, ServerError>, UpdateError> {
        let fits = sent.bytes().len() <= 512;
        if self.server.over == Over::Udp && fits {
            let mut buffer = [0; UDP_PAYLOAD as usize];
            let (addr, max) = (self.server.addr(), self.shared.asker.config.wrong_responses_max);
            let wrong = || count(&self.shared.asker.counters.wrong);
            let asking = udp::ask(self.reactor, addr, &sent, &mut buffer, max, wrong);
            return match self.reactor.timeout(wait, asking).await {
                Ok(Ok(Asked::Response(checked, len))) => {
                    self.read(checked, &buffer[..len], verifier)
                }
                Ok(Ok(Asked::TooManyWrong)) => Ok(Err(ServerError::Mismatch)),
                Ok(Err(cause)) => Ok(Err(cause)),
                Err(late) => Ok(Err(ServerError::TimedOut(late.after))),
            };
        }
        let state = self.shared.servers.one(self.reactor, self.server);
        match self.shared.asker.over_link(self.reactor, &state, sent, wait, false).await {
            Ok((checked, bytes)) => self.read(checked, &bytes, verifier),
            Err(cause) => Ok(Err(cause)),
        }
    }

    fn read(
        &self,
        checked: Checked,
        bytes: &[u8],
        verifier: Option<TsigVerifier>,
    ) -> Result<Result<ResponseCode, ServerError>, UpdateError> {
        if let Some(mut verifier) = verifier {
            verifier.verify(bytes, seconds(self.reactor))?;
        }
        Ok(match checked {
            Checked::Whole(message) => Ok(message.metadata.response_code),
            Checked::Truncated => Err(ServerError::Truncated),
            Checked::Malformed(error) => Err(error.into()),
        })
    }
}
