//! The domains of the server, and who receives mail in them: the router, the file of aliases.

use std::{fs, io, path::Path, rc::Rc};

use sinew::{
    application::StartError,
    mail::{
        routing::{Aliases, LocalDomain, Router, RouterConfig, StoreUsers, Target, TargetRules},
        smtp::codec::Address,
        store::Store,
    },
    reactor::{Excerpt, with_causes},
};

use super::{Mail, names::Names};

/// What aliases may lead to.
pub(super) fn alias_rules(programs: bool) -> TargetRules {
    TargetRules::default().includes(true).programs(programs).files(programs)
}

/// The router with all domains. Reads the aliases, which blocks.
pub(super) fn router(
    mail: &Mail,
    hostname: &str,
    names: Option<Names>,
    store: &Rc<dyn Store>,
) -> Result<Router, StartError> {
    let postmaster = mail.postmaster.as_deref().unwrap_or_default();
    let postmaster = Target::parse(postmaster, TargetRules::default())
        .map_err(|error| StartError::other(format!("postmaster: {error}")))?;
    let mut config = RouterConfig::new(postmaster);
    if let Some(path) = &mail.aliases {
        let aliases = read_aliases(path, alias_rules(mail.alias_programs));
        config = config.aliases(aliases.map_err(StartError::other)?);
    }
    let domains = mail.domains(hostname);
    for domain in &domains {
        check_domain(domain)?;
        let local = match &names {
            Some(names) => LocalDomain::new(names.clone()),
            None => LocalDomain::new(StoreUsers::new(Rc::clone(store))),
        };
        config = config.domain(domain, local);
    }
    for domain in &mail.relay_domain {
        check_domain(domain)?;
        if domains.iter().any(|local| local.eq_ignore_ascii_case(domain)) {
            let domain = Excerpt::new(domain);
            return Err(StartError::other(format!("{domain} is local, and not passed on")));
        }
    }
    Ok(Router::new(config))
}

/// Whether there can be addresses in a domain.
pub(super) fn check_domain(domain: &str) -> Result<(), StartError> {
    match format!("postmaster@{domain}").parse::<Address>() {
        Ok(_) => Ok(()),
        Err(error) => Err(StartError::other(format!(
            "{:?} is no domain: {}",
            Excerpt::new(domain),
            error.why
        ))),
    }
}

fn read_aliases(path: &Path, rules: TargetRules) -> Result<Aliases, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", Excerpt::path(path));
    let text = fs::read_to_string(path).map_err(|error: io::Error| failed(&error))?;
    let aliases = Aliases::parse(&text, rules).map_err(|error| failed(&with_causes(&error)))?;
    let included = aliases.including(rules, |path| fs::read_to_string(path));
    included.map_err(|error| failed(&with_causes(&error)))
}
