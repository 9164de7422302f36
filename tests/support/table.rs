//! The test matrix: each scenario becomes one named test per engine and kind of link to which it applies.

/// `table! { everywhere: a, b; smooth: c; ports: d; memory: e; }` generates `a::mio_accepted`, `a::poll_memory` and
/// so on from functions that take a `&World`.
///
/// - `everywhere`: both ends of a TCP connection, in-memory connections, both ends of a Unix socket, and adopted
///   sockets on the most different engines; with fault injection, one end on each engine; over TLS, both ends on some
///   engines, with and without faults
/// - `smooth`: the same without fault injection, for a reason stated at the scenario
/// - `resets`: like `everywhere`, without Unix sockets, which cannot reset a connection at will
/// - `ports`: accepting and connecting as such, once per engine
/// - `sockets`: every engine with every kind of socket, and over TLS: what depends on how input is read ahead
/// - `secured`: the TLS part of `sockets`
/// - `memory`: what only an in-memory connection can show
macro_rules! table {
    ($($columns:ident: $($scenario:ident),+ $(,)?;)+) => {
        $($(mod $scenario {
            crate::support::table!(@$columns $scenario);
        })+)+
    };
    (@everywhere $scenario:ident) => {
        crate::support::table!(@smooth $scenario);
        crate::support::table!(@rough $scenario);
    };
    (@rough $scenario:ident) => {
        crate::support::table!(@cell run_rough $scenario Mio Accepted mio_rough_accepted);
        crate::support::table!(@cell run_rough $scenario Poll Connected poll_rough_connected);
        crate::support::table!(@cell run_rough $scenario Select Accepted select_rough_accepted);
        crate::support::table!(@cell run_rough $scenario Uring Connected uring_rough_connected);
        crate::support::table!(@tls $scenario);
    };
    (@tls $scenario:ident) => {
        crate::support::table!(@cell run $scenario Mio TlsAccepted mio_tls_accepted);
        crate::support::table!(@cell run $scenario Poll TlsConnected poll_tls_connected);
        crate::support::table!(@cell run $scenario Uring TlsAccepted uring_tls_accepted);
        crate::support::table!(@cell run_rough $scenario Mio TlsConnected mio_rough_tls_connected);
        crate::support::table!(@cell run_rough $scenario Select TlsAccepted select_rough_tls_accepted);
    };
    (@resets $scenario:ident) => {
        crate::support::table!(@plain $scenario);
        crate::support::table!(@rough $scenario);
    };
    (@smooth $scenario:ident) => {
        crate::support::table!(@plain $scenario);
        crate::support::table!(@unix $scenario);
    };
    (@plain $scenario:ident) => {
        crate::support::table!(@row run $scenario Accepted mio_accepted poll_accepted select_accepted uring_accepted);
        crate::support::table!(@row run $scenario Connected mio_connected poll_connected select_connected uring_connected);
        crate::support::table!(@memory $scenario);
        #[cfg(unix)]
        crate::support::table!(@cell run $scenario Mio Adopted mio_adopted);
        crate::support::table!(@cell run $scenario Uring Adopted uring_adopted);
    };
    (@unix $scenario:ident) => {
        #[cfg(unix)]
        crate::support::table!(@cell run $scenario Mio UnixAccepted mio_unix_accepted);
        #[cfg(unix)]
        crate::support::table!(@cell run $scenario Mio UnixConnected mio_unix_connected);
        crate::support::table!(@cell run $scenario Poll AdoptedPair poll_adopted_pair);
        crate::support::table!(@cell run $scenario Uring UnixAccepted uring_unix_accepted);
        crate::support::table!(@cell run $scenario Uring UnixConnected uring_unix_connected);
    };
    (@ports $scenario:ident) => {
        crate::support::table!(@row run $scenario Accepted mio poll select uring);
    };
    (@sockets $scenario:ident) => {
        crate::support::table!(@row run $scenario Accepted mio_accepted poll_accepted select_accepted uring_accepted);
        crate::support::table!(@row run $scenario Connected mio_connected poll_connected select_connected uring_connected);
        #[cfg(unix)]
        crate::support::table!(@row run $scenario UnixAccepted mio_unix_accepted poll_unix_accepted select_unix_accepted uring_unix_accepted);
        #[cfg(unix)]
        crate::support::table!(@row run $scenario AdoptedPair mio_adopted_pair poll_adopted_pair select_adopted_pair uring_adopted_pair);
        crate::support::table!(@secured $scenario);
    };
    (@secured $scenario:ident) => {
        crate::support::table!(@row run $scenario TlsAccepted mio_tls_accepted poll_tls_accepted select_tls_accepted uring_tls_accepted);
        crate::support::table!(@row run $scenario TlsConnected mio_tls_connected poll_tls_connected select_tls_connected uring_tls_connected);
    };
    (@memory $scenario:ident) => {
        crate::support::table!(@row run $scenario Memory mio_memory poll_memory select_memory uring_memory);
    };
    (@row $run:ident $scenario:ident $link:ident $mio:ident $poll:ident $select:ident $uring:ident) => {
        crate::support::table!(@cell $run $scenario Mio $link $mio);
        crate::support::table!(@cell $run $scenario Poll $link $poll);
        crate::support::table!(@cell $run $scenario Select $link $select);
        crate::support::table!(@cell $run $scenario Uring $link $uring);
    };
    (@cell $run:ident $scenario:ident Mio $link:ident $name:ident) => {
        #[test]
        fn $name() {
            crate::support::table!(@$run $scenario Mio $link);
        }
    };
    (@cell $run:ident $scenario:ident Uring $link:ident $name:ident) => {
        #[cfg(target_os = "linux")]
        #[test]
        fn $name() {
            crate::support::table!(@$run $scenario Uring $link);
        }
    };
    (@cell $run:ident $scenario:ident $engine:ident $link:ident $name:ident) => {
        #[cfg(unix)]
        #[test]
        fn $name() {
            crate::support::table!(@$run $scenario $engine $link);
        }
    };
    (@$run:ident $scenario:ident $engine:ident $link:ident) => {
        crate::support::World::$run(
            stringify!($scenario),
            sinew::reactor::Engine::$engine,
            crate::support::Link::$link,
            super::$scenario,
        )
    };
}

pub(crate) use table;
