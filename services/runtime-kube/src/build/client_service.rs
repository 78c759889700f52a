//! How clients reach a node: also while it is not ready, because it answers what is certified, and
//! the control plane asks why it is not.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{config_map::HTTP_PORT, node_metadata};
use hansa_types::Expose;

use crate::{config::KubeConfig, names, wish::Wish};

pub(super) fn client_service(config: &KubeConfig, wish: &Wish) -> Service {
    let kind = match &config.settings.expose {
        Expose::ClusterIp => "ClusterIP",
        Expose::NodePort { host: _ } => "NodePort",
        Expose::LoadBalancer => "LoadBalancer",
    };
    Service {
        metadata: node_metadata(config, wish, names::client_service(&wish.object())),
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(wish.selector()),
            ports: Some(vec![ServicePort {
                name: Some("https".to_owned()),
                port: i32::from(HTTP_PORT),
                target_port: Some(IntOrString::String("https".to_owned())),
                protocol: Some("TCP".to_owned()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
