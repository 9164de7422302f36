//! A connection before it is open to commands: [`Link`] asks one thing after the other.

use std::time::Duration;

use sinew_transports::{AsyncStream, Transport, reactor::Reactor};

use super::{
    ClientConfig, ConnectionEnd, ImapError,
    input::{Incoming, Input},
    output::Output,
};
use crate::imap::codec::{
    Capabilities, Code, Command, CommandBody, Data, Dialect, Pause, Response, Status, StatusText,
    Tag,
};

/// All literals of a response before the login.
const LITERALS_MAX: u64 = 4_096;
/// Most responses that are read before the answer to a command.
const RESPONSES_MAX: usize = 256;

pub(super) struct Link {
    pub(super) reactor: Reactor,
    pub(super) transport: Transport,
    pub(super) config: ClientConfig,
    pub(super) input: Input,
    pub(super) output: Output,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) tags: u64,
}

/// What came before the answer to a command.
pub(super) enum Step {
    /// The server waits.
    Continue(Vec<u8>),
    /// The answer.
    Done(StatusText),
}

impl Link {
    pub(super) fn new(reactor: &Reactor, stream: AsyncStream, config: ClientConfig) -> Self {
        let transport = stream.transport().clone();
        let (read, write) = stream.split();
        let timeout = config.connect_timeout;
        let output = Output { reactor: reactor.clone(), write, deflating: None, timeout };
        let input = Input::new(read, config.line_max.min(64 * 1024));
        let reactor = reactor.clone();
        Self { reactor, transport, config, input, output, capabilities: None, tags: 0 }
    }

    pub(super) fn dialect(&self) -> Dialect {
        let literals = self.capabilities.as_ref().map(Capabilities::literals).unwrap_or_default();
        Dialect::default().literals(literals)
    }

    /// Sends a command, and returns the answer. What it tells of capabilities is remembered.
    pub(super) async fn ask(&mut self, body: CommandBody) -> Result<StatusText, ImapError> {
        let name = body.name();
        let tag = self.send(body).await?;
        match self.step(name, &tag).await? {
            Step::Done(status) => accepted(name, status),
            Step::Continue(_) => {
                Err(lost(name, ConnectionEnd::protocol("a continuation that was not asked for")))
            }
        }
    }

    /// Sends a command.
    pub(super) async fn send(&mut self, body: CommandBody) -> Result<Tag, ImapError> {
        let name = body.name();
        self.tags += 1;
        let tag = Tag::numbered('a', self.tags);
        let encoded = Command::new(tag.clone(), body).encode(self.dialect())?;
        let mut sent = 0;
        for pause in encoded.pauses() {
            let Pause::Continuation { at } = *pause else { continue };
            self.write(name, &encoded.bytes()[sent..at]).await?;
            sent = at;
            match self.step(name, &tag).await? {
                Step::Continue(_) => {}
                Step::Done(status) => return Err(ImapError::Refused { command: name, status }),
            }
        }
        self.write(name, &encoded.bytes()[sent..]).await?;
        Ok(tag)
    }

    pub(super) async fn write(
        &mut self,
        name: &'static str,
        bytes: &[u8],
    ) -> Result<(), ImapError> {
        self.output.write(bytes).await.map_err(|end| lost(name, end))
    }

    /// The next continuation, or the answer.
    pub(super) async fn step(&mut self, name: &'static str, tag: &Tag) -> Result<Step, ImapError> {
        for _ in 0..RESPONSES_MAX {
            match self.response(name).await? {
                Response::Continue { text, .. } => return Ok(Step::Continue(text.to_vec())),
                Response::Done { tag: answered, status } if answered == *tag => {
                    self.note(status.code.as_ref());
                    return Ok(Step::Done(status));
                }
                Response::Done { .. } => {
                    return Err(lost(name, ConnectionEnd::protocol("an answer to no command")));
                }
                Response::Status(status) if status.status == Status::Bye => {
                    return Err(lost(name, ConnectionEnd::Bye(status)));
                }
                Response::Data(Data::Capability(capabilities)) => {
                    self.capabilities = Some(capabilities)
                }
                _ => {}
            }
        }
        Err(lost(
            name,
            ConnectionEnd::protocol("more responses than are expected before the login"),
        ))
    }

    pub(super) fn note(&mut self, code: Option<&Code>) {
        if let Some(Code::Capability(capabilities)) = code {
            self.capabilities = Some(capabilities.clone());
        }
    }

    /// The next response, within the time of one.
    pub(super) async fn response(&mut self, name: &'static str) -> Result<Response, ImapError> {
        let after: Duration = self.config.connect_timeout;
        let (reactor, dialect) = (self.reactor.clone(), self.dialect());
        let input = &mut self.input;
        let receiving = async move {
            let mut left = LITERALS_MAX;
            loop {
                match input.next().await? {
                    Incoming::Literal(head) if head.len <= left => {
                        left -= head.len;
                        input.decoder.keep();
                    }
                    Incoming::Literal(_) => {
                        return Err(ConnectionEnd::protocol(
                            "literals that are too long before the login",
                        ));
                    }
                    Incoming::Message(message) => {
                        return Response::parse(&message, dialect).map_err(ConnectionEnd::protocol);
                    }
                    Incoming::Bytes(_) | Incoming::LiteralEnd => {}
                }
            }
        };
        match reactor.timeout(after, receiving).await {
            Ok(received) => received.map_err(|end| lost(name, end)),
            Err(_) => Err(ImapError::Silent { after }),
        }
    }

    /// Starts TLS. What was received behind the answer stays in the stream, for which it is a part of the handshake, and makes it fail.
    pub(super) async fn start_tls(self, name: &str) -> Result<Self, ImapError> {
        let Self { reactor, config, input, output, tags, .. } = self;
        if !input.decoder.is_between_messages() {
            return Err(ImapError::Tls {
                reason: "plaintext behind the answer to STARTTLS".to_owned(),
            });
        }
        let failed = |error: String| ImapError::Tls { reason: error };
        let mut stream = AsyncStream::reunite(input.read, output.write)
            .map_err(|error| failed(error.to_string()))?;
        let after = config.connect_timeout;
        let tls = config.tls.clone();
        match reactor.timeout(after, tls.start_in(&mut stream, name)).await {
            Ok(started) => started.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(ImapError::Silent { after }),
        }
        // RFC 9051 6.2.1: nothing that the server said before counts.
        Ok(Self { tags, ..Self::new(&reactor, stream, config) })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

pub(super) fn lost(command: &'static str, source: ConnectionEnd) -> ImapError {
    ImapError::Lost { command, source }
}

/// An error, if the answer is not OK.
pub(super) fn accepted(command: &'static str, status: StatusText) -> Result<StatusText, ImapError> {
    match status.status {
        Status::Ok => Ok(status),
        _ => Err(ImapError::Refused { command, status }),
    }
}
