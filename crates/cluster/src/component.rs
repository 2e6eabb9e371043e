//! The processes of a cluster: what each is started with, and how it is seen that it serves.
//!
//! # Source
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/>, <https://keda.sh/docs/latest/operate/>

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    layout::{BRIDGE, DNS_SERVICE, HOST, Layout, NODE, OPEN_PORTS, PODS, SERVICES},
    prometheus::prometheus,
};

/// How processes beside the cluster look names up.
const RESOLVER: &str = "resolv.conf";

/// A process of the cluster.
pub(crate) struct Component {
    /// Its name in the state and of its log.
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) ready: Ready,
}

/// How it is seen that a process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// It is enough that it runs.
    Runs,
    /// The API server answers this path.
    Answers(&'static str),
    /// The node takes pods.
    Node,
    /// Somebody listens on a socket in its folder, which may lie there from before.
    Socket(&'static str),
    /// Something listens there.
    Listens(&'static str),
}

/// What makes a node that takes pods, in the order of the start.
pub(crate) fn kubernetes(layout: &Layout) -> Result<Vec<Component>> {
    Ok(vec![
        etcd(layout),
        api_server(layout),
        controllers(layout),
        scheduler(layout),
        containerd(layout)?,
        kubelet(layout)?,
        proxy(layout)?,
        dns(layout)?,
    ])
}

/// What is installed into a cluster that has a node.
pub(crate) fn extensions(layout: &Layout) -> Result<Vec<Component>> {
    Ok(vec![keda_operator(layout), keda_adapter(layout), prometheus(layout)?, rollouts(layout)])
}

fn etcd(layout: &Layout) -> Component {
    let options = [
        ("data-dir", layout.text("etcd")),
        ("listen-client-urls", "http://127.0.0.1:2379".to_owned()),
        ("advertise-client-urls", "http://127.0.0.1:2379".to_owned()),
        ("listen-peer-urls", "http://127.0.0.1:2380".to_owned()),
        // A cluster that is killed loses nothing by this; a machine that loses its power would.
        ("unsafe-no-fsync", "true".to_owned()),
        ("log-level", "warn".to_owned()),
    ];
    component(layout, "etcd", "etcd/server", &options, Ready::Runs)
}

fn api_server(layout: &Layout) -> Component {
    let certificate = |name: &str| layout.certificate(name);
    let options = [
        ("etcd-servers", "http://127.0.0.1:2379".to_owned()),
        ("service-cluster-ip-range", SERVICES.to_owned()),
        ("bind-address", HOST.to_owned()),
        ("advertise-address", HOST.to_owned()),
        ("secure-port", "6443".to_owned()),
        ("tls-cert-file", certificate("apiserver.crt")),
        ("tls-private-key-file", certificate("apiserver.key")),
        ("client-ca-file", certificate("ca.crt")),
        ("service-account-key-file", certificate("service-accounts.pub")),
        ("service-account-signing-key-file", certificate("service-accounts.key")),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("requestheader-client-ca-file", certificate("ca.crt")),
        ("requestheader-allowed-names", "front-proxy".to_owned()),
        ("requestheader-extra-headers-prefix", "X-Remote-Extra-".to_owned()),
        ("requestheader-group-headers", "X-Remote-Group".to_owned()),
        ("requestheader-username-headers", "X-Remote-User".to_owned()),
        ("proxy-client-cert-file", certificate("front-proxy.crt")),
        ("proxy-client-key-file", certificate("front-proxy.key")),
        ("kubelet-client-certificate", certificate("apiserver-kubelet.crt")),
        ("kubelet-client-key", certificate("apiserver-kubelet.key")),
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
    ];
    component(layout, "kube-apiserver", "kubernetes/kube-apiserver", &options, Ready::Answers("/readyz"))
}

fn controllers(layout: &Layout) -> Component {
    let options = [
        ("kubeconfig", kubeconfig(layout)),
        ("bind-address", "127.0.0.1".to_owned()),
        ("leader-elect", "false".to_owned()),
        // Scaling is what is watched here.
        ("horizontal-pod-autoscaler-sync-period", "2s".to_owned()),
        ("service-account-private-key-file", layout.certificate("service-accounts.key")),
        ("root-ca-file", layout.certificate("ca.crt")),
        ("use-service-account-credentials", "true".to_owned()),
    ];
    component(layout, "kube-controller-manager", "kubernetes/kube-controller-manager", &options, Ready::Runs)
}

fn scheduler(layout: &Layout) -> Component {
    let options = [
        ("kubeconfig", kubeconfig(layout)),
        ("bind-address", "127.0.0.1".to_owned()),
        ("leader-elect", "false".to_owned()),
    ];
    component(layout, "kube-scheduler", "kubernetes/kube-scheduler", &options, Ready::Runs)
}

fn containerd(layout: &Layout) -> Result<Component> {
    let network = json!({
        "cniVersion": "1.0.0",
        "name": "streamforge",
        "plugins": [
            {
                "type": "bridge", "bridge": BRIDGE, "isGateway": true, "isDefaultGateway": true, "hairpinMode": true,
                "ipam": {
                    "type": "host-local", "dataDir": layout.text("addresses"),
                    "ranges": [[{"subnet": PODS, "rangeStart": "10.244.0.10"}]],
                },
            },
            {"type": "loopback"},
        ],
    });
    write(layout, "cni/10-streamforge.conflist", &network.to_string())?;
    let [root, state, networks] = ["containerd/root", "containerd/state", "cni"].map(|name| layout.text(name));
    let socket = layout.containerd_socket();
    // Without the right to raise a process's chance to survive a lack of memory, runc fails unless it may leave it.
    let settings = format!(
        "version = 2\nroot = \"{root}\"\nstate = \"{state}\"\n[grpc]\naddress = \"{socket}\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"localhost/pause:1\"\nrestrict_oom_score_adj = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = \"/usr/lib/cni\"\nconf_dir = \"{networks}\"\n"
    );
    let path = write(layout, "containerd/config.toml", &settings)?;
    let arguments = vec!["containerd".to_owned(), "--config".to_owned(), path];
    Ok(Component { name: "containerd", arguments, ready: Ready::Socket("containerd/containerd.sock") })
}

fn kubelet(layout: &Layout) -> Result<Component> {
    let settings = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": false,
        "cgroupDriver": "cgroupfs",
        "failSwapOn": false,
        "address": HOST,
        "authentication": {
            "anonymous": {"enabled": false}, "x509": {"clientCAFile": layout.certificate("ca.crt")},
        },
        "tlsCertFile": layout.certificate("kubelet.crt"),
        "tlsPrivateKeyFile": layout.certificate("kubelet.key"),
        "containerRuntimeEndpoint": format!("unix://{}", layout.containerd_socket()),
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_SERVICE],
        "resolvConf": "/dev/null",
        // Images are loaded and can not be pulled again.
        "imageMinimumGCAge": "24h",
        "evictionHard": {"imagefs.available": "1%", "nodefs.available": "1%", "memory.available": "100Mi"},
        "maxPods": 200,
        "podLogsDir": layout.text("pod-logs"),
    });
    let config = write(layout, "kubelet.json", &settings.to_string())?;
    let options = [
        ("kubeconfig", kubeconfig(layout)),
        ("config", config),
        ("hostname-override", NODE.to_owned()),
        ("node-ip", HOST.to_owned()),
        ("root-dir", layout.text("kubelet")),
        ("cert-dir", layout.text("kubelet-pki")),
    ];
    Ok(component(layout, "kubelet", "kubernetes/kubelet", &options, Ready::Node))
}

