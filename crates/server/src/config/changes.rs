//! What has changed between two configurations, by the names of the keys.

use serde_json::Value;

use super::Config;

/// The keys whose values differ, as `section.key`, in alphabetical order. Lists are compared as a whole.
pub(crate) fn changed_keys(before: &Config, after: &Config) -> Vec<String> {
    let mut keys = Vec::new();
    match (serde_json::to_value(before), serde_json::to_value(after)) {
        (Ok(before), Ok(after)) => compare("", &before, &after, &mut keys),
        // What can't be shown differs for sure.
        (before, after) if before.is_ok() != after.is_ok() => keys.push("all".to_owned()),
        _ => {}
    }
    keys.sort_unstable();
    keys
}

fn compare(path: &str, before: &Value, after: &Value, keys: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                compare(&path, &value(before), &value(after), keys);
            }
        }
        (before, after) if before != after => keys.push(path.to_owned()),
        _ => {}
    }
}
