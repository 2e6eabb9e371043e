//! What a `PromQL` expression asks for: metrics, and the labels by which it selects and groups.
//!
//! Only words are told apart here; whether an expression is one is for Prometheus to say.
//!
//! # Source
//! <https://prometheus.io/docs/prometheus/latest/querying/basics/>

use std::collections::BTreeSet;

/// Words that are no names, wherever they stand.
const OPERATORS: [&str; 8] = ["and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"];
/// Words that labels follow in parentheses.
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// A metric as an expression selects it, without range and offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Labels that are compared.
    pub(crate) labels: Vec<String>,
}

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) selectors: BTreeSet<Selector>,
    /// Labels that samples are grouped or matched by.
    pub(crate) grouping: BTreeSet<String>,
}

/// Reads the names of an expression.
pub(crate) fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let words = words(expression);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let next = words.get(at).map_or("", String::as_str);
        let is_name = word.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if GROUPING.contains(&word.as_str()) {
            if next == "(" {
                let end = end(&words, at, ")");
                names.grouping.extend(words[at + 1..end].iter().filter(|word| *word != ",").cloned());
                at = end;
            }
        } else if word == "[" {
            at = end(&words, at, "]");
        } else if is_name && next != "(" && !GROUPING.contains(&next) && !OPERATORS.contains(&word.as_str()) {
            let mut labels = Vec::new();
            if next == "{" {
                let end = end(&words, at, "}");
                let compared = |pair: &&[String]| pair[1].starts_with(['=', '!']);
                labels.extend(words[at..end].windows(2).filter(compared).map(|pair| pair[0].clone()));
                at = end;
            }
            names.selectors.insert(Selector { metric: word.clone(), labels });
        }
    }
    names
}

/// Where the closing word stands.
fn end(words: &[String], from: usize, closing: &str) -> usize {
    let length = words[from..].iter().position(|word| word == closing);
    from + length.unwrap_or_else(|| panic!("no {closing} in {words:?}"))
}

/// Names and numbers, texts in quotes, comparisons, and other signs one by one.
fn words(expression: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_:.$".contains(letter);
    let mut words = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => 2 + rest[1..].find(first).unwrap_or_else(|| panic!("an open text: {expression}")),
            _ if is_part(first) => rest.find(|letter| !is_part(letter)).unwrap_or(rest.len()),
            _ if "=!<>~".contains(first) => rest.find(|letter| !"=!<>~".contains(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        words.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    words
}

#[test]
fn names_are_found() {
    let found = names(
        r#"histogram_quantile(0.95, sum by (le, trigger) (rate(a_bucket{x=~"b{c|d", y!="z"}[5m] offset 1h))) > 1e3
           and on (group) max without(pod) (b:c[$__rate_interval]) or up == bool 1"#,
    );
    let selector = |metric: &str, labels: &[&str]| Selector {
        metric: metric.to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
    };
    let selectors = [selector("a_bucket", &["x", "y"]), selector("b:c", &[]), selector("up", &[])];
    assert_eq!(found.selectors, BTreeSet::from(selectors));
    assert_eq!(found.grouping, ["group", "le", "pod", "trigger"].map(str::to_owned).into());
}
