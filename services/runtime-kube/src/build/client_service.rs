//! How clients reach a node, and peers in other places if they may: also while it is not ready, because
//! it answers what is certified, and the control plane asks why it is not.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    config_map::{HTTP_PORT, P2P_PORT},
    node_metadata,
};
use hansa_types::Expose;

use crate::{config::KubeConfig, names, wish::Wish};

pub(super) fn client_service(config: &KubeConfig, wish: &Wish) -> Service {
    let kind = match &config.settings.expose {
        Expose::ClusterIp => "ClusterIP",
        Expose::NodePort { host: _ } => "NodePort",
        Expose::LoadBalancer => "LoadBalancer",
    };
    let port = |name: &str, port: u16| ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(port),
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    let mut ports = vec![port("https", HTTP_PORT)];
    if config.settings.expose_peers {
        ports.push(port("p2p", P2P_PORT));
    }
    Service {
        metadata: node_metadata(config, wish, names::client_service(&wish.object())),
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(wish.selector()),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
