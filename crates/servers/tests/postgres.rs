//! `PostgreSQL` that outlives its starter, as `cargo xtask postgres up` leaves it.

use std::{fs, path::Path};

use streamforge_servers::{Lifetime, Postgres, stop};

#[test]
fn one_that_outlives_its_starter_serves_until_it_is_stopped_by_what_it_said() {
    let server = Postgres::start(Lifetime::Own, false).unwrap();
    let described = server.describe();
    assert_eq!(server.execute("SELECT 40 + 2").unwrap(), "42");
    drop(server);
    let pid = described["pids"][0].as_u64().unwrap();
    assert!(Path::new(&format!("/proc/{pid}/exe")).exists(), "it goes on: {described}");
    for name in ["url", "user", "password_file", "folder"] {
        assert!(described[name].is_string(), "{name} of {described}");
    }
    assert_eq!(stop(&described), 1);
    assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "it is gone");
    assert_eq!(stop(&described), 0);
    fs::remove_dir_all(described["folder"].as_str().unwrap()).unwrap();
}
