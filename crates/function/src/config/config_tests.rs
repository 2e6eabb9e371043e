//! What the environment may say and what it may not.

use std::time::Duration;

use super::variables::setting;
use super::{Config, ConfigError, Setting};

fn parse(variables: &[(&str, &str)], settings: &[Setting]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::from_map(&variables, settings)
}

#[test]
fn an_empty_environment_gives_the_defaults() {
    let config = parse(&[], &[]).unwrap();
    assert_eq!((config.port, config.metrics_port, config.body_limit), (8080, 9090, 1 << 20));
    assert_eq!(config.deadline, Duration::from_mins(5));
    assert_eq!(config.exchange_url(), "https://api.binance.com");
    assert_eq!(config.store_url(), Err(ConfigError::Missing("STREAMFORGE_STORE_URL")));
    assert_eq!(config.objects_url(), Err(ConfigError::Missing("STREAMFORGE_OBJECTS_URL")));
    assert!(!config.parent_is_stdin);
}

#[test]
fn given_values_win_and_empty_ones_count_as_not_set() {
    let config = parse(
        &[
            ("PORT", "0"),
            ("STREAMFORGE_DEADLINE", "250ms"),
            ("STREAMFORGE_STORE_URL", "sqlite:///tmp/store.db"),
            ("STREAMFORGE_OBJECTS_URL", "file:///tmp/objects"),
            ("STREAMFORGE_BODY_LIMIT", ""),
            ("STREAMFORGE_PARENT", "stdin"),
            ("BINANCE_API_URL", "http://127.0.0.1:9/"),
            ("HOME", "/root"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!((config.port, config.body_limit, config.parent_is_stdin), (0, 1 << 20, true));
    assert_eq!(config.deadline, Duration::from_millis(250));
    assert_eq!(config.store_url(), Ok("sqlite:///tmp/store.db"));
    assert_eq!(config.objects_url(), Ok("file:///tmp/objects"));
    assert_eq!(config.exchange_url(), "http://127.0.0.1:9");
}

#[test]
fn what_does_not_fit_is_refused_with_the_name_and_without_the_value() {
    let cases = [
        ("PORT", "65536"),
        ("PORT", "http"),
        ("STREAMFORGE_HOST", "localhost"),
        ("STREAMFORGE_METRICS_PORT", "-1"),
        ("STREAMFORGE_INGRESS_URL", "ftp://user:s3cret@host"),
        ("STREAMFORGE_INGRESS_URL", "127.0.0.1:80"),
        ("STREAMFORGE_INGRESS_URL", "http://host/?token=s3cret"),
        ("STREAMFORGE_NAMESPACE", "a/b"),
        ("STREAMFORGE_BODY_LIMIT", "0"),
        ("STREAMFORGE_BODY_LIMIT", "1MiB"),
        ("STREAMFORGE_DEADLINE", "s"),
        ("STREAMFORGE_DEADLINE", "0"),
        ("STREAMFORGE_DEADLINE", "5h"),
        ("STREAMFORGE_DEADLINE", "99999999999999999999s"),
        ("STREAMFORGE_DEADLINE", "87000s"),
        ("STREAMFORGE_LOG", "info,=,="),
        ("STREAMFORGE_PARENT", "pipe"),
    ];
    for (name, value) in cases {
        let message = parse(&[(name, value)], &[]).unwrap_err().to_string();
        assert!(message.contains(name), "{name}={value}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}

#[test]
fn an_unknown_name_is_refused_unless_the_function_declares_it() {
    let own = [setting("STREAMFORGE_ECHO_TIMES", "times", Some("2"), "how often to answer")];
    let error = parse(&[("STREAMFORGE_DEADLNE", "1s")], &own).unwrap_err();
    assert_eq!(error.to_string(), "environment variable `STREAMFORGE_DEADLNE` is not known to this function");
    assert_eq!(parse(&[], &own).unwrap().parsed("STREAMFORGE_ECHO_TIMES", "a number"), Ok(2));
    let config = parse(&[("STREAMFORGE_ECHO_TIMES", "7")], &own).unwrap();
    assert_eq!(config.parsed::<u8>("STREAMFORGE_ECHO_TIMES", "a number"), Ok(7));
    assert!(parse(&[("STREAMFORGE_ECHO_TIMES", "7")], &[]).is_err());
}
