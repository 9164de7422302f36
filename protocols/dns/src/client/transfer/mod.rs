//! Zone transfers: [`Transfer`] receives a whole zone (AXFR, RFC 5936) or what has changed (IXFR, RFC 1995), record by record.

mod error;
mod reader;

use std::{collections::VecDeque, fmt, io, time::Duration};

use sinew_protocols::basic::{AsyncFrames, FramesError, Int16};
use sinew_transports::{AsyncStream, ConnectConfig, reactor::Reactor};

pub use error::TransferError;
pub use reader::TransferReader;

use super::{DnsResolver, NameServer, search::absolute};
use crate::{
    codec::{
        Checked, DNSClass, EncodeError, Message, MessageLimits, MessageType, Mismatch, Name,
        OpCode, Query, RData, Record, RecordType, ResponseCode, SentQuery,
        rdata::SOA,
        tsig::{TsigKey, TsigVerifier},
    },
    random::random,
};

/// What a transfer brings, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferEvent {
    /// Nothing has changed since the version that was given. The end follows.
    Unchanged,
    /// The whole zone follows, in this version: whatever was there before is no more.
    Whole {
        /// The start of authority.
        soa: Box<SOA>,
    },
    /// What was removed and added since this version follows.
    Changes {
        /// The version that is changed.
        from: u32,
    },
    /// What was removed has been told; what was added follows. Both together make this version.
    To {
        /// The new start of authority.
        soa: Box<SOA>,
    },
    /// A record of the zone, or one that was added.
    Added(Box<Record>),
    /// A record that was removed.
    Removed(Box<Record>),
    /// The transfer is complete. Without it, nothing of what came before should be used.
    End {
        /// The version of the zone.
        serial: u32,
    },
}

/// How a zone is transferred.
///
/// # Examples
///
/// ```
/// use sinew_dns::client::TransferConfig;
///
/// let config = TransferConfig::default().since(2026113001).records_max(1_000_000);
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TransferConfig {
    since: Option<u32>,
    key: Option<TsigKey>,
    records_max: u64,
    bytes_max: u64,
    message_timeout: Duration,
    connect_timeout: Duration,
}