fn proxy(layout: &Layout) -> Result<Component> {
    let settings = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": layout.kubeconfig()},
        "mode": "nftables",
        "hostnameOverride": NODE,
        "clusterCIDR": PODS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    });
    let config = write(layout, "proxy.json", &settings.to_string())?;
    Ok(component(layout, "kube-proxy", "kubernetes/kube-proxy", &[("config", config)], Ready::Runs))
}

fn dns(layout: &Layout) -> Result<Component> {
    let settings = format!(
        ".:53 {{\n  bind {HOST}\n  kubernetes cluster.local in-addr.arpa {{\n    kubeconfig {}\n  }}\n}}\n",
        kubeconfig(layout)
    );
    let path = write(layout, "Corefile", &settings)?;
    // For those that are no pods and look names up all the same.
    write(layout, RESOLVER, &format!("nameserver {HOST}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n"))?;
    let arguments = vec![layout.program("coredns/coredns"), "-conf".to_owned(), path];
    Ok(Component { name: "coredns", arguments, ready: Ready::Runs })
}

fn keda_operator(layout: &Layout) -> Component {
    let options = [
        ("cert-dir", layout.text("keda")),
        ("enable-cert-rotation", "false".to_owned()),
        ("metrics-bind-address", "127.0.0.1:18080".to_owned()),
        ("health-probe-bind-address", "127.0.0.1:18081".to_owned()),
        ("metrics-service-bind-address", "127.0.0.1:9666".to_owned()),
    ];
    as_in_a_pod(layout, "keda", component(layout, "keda-operator", "keda/operator", &options, Ready::Runs))
}

