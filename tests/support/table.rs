//! The table: every scenario becomes one named test for each engine and each link that it applies to.

/// `table! { everywhere: a, b; tcp: c; ports: d; memory: e; }` makes `a::mio_accepted`, `a::poll_memory` and so on out of
/// functions that take a `&World`.
///
/// - `everywhere`: both ends of a TCP connection in turn, and memory
/// - `tcp`: both ends of a TCP connection in turn
/// - `ports`: what has to do with accepting or connecting as such, once for each engine
/// - `memory`: what only a wire can show
macro_rules! table {
    ($($columns:ident: $($scenario:ident),+ $(,)?;)+) => {
        $($(mod $scenario {
            crate::support::table!(@$columns $scenario);
        })+)+
    };
    (@everywhere $scenario:ident) => {
        crate::support::table!(@tcp $scenario);
        crate::support::table!(@memory $scenario);
    };
    (@tcp $scenario:ident) => {
        crate::support::table!(@row $scenario Accepted mio_accepted poll_accepted select_accepted uring_accepted);
        crate::support::table!(@row $scenario Connected mio_connected poll_connected select_connected uring_connected);
    };
    (@ports $scenario:ident) => {
        crate::support::table!(@row $scenario Accepted mio poll select uring);
    };
    (@memory $scenario:ident) => {
        crate::support::table!(@row $scenario Memory mio_memory poll_memory select_memory uring_memory);
    };
    (@row $scenario:ident $link:ident $mio:ident $poll:ident $select:ident $uring:ident) => {
        #[test]
        fn $mio() {
            crate::support::table!(@run $scenario Mio $link);
        }

        #[cfg(unix)]
        #[test]
        fn $poll() {
            crate::support::table!(@run $scenario Poll $link);
        }

        #[cfg(unix)]
        #[test]
        fn $select() {
            crate::support::table!(@run $scenario Select $link);
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn $uring() {
            crate::support::table!(@run $scenario Uring $link);
        }
    };
    (@run $scenario:ident $engine:ident $link:ident) => {
        crate::support::World::run(
            stringify!($scenario),
            sinew::reactor::Engine::$engine,
            crate::support::Link::$link,
            super::$scenario,
        )
    };
}

pub(crate) use table;
