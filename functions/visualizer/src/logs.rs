//! `GET /views/logs`: the last lines that workers wrote of a task or a workflow, where they write into a folder.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};
use streamforge_function::{
    api::{Problem, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};

use crate::{
    Views,
    asked::{Asked, LINES},
};

/// As much of each file is looked at, from its end.
const BYTES_PER_FILE: u64 = 8 << 20;

/// A longer line is cut.
const LONGEST_LINE: usize = 16 << 10;

/// A line of a log.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    /// When it was written, as the line says or the last one before it that does; empty where none does.
    at: String,
    /// Whose worker wrote it.
    function: String,
    /// The line as it is.
    text: String,
}

pub(crate) async fn show(State(views): State<Arc<Views>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked = Asked::new(text, &["task", "queue_id", "limit"])?;
    let limit = asked.limit(LINES)?;
    let words: Vec<String> =
        ["task", "queue_id"].into_iter().filter_map(|name| asked.text(name)).map(str::to_owned).collect();
    if words.iter().all(String::is_empty) {
        return Err(Problem::field("missing_field", "task", "name a task by `task=` or a workflow by `queue_id=`"));
    }
    let Some(folder) = views.logs.clone() else {
        let message = "no logs are kept here: look at those of the pods, `kubectl logs -n streamforge -l \
                       app.kubernetes.io/part-of=streamforge`, or where the cluster collects them";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "no_logs_here", message));
    };
    let found = tokio::task::spawn_blocking(move || search(&folder, &words, limit)).await;
    let found = found.map_err(|error| Problem::unavailable(&error))?;
    let lines = found.map_err(|error| Problem::unavailable(&error))?;
    Ok(success(StatusCode::OK, "log lines, oldest first", &json!({"lines": lines})))
}

/// The last lines of all logs that hold all words, by time.
fn search(folder: &Path, words: &[String], limit: usize) -> io::Result<Vec<Line>> {
    let mut found = Vec::new();
    for (path, function) in logs(folder)? {
        match last_lines(&path, words, limit) {
            Ok(lines) => {
                found.extend(lines.into_iter().map(|(at, text)| Line { at, function: function.clone(), text }));
            }
            // The log was set aside while it was looked for.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    // Lines of one file stay in their order, such as those of a panic behind what was logged before it.
    found.sort_by(|one, other| one.at.cmp(&other.at));
    let surplus = found.len().saturating_sub(limit);
    found.drain(..surplus);
    Ok(found)
}

/// The log of each function and what was set aside of it, with the function's name.
fn logs(folder: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        // Nobody has logged yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let function = name.strip_suffix(".1").unwrap_or(name).strip_suffix(".log").map(str::to_owned);
        found.extend(function.map(|function| (path, function)));
    }
    Ok(found)
}

/// The last lines of a file that hold all words, each with its time.
fn last_lines(path: &Path, words: &[String], limit: usize) -> io::Result<VecDeque<(String, String)>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES_PER_FILE)))?;
    let mut reader = BufReader::new(file.take(BYTES_PER_FILE));
    let mut found = VecDeque::new();
    let (mut bytes, mut at) = (Vec::new(), String::new());
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        let line = String::from_utf8_lossy(&bytes);
        if let Some(time) = time(&line) {
            at = time;
        }
        if words.iter().all(|word| line.contains(word.as_str())) {
            let line = line.trim_end();
            found.push_back((at.clone(), line[..line.floor_char_boundary(LONGEST_LINE)].to_owned()));
            if found.len() > limit {
                found.pop_front();
            }
        }
        bytes.clear();
    }
    Ok(found)
}

/// Workers log JSON, each line with its time.
fn time(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["timestamp"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_lines_with_all_words_are_found_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, lines: &[&str]| std::fs::write(folder.path().join(name), lines.join("\n")).unwrap();
        let line = |second: u32, words: &str| format!(r#"{{"timestamp":"2026-01-01T00:00:0{second}Z","m":"{words}"}}"#);
        write("loader.log.1", &[&line(1, "task-1 wf-1"), &line(2, "task-2 wf-1")]);
        write("loader.log", &[&line(4, "task-1 wf-1"), "not JSON, task-1 wf-1"]);
        write("connector.log", &[&line(3, "task-1 wf-1"), &line(5, "task-1 wf-2")]);
        write("notes.txt", &[&line(6, "task-1 wf-1")]);
        let search = |words: &[&str], limit| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let found = super::search(folder.path(), &words, limit).unwrap();
            found.into_iter().map(|line| (line.function, line.at)).collect::<Vec<_>>()
        };
        let at = |function: &str, second: u32| (function.to_owned(), format!("2026-01-01T00:00:0{second}Z"));
        let all = search(&["task-1", "wf-1"], 9);
        assert_eq!(all, [at("loader", 1), at("connector", 3), at("loader", 4), at("loader", 4)]);
        assert_eq!(search(&["task-1", "wf-1"], 1), [at("loader", 4)]);
        assert_eq!(search(&["task-9"], 9), []);
        assert_eq!(super::search(&folder.path().join("none"), &["a".to_owned()], 1).unwrap(), []);
    }
}
