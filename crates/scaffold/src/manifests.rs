//! Manifests of a new function, made of those of the model as they are.

use streamforge_events::{EventType, Topic};

use crate::{Error, lists::place, name::Name, new_function::MODEL};

/// What stands between two documents of a file.
const END: &str = "---\n";

/// A manifest of the model that becomes one of the new function.
pub(crate) struct Manifest<'a> {
    /// Its path in the repository, for a complaint.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Manifest<'_> {
    /// The whole file, where these texts stand for others first; each has to be there as often as is said.
    pub(crate) fn renamed(&self, name: &Name, changes: &[(&str, usize, &str)]) -> Result<String, Error> {
        let mut text = self.text.to_owned();
        for (from, times, to) in changes {
            if text.matches(from).count() != *times {
                return Err(self.unexpected(format!("`{}`, {times} times", from.trim())));
            }
            text = text.replace(from, to);
        }
        Ok(text.replace(MODEL, name.as_str()))
    }

    /// The file with one more document, made of the model's, where the order of the documents puts it.
    ///
    /// `comment` stands above it where one stands above the model's.
    pub(crate) fn with_document(&self, name: &Name, comment: &str) -> Result<String, Error> {
        let mut documents: Vec<String> = self.text.split(END).map(str::to_owned).collect();
        let names: Vec<&str> = documents.iter().map(|document| object_name(document)).collect();
        let model = names.iter().position(|name| *name == MODEL);
        let model = model.ok_or_else(|| self.unexpected(format!("an object named {MODEL}")))?;
        let new: String = documents[model].split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
        let comment = if documents[model].starts_with('#') { format!("# {comment}\n") } else { String::new() };
        let new = comment + &new.replace(MODEL, name.as_str());
        let index = place(&names, model, &name.as_str());
        // All but the last end with a line of their own.
        documents.insert(index, new);
        Ok(documents.iter().map(|document| document.trim_end()).collect::<Vec<_>>().join("\n---\n") + "\n")
    }

    fn unexpected(&self, what: String) -> Error {
        Error::Unexpected { file: self.file.to_owned(), what }
    }
}

/// What changes in the model's Triggers, whose inbox takes commands, for one that takes events of another type.
pub(crate) fn routes(kind: EventType) -> Vec<(&'static str, usize, String)> {
    if kind == EventType::ControlStart {
        return Vec::new();
    }
    let only = format!("    - exact: {{type: {kind}}}\n");
    vec![
        (
            "the commands that are meant for dummy-service into its inbox",
            1,
            format!("each `{kind}` into the inbox of\n# dummy-service"),
        ),
        ("  broker: queue-control\n", 1, format!("  broker: {}\n", kind.topic())),
        ("    - exact: {target: dummy-service}\n", 1, String::new()),
        ("    - prefix: {type: io.streamforge.control.}\n", 2, only),
    ]
}

/// By what the records of an inbox are put in order.
pub(crate) fn key(kind: EventType) -> &'static str {
    if kind.topic() == Topic::MarketData { "symbol" } else { "queue id" }
}

/// Whether an object of this name is in a file of manifests.
pub(crate) fn names_object(text: &str, name: &str) -> bool {
    text.split(END).any(|document| object_name(document) == name)
}

/// `metadata.name` of a document; empty where it has none on a line of its own.
fn object_name(document: &str) -> &str {
    let metadata = document.lines().skip_while(|line| *line != "metadata:").skip(1);
    let mut fields = metadata.take_while(|line| line.starts_with(' '));
    fields.find_map(|line| line.strip_prefix("  name: ")).map_or("", str::trim)
}
