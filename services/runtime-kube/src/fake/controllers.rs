//! What a cluster does by itself: sets make claims and pods, deletions take what is below along.

use hansa_core::Uuid;
use serde_json::{Value, json};

use super::objects::{Key, Objects, now};

/// Lets everything follow from what is there, until nothing follows any more.
pub(super) fn settle(objects: &mut Objects) {
    loop {
        let before = objects.version();
        step(objects);
        if objects.version() == before {
            return;
        }
    }
}

fn step(objects: &mut Objects) {
    let sets: Vec<Value> = objects.all(super::kind("statefulsets")).cloned().collect();
    for set in sets {
        follow(objects, &set);
    }
    let services: Vec<Value> = objects.all(super::kind("services")).cloned().collect();
    for service in services.iter().filter(|service| service["spec"]["clusterIP"].is_null()) {
        address(objects, service);
    }
    let ending = |object: &&Value| !object["metadata"]["deletionTimestamp"].is_null();
    let namespaces: Vec<Value> =
        objects.all(super::kind("namespaces")).filter(ending).cloned().collect();
    for namespace in namespaces {
        let name = text(&namespace["metadata"]["name"]);
        for key in objects.within(&name) {
            delete(objects, &key, "Background");
        }
        if objects.within(&name).is_empty() {
            objects.take(&Key::of("namespaces", "", &name));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A service gets an address.
fn address(objects: &mut Objects, service: &Value) {
    let key = key_of("services", service);
    let [.., a, b] = objects.version().to_be_bytes();
    let mut service = service.clone();
    service["spec"]["clusterIP"] = json!(format!("10.96.{a}.{b}"));
    objects.put(key, service);
}

fn key_of(plural: &str, object: &Value) -> Key {
    let metadata = &object["metadata"];
    Key::of(plural, &text(&metadata["namespace"]), &text(&metadata["name"]))
}

/// A set of one has its claim and its pod, or no pod.
fn follow(objects: &mut Objects, set: &Value) {
    let key = key_of("statefulsets", set);
    let pod = Key::of("pods", &key.namespace, &format!("{}-0", key.name));
    if !set["metadata"]["deletionTimestamp"].is_null() {
        delete(objects, &pod, "Background");
        if objects.get(&pod).is_none() && has_no_finalisers(set) {
            objects.take(&key);
        }
        return;
    }
    if set["spec"]["replicas"] == 0 {
        delete(objects, &pod, "Background");
        return;
    }
    for template in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        claim(objects, &key, set, template);
    }
    if objects.get(&pod).is_none() {
        objects.put(pod, new_pod(set));
    }
}

fn claim(objects: &mut Objects, set: &Key, of: &Value, template: &Value) {
    let name = format!("{}-{}-0", text(&template["metadata"]["name"]), set.name);
    let key = Key::of("persistentvolumeclaims", &set.namespace, &name);
    if objects.get(&key).is_some() {
        return;
    }
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.extend(of["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default());
    let capacity = &template["spec"]["resources"]["requests"];
    let claim = json!({
        "metadata": { "labels": labels },
        "spec": template["spec"],
        "status": { "phase": "Bound", "capacity": capacity },
    });
    objects.put(key, claim);
}

fn new_pod(set: &Value) -> Value {
    let template = &set["spec"]["template"];
    let mut spec = template["spec"].clone();
    spec["nodeName"] = json!("fake");
    let containers = spec["containers"].as_array().into_iter().flatten();
    let containers: Vec<Value> = containers
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": container["image"],
                "ready": true,
                "restartCount": 0,
                "containerID": new_container(),
                "state": { "running": { "startedAt": now() } },
            })
        })
        .collect();
    json!({
        "metadata": {
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
        },
        "spec": spec,
        "status": { "phase": "Running", "podIP": "10.88.1.1", "containerStatuses": containers },
    })
}

fn new_container() -> String {
    format!("containerd://{}", Uuid::now_v7().simple())
}

/// A pod's container ends with signal 9, and the next one runs.
pub(super) fn crash(pod: &mut Value) {
    let container = &mut pod["status"]["containerStatuses"][0];
    let ended = json!({ "exitCode": 137, "signal": 9, "reason": "Error", "message": "killed" });
    container["lastState"] = json!({ "terminated": ended });
    container["restartCount"] = json!(container["restartCount"].as_u64().unwrap_or_default() + 1);
    container["containerID"] = json!(new_container());
    container["state"] = json!({ "running": { "startedAt": now() } });
}

fn has_no_finalisers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

/// Deletes an object with what is below it; a finaliser lets it wait.
pub(super) fn delete(objects: &mut Objects, key: &Key, policy: &str) {
    let Some(object) = objects.get(key) else { return };
    let takes_along = match key.kind.plural {
        "namespaces" => true,
        "statefulsets" => policy != "Orphan",
        _ => false,
    };
    if has_no_finalisers(object) && !takes_along {
        objects.take(key);
    } else if object["metadata"]["deletionTimestamp"].is_null() {
        let mut object = object.clone();
        object["metadata"]["deletionTimestamp"] = json!(now());
        objects.put(key.clone(), object);
    }
}
