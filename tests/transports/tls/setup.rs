//! Configuration errors: invalid certificates, keys and names are reported before any connection, with their names.

use std::{env, fs, path::PathBuf, process};

use sinew::transports::tls::{Identity, TlsClientConfig, TlsConfigError, TrustedRoots};

use crate::support::certs::{authority, localhost};

/// A temporary folder, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sinew-tls-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn valid_certificates_are_loaded_from_files_and_memory() {
    let folder = Folder::new("order");
    let certificate = folder.file("cert.pem", &localhost().certificate);
    let key = folder.file("key.pem", &localhost().key);
    let both = folder.file("both.pem", &format!("{}{}", localhost().key, localhost().certificate));
    assert!(Identity::from_pem_files(&certificate, &key).is_ok());
    assert!(Identity::from_pem_files(&both, &both).is_ok());
    assert!(Identity::from_pem(&localhost().certificate, &localhost().key).is_ok());
    let root = folder.file("root.pem", &authority().pem);
    assert!(TrustedRoots::from_pem_file(root).is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let error = Identity::from_pem_files("/nowhere/cert.pem", "/nowhere/key.pem").unwrap_err();
    assert!(matches!(&error, TlsConfigError::Read { path, .. } if path.ends_with("cert.pem")));
    assert!(error.to_string().starts_with("could not read /nowhere/cert.pem: "), "{error}");
}

#[test]
fn the_wrong_file_is_named() {
    let folder = Folder::new("wrong");
    let certificate = folder.file("cert.pem", &localhost().certificate);
    let key = folder.file("key.pem", &localhost().key);
    let error = Identity::from_pem_files(&key, &key).unwrap_err().to_string();
    assert_eq!(error, format!("no certificate in {}", key.display()));
    let error = Identity::from_pem_files(&certificate, &certificate).unwrap_err().to_string();
    assert_eq!(error, format!("no private key in {}", certificate.display()));
    let error = TrustedRoots::from_pem_file(&key).unwrap_err().to_string();
    assert_eq!(error, format!("no certificate in {}", key.display()));
}

#[test]
fn a_certificate_of_another_key_is_named() {
    let folder = Folder::new("other");
    let other = authority().issue(&["localhost"]);
    let certificate = folder.file("cert.pem", &localhost().certificate);
    let key = folder.file("key.pem", &other.key);
    let error = Identity::from_pem_files(&certificate, &key).unwrap_err();
    assert!(matches!(error, TlsConfigError::KeyMismatch { .. }), "{error:?}");
    let expected = format!(
        "the certificate in {} does not match the key in {}",
        certificate.display(),
        key.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn damaged_certificates_are_rejected() {
    let (certificate, key) = (&localhost().certificate, &localhost().key);
    let cut = &certificate[..certificate.len() / 2];
    let error = Identity::from_pem(cut, key).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadPem { .. }), "{error:?}");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = Identity::from_pem(empty, key).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadCertificate { .. }), "{error:?}");
    let hidden =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let error = Identity::from_pem(certificate, hidden).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the private key in the key given is encrypted; decrypt it first"
    );
    let bad = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let error = Identity::from_pem(certificate, bad).unwrap_err();
    assert!(matches!(error, TlsConfigError::BadKey { .. }), "{error:?}");
}

#[test]
fn invalid_names_are_rejected() {
    let client = TlsClientConfig::new(authority().roots());
    for name in ["", "a b", "ex..ample", "-"] {
        let error = client.to(name).unwrap_err();
        assert!(matches!(&error, TlsConfigError::BadName { name: bad } if bad == name), "{name:?}");
    }
    for name in ["localhost", "example.org.", "127.0.0.1", "::1"] {
        assert!(client.to(name).is_ok(), "{name}");
    }
}
