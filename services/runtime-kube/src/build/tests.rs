//! What is built, shown as it is written, and what its policies let through.

use std::{collections::BTreeMap, net::Ipv4Addr};

use hansa_core::{ConsortiumId, Generation, LedgerId, NodeId, Secret, TenantId, Timestamp, Uuid};
use hansa_runtime::Size;
use hansa_types::{Cidr, ClusterSettings, Expose, ImageDigest, Source, Spread};
use k8s_openapi::{
    api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use serde::Serialize;

use super::{
    CALLER, ConsortiumObjects, LISTENER, LedgerObjects, NodeObjects, ProbeObjects, budget, caller,
    consortium, ledger, node, probe,
};
use crate::{
    config::{Access, KubeConfig},
    wish::Wish,
};

/// Relative to the package, where tests run.
const GOLDEN: &str = "tests/golden/objects.yaml";

fn cidr(text: &str) -> Source {
    Source::Network(Cidr::try_from(text.to_owned()).unwrap())
}

fn config() -> KubeConfig {
    let image = format!("registry.example/hansa-node@sha256:{}", "0".repeat(64));
    KubeConfig {
        access: Access::InCluster,
        installation: "0190b7a1-0000-7000-8000-000000000000".to_owned(),
        settings: ClusterSettings {
            image: ImageDigest::try_from(image).unwrap(),
            storage_class: None,
            spread: Spread::Required,
            expose: Expose::ClusterIp,
            expose_peers: true,
            clients: vec![Source::Namespace("hansa".parse().unwrap()), cidr("10.1.0.0/16")],
            peers: vec![cidr("10.2.0.0/16")],
            watchers: vec![Source::Namespace("monitoring".parse().unwrap())],
        },
        enrolment_url: None,
        enrolment_authority: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
    }
}

fn id<T: From<Uuid>>(last: u128) -> T {
    T::from(Uuid::from_u128(0x0190_b7a1_0000_7000_8000_0000_0000_0000 + last))
}

fn wish(number: u128, ledger: LedgerId) -> Wish {
    Wish {
        node: id::<NodeId>(number),
        consortium: id::<ConsortiumId>(1),
        ledger,
        tenant: id::<TenantId>(3),
        name: "a1".parse().unwrap(),
        generation: Generation::FIRST,
        wished_at: Timestamp::from_unix_micros(1_795_737_600_000_000).unwrap(),
        run: true,
        size: Size { cpu_millis: 1_500, memory_mib: 512, volume_gib: 10 },
        enrolment_url: "https://10.9.0.1:8443".to_owned(),
    }
}

/// A change of what is written to every customer's cluster is seen by whoever reviews it.
#[test]
fn objects_are_reviewed_as_they_are_written() {
    let (config, wish) = (config(), wish(4, id(2)));
    let mut text =
        "# What one node is made of, and what tries the network. Write it anew with HANSA_GOLDEN=write cargo test -p \
                    hansa-runtime-kube.\n"
            .to_owned();
    let mut put = |object: &dyn erased::Object| text += &format!("---\n{}", object.yaml());
    let ConsortiumObjects { namespace, resource_quota, limit_range, default_deny } =
        consortium(&config, wish.consortium);
    put(&namespace);
    put(&resource_quota);
    put(&limit_range);
    put(&default_deny);
    let LedgerObjects { network_policy } = ledger(&config, &wish);
    put(&network_policy);
    let NodeObjects { secret, config_map, service, client_service, stateful_set } =
        node(&config, &wish, Some(&Secret::from("token".to_owned())));
    put(&secret.expect("there is a token"));
    put(&config_map);
    put(&service);
    put(&client_service);
    put(&stateful_set);
    put(&budget(&config, wish.consortium, wish.ledger, 3));
    let ProbeObjects { namespace, network_policies, authority, listener } =
        probe(&config, &wish.enrolment_url, "hansa-probe-000000000000");
    put(&namespace);
    network_policies.iter().for_each(|policy| put(policy));
    put(&authority.expect("there is an authority"));
    put(&listener);
    let address = Ipv4Addr::new(10, 200, 0, 1).into();
    put(&caller(&config, &wish.enrolment_url, "hansa-probe-000000000000", address));
    if std::env::var("HANSA_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::create_dir_all("tests/golden").unwrap();
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(golden == text, "{GOLDEN} is not what is built: write it anew and look at the change");
}

mod erased {
    use super::Serialize;

    pub(super) trait Object {
        fn yaml(&self) -> String;
    }

    impl<T: Serialize> Object for T {
        fn yaml(&self) -> String {
            serde_norway::to_string(self).unwrap()
        }
    }
}

/// One end of a connection.
#[derive(Clone)]
struct End {
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    address: Ipv4Addr,
}

fn pod(wish: &Wish) -> End {
    let labels = node(&config(), wish, None).stateful_set.spec.unwrap().template.metadata.unwrap();
    let labels = labels.labels.unwrap();
    End { namespace: Some(wish.namespace()), labels, address: Ipv4Addr::new(10, 200, 0, 1) }
}

fn of_namespace(name: &str) -> End {
    let address = Ipv4Addr::new(10, 200, 0, 2);
    End { namespace: Some(name.to_owned()), labels: BTreeMap::new(), address }
}

fn outside(address: [u8; 4]) -> End {
    End { namespace: None, labels: BTreeMap::new(), address: address.into() }
}

/// As kubernetes.io/docs/concepts/services-networking/network-policies says: what no policy selects
/// is open, what one selects is closed but for what some policy allows.
struct Policies(Vec<NetworkPolicy>);

impl Policies {
    fn allow(&self, from: &End, to: &End, port: u16, protocol: &str) -> bool {
        self.side(from, "Egress", to, port, protocol)
            && self.side(to, "Ingress", from, port, protocol)
    }

    fn side(&self, own: &End, way: &str, other: &End, port: u16, protocol: &str) -> bool {
        let mut is_selected = false;
        for policy in &self.0 {
            let spec = policy.spec.as_ref().unwrap();
            let here = policy.metadata.namespace == own.namespace;
            if !here
                || !spec.policy_types.as_ref().unwrap().iter().any(|t| t == way)
                || !matches(spec.pod_selector.as_ref().unwrap(), &own.labels)
            {
                continue;
            }
            is_selected = true;
            let home = policy.metadata.namespace.as_deref().unwrap();
            let rules: Vec<_> = if way == "Egress" {
                let rules = spec.egress.iter().flatten();
                rules.map(|rule| (rule.to.clone(), rule.ports.clone())).collect()
            } else {
                let rules = spec.ingress.iter().flatten();
                rules.map(|rule| (rule.from.clone(), rule.ports.clone())).collect()
            };
            for (peers, ports) in rules {
                let peers = peers.expect("a rule without peers is open to everybody");
                let ports = ports.expect("a rule without ports is open on every one");
                if peers.iter().any(|peer| is_peer(peer, home, other))
                    && ports.iter().any(|allowed| is_port(allowed, port, protocol))
                {
                    return true;
                }
            }
        }
        !is_selected
    }
}

fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    assert!(selector.match_expressions.is_none(), "this evaluation knows labels only");
    selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

fn is_peer(peer: &NetworkPolicyPeer, home: &str, end: &End) -> bool {
    if let Some(block) = &peer.ip_block {
        // Blocks are for addresses outside: what a pod's own address is, is the network's business.
        let (network, bits) = block.cidr.split_once('/').unwrap();
        let Ok(network) = network.parse::<Ipv4Addr>() else { return false };
        let bits: u32 = bits.parse().unwrap();
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        return u32::from(network) & mask == u32::from(end.address) & mask;
    }
    let in_namespace = match &peer.namespace_selector {
        Some(selector) => end.namespace.as_ref().is_some_and(|name| {
            let key = "kubernetes.io/metadata.name".to_owned();
            matches(selector, &BTreeMap::from([(key, name.clone())]))
        }),
        None => end.namespace.as_deref() == Some(home),
    };
    in_namespace && peer.pod_selector.as_ref().is_none_or(|s| matches(s, &end.labels))
}

fn is_port(allowed: &NetworkPolicyPort, port: u16, protocol: &str) -> bool {
    let Some(IntOrString::Int(first)) = allowed.port else {
        panic!("this evaluation knows ports by number only")
    };
    (first..=allowed.end_port.unwrap_or(first)).contains(&i32::from(port))
        && allowed.protocol.as_deref() == Some(protocol)
}

/// Tenants share a cluster: what the policies let through is what a node needs, and nothing else.
#[test]
fn policies_let_through_what_a_node_needs_and_nothing_else() {
    let config = config();
    let (first, second) = (wish(4, id(2)), wish(5, id(2)));
    let other_ledger = wish(6, id(7));
    let mut stranger = wish(8, id(9));
    stranger.consortium = id(10);
    let mut policies = Vec::new();
    for wish in [&first, &other_ledger, &stranger] {
        policies.push(consortium(&config, wish.consortium).default_deny);
        policies.push(ledger(&config, wish).network_policy);
    }
    let policies = Policies(policies);
    let (a, b) = (pod(&first), pod(&second));
    let control = of_namespace("hansa");
    let required = [
        ("peers of one ledger", &a, &b, 7_000, "TCP"),
        ("peers elsewhere come in", &outside([10, 2, 0, 9]), &a, 7_000, "TCP"),
        ("peers elsewhere are reached", &a, &outside([10, 2, 0, 9]), 7_000, "TCP"),
        ("peers at a port of their machine", &a, &outside([10, 2, 0, 9]), 31_234, "TCP"),
        ("the control plane asks", &control, &a, 8_443, "TCP"),
        ("clients by their network", &outside([10, 1, 2, 3]), &a, 8_443, "TCP"),
        ("metrics are read", &of_namespace("monitoring"), &a, 9_464, "TCP"),
        ("names are asked", &a, &of_namespace("kube-system"), 53, "UDP"),
        ("long names are asked", &a, &of_namespace("kube-system"), 53, "TCP"),
        ("enrolment", &a, &outside([10, 9, 0, 1]), 8_443, "TCP"),
    ];
    for (what, from, to, port, protocol) in required {
        assert!(policies.allow(from, to, port, protocol), "{what}: refused");
    }
    let (other, foreign) = (pod(&other_ledger), pod(&stranger));
    let anybody = of_namespace("default");
    let internet = outside([93, 184, 216, 34]);
    let forbidden = [
        ("another ledger of the consortium", &other, &a, 7_000, "TCP"),
        ("to another ledger of the consortium", &a, &other, 7_000, "TCP"),
        ("another consortium", &foreign, &a, 7_000, "TCP"),
        ("another consortium as a client", &foreign, &a, 8_443, "TCP"),
        ("nodes as clients of their peers", &a, &b, 8_443, "TCP"),
        ("metrics of a peer", &a, &b, 9_464, "TCP"),
        ("any pod as a peer", &anybody, &a, 7_000, "TCP"),
        ("any pod as a client", &anybody, &a, 8_443, "TCP"),
        ("any pod at metrics", &anybody, &a, 9_464, "TCP"),
        ("the control plane as a peer", &control, &a, 7_000, "TCP"),
        ("clients at metrics", &outside([10, 1, 2, 3]), &a, 9_464, "TCP"),
        ("other ports of a node", &b, &a, 22, "TCP"),
        ("other ports of the control plane", &a, &outside([10, 9, 0, 1]), 22, "TCP"),
        ("other ports of peers elsewhere", &a, &outside([10, 2, 0, 9]), 22, "TCP"),
        ("a port of any machine", &a, &internet, 31_234, "TCP"),
        ("the API server", &a, &outside([10, 96, 0, 1]), 443, "TCP"),
        ("a cloud's metadata", &a, &outside([169, 254, 169, 254]), 80, "TCP"),
        ("the internet", &a, &internet, 443, "TCP"),
        ("names of a foreign server", &a, &internet, 53, "UDP"),
    ];
    for (what, from, to, port, protocol) in forbidden {
        assert!(!policies.allow(from, to, port, protocol), "{what}: let through");
    }
}

/// What is measured must be what policies say: the one port open and the other closed for the same pod, and
/// the control plane as a node reaches it.
#[test]
fn a_try_of_the_network_may_reach_one_port_of_two_and_the_control_plane() {
    let within = "hansa-probe-000000000000";
    let built = probe(&config(), "https://10.9.0.1:8443", within);
    let policies = Policies(built.network_policies.to_vec());
    let pod = |role: &str| End {
        namespace: Some(within.to_owned()),
        labels: BTreeMap::from([("hansa.dev/probe".to_owned(), role.to_owned())]),
        address: Ipv4Addr::new(10, 200, 0, 1),
    };
    let (listener, caller) = (pod(LISTENER), pod(CALLER));
    assert!(policies.allow(&caller, &listener, 7_001, "TCP"));
    assert!(!policies.allow(&caller, &listener, 7_002, "TCP"));
    assert!(policies.side(&caller, "Egress", &listener, 7_002, "TCP"), "closed on one side only");
    assert!(policies.allow(&caller, &outside([10, 9, 0, 1]), 8_443, "TCP"));
    assert!(!policies.allow(&of_namespace("default"), &listener, 7_001, "TCP"));
}
