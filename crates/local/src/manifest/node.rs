//! Reads fields of one YAML document and names the field in every complaint.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::duration;

/// A field that is not what its kind asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) path: String,
    pub(super) message: String,
}

/// One place in a document: a value, perhaps absent, and the path that leads to it.
#[derive(Clone)]
pub(super) struct Node<'a> {
    value: Option<&'a Value>,
    path: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value: Some(value), path: String::new() }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> FieldError {
        FieldError { path: self.path.clone(), message: message.into() }
    }

    pub(super) fn is_present(&self) -> bool {
        !matches!(self.value, None | Some(Value::Null))
    }

    /// The field of that name; absent where the parent is absent.
    pub(super) fn field(&self, name: &str) -> Result<Node<'a>, FieldError> {
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        };
        let value = match self.value {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => fields.get(name),
            Some(_) => return Err(self.error("must be a mapping")),
        };
        Ok(Node { value, path })
    }

    /// Follows several names, one below the other.
    pub(super) fn at(&self, names: &[&str]) -> Result<Node<'a>, FieldError> {
        let mut node = self.clone();
        for name in names {
            node = node.field(name)?;
        }
        Ok(node)
    }

    /// Refuses names that the kind does not have, because a misspelt field would silently do nothing.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), FieldError> {
        for (name, _) in self.entries()? {
            if !known.contains(&name.as_str()) {
                return Err(self.field(&name)?.error(format!("is unknown; known here: {}", known.join(", "))));
            }
        }
        Ok(())
    }

    pub(super) fn entries(&self) -> Result<Vec<(String, Node<'a>)>, FieldError> {
        match self.value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(fields)) => fields.keys().map(|name| Ok((name.clone(), self.field(name)?))).collect(),
            Some(_) => Err(self.error("must be a mapping")),
        }
    }

    pub(super) fn items(&self) -> Result<Vec<Node<'a>>, FieldError> {
        match self.value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, value)| Node { value: Some(value), path: format!("{}[{index}]", self.path) })
                .collect()),
            Some(_) => Err(self.error("must be a list")),
        }
    }

    pub(super) fn text(&self) -> Result<Option<String>, FieldError> {
        match self.value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.error(format!("must be a string, not {other}; quote it"))),
        }
    }

    pub(super) fn required_text(&self) -> Result<String, FieldError> {
        match self.text()? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.error("is missing")),
        }
    }

    /// The name of an object, which becomes part of topics, groups and URLs.
    ///
    /// # Source
    /// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>
    pub(super) fn object_name(&self) -> Result<String, FieldError> {
        let text = self.required_text()?;
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        if text.len() <= 253 && is_end(bytes.first()) && is_end(bytes.last()) && text.bytes().all(is_inner) {
            return Ok(text);
        }
        Err(self.error("must be 1 to 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends"))
    }

    /// The name of a topic.
    ///
    /// # Source
    /// <https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/internals/Topic.java>
    pub(super) fn topic_name(&self) -> Result<Option<String>, FieldError> {
        let Some(text) = self.text()? else { return Ok(None) };
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_folder = matches!(text.as_str(), "." | "..");
        if (1..=249).contains(&text.len()) && text.bytes().all(is_sound) && !is_folder {
            return Ok(Some(text));
        }
        Err(self.error("must be the name of a topic: 1 to 249 letters, digits, `-`, `_` and `.`"))
    }

    /// A scalar in its YAML spelling, for fields that Kubernetes lets be a number or a string.
    pub(super) fn scalar(&self) -> Result<Option<String>, FieldError> {
        match self.value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(_) => Err(self.error("must be a single value")),
        }
    }

    pub(super) fn integer(&self) -> Result<Option<u32>, FieldError> {
        match self.value {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .map(Some)
                .ok_or_else(|| self.error(format!("must be a whole number of at least 0, not {value}"))),
        }
    }

    pub(super) fn seconds(&self, default: u32) -> Result<Duration, FieldError> {
        Ok(Duration::from_secs(u64::from(self.integer()?.unwrap_or(default))))
    }

    /// An ISO 8601 duration.
    pub(super) fn duration(&self) -> Result<Option<Duration>, FieldError> {
        self.text()?.map(|text| duration::parse(&text).map_err(|message| self.error(message))).transpose()
    }

    /// A whole number written as a string, which is how KEDA's trigger metadata carries numbers.
    pub(super) fn quoted_integer(&self, default: u64) -> Result<u64, FieldError> {
        match self.text()? {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| self.error(format!("must be a whole number, not `{text}`"))),
        }
    }

    /// A truth value written as a string, which is how KEDA's trigger metadata carries them.
    pub(super) fn quoted_flag(&self, default: bool) -> Result<bool, FieldError> {
        match self.text()?.as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(text) => Err(self.error(format!("must be \"true\" or \"false\", not `{text}`"))),
        }
    }

    pub(super) fn text_map(&self) -> Result<BTreeMap<String, String>, FieldError> {
        let mut map = BTreeMap::new();
        for (name, node) in self.entries()? {
            map.insert(name, node.text()?.unwrap_or_default());
        }
        Ok(map)
    }

    pub(super) fn text_list(&self) -> Result<Vec<String>, FieldError> {
        let mut list = Vec::new();
        for item in self.items()? {
            list.push(item.required_text()?);
        }
        Ok(list)
    }
}
