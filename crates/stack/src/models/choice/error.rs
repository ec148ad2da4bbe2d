//! What is said where there is no model.

use stack_registry::choice::NoModel;
use stack_registry::name::Name;

use super::prompt::Undecided;
use crate::error::{CommandError, Kind, did_you_mean};
use crate::terminal::output::sanitize;

impl From<NoModel> for CommandError {
    fn from(why: NoModel) -> Self {
        explained(why, None)
    }
}

impl From<Undecided> for CommandError {
    fn from(why: Undecided) -> Self {
        match why {
            Undecided::NoModel { why, prompt } => explained(why, prompt.as_deref()),
            Undecided::TwoPrompts => Self::new(Kind::Usage, "the prompt is given twice: with -p and without")
                .hint("give one of them; with -m MODEL, all other arguments are the prompt"),
            Undecided::NotText => Self::new(Kind::Usage, "the prompt is not UTF-8")
                .hint("convert it to UTF-8, for example with iconv, and give it through a pipe"),
        }
    }
}

/// Says why there is no model, what to do, and how to give the same words as a prompt.
fn explained(why: NoModel, prompt: Option<&str>) -> CommandError {
    let missing = |message: String| CommandError::new(Kind::Missing, message).reason("not-in-store");
    let as_prompt = |hint: String| match prompt {
        Some(prompt) => format!("{hint}; as a prompt for the default model: stack run -p {}", quoted(prompt)),
        None => hint,
    };
    match why {
        NoModel::Empty => {
            let message = match prompt {
                Some(_) => "the first argument is empty; it should be a model or a prompt",
                None => "the name of the model is empty",
            };
            CommandError::new(Kind::Usage, message).hint(
                "leave it out for the default model; in a script, look at the variable that it comes from",
            )
        }
        NoModel::Text(text) => missing(format!("there is no model {}", shown(&text)))
            .hint("give a name that `stack list` shows, or the path of a GGUF file or a folder"),
        NoModel::Missing { word, near } => {
            let word = shown(&word);
            let pull = match Name::parse(&word.to_lowercase()) {
                Ok(name) if !looks_like_hub(&word) => {
                    format!("`stack pull {}` says how to fetch it", name.short())
                }
                Ok(_) => {
                    format!("`stack pull hf://{word}` fetches it from the Hugging Face hub, if it is there")
                }
                // What can be no name can be no model of a hub, either.
                Err(_) => "`stack pull hf://OWNER/REPO` fetches a model".to_owned(),
            };
            let hint = format!("{}{pull}; `stack list` shows what is in the store", did_you_mean(&near));
            missing(format!("there is no model {word}: no name in the store, and no file or folder"))
                .hint(as_prompt(hint))
        }
        NoModel::NotPulled { address, near } => {
            let hint = format!("{}`stack pull {}` fetches it", did_you_mean(&near), shown(&address));
            missing(format!("{} is not in the store", shown(&address))).hint(hint)
        }
        NoModel::Several { address, names } => {
            let message =
                format!("several models of the store are from {}: {}", shown(&address), names.join(", "));
            CommandError::new(Kind::Usage, message).hint("name one of them")
        }
        NoModel::BadAddress(error) => {
            CommandError::new(Kind::Usage, error.to_string()).reason("bad-name").hint(as_prompt(
                "addresses are hf://owner/repo, hf.co/owner/repo, oci://host/repo and https://…".to_owned(),
            ))
        }
    }
}

/// Whether a word is an owner and a repository as the hub spells them, and could not be a name of the store.
fn looks_like_hub(word: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte))
    };
    let is_repository =
        matches!(word.split('/').collect::<Vec<_>>()[..], [owner, model] if is_part(owner) && is_part(model));
    is_repository && Name::parse(word).is_err()
}

/// As much of what was typed as fits a line.
fn shown(text: &str) -> String {
    let text = sanitize(text);
    if text.chars().count() <= SHOWN_CHARS {
        return text;
    }
    text.chars().take(SHOWN_CHARS).chain(['…']).collect()
}

/// Quotes a text for a shell; what would be too long to be read stands for itself.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+,".contains(c);
    if text.chars().count() > SHOWN_CHARS || text.chars().any(char::is_control) {
        "TEXT".to_owned()
    } else if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

const SHOWN_CHARS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(word: &str, near: &[&str], prompt: Option<&str>) -> String {
        let near = near.iter().map(|name| (*name).to_owned()).collect();
        explained(NoModel::Missing { word: word.to_owned(), near }, prompt).to_string()
    }

    #[test]
    fn a_missing_model_comes_with_every_way_on() {
        let text = missing("lama3", &["llama3"], Some("lama3 it's on"));
        assert!(text.contains("there is no model lama3:"), "{text}");
        for way in [
            "did you mean llama3? ",
            "`stack pull lama3`",
            "`stack list`",
            r"stack run -p 'lama3 it'\''s on'",
        ] {
            assert!(text.contains(way), "{way} is not in:\n{text}");
        }
        assert!(missing("Llama3", &[], None).contains("`stack pull llama3`"));
        assert!(missing("Hello!", &[], None).contains("`stack pull hf://OWNER/REPO`"));
        assert!(!missing("x", &[], None).contains("-p"));
        assert!(
            missing("Qwen/Qwen3-4B-GGUF:Q4_K_M", &[], None)
                .contains("`stack pull hf://Qwen/Qwen3-4B-GGUF:Q4_K_M`")
        );
    }

    #[test]
    fn hostile_and_endless_words_stay_on_their_line() {
        let long = "x".repeat(100_000);
        let text = explained(NoModel::Text(format!("a b\u{1b}[2J{long}")), None).to_string();
        assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
        assert_eq!(quoted(&long), "TEXT");
        assert_eq!(quoted("a\nb"), "TEXT");
        assert_eq!(quoted(""), "''");
    }
}
