//! Phrases that announce instead of saying, and sentences about the author.

use std::sync::LazyLock;

use regex::Regex;

use super::Rule;

/// Finds phrases in a paragraph: the rule that they break, where they begin, and themselves.
pub(super) fn find(text: &str) -> Vec<(Rule, usize, String)> {
    let mut found = Vec::new();
    for (rule, pattern) in PATTERNS.iter() {
        found.extend(pattern.find_iter(text).map(|found| (*rule, found.start(), found.as_str().to_owned())));
    }
    found
}

static PATTERNS: LazyLock<Vec<(Rule, Regex)>> = LazyLock::new(|| {
    let part = "(?:chapter|section|post|article|tutorial|guide|part|lesson)";
    let say = "(?:learn|cover|explore|discuss|look at|look into|examine|dive|delve|walk through|talk about|introduce|describe|explain)";
    let meta = [
        format!(r"\bin this (?:blog )?{part}\b"),
        format!(r"\b(?:we will|we'll|we are going to|we're going to|you will|you'll|let's|let us|I will|I'll) (?:now |first |also |then )?{say}\b"),
        format!(r"\bthis {part} (?:will|covers|discusses|explains|describes|introduces|explores|shows you how|is about)\b"),
        r"\bas (?:we |I )?(?:have )?(?:already )?(?:mentioned|discussed|noted|stated|explained|seen|saw) (?:above|earlier|before|previously)\b".to_owned(),
        r"\b(?:without further ado|as an ai\b|in conclusion|to sum up)".to_owned(),
    ];
    let verb = "(?:am|was|have|had|will|would|think|believe|like|want|use|used|wrote|write|found|find|can|could|do|did|know|knew|feel|guess|prefer|recommend|decided|tried|always|never|often|usually|once|once|built|started|love|hate|hope|suggest)";
    let voice = [
        format!(r"\bI {verb}\b"),
        r"\bI['’](?:m|ve|ll|d)\b".to_owned(),
        r"\b(?:[Ii]n my (?:opinion|experience|view)|[Mm]y (?:favorite|favourite|opinion|experience))\b"
            .to_owned(),
        r"\b[Tt]he (?:reader|student) (?:should|must|can|will|may)\b".to_owned(),
    ];
    let compile = |rule, text: &str| (rule, Regex::new(text).expect("the pattern is sound"));
    let meta = meta
        .iter()
        .map(|text| compile(Rule::NoMetaCommentary, &format!("(?i){}", text.replace('\'', "['’]"))));
    meta.chain(voice.iter().map(|text| compile(Rule::InstructorVoice, text))).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_and_authors_are_found() {
        let rules = |text: &str| {
            find(text).into_iter().map(|(rule, _, found)| (rule.name(), found)).collect::<Vec<_>>()
        };
        let meta = |text: &str| ("no_meta_commentary", text.to_owned());
        assert_eq!(rules("In this chapter we will learn"), [meta("In this chapter"), meta("we will learn")]);
        assert_eq!(rules("Now let’s dive in."), [meta("let’s dive")]);
        assert_eq!(rules("This section covers errors."), [meta("This section covers")]);
        assert_eq!(rules("I think so.")[0].0, "instructor_voice");
        for plain in [
            "Use I/O.",
            "Part I begins.",
            "This section of the file is empty.",
            "We will win.",
            "You will see 3.",
        ] {
            assert_eq!(rules(plain), [], "{plain}");
        }
    }
}
