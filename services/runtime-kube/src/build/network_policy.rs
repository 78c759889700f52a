//! Which connections there may be: none but those that a node needs.

use std::{collections::BTreeMap, net::IpAddr};

use hansa_types::Source;
use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule,
        NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use super::{
    config_map::{HTTP_PORT, METRICS_PORT, P2P_PORT},
    consortium_metadata,
};
use crate::{config::KubeConfig, names, wish::Wish};

/// The label that every namespace has.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// The name of the policy that allows nothing.
pub(super) const DEFAULT_DENY: &str = "default-deny";
/// Both ways, in every policy.
pub(super) const BOTH: [&str; 2] = ["Ingress", "Egress"];

/// Ports that clusters give to services of that kind
/// (kubernetes.io/docs/concepts/services-networking/service, `nodePort`).
const NODE_PORTS: [u16; 2] = [30_000, 32_767];

/// Nothing, for every pod of the namespace.
pub(super) fn default_deny(metadata: ObjectMeta) -> NetworkPolicy {
    NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector::default()),
            policy_types: Some(BOTH.map(str::to_owned).to_vec()),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// What nodes of a ledger need: one another, their clients, whoever watches them, names, and the
/// control plane to enrol with.
pub(super) fn ledger(config: &KubeConfig, wish: &Wish) -> NetworkPolicy {
    let label = BTreeMap::from([(names::LEDGER.to_owned(), wish.ledger.to_string())]);
    let of_ledger =
        || LabelSelector { match_labels: Some(label.clone()), ..LabelSelector::default() };
    let mut peers =
        vec![NetworkPolicyPeer { pod_selector: Some(of_ledger()), ..NetworkPolicyPeer::default() }];
    peers.extend(config.settings.peers.iter().map(peer));
    let from = |sources: &[Source]| sources.iter().map(peer).collect::<Vec<_>>();
    let mut ingress = vec![allow_in(peers.clone(), P2P_PORT)];
    // A rule without a source would let everybody in.
    for (sources, port) in
        [(&config.settings.clients, HTTP_PORT), (&config.settings.watchers, METRICS_PORT)]
    {
        if !sources.is_empty() {
            ingress.push(allow_in(from(sources), port));
        }
    }
    let mut egress = vec![name_service(), allow_out(peers, vec![port("TCP", P2P_PORT)])];
    if !config.settings.peers.is_empty() {
        egress.push(allow_out(from(&config.settings.peers), vec![node_ports()]));
    }
    egress.extend(enrolment(&wish.enrolment_url));
    let mut metadata = consortium_metadata(config, wish.consortium, &names::ledger(wish.ledger));
    metadata.labels.get_or_insert_default().extend(label.clone());
    NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(of_ledger()),
            policy_types: Some(BOTH.map(str::to_owned).to_vec()),
            ingress: Some(ingress),
            egress: Some(egress),
        }),
    }
}

/// To whoever answers for names.
pub(super) fn name_service() -> NetworkPolicyEgressRule {
    allow_out(vec![of_namespace("kube-system")], vec![port("UDP", 53), port("TCP", 53)])
}

/// To the control plane: one address if it is one, else its port anywhere, because policies know no
/// names.
pub(super) fn enrolment(url: &str) -> Option<NetworkPolicyEgressRule> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let usual = if scheme == "https" { 443 } else { 80 };
    let (host, number) = match authority.rsplit_once(':') {
        Some((host, number)) if !number.ends_with(']') => (host, number.parse().ok()?),
        _ => (authority, usual),
    };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let networks = match address {
        Ok(IpAddr::V4(address)) => vec![format!("{address}/32")],
        Ok(IpAddr::V6(address)) => vec![format!("{address}/128")],
        Err(_) => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
    };
    let to = networks.into_iter().map(of_network).collect();
    Some(allow_out(to, vec![port("TCP", number)]))
}

pub(super) fn allow_in(from: Vec<NetworkPolicyPeer>, number: u16) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from: Some(from), ports: Some(vec![port("TCP", number)]) }
}

pub(super) fn allow_out(
    to: Vec<NetworkPolicyPeer>,
    ports: Vec<NetworkPolicyPort>,
) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: Some(to), ports: Some(ports) }
}

pub(super) fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(number))),
        ..NetworkPolicyPort::default()
    }
}

/// Where peers in other places are, if these show them by ports of their machines.
fn node_ports() -> NetworkPolicyPort {
    let [first, last] = NODE_PORTS;
    NetworkPolicyPort { end_port: Some(i32::from(last)), ..port("TCP", first) }
}

fn peer(source: &Source) -> NetworkPolicyPeer {
    match source {
        Source::Network(cidr) => of_network(cidr.as_str().to_owned()),
        Source::Namespace(name) => of_namespace(name.as_str()),
    }
}

fn of_network(cidr: String) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr, except: None }),
        ..NetworkPolicyPeer::default()
    }
}

fn of_namespace(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(NAMESPACE_NAME.to_owned(), name.to_owned())])),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    }
}
