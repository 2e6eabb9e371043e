//! Every command line that a document shows is one that the binary and the Makefile understand.

use std::{fs, path::Path};

use clap::{Parser as _, error::ErrorKind};
use streamforge_local::cli::Cli;

use crate::{assert_none, files, markdown::blocks, shown, text};

#[test]
fn shown_commands_are_understood() {
    let makefile = text("Makefile");
    let mut problems = Vec::new();
    for page in files("md") {
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for command in blocks(&text, "sh").iter().flat_map(|block| commands(block)) {
            problems.extend(problem(&command, &makefile).map(|reason| format!("{}: {reason}", shown(&page))));
        }
    }
    assert_none(&problems);
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let makefile = "demo: build ## Show\n";
    for (line, is_sound) in [
        ("streamforge status --json", true),
        ("streamforge publish --broker workflows --event 'my event.json' | jq .", true),
        ("HOME=/tmp ./streamforge up --data-dir data &", true),
        ("streamforge up \\\n  --data-dir data # a comment", true),
        ("streamforge --help", true),
        ("make demo EXCHANGE=synthetic:7 && ls", true),
        ("streamforge statuses", false),
        ("cd x && streamforge run", false),
        ("streamforge queues show $ID | streamforge nothing", false),
        ("make everything", false),
    ] {
        let found = commands(line).iter().find_map(|words| problem(words, makefile));
        assert_eq!(found.is_none(), is_sound, "{line}: {found:?}");
    }
}

fn problem(words: &[String], makefile: &str) -> Option<String> {
    let (program, arguments) = words.split_first()?;
    let shown = words.join(" ");
    match Path::new(program).file_name()?.to_str()? {
        "streamforge" => match Cli::try_parse_from(words) {
            Ok(_) => None,
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => None,
            Err(error) => Some(format!("`{shown}` is not understood: {error}")),
        },
        "make" => {
            let mut targets = arguments.iter().filter(|word| !word.contains('=') && !word.starts_with('-'));
            let unknown =
                targets.find(|target| !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))))?;
            Some(format!("`{shown}` asks for the target {unknown}, which is not there"))
        }
        _ => None,
    }
}

/// Splits shell lines into commands and commands into words, as far as documents go: quotes, comments, continued
/// lines, pipes and lists. Assignments before a command are left out.
fn commands(block: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let block = block.replace("\\\n", " ");
    let mut characters = block.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => {
                end(&mut commands, &mut word, true);
                for skipped in characters.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
            }
            (None, '\n' | '|' | '&' | ';' | '(' | ')' | '>' | '<') => end(&mut commands, &mut word, true),
            (None, ' ' | '\t') => end(&mut commands, &mut word, false),
            _ => word.get_or_insert_default().push(character),
        }
    }
    end(&mut commands, &mut word, true);
    commands.retain(|words| !words.is_empty());
    commands
}

fn end(commands: &mut Vec<Vec<String>>, word: &mut Option<String>, ends_command: bool) {
    let last = commands.last_mut().expect("there is always one");
    if let Some(word) = word.take() {
        let is_assignment = last.is_empty() && word.contains('=');
        if !is_assignment {
            last.push(word);
        }
    }
    if ends_command && !last.is_empty() {
        commands.push(Vec::new());
    }
}
