//! Templates for models whose files have none.

/// Returns the template that instruction-tuned models of an architecture use.
///
/// `None` means that models of this architecture do not agree on one; such a model may be a base model, and the
/// caller decides.
pub fn builtin(architecture: &str) -> Option<&'static str> {
    match architecture {
        "qwen2" | "qwen2moe" | "qwen2vl" | "qwen3" | "qwen3moe" | "internlm2" | "smollm3" | "lfm2" => {
            Some(CHATML)
        }
        "gemma" | "gemma2" | "gemma3" => Some(GEMMA),
        "phi3" => Some(PHI3),
        _ => None,
    }
}

/// The format of Qwen and many others.
pub const CHATML: &str = "\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + (message.content or '') + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
";

const GEMMA: &str = "\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
    {{- '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' }}
    {{- (message.content or '') | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\\n' }}
{%- endif %}
";

const PHI3: &str = "\
{%- for message in messages %}
    {{- '<|' + message.role + '|>\\n' + (message.content or '') + '<|end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\\n' }}
{%- endif %}
";
