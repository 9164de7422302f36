//! A client of a program's status: [`ask`] connects, and [`Client`] sends requests on that connection.

use std::{fmt, future::Future, time::Duration};

use serde::de::DeserializeOwned;
use sinew::{
    application::inspect::report::{ConnectionStatus, ConnectionsPage, PageStart, Status},
    http::{
        Fields, Method,
        client::{ClientConnection, ConnectionConfig, Outgoing, RequestError},
        codec::BodyError,
    },
    reactor::{BuildError, Excerpt, Failure as TaskFailure, Reactor, RunError},
    transports::{
        ConnectConfig, ConnectError,
        endpoint::{ClientEndpoint, EndpointError},
    },
};

use crate::exit::{Code, Failure};

/// How long the program may take for an answer. Its loop may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer that is read: a page of 1,000 connections takes less than a megabyte.
const ANSWER_MAX: u64 = 64 << 20;

/// Connections that are asked for at a time.
const PAGE: usize = 500;

/// What is done to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Close,
    Abort,
    Pause,
    Resume,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Close => "close",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
        })
    }
}

/// The status of a program could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error("could not open an event loop: {0}")]
    Build(#[from] BuildError),
    #[error("could not connect to the status at {}: {source}; is the program running with --status?", Excerpt::new(.at))]
    Connect { at: String, source: ConnectError },
    #[error("the status at {} did not answer: {source}", Excerpt::new(.at))]
    Request { at: String, source: RequestError },
    #[error("the answer of the status at {} broke off: {source}", Excerpt::new(.at))]
    Body { at: String, source: BodyError },
    #[error("the status at {} answered {status} to {method} {}: {}", Excerpt::new(.at), Excerpt::new(.path), Excerpt::new(.text.trim_end()))]
    Refused { at: String, method: Method, path: String, status: u16, text: String },
    #[error("the answer of the status at {} could not be understood: {source}; is it a sinew program?", Excerpt::new(.at))]
    Format { at: String, source: serde_json::Error },
    #[error("the event loop ended: {0}")]
    Run(#[from] RunError),
    #[error("the request was given up: {0}")]
    Task(#[from] TaskFailure),
}

impl From<LookError> for Failure {
    fn from(error: LookError) -> Self {
        let code = match &error {
            LookError::Build(_) | LookError::Run(_) | LookError::Task(_) => Code::System,
            LookError::Connect { .. } => Code::Unavailable,
            LookError::Request { .. } | LookError::Body { .. } => Code::Io,
            LookError::Refused { .. } | LookError::Format { .. } => Code::Data,
        };
        Self::new(code, error.to_string())
    }
}

/// Parses an argument. (`clap` would take the conversion from a string by itself, which is one of `HOST:PORT`.)
pub(crate) fn endpoint(text: &str) -> Result<ClientEndpoint, EndpointError> {
    text.parse()
}

/// Connects, has `talk` send its requests, and disconnects.
pub(crate) fn ask<T: 'static, F>(
    at: &ClientEndpoint,
    talk: impl FnOnce(Client) -> F + 'static,
) -> Result<T, LookError>
where
    F: Future<Output = Result<T, LookError>> + 'static,
{
    let reactor = Reactor::builder().stop_signals(false).build()?;
    let (endpoint, handle) = (at.clone(), reactor.clone());
    reactor.run_until(async move {
        let at = endpoint.to_string();
        let connect = ConnectConfig::default();
        let config = ConnectionConfig::default().head_timeout(PATIENCE).body_max(ANSWER_MAX);
        let connecting = ClientConnection::connect(&handle, &endpoint, connect, config);
        let connection =
            connecting.await.map_err(|source| LookError::Connect { at: at.clone(), source })?;
        talk(Client { at, connection }).await
    })?
}

/// A connection to the status of a program.
pub(crate) struct Client {
    at: String,
    connection: ClientConnection,
}

impl Client {
    /// The loops and ports.
    pub(crate) async fn status(&self) -> Result<Status, LookError> {
        self.get("/status".to_owned()).await
    }

    /// Up to `max` connections, and whether there are more.
    pub(crate) async fn connections(
        &self,
        max: usize,
    ) -> Result<(Vec<ConnectionStatus>, bool), LookError> {
        let (mut found, mut next) = (Vec::new(), Some(PageStart::default()));
        while let Some(start) = next {
            let left = max - found.len();
            if left == 0 {
                return Ok((found, true));
            }
            let (shard, first, page) = (start.shard, start.first, PAGE.min(left));
            let path = format!("/connections?shard={shard}&first={first}&max={page}");
            let page: ConnectionsPage = self.get(path).await?;
            found.extend(page.connections);
            next = page.next;
        }
        Ok((found, false))
    }

    /// Does this to a connection. `false` if it is gone.
    pub(crate) async fn act(&self, id: &str, action: Action) -> Result<bool, LookError> {
        let done = self.request(Method::POST, format!("/connections/{id}/{action}")).await;
        Ok(found(done)?.is_some())
    }

    /// The JSON at a path.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, LookError> {
        let text = self.request(Method::GET, path).await?;
        let at = self.at.clone();
        serde_json::from_slice(&text).map_err(|source| LookError::Format { at, source })
    }

    /// Has the program do something.
    pub(crate) async fn post(&self, path: String) -> Result<(), LookError> {
        self.request(Method::POST, path).await.map(drop)
    }

    async fn request(&self, method: Method, path: String) -> Result<Vec<u8>, LookError> {
        let at = || self.at.clone();
        let mut fields = Fields::new();
        fields
            .append("Host", "localhost")
            .map_err(|error| LookError::Request { at: at(), source: error.into() })?;
        let outgoing = Outgoing::new(method.clone(), path.clone(), fields);
        let sent = self.connection.send(outgoing);
        // One request at a time, and each is answered before the next: it is refused only if the connection is gone.
        let closed = || RequestError::Lost {
            reason: "it has closed the connection".to_owned(),
            is_stale: true,
        };
        let sent = sent.map_err(|_| LookError::Request { at: at(), source: closed() })?;
        let response = sent.await.map_err(|source| LookError::Request { at: at(), source })?;
        let status = response.status().as_u16();
        let body = response.collect_up_to(ANSWER_MAX).await;
        let body = body.map_err(|source| LookError::Body { at: at(), source })?;
        if (200..300).contains(&status) {
            return Ok(body.to_vec());
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        Err(LookError::Refused { at: at(), method, path, status, text })
    }
}

/// `None` in place of the answer that it is gone.
fn found<T>(result: Result<T, LookError>) -> Result<Option<T>, LookError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(LookError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
