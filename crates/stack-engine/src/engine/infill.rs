//! Prompts that ask for what stands between two texts.

use stack_chat::{Failure, Infill};

use crate::tokenizer::{Control, Roles, Specials, Tokenizer};

/// Writes a gap down as models are trained to see it: what stands before it, what stands behind it, and then it is the
/// model's turn. Other files come first, where the vocabulary has tokens for them each behind its name.
///
/// Source: the prompt formats of `StarCoder` and Qwen2.5-Coder, and llama-server's `/infill`.
///
/// # Errors
///
/// For models that know no such prompts.
pub(super) fn tokens(tokenizer: &Tokenizer, infill: &Infill) -> Result<Vec<u32>, Failure> {
    let roles = tokenizer.roles();
    let needed = |token: Option<u32>, what: &str| {
        token.ok_or_else(|| {
            let message = format!("this model fills no gaps: its vocabulary has no token for {what}");
            Failure::unsupported("input_prefix", message)
        })
    };
    let before = needed(roles.fim_prefix, "what stands before one")?;
    let behind = needed(roles.fim_suffix, "what stands behind one")?;
    let gap = needed(roles.fim_middle, "the gap")?;

    let encode = |text: &str| tokenizer.encode(text, Control::Literal, Specials::Omit);
    let mut tokens = tokenizer.encode_segments(&[], Specials::Begin);
    if !infill.context.is_empty() {
        files(roles, &infill.context, &encode, &mut tokens);
    }
    tokens.push(before);
    tokens.extend(encode(&infill.prefix));
    tokens.push(behind);
    tokens.extend(encode(&infill.suffix));
    tokens.push(gap);
    tokens.extend(encode(&infill.beginning));
    Ok(tokens)
}

/// Puts other files in front, and the name of this one behind them.
fn files(
    roles: &Roles,
    files: &[(String, String)],
    encode: &impl Fn(&str) -> Vec<u32>,
    tokens: &mut Vec<u32>,
) {
    if let Some(repository) = roles.fim_repository {
        tokens.push(repository);
        tokens.extend(encode("repository\n"));
    }
    let title = |name: &str, tokens: &mut Vec<u32>| {
        if let Some(separator) = roles.fim_separator {
            tokens.push(separator);
            tokens.extend(encode(&format!("{name}\n")));
        }
    };
    for (name, text) in files {
        if roles.fim_separator.is_none() {
            tokens.extend(encode(SNIPPET));
        }
        title(name, tokens);
        tokens.extend(encode(text));
    }
    title("file", tokens);
}

/// What stands before a file where the vocabulary has no token for that.
const SNIPPET: &str = "\n\n--- snippet ---\n\n";
