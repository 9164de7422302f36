//! A string in the place of a kind of endpoint.
//~ `&str` is not a place to listen on
//~ `&str` is not a place to connect to
//~ strings are read with `parse`
use sinew::transports::endpoint::{ClientEndpoint, ServerEndpoint};

fn make() {
    let _ = ServerEndpoint::new("tcp:8000");
    let _ = ClientEndpoint::new("tcp:localhost:8000");
}
