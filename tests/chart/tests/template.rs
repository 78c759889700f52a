//! The chart as helm renders it. `HANSA_GOLDEN=write cargo test -p chart-tests` writes the forms anew.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use serde::Deserialize as _;
use serde_json::Value;

/// The values that are rendered: only what must be given, and everything.
const VALUES: [&str; 2] = ["minimal", "everything"];

static HELM: LazyLock<PathBuf> =
    LazyLock::new(|| kube_lab::Parts::helm(&|line| eprintln!("{line}")).expect("helm"));

fn here() -> PathBuf {
    // Tests run in their package; a build may be shared between checkouts.
    std::env::current_dir().expect("a folder").join("tests")
}

fn root() -> PathBuf {
    here().ancestors().nth(3).expect("a checkout").to_owned()
}

fn helm(arguments: &[&str], values: &str, set: &[&str]) -> Output {
    let mut command = Command::new(&*HELM);
    command.args(arguments).arg(root().join("charts/hansa"));
    command.arg("--values").arg(here().join(format!("values/{values}.yaml")));
    for set in set {
        command.args(["--set-json", set]);
    }
    command.output().expect("helm runs")
}

fn template(values: &str, set: &[&str]) -> Output {
    helm(&["template", "hansa", "--namespace", "hansa-system"], values, set)
}

