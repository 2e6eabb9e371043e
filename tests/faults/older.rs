//! Data folders of other versions of the program: brought up to date or refused with words, and then left as they are.

use std::fs;

use crate::support::Folder;

/// The files of a data folder that carry a version, and a command that opens this one alone.
const FILES: [(&str, &[&str]); 2] = [("bus.db", &["status"]), ("store.db", &["queues", "list"])];

/// Where a database says which version of its program's tables it holds, in four bytes.
///
/// # Source
/// <https://sqlite.org/fileformat2.html#the_database_header>
const USER_VERSION: std::ops::Range<usize> = 60..64;

#[test]
fn a_folder_of_another_version_is_never_misread() {
    let folder = Folder::new();
    let request = folder.request(&["BTCUSDT", "ETHUSDT"], "1d", "2026-03-01:2026-03-03");
    let run = ["run", &request, "--exchange", "synthetic:42"];
    let report = folder.run(&request, "synthetic:42");
    let klines = folder.candles("BTCUSDT", "1d");
    for (name, alone) in FILES {
        let path = folder.path("data").join(name);
        // Closed by the last process, so that everything lies in the file itself.
        assert!(!folder.path("data").join(format!("{name}-wal")).exists());
        let good = fs::read(&path).unwrap();
        let known = u32::from_be_bytes(good[USER_VERSION].try_into().unwrap());
        // Folders that an older version has really written are converted in the tests of their crates.
        for found in [0, known + 1] {
            let mut other = good.clone();
            other[USER_VERSION].copy_from_slice(&found.to_be_bytes());
            fs::write(&path, &other).unwrap();
            for command in [&run[..], alone] {
                let ended = folder.command(command);
                if ended.code == Some(0) {
                    assert!(found < known, "a newer folder was used: {ended:?}");
                    assert_eq!(fs::read(&path).unwrap()[USER_VERSION], known.to_be_bytes(), "not brought up to date");
                    continue;
                }
                assert_eq!(ended.code, Some(1), "{ended:?}");
                let (path, found, known) = (path.display(), format!("version {found}"), format!("version {known}"));
                for words in [&path.to_string(), &found, &known, "another data folder"] {
                    assert!(ended.stderr.contains(words), "no `{words}`: {ended:?}");
                }
                assert!(fs::read(path.to_string()).unwrap() == other, "a refused file was changed");
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert_eq!(folder.run(&request, "synthetic:42")["coverage"], report["coverage"]);
    assert_eq!(folder.candles("BTCUSDT", "1d"), klines);
}