impl Default for TransferConfig {
    fn default() -> Self {
        Self {
            since: None,
            key: None,
            records_max: 10_000_000,
            bytes_max: 1 << 30,
            message_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl TransferConfig {
    /// Asks for the changes since this version of the zone (IXFR). The server may send the whole zone nevertheless.
    pub fn since(mut self, serial: u32) -> Self {
        self.since = Some(serial);
        self
    }

    /// Signs the query, and requires that the response is signed with the same key.
    pub fn key(mut self, key: TsigKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Maximum number of records. Default 10,000,000.
    pub fn records_max(mut self, records: u64) -> Self {
        self.records_max = records;
        self
    }

    /// Maximum number of bytes. Default 1 GiB.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// How long to wait for the next message. Default 30 s.
    pub fn message_timeout(mut self, time: Duration) -> Self {
        self.message_timeout = time;
        self
    }

    /// How long connecting may take. Default 10 s.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }
}

/// A transfer in progress. It is received only as fast as it is read. Dropping it closes the connection.
///
/// # Examples
///
/// ```no_run
/// use sinew_dns::client::{DnsResolver, NameServer, TransferConfig, TransferError, TransferEvent};
///
/// async fn print(resolver: &DnsResolver, server: &NameServer) -> Result<(), TransferError> {
///     let mut transfer = resolver.transfer(server, "example.org", TransferConfig::default()).await?;
///     while let Some(event) = transfer.next().await? {
///         if let TransferEvent::Added(record) = event {
///             println!("{record}");
///         }
///     }
///     Ok(())
/// }
/// ```
pub struct Transfer {
    reactor: Reactor,
    frames: AsyncFrames<Int16>,
    sent: SentQuery,
    reader: TransferReader,
    verifier: Option<TsigVerifier>,
    config: TransferConfig,
    events: VecDeque<TransferEvent>,
    records: u64,
    bytes: u64,
    is_first: bool,
    is_over: bool,
}

impl DnsResolver {
    /// Begins to transfer a zone from a server, over TCP or TLS.
    ///
    /// # Errors
    ///
    /// [`TransferError`]: the server cannot be reached. What it answers is told by [`Transfer::next`].
    pub async fn transfer(
        &self,
        server: &NameServer,
        zone: &str,
        config: TransferConfig,
    ) -> Result<Transfer, TransferError> {
        let zone = absolute(zone)?;
        let reactor = self.reactor().ok_or(sinew_transports::reactor::Failure::Abandoned)?;
        let message = query(&reactor, &zone, config.since);
        let (sent, verifier) = sign(&reactor, &message, config.key.as_ref())?;
        let endpoint = self.shared.asker.endpoint(server)?;
        let connect = ConnectConfig::default().timeout(config.connect_timeout);
        let stream = AsyncStream::connect_with(&reactor, endpoint, connect).await?;
        let mut frames = AsyncFrames::new(stream, Int16::default());
        frames.send(sent.bytes()).await?;
        let reader = TransferReader::new(zone, config.since);
        Ok(Transfer {
            reactor,
            frames,
            sent,
            reader,
            verifier,
            config,
            events: VecDeque::new(),
            records: 0,
            bytes: 0,
            is_first: true,
            is_over: false,
        })
    }
}

fn query(reactor: &Reactor, zone: &Name, since: Option<u32>) -> Message {
    let mut message = Message::new(random(reactor) as u16, MessageType::Query, OpCode::Query);
    let record_type = if since.is_some() { RecordType::IXFR } else { RecordType::AXFR };
    message.add_query(Query::query(zone.clone(), record_type));
    if let Some(serial) = since {
        // RFC 1995, section 3: the version that we have.
        let soa = SOA::new(Name::root(), Name::root(), serial, 0, 0, 0, 0);
        message.add_authority(Record::from_rdata(zone.clone(), 0, RData::SOA(soa)));
    }
    message
}

/// The bytes of a query, signed if there is a key; and what verifies the responses.
pub(super) fn sign(
    reactor: &Reactor,
    message: &Message,
    key: Option<&TsigKey>,
) -> Result<(SentQuery, Option<TsigVerifier>), SignError> {
    let mut sent = SentQuery::from_message(message)?;
    let Some(key) = key else { return Ok((sent, None)) };
    let signed = key.sign(sent.bytes(), seconds(reactor), None)?;
    sent.set_signed(signed.bytes);
    Ok((sent, Some(TsigVerifier::new(key.clone(), signed.mac))))
}

/// Why a query was not signed.
pub(super) enum SignError {
    Encode(EncodeError),
    Tsig(crate::codec::tsig::TsigError),
}

impl From<EncodeError> for SignError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<crate::codec::tsig::TsigError> for SignError {
    fn from(error: crate::codec::tsig::TsigError) -> Self {
        Self::Tsig(error)
    }
}

/// The time of day, in seconds since 1970.
pub(super) fn seconds(reactor: &Reactor) -> u64 {
    let since = reactor.wall_clock().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

impl Transfer {
    /// The next event; `None` after the end.
    ///
    /// # Errors
    ///
    /// [`TransferError`]. Nothing more is received then, and nothing of what came before should be used.
    pub async fn next(&mut self) -> Result<Option<TransferEvent>, TransferError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            // Unless it succeeds, nothing is received any more.
            self.is_over = true;
            self.receive().await?;
            self.is_over = self.reader.is_over();
        }
    }

    /// Receives a message.
    async fn receive(&mut self) -> Result<(), TransferError> {
        let after = self.config.message_timeout;
        let frame = self.reactor.timeout(after, self.frames.next()).await;
        let frame = match frame.map_err(|_| TransferError::TimedOut { after })? {
            Some(frame) => frame?,
            None => return Err(closed().into()),
        };
        self.bytes += frame.len() as u64;
        if self.bytes > self.config.bytes_max {
            return Err(TransferError::TooManyBytes { max: self.config.bytes_max });
        }
        if let Some(verifier) = &mut self.verifier {
            verifier.verify(&frame, seconds(&self.reactor))?;
        }
        let message = self.message(&frame)?;
        let code = message.metadata.response_code;
        if code != ResponseCode::NoError {
            return Err(TransferError::Refused(code));
        }
        self.is_first = false;
        for record in message.answers {
            if record.dns_class != DNSClass::IN {
                return Err(TransferError::Order("a record of another class"));
            }
            self.records += 1;
            if self.records > self.config.records_max {
                return Err(TransferError::TooManyRecords { max: self.config.records_max });
            }
            let events = self.reader.take(record)?;
            self.events.extend(events);
        }
        let events = self.reader.message_taken()?;
        self.events.extend(events);
        if self.reader.is_over()
            && let Some(verifier) = &self.verifier
        {
            // What is not signed is not passed on.
            verifier.finish().inspect_err(|_| self.events.clear())?;
        }
        Ok(())
    }

    /// Decodes a message. All but the first may leave the question away (RFC 5936, section 2.2.1).
    fn message(&self, frame: &[u8]) -> Result<Message, TransferError> {
        let limits = MessageLimits::response();
        match self.sent.check(frame, &limits) {
            Ok(Checked::Whole(message)) => Ok(*message),
            Ok(Checked::Malformed(error)) => Err(error.into()),
            Ok(_) => Err(TransferError::Order("a message that was cut")),
            Err(Mismatch::Question) if !self.is_first => {
                let message = crate::codec::decode(frame, &limits)?;
                let is_same = message.metadata.id == self.sent.id() && message.queries.is_empty();
                if is_same { Ok(message) } else { Err(Mismatch::Question.into()) }
            }
            Err(mismatch) => Err(mismatch.into()),
        }
    }
}

fn closed() -> FramesError {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the server has closed the connection before the end",
    )
    .into()
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("records", &self.records)
            .field("bytes", &self.bytes)
            .field("over", &(self.is_over && self.events.is_empty()))
            .finish_non_exhaustive()
    }
}
