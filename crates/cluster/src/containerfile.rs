//! Containerfiles that add staged files to nothing: the few instructions they need, read as builders of images do.
//!
//! # Source
//! <https://github.com/containers/common/blob/main/docs/Containerfile.5.md>

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

/// The folder of the context that becomes the image's root.
pub(crate) const ROOT: &str = "root";

/// What a Containerfile says of its image, beside the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containerfile {
    /// Program and arguments.
    pub entrypoint: Vec<String>,
    /// User and group.
    pub user: String,
    /// The folder that the program starts in.
    pub folder: String,
    /// Environment variables, in their order.
    pub variables: Vec<(String, String)>,
    /// Labels, such as `org.opencontainers.image.version`.
    pub labels: BTreeMap<String, String>,
}

impl Containerfile {
    /// Reads the text of one, with a value for each `ARG`.
    ///
    /// # Errors
    /// If an instruction is not one of those that our images need, or an argument has no value.
    pub fn parse(text: &str, arguments: &BTreeMap<&str, String>) -> Result<Self> {
        let mut read = Self { user: "0:0".to_owned(), folder: "/".to_owned(), ..Self::default() };
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        let mut is_begun = false;
        let mut is_filled = false;
        let text = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        let text = text.replace("\\\n", " ");
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match (instruction, is_begun) {
                ("FROM", false) if rest == "scratch" => is_begun = true,
                ("ARG", true) => {
                    let (name, value) =
                        arguments.get_key_value(rest).with_context(|| format!("ARG {rest} has no value"))?;
                    known.insert(name, value);
                }
                ("COPY", true) if rest == format!("{ROOT}/ /") => is_filled = true,
                ("LABEL", true) => read.labels.extend(pairs(rest, &known)?),
                ("ENV", true) => read.variables.extend(pairs(rest, &known)?),
                ("USER", true) => rest.clone_into(&mut read.user),
                ("WORKDIR", true) => rest.clone_into(&mut read.folder),
                ("ENTRYPOINT", true) => {
                    read.entrypoint =
                        serde_json::from_str(rest).with_context(|| format!("{line} is not a list of texts"))?;
                }
                _ => bail!("`{line}` is not what one of our images is made with"),
            }
        }
        if !is_filled {
            bail!("`COPY {ROOT}/ /` is missing");
        }
        Ok(read)
    }
}

/// Pairs such as `a="b" c=d`, with arguments put in.
fn pairs(text: &str, arguments: &BTreeMap<&str, &str>) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').with_context(|| format!("`{rest}` is not NAME=VALUE"))?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').with_context(|| format!("a quote does not end in `{rest}`"))?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        let mut value = value.to_owned();
        for (argument, known) in arguments {
            value = value.replace(&format!("${{{argument}}}"), known);
        }
        if value.contains('$') {
            bail!("`{value}` needs an argument that is not there");
        }
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "# A comment.\nFROM scratch\nARG VERSION\nCOPY root/ /\n\
        LABEL version=\"${VERSION}\" \\\n      title=\"two words\"\nENV PATH=/ B=c\nUSER 65532:65532\nWORKDIR /data\n\
        ENTRYPOINT [\"/program\", \"serve\"]\n";

    fn parse(text: &str) -> Result<Containerfile> {
        Containerfile::parse(text, &[("VERSION", "1.2.3".to_owned())].into())
    }

    #[test]
    fn what_it_says_is_read() {
        let pairs = |pairs: [(&str, &str); 2]| pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = Containerfile {
            entrypoint: vec!["/program".to_owned(), "serve".to_owned()],
            user: "65532:65532".to_owned(),
            folder: "/data".to_owned(),
            variables: pairs([("PATH", "/"), ("B", "c")]).to_vec(),
            labels: pairs([("version", "1.2.3"), ("title", "two words")]).into(),
        };
        assert_eq!(parse(SOUND).unwrap(), expected);
    }

    #[test]
    fn what_a_builder_would_understand_otherwise_is_refused() {
        for (from, to, words) in [
            ("FROM scratch", "FROM debian", "`FROM debian`"),
            ("COPY root/ /", "COPY other/ /", "`COPY other/ /`"),
            ("COPY root/ /\n", "", "is missing"),
            ("COPY root/ /", "COPY root/ /\nRUN true", "`RUN true`"),
            ("ARG VERSION", "ARG COLOUR", "COLOUR"),
            ("ARG VERSION\n", "", "argument"),
            ("ENTRYPOINT [\"/program\", \"serve\"]", "ENTRYPOINT /program", "list"),
            ("\"two words\"", "\"two words", "quote"),
            ("ENV PATH=/ B=c", "ENV PATH", "NAME=VALUE"),
        ] {
            assert!(SOUND.contains(from), "{from}");
            let error = format!("{:#}", parse(&SOUND.replace(from, to)).unwrap_err());
            assert!(error.contains(words), "{to}: {error}");
        }
    }
}