fn keda_adapter(layout: &Layout) -> Component {
    let kubeconfigs = ["kubeconfig", "lister-kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"];
    let mut options = vec![
        ("bind-address", HOST.to_owned()),
        ("secure-port", "6444".to_owned()),
        ("port", OPEN_PORTS[0].to_string()),
        ("cert-dir", layout.text("keda")),
        ("tls-cert-file", layout.certificate("keda.crt")),
        ("tls-private-key-file", layout.certificate("keda.key")),
        ("client-ca-file", layout.certificate("ca.crt")),
        ("metrics-service-address", "localhost:9666".to_owned()),
    ];
    options.extend(kubeconfigs.map(|name| (name, kubeconfig(layout))));
    let ready = Ready::Answers("/apis/external.metrics.k8s.io/v1beta1");
    as_in_a_pod(layout, "keda", component(layout, "keda-adapter", "keda/adapter", &options, ready))
}

fn rollouts(layout: &Layout) -> Component {
    let options = [
        ("kubeconfig", kubeconfig(layout)),
        ("leader-elect", "false".to_owned()),
        ("metricsPort", OPEN_PORTS[1].to_string()),
        ("healthzPort", OPEN_PORTS[2].to_string()),
    ];
    let controller = component(layout, "rollouts-controller", "rollouts/rollouts-controller", &options, Ready::Runs);
    as_in_a_pod(layout, "argo-rollouts", controller)
}

fn component(
    layout: &Layout,
    name: &'static str,
    program: &str,
    options: &[(&str, String)],
    ready: Ready,
) -> Component {
    let options = options.iter().map(|(name, value)| format!("--{name}={value}"));
    Component { name, arguments: [layout.program(program)].into_iter().chain(options).collect(), ready }
}

/// A controller that would be a pod elsewhere: it finds names where pods do, its namespace and its credentials in the
/// environment.
fn as_in_a_pod(layout: &Layout, namespace: &str, mut component: Component) -> Component {
    let look_up = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    let variables = [
        "unshare".to_owned(),
        "--mount".to_owned(),
        "sh".to_owned(),
        "-c".to_owned(),
        look_up.to_owned(),
        layout.text(RESOLVER),
        "env".to_owned(),
        format!("KUBECONFIG={}", kubeconfig(layout)),
        format!("POD_NAMESPACE={namespace}"),
        "KEDA_CLUSTER_OBJECT_NAMESPACE=keda".to_owned(),
        "WATCH_NAMESPACE=".to_owned(),
    ];
    component.arguments.splice(0..0, variables);
    component
}

fn kubeconfig(layout: &Layout) -> String {
    layout.kubeconfig().display().to_string()
}

/// The administrator's credentials, as every client of the cluster reads them.
pub(crate) fn credentials(layout: &Layout) -> Value {
    let certificate = |name: &str| layout.certificate(name);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "streamforge", "cluster": {
            "server": format!("https://{HOST}:6443"), "certificate-authority": certificate("ca.crt"),
        }}],
        "users": [{"name": "admin", "user": {
            "client-certificate": certificate("admin.crt"), "client-key": certificate("admin.key"),
        }}],
        "contexts": [{"name": "streamforge", "context": {"cluster": "streamforge", "user": "admin"}}],
        "current-context": "streamforge",
    })
}

/// Writes a file of the cluster, unless it says the same already, and answers its path.
///
/// kube-proxy ends when its file is written anew.
pub(crate) fn write(layout: &Layout, name: &str, text: &str) -> Result<String> {
    let path = layout.path(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    if fs::read_to_string(&path).is_ok_and(|written| written == text) {
        return Ok(path.display().to_string());
    }
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path.display().to_string())
}
