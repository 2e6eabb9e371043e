//! Reads the parts of Markdown that are checked: sections, tables, fenced blocks.

/// First cells of a text's table rows that are code, without their backticks.
pub(crate) fn coded_rows(text: &str) -> Vec<&str> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(name, _)| name).collect()
}

/// The text below a heading, up to the next heading of the same or a higher level.
pub(crate) fn section<'text>(text: &'text str, heading: &str) -> Option<&'text str> {
    let start = text.find(&format!("\n{heading}\n"))? + heading.len() + 2;
    let rest = &text[start..];
    let level = heading.chars().take_while(|character| *character == '#').count();
    let end = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level)))).min();
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// Fenced blocks of a language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    let mut is_wanted = false;
    for line in text.lines() {
        match (line.trim().strip_prefix("```"), &mut block) {
            (Some(name), None) => {
                is_wanted = name == language;
                block = Some(Vec::new());
            }
            (Some(_), Some(lines)) => {
                if is_wanted {
                    blocks.push(lines.join("\n"));
                }
                block = None;
            }
            (None, Some(lines)) => lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn parts_are_found() {
    let text =
        "# A\n\n## B\n\n| name |\n|---|\n| `x` | 1 |\n\n```sh\nls\n```\n\n```json\n{}\n```\n\n## C\n\n| `y` | 2 |\n";
    assert_eq!(section(text, "## B").map(coded_rows), Some(vec!["x"]));
    assert_eq!(section(text, "## D"), None);
    assert_eq!(blocks(text, "sh"), ["ls"]);
    assert_eq!(blocks(text, "json"), ["{}"]);
}
