//! The kind `tls:` without the feature `tls`: an error that names the feature.

use super::{Arguments, ClientEndpoint, EndpointError, ServerEndpoint};

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    Err(arguments.needs_feature("tls"))
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    Err(arguments.needs_feature("tls"))
}
