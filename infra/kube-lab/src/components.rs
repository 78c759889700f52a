//! The parts of the cluster: how each is configured and started.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{folder::Folder, images, network::Network, parts::Parts};

/// The lab's one real node.
pub(crate) const NODE: &str = "lab";
/// Where the container runtime listens, inside.
pub const CONTAINERD: &str = "/run/containerd/containerd.sock";
const ETCD: &str = "http://127.0.0.1:2379";

/// A program of the lab with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// What all parts are configured from.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) folder: Folder,
    pub(crate) parts: Parts,
    pub(crate) network: Network,
}

impl Cluster {
    /// What the API server is asked through, from inside and outside.
    pub(crate) fn server(&self) -> String {
        format!("https://{}:6443", self.network.lab())
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn part(&self, name: &'static str, arguments: Vec<String>) -> Component {
        Component { name, program: self.parts.program(name), arguments }
    }

    /// Writes what does not depend on a running API server.
    pub(crate) fn prepare(&self) -> Result<()> {
        for folder in ["pki", "etcd", "containerd", "manifests", "log", "cni-config", "volumes"] {
            let folder = self.folder.join(folder);
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        self.secrets()?;
        let bridge = self.network.bridge();
        self.write("containerd.toml", &self.containerd_config())?;
        self.write_json(
            "cni-config/10-lab.conflist",
            &json!({
                "cniVersion": "1.0.0", "name": "lab", "plugins": [
                    {"type": "bridge", "bridge": "lab0", "isGateway": true, "hairpinMode": true,
                     "ipam": {"type": "host-local", "ranges": [[{"subnet": self.network.pods()}]],
                              "routes": [{"dst": "0.0.0.0/0"}]}},
                    {"type": "portmap", "capabilities": {"portMappings": true}},
                ],
            }),
        )?;
        self.write_json(
            "kubelet.json",
            &json!({
                "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
                "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
                "failCgroupV1": false, "cgroupDriver": "cgroupfs", "cgroupsPerQOS": false,
                "enforceNodeAllocatable": [], "oomScoreAdj": 0, "failSwapOn": false,
                "localStorageCapacityIsolation": false,
                "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
                "authorization": {"mode": "AlwaysAllow"},
                "address": bridge, "clusterDNS": [bridge], "clusterDomain": "cluster.local",
                "evictionHard": {"memory.available": "50Mi", "nodefs.available": "100Mi",
                                 "imagefs.available": "100Mi"},
                "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
                // Pods come and go often here, and quickly.
                "maxPods": 200, "nodeStatusUpdateFrequency": "4s", "kubeAPIQPS": 200,
                "kubeAPIBurst": 400, "registryPullQPS": 0,
            }),
        )?;
        self.write_json(
            "kube-proxy.json",
            &json!({
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
                "mode": "iptables", "hostnameOverride": NODE, "clusterCIDR": self.network.pods(),
                "clientConnection": {"kubeconfig": self.file("kubeconfig")},
                "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s",
                              "tcpCloseWaitTimeout": "0s"},
                // A pod that asks a service which leads to its own bridge would be answered from an
                // address that it did not ask.
                "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s", "masqueradeAll": true},
            }),
        )?;
        self.write("Corefile", &format!(
            ".:53 {{\n bind {bridge}\n errors\n \
             kubernetes cluster.local in-addr.arpa {{\n  kubeconfig {}\n  pods insecure\n  ttl 2\n }}\n}}\n",
            self.file("kubeconfig")
        ))?;
        self.provisioner()
    }