fn text(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Every object that is rendered from some values.
fn objects(values: &str) -> Vec<Value> {
    let text = text(&template(values, &[]));
    let documents = serde_norway::Deserializer::from_str(&text);
    let objects = documents.map(|document| Value::deserialize(document).expect("YAML"));
    let objects: Vec<Value> = objects.filter(|object| !object.is_null()).collect();
    assert!(objects.len() > 10, "nothing was rendered");
    objects
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The pods of deployments and jobs, by the names of these.
fn pods(objects: &[Value]) -> Vec<(&str, &Value)> {
    let name = |object: &'_ Value| object["metadata"]["name"].as_str().map(str::len);
    assert!(objects.iter().all(|object| name(object).is_some()), "an object without a name");
    let pod = |object: &Value| object.pointer("/spec/template/spec").is_some();
    let with_pods = objects.iter().filter(|object| pod(object));
    with_pods
        .map(|object| {
            let name = object["metadata"]["name"].as_str().expect("checked");
            (name, &object["spec"]["template"]["spec"])
        })
        .collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The chart is read by whoever installs it: a change of an object is reviewed as such.
#[test]
fn objects_are_as_they_were_reviewed() {
    for values in VALUES {
        let rendered = text(&template(values, &[]));
        let path = here().join(format!("golden/{values}.yaml"));
        if std::env::var("HANSA_GOLDEN").is_ok_and(|v| v == "write") {
            fs::write(&path, &rendered).expect("the golden file is writable");
        }
        let reviewed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            rendered == reviewed,
            "{} is not what is rendered: HANSA_GOLDEN=write cargo test -p chart-tests, and have \
             the change reviewed",
            path.display()
        );
    }
}

/// Helm's own rules, which whoever publishes charts checks too.
#[test]
fn lint_finds_nothing() {
    for values in VALUES {
        let output = helm(&["lint", "--strict"], values, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A value that is mistyped, unsafe or forgotten must not wait for the cluster to fail.
#[test]
fn wrong_values_are_refused_before_anything_is_sent() {
    for (wrong, named) in [
        (r#"image.tag="1.0""#, "tag"),
        (r#"image.digest="latest""#, "digest"),
        (r#"image.repository="registry.example/hansa:1.0""#, "repository"),
        (r#"image.repository="registry.example/hansa@sha256""#, "repository"),
        (r#"publicUrl="http://hansa.example""#, "publicUrl"),
        (r#"publicUrl="https://hansa.example/console""#, "publicUrl"),
        (r#"enrolmentUrl="hansa.example""#, "enrolmentUrl"),
        (r#"secret="""#, "secret"),
        (r#"tls.secret="""#, "tls"),
        (r#"database.url="postgres://hansa:hunter2@db/hansa""#, "database"),
        (r#"database.url="postgres://db/hansa?password=hunter2""#, "database"),
        (r#"database.url="mysql://db/hansa""#, "database"),
        (r#"database.password="hunter2""#, "password"),
        (r#"platform.email="""#, "email"),
        (r"api.replicas=0", "replicas"),
        (r"api.replica=2", "replica"),
        (r"api.resources.limits=null", "resources"),
        (r#"vault.resources.limits.memory="much""#, "memory"),
        (r"ingress.enabled=true", "tlsSecret"),
        (r#"networkPolicy.clients=[{"cidr":"10.0.0.0/8"}]"#, "clients"),
        (r#"serviceMonitor.interval="often""#, "interval"),
        (r#"unheard="of""#, "unheard"),
    ] {
        let output = template("minimal", &[wrong]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{wrong} was taken");
        assert!(complaint.contains(named), "{wrong} is refused for another reason: {complaint}");
    }
    for forgotten in ["image", "publicUrl", "secret", "tls", "database"] {
        let output = template("minimal", &[&format!("{forgotten}=null")]);
        assert!(!output.status.success(), "{forgotten} was not asked for");
    }
}

/// Whoever breaks into one program must find nothing to write, no right and no end of the memory.
#[test]
fn every_container_is_confined() {
    for values in VALUES {
        let objects = objects(values);
        let pods = pods(&objects);
        assert!(pods.len() >= 3, "{values}: pods are missing");
        for (name, pod) in pods {
            let context = &pod["securityContext"];
            assert_eq!(context["runAsUser"], 65_532, "{name}");
            assert_eq!(context["fsGroup"], 65_532, "{name}: secrets are its group's");
            let containers = list(pod, "containers").iter().chain(list(pod, "initContainers"));
            for container in containers {
                let name = format!("{values}: {name}/{}", container["name"]);
                let context = &container["securityContext"];
                assert_eq!(context["runAsNonRoot"], true, "{name}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{name}");
                assert!(context["capabilities"]["add"].is_null(), "{name}");
                assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{name}");
                let resources = &container["resources"];
                for amount in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                    assert!(resources.pointer(amount).is_some(), "{name}: no {amount}");
                }
                let image = container["image"].as_str().unwrap_or_default();
                assert!(image.contains("@sha256:"), "{name}: {image} may change by itself");
            }
        }
    }
}

/// Secrets: only on read-only mounts, closed to others, never in an object of the chart's.
#[test]
fn secrets_are_mounted_and_not_made() {
    for values in VALUES {
        let objects = objects(values);
        assert!(of_kind(&objects, "Secret").is_empty(), "{values}: the chart makes a secret");
        for (name, pod) in pods(&objects) {
            let secret = |volume: &&Value| !volume["secret"].is_null();
            let volumes: Vec<&Value> = list(pod, "volumes").iter().filter(secret).collect();
            assert!(!volumes.is_empty(), "{name} has no secrets");
            for volume in volumes {
                // An octal number to Kubernetes, a text to this test's reader.
                assert_eq!(volume["secret"]["defaultMode"], "0440", "{name}");
                assert!(!list(&volume["secret"], "items").is_empty(), "{name} gets every key");
                let containers = list(pod, "containers").iter().chain(list(pod, "initContainers"));
                let mounts = containers.flat_map(|container| list(container, "volumeMounts"));
                for mount in mounts.filter(|mount| mount["name"] == volume["name"]) {
                    assert_eq!(mount["readOnly"], true, "{name}: {mount}");
                }
            }
        }
    }
}

/// Only the controller speaks with the cluster.
#[test]
fn nobody_but_the_controller_has_a_token() {
    for (values, with_role) in [("minimal", true), ("everything", false)] {
        let objects = objects(values);
        for account in of_kind(&objects, "ServiceAccount") {
            assert_eq!(account["automountServiceAccountToken"], false);
        }
        for (name, pod) in pods(&objects) {
            let expected = with_role && name == "hansa-controller";
            assert_eq!(pod["automountServiceAccountToken"], expected, "{values}: {name}");
        }
    }
}

/// A right that nobody thought of is one that an intruder has: each is written out, and other
/// people's secrets cannot be listed.
#[test]
fn rights_are_written_out() {
    let objects = objects("minimal");
    let roles: Vec<&Value> =
        ["ClusterRole", "Role"].iter().flat_map(|kind| of_kind(&objects, kind)).collect();
    assert_eq!(roles.len(), 1);
    for rule in roles.iter().flat_map(|role| list(role, "rules")) {
        for key in ["apiGroups", "resources", "verbs"] {
            assert!(!list(rule, key).is_empty(), "{rule}");
            assert!(!list(rule, key).contains(&"*".into()), "{rule}");
        }
        let verbs = list(rule, "verbs");
        if list(rule, "resources").contains(&"secrets".into()) {
            assert!(!verbs.contains(&"list".into()) && !verbs.contains(&"watch".into()), "{rule}");
        }
        for escalation in ["bind", "escalate", "impersonate"] {
            assert!(!verbs.contains(&escalation.into()), "{rule}");
        }
    }
}

/// Roles refuse a key that they do not know: the chart writes only those of `infra/config`, which
/// are read by the roles' own tests.
#[test]
fn the_roles_know_the_keys_of_their_files() {
    for values in VALUES {
        let objects = objects(values);
        for role in ["api", "controller"] {
            let file = format!("{role}.toml");
            let maps = of_kind(&objects, "ConfigMap");
            let mut texts = maps.iter().filter_map(|map| map["data"][&file].as_str());
            let text = texts.next().expect("a file for each role");
            let known = keys(&uncommented(&root().join("infra/config").join(&file)));
            let unknown: Vec<String> = keys(text).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{file}: nobody knows {unknown:?}");
        }
    }
}

/// A file of `infra/config` with the keys in force that it shows in comments.
fn uncommented(path: &Path) -> String {
    let shown = |line: &str| {
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        line.starts_with('[')
            || line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(word))
    };
    let text = fs::read_to_string(path).expect("a file of infra/config");
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if shown(rest) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `table.key` of everything in a file.
fn keys(text: &str) -> BTreeSet<String> {
    fn collect(table: &toml::Table, above: &str, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let key = format!("{above}{key}");
            match value {
                toml::Value::Table(inner) => collect(inner, &format!("{key}."), found),
                _ => drop(found.insert(key)),
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&text.parse().expect("TOML"), "", &mut found);
    found
}
