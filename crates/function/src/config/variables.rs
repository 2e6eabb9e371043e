//! Every environment variable that the host reads: name, unit, default, meaning.

/// One environment variable: name, unit, default and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Full name, `STREAMFORGE_<AREA>_<NAME>` for our own.
    pub name: &'static str,
    /// Unit or form of the value.
    pub unit: &'static str,
    /// Value where it is not set; `None` means there is none.
    pub default: Option<&'static str>,
    /// What it decides.
    pub description: &'static str,
}

/// The variables of the host, read by every function.
pub const VARIABLES: &[Setting] = &[
    setting("PORT", "port, 0 for any", Some("8080"), "port for events, probes and the function's API"),
    setting("STREAMFORGE_HOST", "IP address", Some("127.0.0.1"), "address that both ports listen on"),
    setting("STREAMFORGE_METRICS_PORT", "port, 0 for any", Some("9090"), "port of `/metrics`"),
    setting(
        "STREAMFORGE_INGRESS_URL",
        "URL",
        Some("http://kafka-broker-ingress.knative-eventing.svc.cluster.local"),
        "broker ingress; outputs go to `{url}/{namespace}/{broker}`",
    ),
    setting("STREAMFORGE_NAMESPACE", "name", Some("streamforge"), "namespace of the Brokers"),
    setting(
        "STREAMFORGE_STORE_URL",
        "URL",
        None,
        "store, e.g. `sqlite:///var/lib/streamforge/store.db` or `arangodb://root@host:8529/db`",
    ),
    setting(
        "STREAMFORGE_OBJECTS_URL",
        "URL",
        None,
        "objects such as models, e.g. `file:///var/lib/streamforge/objects` or `s3://bucket`",
    ),
    setting("BINANCE_API_URL", "URL", Some("https://api.binance.com"), "exchange's REST API"),
    setting(
        "BINANCE_IS_RECORDING",
        "`true` or `false`",
        Some("false"),
        "whether the exchange plays a recording and waits for its reader, as in `streamforge replay`",
    ),
    setting("STREAMFORGE_BODY_LIMIT", "bytes", Some("1048576"), "largest request body; a larger one is answered 413"),
    setting("STREAMFORGE_DEADLINE", "duration", Some("300s"), "longest time for one event; over it the answer is 503"),
    setting("STREAMFORGE_MAX_IN_FLIGHT", "events", Some("64"), "events at work at once; more are answered 429"),
    setting("STREAMFORGE_DRAIN_GRACE", "duration", Some("2s"), "time to keep serving, not ready, after SIGTERM"),
    setting("STREAMFORGE_DRAIN_TIMEOUT", "duration", Some("30s"), "longest wait for events at work after the grace"),
    setting("STREAMFORGE_CONNECTION_REQUESTS", "requests", Some("100"), "requests per connection before it is closed"),
    setting("STREAMFORGE_CONNECTION_AGE", "duration", Some("60s"), "age at which a connection is closed"),
    setting("STREAMFORGE_PUBLISH_ATTEMPTS", "attempts", Some("4"), "attempts to publish one output"),
    setting("STREAMFORGE_PUBLISH_TIMEOUT", "duration", Some("10s"), "longest time of one such attempt"),
    setting("STREAMFORGE_LOG", "filter", Some("info"), "log filter, e.g. `info,streamforge_function=debug`"),
    setting("STREAMFORGE_PARENT", "`stdin`", None, "`stdin`: drain at the end of standard input, announce the ports"),
];

pub(crate) const fn setting(
    name: &'static str,
    unit: &'static str,
    default: Option<&'static str>,
    description: &'static str,
) -> Setting {
    Setting { name, unit, default, description }
}
