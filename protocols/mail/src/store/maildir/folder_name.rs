//! Names of folders on the disk: `.Sub.Folder` for `Sub/Folder`, in modified UTF-7 (Maildir++). The inbox is the Maildir itself. Pure.
//!
//! A dot in a part is written `&AC4-`, as Courier does: there dots are between the parts.

use crate::{store::MailboxName, utf7};

const DOT: &str = "&AC4-";

/// The name of the folder. `None` for the inbox, and if it would be longer than file systems allow.
pub(crate) fn encode(name: &MailboxName) -> Option<String> {
    if name.is_inbox() {
        return None;
    }
    let mut folder = String::new();
    for part in name.parts() {
        folder.push('.');
        let pieces = part.split('.').map(utf7::encode);
        folder.push_str(&pieces.collect::<Vec<_>>().join(DOT));
    }
    (folder.len() <= 255).then_some(folder)
}

/// The mailbox of a folder. `None` for what is no folder, and for names that cannot be those of a mailbox.
pub(crate) fn decode(folder: &str) -> Option<MailboxName> {
    let parts = folder.strip_prefix('.')?.split('.').map(decode_part);
    let name: MailboxName = parts.collect::<Option<Vec<_>>>()?.join("/").parse().ok()?;
    // Only the encoding leads back to the folder, as with a name in another case than INBOX.
    (encode(&name).as_deref() == Some(folder)).then_some(name)
}

fn decode_part(part: &str) -> Option<String> {
    let pieces = part.split(DOT).map(|piece| utf7::decode(piece.as_bytes()).ok());
    let part = pieces.collect::<Option<Vec<_>>>()?.join(".");
    (!part.contains('/')).then_some(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folders_and_mailboxes() {
        for (name, folder) in [
            ("a", ".a"),
            ("Sub/Folder", ".Sub.Folder"),
            ("INBOX/x", ".INBOX.x"),
            ("Entwürfe/a.b", ".Entw&APw-rfe.a&AC4-b"),
            ("...", ".&AC4-&AC4-&AC4-"),
            ("ä.ö", ".&AOQ-&AC4-&APY-"),
            ("a & b", ".a &- b"),
        ] {
            let name: MailboxName = name.parse().unwrap();
            assert_eq!(encode(&name).as_deref(), Some(folder));
            assert_eq!(decode(folder), Some(name));
        }
        for folder in
            ["", ".", "..", "...", "a", ".a.", ".INBOX", ".inbox.x", ".ä", ".a%", ".&AC8-", ".&"]
        {
            assert_eq!(decode(folder), None, "{folder:?}");
        }
        assert_eq!(encode(&MailboxName::inbox()), None);
        assert_eq!(encode(&"日".repeat(100).parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn a_folder_leads_back(name in "[a.&/\u{e9}~-]{1,12}") {
            if let Ok(name) = name.parse::<MailboxName>() && let Some(folder) = encode(&name) {
                prop_assert!(!folder.contains('/') && folder != "." && folder != "..");
                prop_assert_eq!(decode(&folder), Some(name));
            }
        }

        #[test]
        fn a_mailbox_leads_back(folder in "\\.[a.&AC4-]{0,12}") {
            if let Some(name) = decode(&folder) {
                prop_assert_eq!(encode(&name), Some(folder));
            }
        }
    }
}
