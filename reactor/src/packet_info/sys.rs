//! The system calls: sendmsg(2), recvmsg(2) and setsockopt(2), with arguments that no safe crate here supports.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsFd, AsRawFd},
    ptr,
};

use super::{
    PacketInfo,
    control::{CONTROL_LEN, Message, from_control},
};

/// Control messages start at multiples of a word.
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// Enables the report of destination addresses of datagrams received on a UDP socket.
///
/// # Errors
///
/// If the system refuses.
pub fn ask(socket: impl AsFd, is_v6: bool) -> io::Result<()> {
    let (level, option) = match is_v6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
    };
    let on: libc::c_int = 1;
    let len = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the descriptor is borrowed, hence open, and the pointer is to a number of `len` bytes in this frame.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const on).cast(), len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// As recvfrom(2), with the destination address if that was [enabled](ask). Never blocks.
///
/// # Errors
///
/// Those of recvmsg(2); `InvalidData` if the sender's address is not an internet address.
pub fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> io::Result<(usize, SocketAddr, Option<PacketInfo>)> {
    let mut control = Control([0; CONTROL_LEN]);
    let mut iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: both are plain C structures for which all zeros are a valid value: no address, null pointers.
    let (mut name, mut header): (libc::sockaddr_storage, libc::msghdr) = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = size_of_val(&name) as libc::socklen_t;
    header.msg_iov = &raw mut iovec;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control.0).cast();
    header.msg_controllen = CONTROL_LEN as _;
    // SAFETY: the header points to one address, one iovec and one control buffer, each with its true length, all of them in
    // this frame or borrowed by it; the system keeps no pointer.
    let received =
        unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let len = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let from = socket_addr(&name).ok_or(io::ErrorKind::InvalidData)?;
    #[allow(clippy::unnecessary_cast, reason = "C libraries have different types for it")]
    let control_len = (header.msg_controllen as usize).min(CONTROL_LEN);
    Ok((len, from, from_control(&control.0[..control_len])))
}

/// As sendto(2), from the local address of `info`.
///
/// # Errors
///
/// Those of sendmsg(2): `EINVAL` if the source address is not this machine's. `InvalidInput` if it is of another family.
pub fn send(
    socket: impl AsFd,
    data: &[u8],
    to: SocketAddr,
    info: &PacketInfo,
) -> io::Result<usize> {
    let (mut name, name_len) = name(to);
    let message = Message::new(info, to)?;
    let mut control = Control([0; CONTROL_LEN]);
    let mut iovec = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: it is a plain C structure for which all zeros are a valid value: no address, null pointers.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = name_len;
    header.msg_iov = &raw mut iovec;
    header.msg_iovlen = 1;
    if let Some(message) = &message {
        let bytes = message.bytes();
        control.0[..bytes.len()].copy_from_slice(bytes);
        header.msg_control = (&raw mut control.0).cast();
        header.msg_controllen = bytes.len() as _;
    }
    // SAFETY: the header points to one address, one iovec and at most one control message, each with its true length,
    // all of them in this frame or borrowed by it. The system only reads them, and keeps no pointer.
    let sent =
        unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Converts an address from the system's form; `None` for a family other than IPv4 and IPv6.
#[must_use]
pub fn socket_addr(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in; a storage is large and aligned enough for any address.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let (port, flow) = (u16::from_be(v6.sin6_port), v6.sin6_flowinfo);
            Some(
                SocketAddrV6::new(v6.sin6_addr.s6_addr.into(), port, flow, v6.sin6_scope_id).into(),
            )
        }
        _ => None,
    }
}

/// Converts an address to the system's form.
fn name(addr: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: it is a plain C structure for which all zeros are a valid value.
    let mut name: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let len = match addr {
        SocketAddr::V4(addr) => {
            // SAFETY: a storage is large and aligned enough for any address.
            let v4 = unsafe { &mut *ptr::from_mut(&mut name).cast::<libc::sockaddr_in>() };
            v4.sin_family = libc::AF_INET as libc::sa_family_t;
            v4.sin_port = addr.port().to_be();
            v4.sin_addr.s_addr = addr.ip().to_bits().to_be();
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(addr) => {
            // SAFETY: as above.
            let v6 = unsafe { &mut *ptr::from_mut(&mut name).cast::<libc::sockaddr_in6>() };
            v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            v6.sin6_port = addr.port().to_be();
            v6.sin6_flowinfo = addr.flowinfo();
            v6.sin6_addr.s6_addr = addr.ip().octets();
            v6.sin6_scope_id = addr.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (name, len as libc::socklen_t)
}
