//! How servers are asked: [`AskConfig`], a part of the configurations of both resolvers.

use std::time::Duration;

#[cfg(feature = "tls")]
use sinew_transports::tls::TlsClientConfig;

/// How servers are asked. The setters of the configurations say what each field is.
#[derive(Clone, Debug)]
pub(crate) struct AskConfig {
    pub(crate) cookies: bool,
    pub(crate) random_case: bool,
    pub(crate) sockets_max: usize,
    pub(crate) wrong_responses_max: usize,
    pub(crate) tcp_idle: Duration,
    pub(crate) tcp_in_flight_max: usize,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<TlsClientConfig>,
}

impl Default for AskConfig {
    fn default() -> Self {
        Self {
            cookies: false,
            random_case: false,
            sockets_max: 256,
            wrong_responses_max: 16,
            tcp_idle: Duration::from_secs(10),
            tcp_in_flight_max: 128,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}
