//! Lists in text: an item for the new function, made of the model's, where the order of the list puts it.

use std::ops::Range;

/// Puts an item into its place among those around the model's that are in order already.
///
/// `keys` are what the items are ordered by; answers the index before which the new one comes.
pub(crate) fn place<K: Ord>(keys: &[K], model: usize, new: &K) -> usize {
    let Range { start, end } = run(keys, model);
    start + keys[start..end].iter().take_while(|key| *key < new).count()
}

/// The ascending run that an item lies in.
fn run<K: Ord>(keys: &[K], item: usize) -> Range<usize> {
    let before = (1..=item).rev().take_while(|index| keys[index - 1] < keys[*index]).count();
    let after = (item + 1..keys.len()).take_while(|index| keys[index - 1] < keys[*index]).count();
    item - before..item + after + 1
}

/// Gives each line that is an item of a list and has `from` as a word a copy with `to`; nothing where there is none.
pub(crate) fn with_copied_lines(text: &str, from: &str, to: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_item = |index: &usize| {
        let line = &lines[*index];
        let goes_on = lines.get(index + 1).is_some_and(|next| indent(next) > indent(line));
        has_word(line, from) && is_alike(line, line) && !goes_on
    };
    let models: Vec<usize> = (0..lines.len()).filter(is_item).collect();
    for model in models.iter().rev() {
        let new = lines[*model].replace(from, to);
        let first =
            (0..=*model).rev().find(|index| *index == 0 || !is_alike(&lines[index - 1], &new)).unwrap_or(*model);
        let count = lines[first..].iter().take_while(|line| is_alike(line, &new)).count();
        let keys: Vec<Vec<String>> = lines[first..first + count].iter().map(|line| key(line)).collect();
        lines.insert(first + place(&keys, model - first, &key(&new)), new);
    }
    (!models.is_empty()).then(|| lines.join("\n") + "\n")
}

/// Gives the one line that is `from` a copy below it.
pub(crate) fn with_line_below(text: &str, from: &str, to: &str) -> Option<String> {
    let line = format!("{from}\n");
    (text.matches(&line).count() == 1).then(|| text.replace(&line, &format!("{line}{to}\n")))
}

/// Whether a word stands in a text, and not as part of a longer one.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '-' || character == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

/// Whether two lines can be items of one list: begun alike, and neither empty nor a comment.
fn is_alike(one: &str, other: &str) -> bool {
    let begin = |line: &str| {
        let rest = line.trim_start();
        let sign = ["- ", "use ", "["].into_iter().find(|sign| rest.starts_with(sign));
        (!rest.is_empty() && !rest.starts_with('#')).then_some((indent(line), sign))
    };
    begin(one).is_some() && begin(one) == begin(other)
}

/// How many spaces a line begins with.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// What a line is ordered by: its parts, so that a name comes before those that it begins.
fn key(line: &str) -> Vec<String> {
    line.split([':', '.', '=', ' ', ';', ',']).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str, to: &str) -> String {
        with_copied_lines(text, "dummy-service", to).unwrap()
    }

    #[test]
    fn a_line_comes_where_the_order_puts_it() {
        let list = "resources:\n  - topics.yaml\n  - arango.yaml\n  - dummy-service.yaml\n  - graph.yaml\npatches:\n";
        for (name, before) in
            [("alert", "  - arango"), ("chart", "  - dummy"), ("fee", "  - graph"), ("zoo", "patches")]
        {
            let line = format!("  - {name}.yaml\n");
            let expected = list.replacen(before, &format!("{line}{before}"), 1);
            assert_eq!(added(list, name), expected);
        }
    }

    #[test]
    fn lists_end_at_other_lines() {
        let toml = "zoo = 1\n\n# Functions.\ndummy-service = 1\nexample = 2\n[next]\nfee = 1\n";
        assert_eq!(added(toml, "graph"), toml.replace("[next]", "graph = 1\n[next]"));
        let code = "use std::fs;\n\nuse dummy::A;\nuse b::{\n    C,\n};\n";
        let with = with_copied_lines(code, "dummy", "dummy_two").unwrap();
        assert_eq!(with, code.replace("use b", "use dummy_two::A;\nuse b"));
    }

    #[test]
    fn items_of_several_lines_and_comments_are_left_alone() {
        for text in ["  - target: {name: dummy-service}\n    patch: x\n", "# dummy-service\n- a\n"] {
            assert_eq!(with_copied_lines(text, "dummy-service", "a"), None, "{text}");
        }
    }

    #[test]
    fn a_word_is_not_part_of_another() {
        assert!(has_word("- {name: a/dummy-service, x}", "dummy-service"));
        for other in ["dummy-services", "my-dummy-service", "dummy_service"] {
            assert!(!has_word(other, "dummy-service"));
        }
        assert_eq!(with_copied_lines("- dummy-services\n", "dummy-service", "a"), None);
    }

    #[test]
    fn a_line_below_needs_its_one_model() {
        assert_eq!(with_line_below("a\nb\n", "a", "c").unwrap(), "a\nc\nb\n");
        assert_eq!(with_line_below("a\na\n", "a", "c"), None);
        assert_eq!(with_line_below("b\n", "a", "c"), None);
    }
}
