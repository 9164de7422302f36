//! Certificates that clients will refuse: [`TlsUse`] says where a server has certificates and for which names, [`warnings`] looks at them,
//! and [`Certificates`] logs what is new, at the start and after reloads. Whether anybody trusts who has signed one is not looked at.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use sinew::{
    reactor::Excerpt,
    transports::{reactors::ReactorsHandle, tls::Certificate},
};

use crate::{arguments::Endpoint, config::Planned};

/// A certificate that ends within this time is to be renewed, in seconds: or within a third of its whole time, if that is less, since some are
/// for a few days only.
const ENDS_SOON: i64 = 14 * 86_400;

/// So many names of a certificate are shown, and so many files.
const SHOWN_MAX: usize = 5;

/// Where a server has certificates, and by which names clients know it there.
#[derive(Debug, Default)]
pub(crate) struct TlsUse(Vec<Place>);

#[derive(Debug)]
struct Place {
    at: At,
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
enum At {
    Endpoint(Endpoint),
    File(PathBuf),
}

/// A name that the certificate has to have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The key of the file that it comes from, or the option.
    pub(crate) key: &'static str,
    pub(crate) name: String,
}

impl Wanted {
    pub(crate) fn new(key: &'static str, name: &str) -> Self {
        Self { key, name: name.to_owned() }
    }
}

impl TlsUse {
    /// Endpoints, those without TLS, too. A certificate of each has to be for these names.
    pub(crate) fn endpoints(
        mut self,
        endpoints: &[Endpoint],
        wanted: impl IntoIterator<Item = Wanted>,
    ) -> Self {
        let wanted = Vec::from_iter(wanted);
        let places = endpoints
            .iter()
            .map(|endpoint| Place { at: At::Endpoint(endpoint.clone()), wanted: wanted.clone() });
        self.0.extend(places);
        self
    }

    /// The file of a certificate, if there is one, which has to be for these names.
    pub(crate) fn file(
        mut self,
        file: Option<&PathBuf>,
        wanted: impl IntoIterator<Item = Wanted>,
    ) -> Self {
        let wanted = Vec::from_iter(wanted);
        self.0.extend(file.map(|file| Place { at: At::File(file.clone()), wanted }));
        self
    }

    /// All endpoints.
    pub(super) fn all_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter().filter_map(|place| match &place.at {
            At::Endpoint(endpoint) => Some(endpoint),
            At::File(_) => None,
        })
    }
}

impl Place {
    /// The certificates that clients can get here. None if the file cannot be read: who uses it says so.
    fn certificates(&self) -> Vec<Certificate> {
        match &self.at {
            At::Endpoint(endpoint) => {
                let identities = endpoint.endpoint.identities();
                identities.iter().map(|identity| identity.certificate().clone()).collect()
            }
            At::File(path) => Certificate::from_pem_file(path).into_iter().collect(),
        }
    }
}

/// What clients will refuse of the certificates of a service, each text once. Reads files.
pub(crate) fn warnings(planned: &Planned, now: SystemTime) -> Vec<String> {
    let now = unix_seconds(now);
    let mut found = Vec::new();
    for place in planned.tls().0 {
        let certificates = place.certificates();
        let dates = certificates.iter().filter_map(|certificate| of_dates(certificate, now));
        let texts = of_names(&certificates, &place.wanted).into_iter().chain(dates);
        for text in texts {
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}

fn unix_seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The names that none of them is for.
fn of_names(certificates: &[Certificate], wanted: &[Wanted]) -> Option<String> {
    let is_missing =
        |wanted: &&Wanted| !certificates.iter().any(|certificate| certificate.is_for(&wanted.name));
    let missing = wanted.iter().filter(is_missing);
    let missing: Vec<_> =
        missing.map(|wanted| format!("{} ({})", Excerpt::new(&wanted.name), wanted.key)).collect();
    if certificates.is_empty() || missing.is_empty() {
        return None;
    }
    let files = certificates.iter().map(file);
    let names = certificates.iter().flat_map(Certificate::names).map(String::as_str);
    let names = shown(names.map(|name| Excerpt::new(name).to_string()));
    let (files, missing) = (shown(files), shown(missing.into_iter()));
    Some(match names.as_str() {
        "" => format!(
            "{files}: the certificate has no name (subjectAltName), and so is not for {missing}: clients refuse it"
        ),
        names => {
            format!(
                "{files}: the certificate is for {names}, and not for {missing}: clients refuse it"
            )
        }
    })
}

fn of_dates(certificate: &Certificate, now: i64) -> Option<String> {
    let file = file(certificate);
    let Some(validity) = certificate.validity() else {
        return Some(format!("{file}: the dates of the certificate are wrong: clients refuse it"));
    };
    let (from, to) = (validity.not_before, validity.not_after);
    let soon = ENDS_SOON.min((to.unix_seconds() - from.unix_seconds()) / 3);
    if now > to.unix_seconds() {
        Some(format!("{file}: the certificate has expired, at {to}: clients refuse it"))
    } else if now < from.unix_seconds() {
        Some(format!(
            "{file}: the certificate is valid from {from} on: clients refuse it until then"
        ))
    } else if to.unix_seconds() - now < soon {
        Some(format!(
            "{file}: the certificate expires soon, at {to}: clients refuse it from then on"
        ))
    } else {
        None
    }
}

fn file(certificate: &Certificate) -> String {
    Excerpt::path(Path::new(certificate.origin())).to_string()
}

/// The first of some texts, and how many more there are.
fn shown(mut texts: impl Iterator<Item = String>) -> String {
    let mut text = texts.by_ref().take(SHOWN_MAX).collect::<Vec<_>>().join(", ");
    match texts.count() {
        0 => {}
        more => text += &format!(" and {more} more"),
    }
    text
}

/// What has been logged of certificates.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// The service and the text.
    said: HashSet<(String, String)>,
}

impl Certificates {
    /// Looks at those of all services, and logs what was not said when they were looked at last.
    pub(super) fn look(&mut self, services: &[Planned], reactors: &ReactorsHandle) {
        // An error says that it has ended, and so nobody is served.
        let Ok(now) = reactors.call(0, |shard| shard.reactor().wall_clock()) else { return };
        let mut said = HashSet::new();
        for planned in services {
            for text in warnings(planned, now) {
                let warning = (planned.name.clone(), text);
                if !self.said.contains(&warning) {
                    tracing::warn!(service = %warning.0, "{}", warning.1);
                }
                said.insert(warning);
            }
        }
        self.said = said;
    }
}
