//! How peers find a node. Its address is there before the node is ready: it is ready when it agrees
//! with its peers, and it agrees when they have found one another.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{config_map::P2P_PORT, node_metadata};
use crate::{config::KubeConfig, wish::Wish};

pub(super) fn service(config: &KubeConfig, wish: &Wish) -> Service {
    Service {
        metadata: node_metadata(config, wish, wish.object()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(wish.selector()),
            ports: Some(vec![ServicePort {
                name: Some("p2p".to_owned()),
                port: i32::from(P2P_PORT),
                target_port: Some(IntOrString::String("p2p".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
