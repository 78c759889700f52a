//! Whether an object is as it was built, whatever the cluster has added to it.

use serde_json::Value;

/// Whether everything in `built` is in `live`, at the same place. Fields that only `live` has are
/// the cluster's defaults and other people's business; elements of lists are compared in order, and
/// their number counts.
pub(crate) fn holds(built: &Value, live: &Value) -> bool {
    match (built, live) {
        (Value::Object(built), Value::Object(live)) => built.iter().all(|(key, value)| {
            live.get(key).map_or_else(|| is_empty(value), |at| holds(value, at))
        }),
        (Value::Array(built), Value::Array(live)) => {
            built.len() == live.len() && built.iter().zip(live).all(|(b, l)| holds(b, l))
        }
        (built, live) => built == live,
    }
}

/// The cluster leaves empty values out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::holds;

    #[test]
    fn defaults_are_no_difference_and_edits_are() {
        // Writing what is already there wakes every watcher; not writing what was edited leaves it.
        let built = json!({"spec": {"replicas": 1, "list": [{"name": "a"}], "empty": {}}});
        let live = json!({"spec": {"replicas": 1, "list": [{"name": "a", "added": 7}],
                                   "defaulted": true}, "status": {}});
        assert!(holds(&built, &live));
        for edited in [
            json!({"spec": {"replicas": 0, "list": [{"name": "a"}]}}),
            json!({"spec": {"replicas": 1, "list": [{"name": "a"}, {"name": "b"}]}}),
            json!({"spec": {"replicas": 1, "list": [{"name": "b"}]}}),
            json!({"spec": {"list": [{"name": "a"}]}}),
        ] {
            assert!(!holds(&built, &edited), "{edited}");
        }
    }
}
