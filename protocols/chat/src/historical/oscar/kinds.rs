//! The messages of OSCAR that are used here, by family and subtype.

use super::Kind;

pub(super) const CLIENT_READY: Kind = Kind(0x01, 0x02);
pub(super) const FAMILIES: Kind = Kind(0x01, 0x03);
pub(super) const RATES_QUERY: Kind = Kind(0x01, 0x06);
pub(super) const RATES: Kind = Kind(0x01, 0x07);
pub(super) const RATES_ADDED: Kind = Kind(0x01, 0x08);
pub(super) const SELF_QUERY: Kind = Kind(0x01, 0x0e);
pub(super) const SELF: Kind = Kind(0x01, 0x0f);
pub(super) const IDLE: Kind = Kind(0x01, 0x11);
pub(super) const CLIENT_VERSIONS: Kind = Kind(0x01, 0x17);
pub(super) const VERSIONS: Kind = Kind(0x01, 0x18);

pub(super) const LOCATE_RIGHTS_QUERY: Kind = Kind(0x02, 0x02);
pub(super) const LOCATE_RIGHTS: Kind = Kind(0x02, 0x03);
pub(super) const SET_INFO: Kind = Kind(0x02, 0x04);

pub(super) const BUDDY_RIGHTS_QUERY: Kind = Kind(0x03, 0x02);
pub(super) const BUDDY_RIGHTS: Kind = Kind(0x03, 0x03);
pub(super) const ADD_BUDDIES: Kind = Kind(0x03, 0x04);
pub(super) const REMOVE_BUDDIES: Kind = Kind(0x03, 0x05);
pub(super) const ARRIVED: Kind = Kind(0x03, 0x0b);
pub(super) const DEPARTED: Kind = Kind(0x03, 0x0c);

pub(super) const MESSAGE_FAILED: Kind = Kind(0x04, 0x01);
pub(super) const SET_MESSAGE_PARAMETERS: Kind = Kind(0x04, 0x02);
pub(super) const MESSAGE_PARAMETERS_QUERY: Kind = Kind(0x04, 0x04);
pub(super) const MESSAGE_PARAMETERS: Kind = Kind(0x04, 0x05);
pub(super) const SEND_MESSAGE: Kind = Kind(0x04, 0x06);
pub(super) const MESSAGE: Kind = Kind(0x04, 0x07);
pub(super) const MESSAGE_TAKEN: Kind = Kind(0x04, 0x0c);

pub(super) const PRIVACY_RIGHTS_QUERY: Kind = Kind(0x09, 0x02);
pub(super) const PRIVACY_RIGHTS: Kind = Kind(0x09, 0x03);

pub(super) const LIST_RIGHTS_QUERY: Kind = Kind(0x13, 0x02);
pub(super) const LIST_RIGHTS: Kind = Kind(0x13, 0x03);
pub(super) const LIST_QUERY: Kind = Kind(0x13, 0x04);
pub(super) const LIST_QUERY_IF_CHANGED: Kind = Kind(0x13, 0x05);
pub(super) const LIST: Kind = Kind(0x13, 0x06);
pub(super) const LIST_USE: Kind = Kind(0x13, 0x07);
pub(super) const LIST_ADD: Kind = Kind(0x13, 0x08);
pub(super) const LIST_CHANGE: Kind = Kind(0x13, 0x09);
pub(super) const LIST_REMOVE: Kind = Kind(0x13, 0x0a);
pub(super) const LIST_RESULT: Kind = Kind(0x13, 0x0e);
pub(super) const LIST_BEGIN: Kind = Kind(0x13, 0x11);
pub(super) const LIST_END: Kind = Kind(0x13, 0x12);

pub(super) const LOGIN: Kind = Kind(0x17, 0x02);
pub(super) const LOGIN_REPLY: Kind = Kind(0x17, 0x03);
pub(super) const KEY_QUERY: Kind = Kind(0x17, 0x06);
pub(super) const KEY: Kind = Kind(0x17, 0x07);

/// The subtype of errors, in every family.
pub(super) const FAILED: u16 = 0x01;

/// Why something has failed.
pub(super) const NOT_LOGGED_ON: u16 = 0x04;
pub(super) const RATE_EXCEEDED: u16 = 0x02;
pub(super) const NOT_SUPPORTED: u16 = 0x06;
pub(super) const MALFORMED: u16 = 0x0e;

/// Why a login was refused.
pub(super) const WRONG_PASSWORD: u16 = 0x05;
pub(super) const TRY_LATER: u16 = 0x14;

/// The families that the server has, with their versions.
pub(super) const SERVED: [(u16, u16); 6] = [(1, 3), (2, 1), (3, 1), (4, 1), (9, 1), (0x13, 3)];
