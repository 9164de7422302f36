//! `+trace`: the way from the root to a name, by questions to the servers of each zone on it, none of which asks others.

use std::net::{IpAddr, SocketAddr};

use sinew::dns::{
    client::DnsResolver,
    codec::{DNSClass, Message, Name, Question, RData, Record, RecordType, ResponseCode},
    zone::text_of_name,
};

use super::{
    Ended, Servers,
    ask::{Asker, Reply},
    in_turn, print, print_each,
    show::{self, is_ns},
    words::Asked,
};
use crate::exit::{Code, Failure};

/// Zones on the way. Names have at most 127 labels, but nobody delegates each.
const STEPS_MAX: usize = 40;

/// Servers of a zone that are looked up, if the server above does not say their addresses.
const LOOKUPS_MAX: usize = 4;

/// Follows referrals until a server answers. The servers of the root are those that `servers` know.
pub(super) async fn run(
    asker: &Asker,
    resolver: &DnsResolver,
    servers: &Servers,
    asked: &Asked,
    port: u16,
) -> Result<(), Ended> {
    let root = Asked { name: Name::root(), record_type: RecordType::NS, class: DNSClass::IN };
    let (server, reply) =
        in_turn(asker, servers, &root, &question(&root).recursion_desired(true), is_good).await?;
    print_each(reply.message.answers.iter().map(show::record))?;
    print_received(&reply, server)?;
    let roots = referral(&reply.message.answers, &reply.message, &asked.name, None);
    let Some(mut zone) = roots else {
        let why = format!("{} does not say which are the servers of the root", show::addr(server));
        return Err(Failure::new(Code::Protocol, why).into());
    };
    for _ in 0..STEPS_MAX {
        let addrs = addresses(resolver, &zone, port).await?;
        let (server, reply) =
            in_turn(asker, &Servers { name: None, addrs }, asked, &question(asked), is_good)
                .await?;
        let message = &reply.message;
        let next = match message.answers.is_empty() && !message.metadata.authoritative {
            true => referral(&message.authorities, message, &asked.name, Some(&zone.name)),
            false => None,
        };
        let records =
            if message.answers.is_empty() { &message.authorities } else { &message.answers };
        print_each(records.iter().map(show::record))?;
        if next.is_none() && message.answers.is_empty() {
            print(format_args!(";; status: {}", show::status(message.metadata.response_code)))?;
        }
        print_received(&reply, server)?;
        match next {
            Some(next) => zone = next,
            None => return Ok(()),
        }
    }
    let why =
        format!("{} is more than {STEPS_MAX} zones below the root", text_of_name(&asked.name));
    Err(Failure::new(Code::Protocol, why).into())
}

fn question(asked: &Asked) -> Question {
    // The records of DNSSEC say which zones are signed.
    Question::new(asked.name.clone(), asked.record_type).recursion_desired(false).dnssec_ok(true)
}

/// Whether a server is responsible at all: another may be, where one is not.
fn is_good(reply: &Reply) -> bool {
    let code = reply.message.metadata.response_code;
    matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
}

fn print_received(reply: &Reply, server: SocketAddr) -> Result<(), Ended> {
    print(show::received(reply.len, server, reply.took, reply.over))
}

/// A zone on the way, and its servers: their names, with the addresses that the server above has said.
struct Zone {
    name: Name,
    servers: Vec<(Name, Vec<IpAddr>)>,
}

/// The zone that NS records refer to, if it leads on to the name: it is below the zone that was asked, `above`.
fn referral(
    records: &[Record],
    message: &Message,
    asked: &Name,
    above: Option<&Name>,
) -> Option<Zone> {
    let leads_on = |zone: &Name| {
        zone.zone_of(asked) && above.is_none_or(|above| above.zone_of(zone) && above != zone)
    };
    let name = &records.iter().find(|record| is_ns(record) && leads_on(&record.name))?.name;
    let servers = records.iter().filter(|record| record.name == *name);
    let servers = servers.filter_map(|record| match &record.data {
        RData::NS(ns) => Some(ns.0.clone()),
        _ => None,
    });
    // A server speaks for names in its own zone only.
    let may_say = |server: &Name| above.is_none_or(|above| above.zone_of(server));
    let addrs = |server: &Name| {
        let own = message.additionals.iter().filter(|it| it.name == *server && may_say(server));
        own.filter_map(|record| match &record.data {
            RData::A(addr) => Some(IpAddr::V4(addr.0)),
            RData::AAAA(addr) => Some(IpAddr::V6(addr.0)),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    let servers = servers.map(|server| {
        let addrs = addrs(&server);
        (server, addrs)
    });
    Some(Zone { name: name.clone(), servers: servers.collect() })
}

/// Where the servers of a zone are: what is known, and if that is nothing, what can be looked up. IPv4 first, which all machines have.
async fn addresses(
    resolver: &DnsResolver,
    zone: &Zone,
    port: u16,
) -> Result<Vec<SocketAddr>, Failure> {
    let mut ips: Vec<IpAddr> = zone.servers.iter().flat_map(|(_, ips)| ips.clone()).collect();
    for (name, _) in zone.servers.iter().take(LOOKUPS_MAX) {
        if !ips.is_empty() {
            break;
        }
        if let Ok(found) = resolver.addresses(&name.to_ascii()).await {
            ips.extend(found.iter().map(SocketAddr::ip));
        }
    }
    if ips.is_empty() {
        let why = format!("the servers of {} cannot be found", text_of_name(&zone.name));
        return Err(Failure::new(Code::NoHost, why));
    }
    ips.sort_by_key(IpAddr::is_ipv6);
    Ok(ips.into_iter().map(|ip| (ip, port).into()).collect())
}
