//! Replaces `tls.rs` without the feature `tls`: every use returns an error that says so.

use sinew_transports::{
    endpoint::{ClientEndpoint, TcpClient},
    reactor::Deferred,
};

use super::{ClientConfig, ClientConnection, RequestError, Upgraded};

#[derive(Debug, Default)]
pub(super) struct Tls;

#[allow(clippy::unused_self, clippy::needless_pass_by_value, reason = "as in `tls.rs`")]
impl Tls {
    pub(super) fn endpoint(
        &mut self,
        _: &ClientConfig,
        _: TcpClient,
    ) -> Result<ClientEndpoint, RequestError> {
        Err(missing())
    }

    pub(super) fn start_in_tunnel(
        &mut self,
        _: &ClientConfig,
        _: Upgraded,
        _: &str,
    ) -> Result<Deferred<ClientConnection, RequestError>, RequestError> {
        Err(missing())
    }

    pub(super) fn start_on(
        &mut self,
        _: &ClientConfig,
        _: &ClientConnection,
        _: &str,
    ) -> Result<Deferred<ClientConnection, RequestError>, RequestError> {
        Err(missing())
    }
}

fn missing() -> RequestError {
    RequestError::Tls { reason: "sinew-http was built without the feature `tls`".to_owned() }
}
