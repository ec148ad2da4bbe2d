//! The book, which is part of the program: an answer may cite it.

/// A page with its path.
macro_rules! page {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../../book/src/", $path)))
    };
}
/// Every page but the lists of words, commands and contents, by its path.
pub(super) const PAGES: &[(&str, &str)] = &[
    page!("concepts/injection.md"),
    page!("concepts/request.md"),
    page!("guides/adapters.md"),
    page!("guides/agents.md"),
    page!("guides/anthropic.md"),
    page!("guides/audit.md"),
    page!("guides/chat.md"),
    page!("guides/insight.md"),
    page!("guides/inspect.md"),
    page!("guides/llama-server.md"),
    page!("guides/models.md"),
    page!("guides/ollama.md"),
    page!("guides/open.md"),
    page!("guides/openai.md"),
    page!("guides/privacy.md"),
    page!("guides/providers.md"),
    page!("guides/pull.md"),
    page!("guides/responses.md"),
    page!("guides/routing.md"),
    page!("guides/sealing.md"),
    page!("guides/signing.md"),
    page!("index.md"),
    page!("reference/architectures.md"),
    page!("reference/configuration.md"),
    page!("reference/formats.md"),
    page!("reference/http.md"),
    page!("reference/sampling.md"),
    page!("reference/templates.md"),
    page!("start/quick-start.md"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_book_is_here() {
        let listed = include_str!("../../../../../book/src/SUMMARY.md");
        let listed = listed.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(path, _)| path);
        let listed = listed.filter(|path| !["reference/cli.md", "concepts/glossary.md"].contains(path));
        let mut listed: Vec<&str> = listed.collect();
        listed.sort_unstable();
        let pages: Vec<&str> = PAGES.iter().map(|(path, _)| *path).collect();
        assert_eq!(pages, listed);
    }
}
