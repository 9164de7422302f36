//! Streams around a socket: a [`Wrapper`] says what it does differently, and all else is passed on to the socket. The list of what
//! is passed on stands once, here; a test compares it with the traits.

#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::{
    io::{self, IoSlice},
    net::SocketAddr,
};

use sinew_reactor::{Ready, Token};

use super::{
    layer::Layer,
    socket::{Socket, StreamSocket},
};
use crate::{net::ByteStream, options::Keepalive};

/// Hands the methods of both traits to `$then`.
macro_rules! methods {
    ($then:ident) => {
        $then! {
            ByteStream {
                fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
                fn peek(&self) -> io::Result<usize>;
                fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
                fn close_write(&self) -> io::Result<()>;
                fn reset(&self) -> ();
                fn readiness(&self) -> Ready;
                fn check(&self) -> io::Result<()>;
                fn short_read_drains(&self, is_edge_triggered: bool) -> bool;
                fn register(&self, token: Token) -> ();
                fn undelivered(&self) -> usize;
                fn local_addr(&self) -> Option<SocketAddr>;
                fn takes_output(&self) -> bool;
                fn lingers(&self) -> bool;
                fn has_separate_directions(&self) -> bool;
            }
            StreamSocket {
                fn is_held(&self) -> bool;
                fn finish_output(&self) -> io::Result<()>;
                fn has_unsent(&self) -> bool;
                fn layer(&self) -> Option<&dyn Layer>;
                fn completed(&self, result: Result<&[u8], &io::Error>) -> ();
                fn set_no_delay(&self, no_delay: bool) -> io::Result<()>;
                fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()>;
            }
        }
    };
}

macro_rules! wrapper {
    (
        ByteStream { $(fn $byte:ident(&self $(, $byte_arg:ident: $byte_type:ty)*) -> $byte_result:ty;)+ }
        StreamSocket { $(fn $socket:ident(&self $(, $arg:ident: $type:ty)*) -> $result:ty;)+ }
    ) => {
        /// Something around a socket that is a socket itself. Of [`StreamSocket`] it never passes on what would lead past it:
        /// `is_kernel_socket`, `kernel_fd`, `read_with_descriptors`, `write_with_descriptors`.
        pub(crate) trait Wrapper {
            /// The socket.
            fn inner(&self) -> &Socket;

            $(fn $byte(&self $(, $byte_arg: $byte_type)*) -> $byte_result {
                self.inner().$byte($($byte_arg),*)
            })+

            $(fn $socket(&self $(, $arg: $type)*) -> $result {
                self.inner().$socket($($arg),*)
            })+

            #[cfg(unix)]
            fn write_with_descriptors(
                &self,
                slices: &[IoSlice<'_>],
                descriptors: &[BorrowedFd<'_>],
            ) -> io::Result<usize> {
                let _ = (slices, descriptors);
                Err(io::ErrorKind::Unsupported.into())
            }
        }

        impl<W: Wrapper> ByteStream for W {
            $(fn $byte(&self $(, $byte_arg: $byte_type)*) -> $byte_result {
                Wrapper::$byte(self $(, $byte_arg)*)
            })+
        }

        impl<W: Wrapper> StreamSocket for W {
            $(fn $socket(&self $(, $arg: $type)*) -> $result {
                Wrapper::$socket(self $(, $arg)*)
            })+

            #[cfg(unix)]
            fn write_with_descriptors(
                &self,
                slices: &[IoSlice<'_>],
                descriptors: &[BorrowedFd<'_>],
            ) -> io::Result<usize> {
                Wrapper::write_with_descriptors(self, slices, descriptors)
            }
        }
    };
}

methods!(wrapper);

macro_rules! boxed {
    (
        ByteStream { $(fn $byte:ident(&self $(, $byte_arg:ident: $byte_type:ty)*) -> $byte_result:ty;)+ }
        StreamSocket { $($rest:tt)+ }
    ) => {
        impl ByteStream for Box<dyn ByteStream> {
            $(fn $byte(&self $(, $byte_arg: $byte_type)*) -> $byte_result {
                (**self).$byte($($byte_arg),*)
            })+
        }
    };
}

methods!(boxed);

/// A stream that a network brings has nothing to add.
impl StreamSocket for Box<dyn ByteStream> {}

#[cfg(test)]
mod tests {
    /// The names of the methods between the line that begins with `head` and the end of that item.
    fn methods(source: &str, head: &str, indent: &str) -> Vec<String> {
        let begin = source.find(head).expect("the item is there");
        let body = source[begin..].split(&format!("\n{indent}}}")).next().expect("it ends");
        let names = body.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        names.map(|rest| rest.split('(').next().expect("a name").to_owned()).collect()
    }

    fn check(traits: &str, head: &str, list: &str, not_passed_on: &[&str]) {
        let all = methods(traits, head, "");
        assert!(all.len() > 8, "{all:?}");
        let mut listed = methods(include_str!("wrapper.rs"), list, "            ");
        listed.extend(not_passed_on.iter().map(|name| (*name).to_owned()));
        for name in &all {
            assert!(listed.contains(name), "a wrapper would not pass on `{name}`");
        }
        assert_eq!(listed.len(), all.len(), "{listed:?} {all:?}");
    }

    #[test]
    fn wrappers_pass_on_every_method() {
        let byte_stream = include_str!("../net/byte_stream.rs");
        check(byte_stream, "pub trait ByteStream {", "            ByteStream {", &[]);
        let own =
            ["is_kernel_socket", "kernel_fd", "read_with_descriptors", "write_with_descriptors"];
        let socket = include_str!("socket.rs");
        check(socket, "pub(crate) trait StreamSocket", "            StreamSocket {", &own);
    }
}
