//! Our client with Dovecot, which runs from a temporary folder with a configuration of its own.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use sinew_auth::{ClientLogin, Mechanism};
use sinew_mail::pop3::client::{ClientConfig, Pop3Client, Pop3Error, Security, Stage};
use sinew_transports::reactor::Reactor;

use super::folder::Folder;
use crate::program::{self, Running};

/// Who has the mail, if this is the administrator, for whom Dovecot does not work.
const NOBODY: u32 = 65_534;

fn configuration(folder: &Folder, port: u16) -> String {
    let owner = fs::metadata(folder.path()).unwrap();
    let base = folder.path().display();
    let users = if program::is_root() {
        String::new()
    } else {
        let name = Command::new("id").arg("-un").output().unwrap().stdout;
        let name = String::from_utf8(name).unwrap();
        format!("default_internal_user={0}\ndefault_login_user={0}\n", name.trim())
    };
    format!(
        "base_dir={base}/run\nstate_dir={base}/state\nlog_path={base}/log\nprotocols=pop3\nlisten=127.0.0.1\nssl=no\n\
         disable_plaintext_auth=no\nauth_mechanisms=plain login\nmail_location=maildir:{base}/mail\nfirst_valid_uid=1\nfirst_valid_gid=1\n\
         {users}passdb {{\n driver=static\n args=password=secret\n}}\n\
         userdb {{\n driver=static\n args=uid={} gid={} home={base}\n}}\n\
         service pop3-login {{\n chroot=\n inet_listener pop3 {{\n  port={port}\n }}\n inet_listener pop3s {{\n  port=0\n }}\n}}\n\
         service anvil {{\n chroot=\n}}\nservice stats {{\n chroot=\n}}\n",
        owner.uid(),
        owner.gid(),
    )
}

fn give_away(path: &Path) {
    if program::is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn dovecot() -> Option<Command> {
    // It is for administrators, so not on the path of others.
    match Path::new("/usr/sbin/dovecot") {
        path if path.is_file() && Path::new("/usr/lib/dovecot/pop3").is_file() => {
            Some(Command::new(path))
        }
        _ => {
            eprintln!("skipped: Dovecot with POP3 is not installed");
            None
        }
    }
}

fn login(mechanism: Option<Mechanism>) -> ClientConfig {
    let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
    let login = match mechanism {
        Some(mechanism) => login.mechanisms([mechanism]),
        None => login,
    };
    ClientConfig::new().security(Security::None).login(login)
}

#[test]
fn a_client_of_dovecot() {
    crate::watchdog::watch_this_test();
    let Some(mut dovecot) = dovecot() else { return };
    let folder = Folder::new("dovecot");
    for inner in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
        let path = folder.path().join(inner);
        fs::create_dir_all(&path).unwrap();
        give_away(&path);
    }
    give_away(folder.path());
    for (name, text) in
        [("1.a", "Subject: a\n\none\n"), ("2.b", "Subject: b\n\n.dot\n..\n.\nend\n")]
    {
        let path = folder.path().join("mail/new").join(name);
        fs::write(&path, text).unwrap();
        give_away(&path);
    }
    let large = format!("Subject: c\n\n{}", ".line\n".repeat(1_000_000));
    fs::write(folder.path().join("mail/new/3.c"), &large).unwrap();
    give_away(&folder.path().join("mail/new/3.c"));

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = folder.write("dovecot.conf", &configuration(&folder, port));
    dovecot.args(["-F", "-c", &config]).stderr(Stdio::null());
    let mut server = Running::start(dovecot);
    let reactor = Reactor::new().unwrap();
    let handle = reactor.clone();
    let result = reactor.run_until(async move {
        let mut client = loop {
            match Pop3Client::connect(&handle, ("127.0.0.1", port), login(None)).await {
                // It does not listen yet.
                Err(Pop3Error::Connect(_)) if server.is_running() => {
                    handle.sleep(Duration::from_millis(5)).await;
                }
                result => break result?,
            }
        };
        let capabilities = client.capabilities();
        assert!(capabilities.has_uidl() && capabilities.has_top() && capabilities.has_pipelining());
        assert_eq!(client.stat().await?.messages, 3);
        let new = client.new_messages(|_| false).await?;
        assert_eq!(new.iter().map(|new| new.number).collect::<Vec<_>>(), [1, 2, 3]);
        let second = client.unique_id(2).await?;
        assert_eq!(second, new[1].unique_id);
        let mut messages = client.retrieve_all([2, 3, 1]);
        let text = messages.next().await?.unwrap().collect(1_000).await?;
        assert_eq!(text, b"Subject: b\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n");
        let text = messages.next().await?.unwrap().collect(10 << 20).await?;
        assert!(text == large.replace('\n', "\r\n").as_bytes());
        let text = messages.next().await?.unwrap().collect(1_000).await?;
        assert_eq!(text.len() as u64, new[0].size);
        assert_eq!(client.top(2, 1).await?.collect(1_000).await?, b"Subject: b\r\n\r\n.dot\r\n");
        let refused = client.retrieve(9).await.map(drop);
        assert!(matches!(refused, Err(Pop3Error::Refused { stage: Stage::Retrieve, .. })));
        client.delete(3).await?;
        client.reset().await?;
        client.delete_all([1, 3]).await?;
        client.quit().await?;
        // The others are the same in the next session, by each of the mechanisms.
        for mechanism in [Mechanism::Plain, Mechanism::Login] {
            let to = ("127.0.0.1", port);
            let mut client = Pop3Client::connect(&handle, to, login(Some(mechanism))).await?;
            let new = client.new_messages(|_| false).await?;
            assert_eq!(new.iter().map(|new| &new.unique_id).collect::<Vec<_>>(), [&second]);
            client.quit().await?;
        }
        let wrong = ClientLogin::password("ann", "wrong").allow_plaintext(true);
        let wrong = ClientConfig::new().security(Security::None).login(wrong);
        let error = Pop3Client::connect(&handle, ("127.0.0.1", port), wrong).await.unwrap_err();
        assert!(error.to_string().contains("[AUTH]"), "{error}");
        Ok::<_, Pop3Error>(())
    });
    if let Err(error) = result.unwrap() {
        panic!("{error:?}\n{}", folder.read("log"));
    }
}
