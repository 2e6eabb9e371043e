//! The name of a function, which is also that of its crate, image, Service, Triggers, topic and Broker.

use crate::Error;

/// The longest name that is made of a function's: the consumer group of the Trigger that fills its inbox.
const PREFIX: &str = "knative-trigger-streamforge-route-";
/// Most characters of a label.
///
/// # Source
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>
const LABEL: usize = 63;
/// What begins the names of crates and programs that are no functions.
const OURS: &str = "streamforge-";
/// Crates that every program has, and what is no name in Rust.
const RUST: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv proc-macro pub ref return self \
    static std struct super test trait true try type typeof unsafe unsized use virtual where while yield";

/// A name that a function can have, as far as itself says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let refusal = |reason: &str| Error::Name { name: text.chars().take(100).collect(), reason: reason.to_owned() };
        let is_known = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '-');
        if text.is_empty() || !text.chars().all(is_known) {
            return Err(refusal("it has characters other than a to z, 0 to 9 and hyphens"));
        }
        if !text.starts_with(|first: char| first.is_ascii_lowercase()) || text.ends_with('-') || text.contains("--") {
            return Err(refusal("it has to begin with a letter, and hyphens have to stand between others"));
        }
        let most = LABEL - PREFIX.len();
        if text.len() > most {
            return Err(refusal(&format!("{PREFIX}{text} has more than {LABEL} characters; {most} are the most")));
        }
        if text.starts_with(OURS) {
            return Err(refusal(&format!("{OURS}… are crates that are no functions")));
        }
        if RUST.split_whitespace().any(|word| word == text) {
            return Err(refusal("it means something else in Rust"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written nearly everywhere: `price-alert`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As its crate is called in code: `price_alert`.
    pub(crate) fn crate_name(&self) -> String {
        self.0.replace('-', "_")
    }

    /// As its type is called: `PriceAlert`.
    pub(crate) fn type_name(&self) -> String {
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(capital).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_in_three_ways() {
        let name = Name::parse("price-alert2").unwrap();
        assert_eq!(
            (name.as_str(), &*name.crate_name(), &*name.type_name()),
            ("price-alert2", "price_alert2", "PriceAlert2")
        );
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_with_the_reason() {
        let longest = "a".repeat(29);
        assert!(Name::parse(&longest).is_ok());
        for (text, words) in [
            ("", "a to z"),
            ("Price", "a to z"),
            ("price_alert", "a to z"),
            ("../price", "a to z"),
            ("prix-élevé", "a to z"),
            ("2-prices", "begin with a letter"),
            ("-price", "begin with a letter"),
            ("price-", "hyphens"),
            ("price--alert", "hyphens"),
            (&format!("{longest}a"), "29 are the most"),
            ("streamforge-price", "no functions"),
            ("match", "in Rust"),
            ("proc-macro", "in Rust"),
        ] {
            let error = Name::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
