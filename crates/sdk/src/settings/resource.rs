//! The resource: which service, which instance of it, and what the deployment says about it.

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;

use super::environment::Environment;
use super::pairs;
use crate::InitError;
use crate::id_generator::random_uuid;

const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

const NAME: Key = Key::from_static_str("service.name");
const INSTANCE: Key = Key::from_static_str("service.instance.id");

/// What is known without the environment is `default_name` and `telemetry.sdk.*`; then come
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, and what the code adds, each replacing the
/// ones before it.
pub(super) fn resource(
    environment: &Environment,
    default_name: String,
    from_code: Vec<KeyValue>,
) -> Result<Resource, InitError> {
    let mut resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new(NAME, default_name))
        .with_attribute(KeyValue::new(INSTANCE, random_uuid()));
    if let Some(list) = environment.text(ATTRIBUTES) {
        let attributes = pairs::parse(&list).map_err(|place| {
            // The value is not shown: anything may stand in it, also what is meant for nobody.
            let expected = format!("member {place} is not `key=value`, percent-encoded");
            InitError::invalid(ATTRIBUTES, "***", expected)
        })?;
        resource = resource.with_attributes(
            attributes
                .into_iter()
                .map(|(key, value)| KeyValue::new(key, value)),
        );
    }
    if let Some(name) = environment.text(SERVICE_NAME) {
        resource = resource.with_attribute(KeyValue::new(NAME, name));
    }
    Ok(resource.with_attributes(from_code).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(resource: &Resource, key: &'static str) -> Option<String> {
        resource
            .get(&Key::from_static_str(key))
            .map(|value| value.to_string())
    }

    fn name<const N: usize>(
        variables: [(&'static str, &'static str); N],
        code: Vec<KeyValue>,
    ) -> Option<String> {
        let resource = resource(&Environment::of(variables), "default".into(), code).unwrap();
        get(&resource, "service.name")
    }

    #[test]
    fn code_then_environment_then_default() {
        let code = || vec![KeyValue::new("service.name", "code")];
        let list = (ATTRIBUTES, "service.name=list");
        let variable = (SERVICE_NAME, "variable");
        assert_eq!(name([], vec![]).as_deref(), Some("default"));
        assert_eq!(name([list], vec![]).as_deref(), Some("list"));
        assert_eq!(name([list, variable], vec![]).as_deref(), Some("variable"));
        assert_eq!(name([list, variable], code()).as_deref(), Some("code"));
        assert_eq!(
            name([(SERVICE_NAME, "")], vec![]).as_deref(),
            Some("default")
        );
    }

    #[test]
    fn attributes_are_percent_decoded() {
        let environment =
            Environment::of([(ATTRIBUTES, "k8s.pod.name=a%20b,service.instance.id=7")]);
        let resource = resource(&environment, "default".into(), vec![]).unwrap();
        assert_eq!(get(&resource, "k8s.pod.name").as_deref(), Some("a b"));
        assert_eq!(get(&resource, "service.instance.id").as_deref(), Some("7"));
        assert_eq!(
            get(&resource, "telemetry.sdk.language").as_deref(),
            Some("rust")
        );
    }

    #[test]
    fn a_bad_member_is_named() {
        let environment = Environment::of([(ATTRIBUTES, "a=1,secret")]);
        let message = resource(&environment, "default".into(), vec![])
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "OTEL_RESOURCE_ATTRIBUTES is `***`: member 2 is not `key=value`, percent-encoded"
        );
    }
}
