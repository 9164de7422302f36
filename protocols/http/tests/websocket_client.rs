//! The client's end of a WebSocket, with our server at the other end or one that is scripted; and both by `await`.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[path = "websocket_client/ends.rs"]
mod ends;
#[path = "websocket_client/messages.rs"]
mod messages;
#[path = "websocket_client/opening.rs"]
mod opening;
#[path = "websocket_client/streams.rs"]
mod streams;
