//! Datagrams on every engine: UDP, multicast, and Unix datagram sockets.

mod support;

mod datagrams {
    #[cfg(target_os = "linux")]
    mod asked;
    #[cfg(target_os = "linux")]
    mod groups;
    #[cfg(target_os = "linux")]
    mod icmp;
    mod room;
    #[cfg(unix)]
    mod strangers;
    mod udp;
    #[cfg(unix)]
    mod unix;
}
