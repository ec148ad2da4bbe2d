//! Templates for models whose files have none.

/// A template that is part of the program.
#[derive(Debug)]
pub struct Builtin {
    /// What the format is called.
    pub name: &'static str,
    /// The template.
    pub source: &'static str,
    /// The control tokens that it writes.
    tokens: &'static [&'static str],
}

/// Returns the template that instruction-tuned models of an architecture use, else ChatML, provided that the
/// vocabulary has the tokens for it.
///
/// `None` means that nothing tells how the model was trained; it may be a base model, and the caller decides.
pub fn builtin(architecture: &str, has_token: impl Fn(&str) -> bool) -> Option<&'static Builtin> {
    let own = match architecture {
        "gemma" | "gemma2" | "gemma3" => Some(&GEMMA),
        "phi3" => Some(&PHI3),
        _ => None,
    };
    own.into_iter().chain([&CHATML]).find(|builtin| builtin.tokens.iter().all(|token| has_token(token)))
}

/// The format of Qwen and many others.
pub const CHATML: Builtin = Builtin {
    name: "ChatML",
    tokens: &["<|im_start|>", "<|im_end|>"],
    source: "\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
",
};

const GEMMA: Builtin = Builtin {
    name: "Gemma's",
    tokens: &["<start_of_turn>", "<end_of_turn>"],
    source: "\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
    {{- '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' }}
    {{- (message.content or '') | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\\n' }}
{%- endif %}
",
};

const PHI3: Builtin = Builtin {
    name: "Phi-3's",
    tokens: &["<|user|>", "<|assistant|>", "<|end|>"],
    source: "\
{%- for message in messages %}
    {{- '<|' + message.role + '|>\\n' + (message.content or '') + '<|end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\\n' }}
{%- endif %}
",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_needs_its_tokens_in_the_vocabulary() {
        let name = |architecture: &str, tokens: &[&str]| {
            builtin(architecture, |token| tokens.contains(&token)).map(|builtin| builtin.name)
        };
        let chatml = ["<|im_start|>", "<|im_end|>"];
        assert_eq!(name("qwen2", &chatml), Some("ChatML"));
        assert_eq!(name("llama", &chatml), Some("ChatML"));
        assert_eq!(name("llama", &chatml[..1]), None);
        assert_eq!(name("gemma3", &["<start_of_turn>", "<end_of_turn>"]), Some("Gemma's"));
        assert_eq!(name("gemma3", &chatml), Some("ChatML"));
        assert_eq!(name("phi3", &["<|end|>"]), None);
    }
}
