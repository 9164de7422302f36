//! Datagrams on every engine: UDP, multicast, and Unix datagram sockets.

mod fixture;
#[cfg(target_os = "linux")]
mod groups;
#[cfg(target_os = "linux")]
mod icmp;
#[cfg(target_os = "linux")]
mod reply_source;
mod udp;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod wrong_sender;
