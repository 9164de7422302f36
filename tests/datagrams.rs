//! Datagrams on every engine: UDP, groups, and Unix sockets.

mod support;

mod datagrams {
    #[cfg(target_os = "linux")]
    mod groups;
    mod room;
    mod udp;
    #[cfg(unix)]
    mod unix;
}
