//! The command line as it is typed.

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use super::{Cli, Command};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_documented_forms_are_understood() {
    for line in [
        "streamforge run FILE --data-dir DIR --exchange synthetic:42 --json",
        "streamforge run FILE --data-dir DIR --exchange replay:DIR --json",
        "streamforge up --data-dir DIR --manifests FOLDER --ingress 127.0.0.1:0",
        "streamforge export candles --data-dir DIR --symbol BTCUSDT --interval 1M --from 2024-06-01 --to 1717243200000 --format csv",
        "streamforge export candles --symbol 币安人生USDT --interval 15m --format ndjson",
        "streamforge export trades --symbol BTCUSDT",
        "streamforge export graph --data-dir DIR --id G --format json",
        "streamforge export predictions --data-dir DIR --model gnn --split test --format csv",
        "streamforge export predictions --version 1 --symbol BTCUSDT --format ndjson",
        "streamforge models list --data-dir DIR",
        "streamforge models show gnn --version v1",
        "streamforge models promote gnn v1",
        "streamforge models export gnn --version v1 --data-dir DIR --to FOLDER",
        "streamforge models export gnn --to FOLDER",
        "streamforge publish --broker workflows --type io.streamforge.workflow.requested.v1 --data {} --extension a=b",
        "streamforge publish --broker workflows --event event.json",
        "streamforge queues list --status finished",
        "streamforge queues watch wf-btcusdt-api_candles_5m-20240801-a1b2c3",
        "streamforge control --queue-id wf-btcusdt-api_candles_5m-20240801-a1b2c3 --command ping --expect-pong",
        "streamforge function queue-manager",
        "streamforge dummy --simulate-loading --fail-after 3",
        "streamforge book --replay FOLDER --symbol BTCUSDT --at 50093421612",
        "streamforge exchange serve --source synthetic:7 --listen 127.0.0.1:0 --faults html:0.1",
        "streamforge record --symbol BTCUSDT,ETHUSDT --symbol BNBUSDT --stream ws_trades --stream ws_candles_1m --output F",
        "streamforge record --symbol A --stream ws_orderbook --output F --exchange capture:G --for 90s --rotate hour",
        "streamforge replay FOLDER",
        "streamforge replay FOLDER parts.json --speed max --data-dir DIR --json",
        "streamforge replay FOLDER --speed 20 --store arangodb://h:8529/db --max-workers 3",
        "streamforge dead-letters list",
        "streamforge dead-letters replay 0-17 0-18 --again",
        "streamforge dead-letters replay --all",
        "streamforge backup create",
        "streamforge backup create --to s3://backups/nightly --name before-the-move",
        "streamforge backup create --to file:FOLDER --symbol BTCUSDT --symbol ETHUSDT --from-time 2024-06-01",
        "streamforge backup list --from file:/backups --json",
        "streamforge backup restore nightly --from s3://backups --data-dir DIR --store arangodb://h:8529/db",
        "streamforge experiments list --model gnn --limit 5",
        "streamforge experiments show wf-multi-gnn_train-20240801-a1b2c3 --json",
        "streamforge roi --model gnn --format csv",
        "streamforge roi --format table --ledger postgres://ada@h/db",
        "streamforge settings set ada theme dark --revision 3",
        "streamforge settings set ada offset -1",
        "streamforge settings get ada theme",
        "streamforge settings list ada --json",
        "streamforge status --json",
        "streamforge completions bash",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    for line in [
        "streamforge",
        "streamforge run",
        "streamforge function nothing",
        "streamforge up --ingress nowhere",
        "streamforge up --max-workers 0",
        "streamforge export candles --symbol BTCUSDT --interval 1H",
        "streamforge export candles --symbol BTC/USDT --interval 1h",
        "streamforge export candles --symbol BTCUSDT --interval 1h --from yesterday",
        "streamforge export predictions --split training",
        "streamforge export predictions --model ../gnn",
        "streamforge experiments",
        "streamforge experiments show",
        "streamforge experiments list --model ../gnn",
        "streamforge roi --format xml",
        "streamforge settings",
        "streamforge settings set ada theme",
        "streamforge settings set ada theme dark --revision -1",
        "streamforge models",
        "streamforge models export gnn",
        "streamforge models export gnn/x --to FOLDER",
        "streamforge models promote gnn",
        "streamforge models promote gnn latest",
        "streamforge publish --broker workflows",
        "streamforge publish --broker workflows --event a.json --type b",
        "streamforge backup",
        "streamforge backup restore",
        "streamforge backup restore ../x",
        "streamforge backup create --name a/b",
        "streamforge backup create --from-time yesterday",
        "streamforge record --symbol BTCUSDT --stream ws_trades",
        "streamforge record --symbol BTCUSDT --stream trades --output F",
        "streamforge record --symbol BTCUSDT --stream ws_candles_7m --output F",
        "streamforge record --symbol BTCUSDT --stream ws_trades --output F --for 10",
        "streamforge record --symbol BTCUSDT --stream ws_trades --output F --rotate-mib 0",
        "streamforge replay",
        "streamforge replay FOLDER --speed 0",
        "streamforge dead-letters replay",
        "streamforge dead-letters show 17",
        "streamforge control --queue-id Q",
    ] {
        let error = parse(line).expect_err(line);
        assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn global_flags_may_stand_anywhere() {
    for line in ["streamforge --json --data-dir D status", "streamforge status --json --data-dir D"] {
        let cli = parse(line).unwrap();
        assert!(cli.global.json && cli.global.data_dir.ends_with("D"), "{line}");
        assert!(matches!(cli.command, Command::Status(_)));
    }
}

#[test]
fn log_store_and_objects_lie_in_the_data_folder_unless_a_url_is_named() {
    let places = |line: &str| parse(line).unwrap().global.places().unwrap();
    let own = places("streamforge --data-dir /data status --bus sqlite --store sqlite --objects file --ledger sqlite");
    assert_eq!(
        [own.bus_url(), own.store_url(), own.objects_url(), own.ledger_url()],
        ["sqlite:///data/bus.db", "sqlite:///data/store.db", "file:///data/objects", "sqlite:///data/ledger.db"]
    );
    let other = places(
        "streamforge status --bus kafka://h:9092 --store arangodb://h:8529/db --objects s3://bucket \
         --ledger postgres://h/db",
    );
    assert_eq!(
        [other.bus_url(), other.store_url(), other.objects_url(), other.ledger_url()],
        ["kafka://h:9092", "arangodb://h:8529/db", "s3://bucket", "postgres://h/db"]
    );
}
