//! The pages of the book, cut at their headings, as what an answer may cite.

use super::index::{Field, Index};

/// A section of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The page, as the book's table of contents names it, and the heading: `guides/pull.md#pushing`.
    pub place: String,
    /// Its text.
    pub text: String,
}

/// All sections.
pub struct Passages {
    passages: Vec<Passage>,
    index: Index,
}

impl Passages {
    /// Cuts pages, each given with its path.
    pub fn new(pages: &[(&str, &str)]) -> Self {
        let passages: Vec<Passage> = pages.iter().flat_map(|(path, text)| sections(path, text)).collect();
        let mut index = Index::default();
        for passage in &passages {
            // The heading says best what a section is about.
            let heading = passage.text.lines().next().unwrap_or_default().to_owned();
            index.add(&[(Field::Name, heading), (Field::Phrase, passage.text.clone())]);
        }
        index.finish();
        Self { passages, index }
    }

    /// Finds the sections for a question, the best first.
    pub fn search(&self, question: &str, count: usize) -> Vec<&Passage> {
        self.index.search(question).iter().take(count).map(|hit| &self.passages[hit.entry]).collect()
    }
}

/// Cuts a page before each heading of the second level; tables of options say nothing to people.
fn sections(path: &str, text: &str) -> Vec<Passage> {
    let mut sections: Vec<Passage> = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let heading = line.strip_prefix("## ").or_else(|| line.strip_prefix("# ")).filter(|_| !is_code);
        if let Some(heading) = heading {
            let place =
                if line.starts_with("# ") { path.to_owned() } else { format!("{path}#{}", anchor(heading)) };
            sections.push(Passage { place, text: String::new() });
        }
        if let Some(section) = sections.last_mut()
            && section.text.len() + line.len() < PASSAGE_BYTES_MAX
        {
            section.text.push_str(line.trim_start_matches('#').trim());
            section.text.push('\n');
        }
    }
    sections
}

fn anchor(heading: &str) -> String {
    let letters = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    letters.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A longer section is cut: what it says first is what it is about.
const PASSAGE_BYTES_MAX: usize = 3000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_what_they_say() {
        let page = "# Pulling\n\nFetch models from a hub.\n\n```sh\n## no heading\n```\n\n## Pushing to a registry\n\nUpload weights.\n";
        let passages = Passages::new(&[
            ("guides/pull.md", page),
            ("guides/chat.md", "# Chatting\n\nTalk on a terminal.\n"),
        ]);
        let found = passages.search("how to upload to a registry", 1);
        assert_eq!(found[0].place, "guides/pull.md#pushing-to-a-registry");
        assert_eq!(found[0].text, "Pushing to a registry\n\nUpload weights.\n");
    }
}
