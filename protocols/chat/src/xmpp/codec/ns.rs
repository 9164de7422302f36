//! Namespaces that XMPP and its extensions use.

/// Stanzas between a client and its server.
pub const CLIENT: &str = "jabber:client";
/// Stanzas between a component and its server (XEP-0114).
pub const COMPONENT: &str = "jabber:component:accept";
/// Streams: the root, its features and its errors.
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// Conditions of stream errors.
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Conditions of stanza errors.
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS.
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// Logins.
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// The types of channel bindings that a server has (XEP-0440).
pub const CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// The binding of a resource.
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Sessions of RFC 3921, which need not be asked for any more.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Stream management (XEP-0198).
pub const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
/// Whether somebody looks at a client (XEP-0352).
pub const CLIENT_STATE: &str = "urn:xmpp:csi:0";
/// What a stream accepts (XEP-0478).
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
/// The roster.
pub const ROSTER: &str = "jabber:iq:roster";
/// What an entity is and can do (XEP-0030).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// What belongs to an entity (XEP-0030).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Pings (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Receipts of messages (XEP-0184).
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// Carbon copies of messages (XEP-0280).
pub const CARBONS: &str = "urn:xmpp:carbons:2";
/// Stanzas within others (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// When a stanza was delayed (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Rooms (XEP-0045).
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// What rooms say of their occupants.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Forms (XEP-0004).
pub const DATA_FORMS: &str = "jabber:x:data";
/// Affiliations and roles, as moderators and admins of rooms ask for them.
pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// The configuration of a room, and its end, as owners ask for them.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// The fields of the configuration of a room.
pub const MUC_ROOMCONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
/// What disco says of a room, as a form.
pub const MUC_ROOMINFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// Whether a client is still in a room (XEP-0410).
pub const MUC_SELF_PING: &str = "http://jabber.org/protocol/muc#self-ping-optimization";
/// Slots of uploads over HTTP (XEP-0363).
pub const UPLOAD: &str = "urn:xmpp:http:upload:0";
/// The version of software (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// The roster has versions, as a feature of a stream (RFC 6121 2.6).
pub const ROSTER_VERSIONS: &str = "urn:xmpp:features:rosterver";
/// vCards (XEP-0054).
pub const VCARD: &str = "vcard-temp";
/// Private data (XEP-0049).
pub const PRIVATE: &str = "jabber:iq:private";
/// Blocked addresses (XEP-0191).
pub const BLOCKING: &str = "urn:xmpp:blocking";
/// The error of a stanza to a blocked address (XEP-0191).
pub const BLOCKING_ERRORS: &str = "urn:xmpp:blocking:errors";
/// Whether somebody is typing (XEP-0085).
pub const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// How a message is to be treated (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
/// Archives of messages (XEP-0313).
pub const ARCHIVE: &str = "urn:xmpp:mam:2";
/// Ids of messages that a server gives (XEP-0359).
pub const STANZA_IDS: &str = "urn:xmpp:sid:0";
/// Results in pages (XEP-0059).
pub const RESULT_SETS: &str = "http://jabber.org/protocol/rsm";
/// Published items (XEP-0060).
pub const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
/// Published items, as their owner manages them.
pub const PUBSUB_OWNER: &str = "http://jabber.org/protocol/pubsub#owner";
/// What is told of published items.
pub const PUBSUB_EVENT: &str = "http://jabber.org/protocol/pubsub#event";
/// Errors of published items.
pub const PUBSUB_ERRORS: &str = "http://jabber.org/protocol/pubsub#errors";
/// `xml:lang` and such.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Declarations of namespaces, which are no attributes here.
pub(crate) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