    /// Tokens and the key of service accounts, made once.
    fn secrets(&self) -> Result<()> {
        let tokens = self.folder.join("pki/tokens.csv");
        if !tokens.exists() {
            let (admin, kubelet) = (random()?, random()?);
            let lines = format!(
                "{admin},admin,admin,system:masters\n\
                 {kubelet},system:node:{NODE},kubelet,system:nodes\n"
            );
            self.write("pki/tokens.csv", &lines)?;
        }
        let key = self.folder.join("pki/service-accounts.key");
        if !key.exists() {
            let mut command = std::process::Command::new("openssl");
            command.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
            let made = command.arg("-out").arg(&key).output().context("openssl cannot be run")?;
            anyhow::ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(())
    }

    /// The token of a user that [`Cluster::secrets`] made.
    fn token(&self, user: &str) -> Result<String> {
        let text = fs::read_to_string(self.folder.join("pki/tokens.csv"))?;
        let line = text.lines().find(|line| line.split(',').nth(2) == Some(user));
        Ok(line.and_then(|line| line.split(',').next()).context("a token")?.to_owned())
    }

    /// Writes what users of the API server need; its certificate is there by now. Nothing in it is
    /// elsewhere: it is good on other machines too.
    pub(crate) fn kubeconfigs(&self) -> Result<()> {
        let authority = STANDARD.encode(fs::read(self.folder.join("pki/apiserver.crt"))?);
        for (user, file) in [("admin", "kubeconfig"), ("kubelet", "kubelet.kubeconfig")] {
            self.write_json(
                file,
                &json!({
                    "apiVersion": "v1", "kind": "Config", "current-context": "lab",
                    "clusters": [{"name": "lab", "cluster": {
                        "server": self.server(), "certificate-authority-data": authority,
                    }}],
                    "users": [{"name": user, "user": {"token": self.token(user)?}}],
                    "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
                }),
            )?;
        }
        Ok(())
    }

    fn containerd_config(&self) -> String {
        let (root, cni) = (self.file("containerd"), self.file("cni-config"));
        // Without CAP_SYS_RESOURCE no process may lower its score for the out-of-memory killer.
        format!(
            "version = 2\nroot = \"{root}\"\nstate = \"/run/containerd\"\n\
             [grpc]\naddress = \"{CONTAINERD}\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\n\
             restrict_oom_score_adj = true\nsandbox_image = \"{}\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".cni]\n\
             bin_dir = \"/usr/lib/cni\"\nconf_dir = \"{cni}\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"overlayfs\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n\
             runtime_type = \"io.containerd.runc.v2\"\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n\
             SystemdCgroup = false\n",
            images::PAUSE
        )
    }

