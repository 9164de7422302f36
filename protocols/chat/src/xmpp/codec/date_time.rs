//! Points in time as clients of XMPP write them (XEP-0082): with a zone. Pure.

use std::time::{Duration, SystemTime};

use crate::irc::codec::parse_time;

/// A date and a time with its zone, from 1970 on.
pub(in crate::xmpp) fn parse(text: &str) -> Option<SystemTime> {
    let begin = text.find('T')?;
    let at = begin + text[begin..].find(['Z', '+', '-'])?;
    let (local, zone) = text.split_at(at);
    let local = parse_time(format!("{local}Z").as_bytes())?;
    match zone.split_at(1) {
        ("Z", "") => Some(local),
        ("+", offset) => local.checked_sub(duration(offset)?).filter(is_after_1970),
        ("-", offset) => local.checked_add(duration(offset)?),
        _ => None,
    }
}

fn is_after_1970(time: &SystemTime) -> bool {
    *time >= SystemTime::UNIX_EPOCH
}

/// Hours and minutes.
fn duration(offset: &str) -> Option<Duration> {
    let (hours, minutes) = offset.split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let seconds = hours.parse::<u64>().ok()? * 3_600 + minutes.parse::<u64>().ok()? * 60;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_what_is_none() {
        let noon = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_032_004_800));
        for text in
            ["2002-09-14T12:00:00Z", "2002-09-14T14:00:00+02:00", "2002-09-14T07:00:00.000-05:00"]
        {
            assert_eq!(parse(text), noon, "{text}");
        }
        for text in [
            "",
            "T",
            "2002-09-14",
            "2002-09-14T12:00:00",
            "2002-13-14T12:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "2002-09-14T12:00:00Zx",
            "2002-09-14T12:00:00+é",
            "2002-09-14T12:00:00+1:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
