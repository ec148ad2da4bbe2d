//! Which tokens end a generation, and which are control tokens whatever the file says.
//!
//! Files often leave roles out or give control tokens the wrong kind, so roles are also found by the texts that model
//! families use. All rules here only look at texts; none is specific to a file format.

use super::vocabulary::{TokenKind, Vocabulary};

impl Vocabulary {
    /// Fills roles that the file left open and collects the tokens that end a generation.
    pub(super) fn assign_roles(&mut self) {
        let found =
            [EOT, EOM, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE, FIM_PADDING, FIM_REPOSITORY, FIM_SEPARATOR]
                .map(|texts| texts.iter().find_map(|text| self.find(text.as_bytes())));
        let roles = &mut self.roles;
        let open = [
            &mut roles.eot,
            &mut roles.eom,
            &mut roles.fim_prefix,
            &mut roles.fim_suffix,
            &mut roles.fim_middle,
            &mut roles.fim_padding,
            &mut roles.fim_repository,
            &mut roles.fim_separator,
        ];
        let mut control = Vec::new();
        for (role, found) in open.into_iter().zip(found) {
            if role.is_none() && found.is_some() {
                *role = found;
                control.extend(found);
            }
        }

        let ending: Vec<u32> = END.iter().filter_map(|text| self.find(text.as_bytes())).collect();
        let roles = self.roles;
        let named =
            [roles.fim_padding, roles.fim_repository, roles.fim_separator, roles.eos, roles.eot, roles.eom];
        self.end_of_generation = named.into_iter().flatten().chain(ending.iter().copied()).collect();
        for id in control.into_iter().chain(ending) {
            self.set_kind(id, TokenKind::Control);
        }
        self.except_harmony();
        self.except_normal_end();
    }

    /// In families with channels, `<|end|>` ends a message and not the turn; their markers must be seen to be parsed.
    fn except_harmony(&mut self) {
        let ends =
            |text: &str| self.find(text.as_bytes()).is_some_and(|id| self.end_of_generation.contains(&id));
        let call = ends("<|call|>") || ends("<|calls|>");
        let channels = call && (ends("<|return|>") || ends("<|flush|>"));
        if let Some(id) = self.find(b"<|end|>").filter(|_| channels) {
            self.end_of_generation.remove(&id);
            self.shown.insert(id);
        }
        for text in ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"] {
            if let Some(id) = self.find(text.as_bytes()) {
                self.set_kind(id, TokenKind::Control);
                self.shown.insert(id);
            }
        }
    }

    /// In a few families `</s>` is text like any other.
    fn except_normal_end(&mut self) {
        let ends =
            |text: &str| self.find(text.as_bytes()).is_some_and(|id| self.end_of_generation.contains(&id));
        if !ends("<|tool_response>") && !ends("<|plamo:eos|>") {
            return;
        }
        if let Some(id) = self.find(b"</s>") {
            self.end_of_generation.remove(&id);
            self.set_kind(id, TokenKind::Normal);
        }
    }
}

const EOT: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];

const EOM: &[&str] = &["<|eom_id|>"];

const FIM_PREFIX: &[&str] = &[
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
];

const FIM_SUFFIX: &[&str] = &[
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
];

const FIM_MIDDLE: &[&str] = &[
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
];

const FIM_PADDING: &[&str] = &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];

const FIM_REPOSITORY: &[&str] = &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"];

const FIM_SEPARATOR: &[&str] = &["<|file_sep|>"];

/// Texts of tokens that end a generation in some family.
const END: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

#[cfg(test)]
mod tests {
    use crate::tokenizer::spelling::Spelling;
    use crate::tokenizer::vocabulary::{Roles, TokenKind, Vocabulary};

    fn vocabulary(texts: &[&str], roles: Roles) -> Vocabulary {
        let kinds = vec![TokenKind::Normal; texts.len()];
        Vocabulary::new(texts.iter().map(|text| text.as_bytes()), kinds, roles, Spelling::Marked).unwrap()
    }

    fn ends(vocabulary: &Vocabulary) -> Vec<u32> {
        vocabulary.end_of_generation.iter().copied().collect()
    }

    #[test]
    fn texts_that_end_a_turn_become_control_tokens() {
        let vocabulary = vocabulary(&["a", "<|im_end|>", "b"], Roles { eos: Some(2), ..Roles::default() });
        assert_eq!(ends(&vocabulary), [1, 2]);
        assert_eq!(vocabulary.roles.eot, Some(1));
        assert_eq!(vocabulary.kind(1), TokenKind::Control);
        assert_eq!(vocabulary.kind(2), TokenKind::Normal);
    }

    #[test]
    fn an_end_of_message_with_channels_is_shown_and_does_not_end_the_turn() {
        let texts = ["<|end|>", "<|return|>", "<|call|>", "<|channel|>"];
        let harmony = vocabulary(&texts, Roles::default());
        assert_eq!(ends(&harmony), [1, 2]);
        assert_eq!(harmony.kind(3), TokenKind::Control, "callers must not be able to write it");
        assert!(!harmony.is_hidden(0) && !harmony.is_hidden(3) && harmony.is_hidden(1));

        assert_eq!(ends(&vocabulary(&texts[..2], Roles::default())), [0, 1]);
    }

    #[test]
    fn an_end_tag_beside_tool_responses_is_text() {
        let vocabulary = vocabulary(&["</s>", "<|tool_response>"], Roles::default());
        assert_eq!(ends(&vocabulary), [1]);
        assert_eq!(vocabulary.kind(0), TokenKind::Normal);
    }

    #[test]
    fn roles_that_the_file_names_win() {
        let roles = Roles { eot: Some(0), ..Roles::default() };
        let vocabulary = vocabulary(&["x", "<|file_sep|>", "<end_of_turn>"], roles);
        assert_eq!(vocabulary.roles.eot, Some(0));
        assert_eq!(vocabulary.roles.fim_separator, Some(1));
        assert_eq!(ends(&vocabulary), [0, 1, 2]);
    }
}