    /// Volumes are folders of the lab, prepared by a pod each.
    fn provisioner(&self) -> Result<()> {
        self.write_json(
            "provisioner.json",
            &json!({
                "nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES",
                                 "paths": [self.file("volumes")]}],
            }),
        )?;
        self.write_json("helper-pod.yaml", &json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "helper-pod"},
            "spec": {"priorityClassName": "system-node-critical", "containers": [{
                "name": "helper-pod", "image": images::HELPER, "imagePullPolicy": "IfNotPresent",
            }]},
        }))?;
        // Open to all: pods of nodes run as a user of their own, and the helper as root.
        self.write("setup", "#!/bin/sh\nset -eu\nmkdir -m 0777 -p \"$VOL_DIR\"\n")?;
        self.write("teardown", "#!/bin/sh\nset -eu\nrm -rf \"$VOL_DIR\"\n")?;
        let read = |name: &str| fs::read_to_string(self.folder.join(name));
        self.write_json(
            "manifests/provisioner.json",
            &json!({
                "apiVersion": "v1", "kind": "List", "items": [
                    {"apiVersion": "v1", "kind": "ConfigMap",
                     "metadata": {"name": "local-path-config", "namespace": "kube-system"},
                     "data": {"config.json": read("provisioner.json")?,
                              "helperPod.yaml": read("helper-pod.yaml")?,
                              "setup": read("setup")?, "teardown": read("teardown")?}},
                    {"apiVersion": "v1", "kind": "ServiceAccount",
                     "metadata": {"name": "local-path-provisioner-service-account",
                                  "namespace": "kube-system"}},
                    // Expansion is accepted, and no driver acts on it.
                    {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                     "metadata": {"name": "standard", "annotations": {
                        "storageclass.kubernetes.io/is-default-class": "true"}},
                     "provisioner": "rancher.io/local-path", "allowVolumeExpansion": true,
                     "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"},
                ],
            }),
        )
    }

    pub(crate) fn containerd(&self) -> Component {
        let arguments = vec!["--config".into(), self.file("containerd.toml")];
        Component { name: "containerd", program: "/usr/bin/containerd".into(), arguments }
    }

    pub(crate) fn etcd(&self) -> Component {
        let folder = self.file("etcd");
        let peer = "http://127.0.0.1:2380";
        self.part(
            "etcd",
            words(&format!(
                "--data-dir={folder} --unsafe-no-fsync --listen-client-urls={ETCD} \
             --advertise-client-urls={ETCD} --listen-peer-urls={peer} \
             --initial-advertise-peer-urls={peer} --initial-cluster=default={peer}"
            )),
        )
    }

    pub(crate) fn api_server(&self) -> Component {
        let (pki, lab) = (self.file("pki"), self.network.lab());
        self.part(
            "kube-apiserver",
            words(&format!(
                "--etcd-servers={ETCD} --bind-address=0.0.0.0 --advertise-address={lab} \
             --secure-port=6443 --cert-dir={pki} --authorization-mode=Node,RBAC \
             --token-auth-file={pki}/tokens.csv \
             --service-account-key-file={pki}/service-accounts.key \
             --service-account-signing-key-file={pki}/service-accounts.key \
             --service-account-issuer=https://kubernetes.default.svc \
             --service-cluster-ip-range={} --allow-privileged --profiling=false \
             --kubelet-preferred-address-types=InternalIP",
                self.network.services()
            )),
        )
    }

    pub(crate) fn controller_manager(&self) -> Component {
        let (kubeconfig, pki) = (self.file("kubeconfig"), self.file("pki"));
        self.part(
            "kube-controller-manager",
            words(&format!(
                "--kubeconfig={kubeconfig} --leader-elect=false --use-service-account-credentials \
             --service-account-private-key-file={pki}/service-accounts.key \
             --root-ca-file={pki}/apiserver.crt --bind-address=127.0.0.1 --cert-dir={pki}/manager \
             --kube-api-qps=200 --kube-api-burst=400 --node-monitor-grace-period=16s \
             --profiling=false"
            )),
        )
    }

    pub(crate) fn scheduler(&self) -> Component {
        let (kubeconfig, pki) = (self.file("kubeconfig"), self.file("pki"));
        self.part(
            "kube-scheduler",
            words(&format!(
                "--kubeconfig={kubeconfig} --leader-elect=false --bind-address=127.0.0.1 \
             --cert-dir={pki}/scheduler --kube-api-qps=200 --kube-api-burst=400 --profiling=false"
            )),
        )
    }

    pub(crate) fn kubelet(&self) -> Component {
        self.part(
            "kubelet",
            words(&format!(
                "--config={} --kubeconfig={} --hostname-override={NODE} --node-ip={}",
                self.file("kubelet.json"),
                self.file("kubelet.kubeconfig"),
                self.network.bridge()
            )),
        )
    }

    pub(crate) fn proxy(&self) -> Component {
        self.part("kube-proxy", words(&format!("--config={}", self.file("kube-proxy.json"))))
    }

    pub(crate) fn dns(&self) -> Component {
        self.part("coredns", words(&format!("-conf={}", self.file("Corefile"))))
    }

    pub(crate) fn local_path(&self) -> Component {
        self.part(
            "local-path-provisioner",
            words(&format!(
                "start --config={} --kubeconfig={} --namespace=kube-system \
             --configmap-name=local-path-config --helper-image={}",
                self.file("provisioner.json"),
                self.file("kubeconfig"),
                images::HELPER
            )),
        )
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        write(&self.folder.join(name), text)
    }

    fn write_json(&self, name: &str, value: &Value) -> Result<()> {
        self.write(name, &serde_json::to_string_pretty(value)?)
    }
}

/// For its owner only: there are tokens among these files.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes()).with_context(|| path.display().to_string())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn random() -> Result<String> {
    use std::io::Read as _;
    let mut bytes = [0; 24];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex::encode(bytes))
}
