//! What a driver is told about its cluster.

use hansa_core::Secret;
use hansa_types::ClusterSettings;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::error::ConnectError;

/// A cluster, and how nodes are to run in it.
#[derive(Clone, Debug)]
pub struct KubeConfig {
    /// How it is reached.
    pub access: Access,
    /// Which installation of the control plane this is: objects of others are left alone. A label's
    /// value: 63 characters of letters, digits, `-`, `_`, `.`.
    pub installation: String,
    /// How nodes run there.
    pub settings: ClusterSettings,
    /// The address that nodes enrol with: what pods reach is measured with it, or not at all without.
    pub enrolment_url: Option<String>,
    /// Authorities that the control plane's certificate may chain to, PEM; the public ones without
    /// it.
    pub enrolment_authority: Option<String>,
}

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub enum Access {
    /// By a kubeconfig, YAML; its current context.
    Kubeconfig(Secret),
    /// By the service account of the pod that this runs in.
    InCluster,
}

impl Access {
    /// A client, which has not connected yet.
    pub(crate) async fn client(&self) -> Result<Client, ConnectError> {
        let config = match self {
            Self::Kubeconfig(secret) => {
                let text = std::str::from_utf8(secret.expose())
                    .map_err(|_| ConnectError::Invalid("the kubeconfig is no text".to_owned()))?;
                let read = Kubeconfig::from_yaml(text).map_err(ConnectError::Kubeconfig)?;
                check_self_contained(&read)?;
                Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
                    .await
                    .map_err(ConnectError::Kubeconfig)?
            }
            Self::InCluster => Config::incluster().map_err(ConnectError::InCluster)?,
        };
        Client::try_from(config).map_err(ConnectError::Client)
    }
}

/// A kubeconfig comes from whoever may register clusters: it must not make this process run
/// commands or read files.
fn check_self_contained(kubeconfig: &Kubeconfig) -> Result<(), ConnectError> {
    let refused = |what: &str| {
        let why = format!("the kubeconfig names {what}: it must hold its credentials itself");
        Err(ConnectError::Invalid(why))
    };
    let users = kubeconfig.auth_infos.iter().filter_map(|user| user.auth_info.as_ref());
    for user in users {
        if user.exec.is_some() || user.auth_provider.is_some() {
            return refused("a command");
        }
        let files = [&user.client_certificate, &user.client_key, &user.token_file];
        if files.iter().any(|file| file.is_some()) {
            return refused("files of a user");
        }
    }
    let clusters = kubeconfig.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref());
    for cluster in clusters {
        if cluster.certificate_authority.is_some() {
            return refused("a file of an authority");
        }
    }
    Ok(())
}

impl KubeConfig {
    /// # Errors
    /// For an installation that is no label.
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let name = self.installation.as_bytes();
        let ends = [name.first(), name.last()];
        let is_label = (1..=63).contains(&name.len())
            && name.iter().copied().all(inner)
            && ends.iter().flatten().all(|b| b.is_ascii_alphanumeric());
        if !is_label {
            let why = format!("{:?} cannot be the value of a label", self.installation);
            return Err(ConnectError::Invalid(why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(cluster: &str, user: &str) -> Access {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: \
             {{server: 'https://192.0.2.1:6443'{cluster}}}\nusers:\n- name: u\n  user: \
             {{{user}}}\ncontexts:\n- name: c\n  context: {{cluster: c, user: u}}\n"
        );
        Access::Kubeconfig(Secret::from(text))
    }

    /// Whoever may register a cluster must not make the controller run programs or read its disk.
    #[tokio::test]
    async fn a_kubeconfig_that_names_commands_or_files_is_refused() {
        kubeconfig("", "token: t").client().await.map(drop).expect("it holds its credentials");
        for (cluster, user) in [
            ("", "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true}"),
            ("", "auth-provider: {name: gcp, config: {cmd-path: /bin/true}}"),
            ("", "tokenFile: /etc/hostname"),
            ("", "client-certificate: /etc/hostname, client-key: /etc/hostname"),
            (", certificate-authority: /etc/hostname", "token: t"),
        ] {
            let refused = kubeconfig(cluster, user).client().await.map(drop);
            assert!(
                matches!(&refused, Err(ConnectError::Invalid(why)) if why.contains("must hold")),
                "{cluster}{user}: {refused:?}"
            );
        }
    }
}
