//! Parameters that `/set parameter` changes, under the names that Ollama's users know.

use stack_chat::ChatRequest;

use super::command::unquoted;
use crate::options::finite;

/// A parameter of the answers to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Temperature,
    TopK,
    TopP,
    MinP,
    TypicalP,
    RepeatPenalty,
    RepeatLastN,
    PresencePenalty,
    FrequencyPenalty,
    Seed,
    NumPredict,
    Stop,
}

impl Parameter {
    /// All of them.
    pub(super) const ALL: [Self; 12] = [
        Self::Temperature,
        Self::TopK,
        Self::TopP,
        Self::MinP,
        Self::TypicalP,
        Self::RepeatPenalty,
        Self::RepeatLastN,
        Self::PresencePenalty,
        Self::FrequencyPenalty,
        Self::Seed,
        Self::NumPredict,
        Self::Stop,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::TopK => "top_k",
            Self::TopP => "top_p",
            Self::MinP => "min_p",
            Self::TypicalP => "typical_p",
            Self::RepeatPenalty => "repeat_penalty",
            Self::RepeatLastN => "repeat_last_n",
            Self::PresencePenalty => "presence_penalty",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::Seed => "seed",
            Self::NumPredict => "num_predict",
            Self::Stop => "stop",
        }
    }

    /// Finds a parameter by its name.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let alias = match name {
            "temp" => "temperature",
            "max_tokens" | "n_predict" => "num_predict",
            "num_ctx" | "ctx" => {
                return Err(
                    "the context length is set when the model is loaded: stack run --ctx N".to_owned()
                );
            }
            "num_thread" | "threads" => {
                return Err("the number of threads is set at start: stack run --threads N".to_owned());
            }
            other => other,
        };
        Self::ALL.into_iter().find(|parameter| parameter.name() == alias).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.map(Self::name).to_vec();
            let names = names.join(", ");
            if name.is_empty() {
                format!("/set parameter needs a name and a value; the names are {names}")
            } else {
                format!("there is no parameter {name}; the names are {names}")
            }
        })
    }

    /// Says what is wrong with a value.
    pub(super) fn check(self, value: &str) -> Result<(), String> {
        self.set(&mut ChatRequest::new(stack_chat::Prompt::Messages(Vec::new())), value)
    }

    /// Sets it; `default` leaves it to the model.
    pub(super) fn set(self, request: &mut ChatRequest, value: &str) -> Result<(), String> {
        let value = Some(value).filter(|&value| value != "default");
        let sampling = &mut request.sampling;
        match self {
            Self::Temperature => sampling.temperature = number(value, 0.0, 1000.0)?,
            Self::TopK => sampling.top_k = count(value)?,
            Self::TopP => sampling.top_p = number(value, 0.0, 1.0)?,
            Self::MinP => sampling.min_p = number(value, 0.0, 1.0)?,
            Self::TypicalP => sampling.typical_p = number(value, 0.0, 1.0)?,
            Self::RepeatPenalty => sampling.repeat_penalty = number(value, 0.01, 1000.0)?,
            // All that the context holds.
            Self::RepeatLastN if value == Some("-1") => sampling.repeat_last_n = Some(u32::MAX),
            Self::RepeatLastN => sampling.repeat_last_n = count(value)?,
            Self::PresencePenalty => sampling.presence_penalty = number(value, -2.0, 2.0)?,
            Self::FrequencyPenalty => sampling.frequency_penalty = number(value, -2.0, 2.0)?,
            Self::Seed => sampling.seed = whole(value.filter(|&value| value != "-1"))?,
            // As many as the context leaves.
            Self::NumPredict => {
                let limit = count(value.filter(|value| !["-1", "-2"].contains(value)))?;
                if limit == Some(0) {
                    return Err("needs at least 1; -1 is as many as the context leaves".to_owned());
                }
                request.max_tokens = limit;
            }
            Self::Stop => request.stop = value.map(texts).transpose()?.unwrap_or_default(),
        }
        Ok(())
    }

    /// What counts where it is left to the model.
    pub(super) fn unset(self) -> &'static str {
        match self {
            Self::Seed => "drawn anew for each answer",
            Self::NumPredict => "as many tokens as the context leaves",
            Self::Stop => "none",
            _ => "the model's default",
        }
    }

    /// Its value as it is typed; `None` where it is left to the model.
    pub(super) fn value(self, request: &ChatRequest) -> Option<String> {
        let sampling = &request.sampling;
        let number = |number: Option<f32>| number.map(|number| number.to_string());
        let count = |count: Option<u32>| count.map(|count| count.to_string());
        match self {
            Self::Temperature => number(sampling.temperature),
            Self::TopK => count(sampling.top_k),
            Self::TopP => number(sampling.top_p),
            Self::MinP => number(sampling.min_p),
            Self::TypicalP => number(sampling.typical_p),
            Self::RepeatPenalty => number(sampling.repeat_penalty),
            Self::RepeatLastN if sampling.repeat_last_n == Some(u32::MAX) => Some("-1".to_owned()),
            Self::RepeatLastN => count(sampling.repeat_last_n),
            Self::PresencePenalty => number(sampling.presence_penalty),
            Self::FrequencyPenalty => number(sampling.frequency_penalty),
            Self::Seed => sampling.seed.map(|seed| seed.to_string()),
            Self::NumPredict => count(request.max_tokens),
            Self::Stop if request.stop.is_empty() => None,
            Self::Stop => {
                let quoted: Vec<String> = request.stop.iter().map(|text| format!("{text:?}")).collect();
                Some(quoted.join(" "))
            }
        }
    }
}

fn number(value: Option<&str>, min: f32, max: f32) -> Result<Option<f32>, String> {
    let Some(text) = value else { return Ok(None) };
    let wanted = || format!("needs a number from {min} to {max}");
    let number = finite(text).map_err(|_| wanted())?;
    if (min..=max).contains(&number) { Ok(Some(number)) } else { Err(wanted()) }
}

fn count(value: Option<&str>) -> Result<Option<u32>, String> {
    value.map(|text| text.parse().map_err(|_| "needs a whole number".to_owned())).transpose()
}

fn whole(value: Option<&str>) -> Result<Option<u64>, String> {
    value.map(|text| text.parse().map_err(|_| "needs a whole number".to_owned())).transpose()
}

/// Reads one text, or several in quotes. `\n` in them is a line break.
fn texts(value: &str) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(inner) => inner.find('"').map(|end| end + 2).ok_or("needs a closing \" as well")?,
            // Without quotes, all that is left is one text.
            None => rest.len(),
        };
        let (text, later) = rest.split_at(end);
        texts.push(unquoted(text).replace("\\n", "\n"));
        rest = later.trim_start();
    }
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err("needs a text, or several in quotes".to_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use stack_chat::Prompt;

    use super::*;

    #[test]
    fn every_parameter_is_set_shown_and_left_to_the_model_again() {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        for parameter in Parameter::ALL {
            assert_eq!(Parameter::named(parameter.name()), Ok(parameter));
            assert_eq!(parameter.value(&request), None);
            let value = if parameter == Parameter::Stop { "\"a b\" \"c\"" } else { "1" };
            parameter.set(&mut request, value).unwrap();
            assert_eq!(parameter.value(&request).as_deref(), Some(value), "{parameter:?}");
            parameter.set(&mut request, "default").unwrap();
            assert_eq!(parameter.value(&request), None, "{parameter:?}");
            assert!(parameter == Parameter::Stop || parameter.check("x").is_err(), "{parameter:?}");
            assert!(parameter.check("").is_err(), "{parameter:?}");
        }
        assert_eq!(request, ChatRequest::new(Prompt::Messages(Vec::new())));
    }

    #[test]
    fn minus_one_means_what_it_means_elsewhere() {
        let mut request = ChatRequest::new(Prompt::Messages(Vec::new()));
        request.max_tokens = Some(5);
        Parameter::NumPredict.set(&mut request, "-1").unwrap();
        Parameter::Seed.set(&mut request, "-1").unwrap();
        Parameter::RepeatLastN.set(&mut request, "-1").unwrap();
        assert_eq!((request.max_tokens, request.sampling.seed), (None, None));
        assert_eq!(Parameter::RepeatLastN.value(&request).as_deref(), Some("-1"));
        assert!(Parameter::NumPredict.check("0").is_err());
        assert!(Parameter::Temperature.check("-1").is_err());
        assert!(Parameter::Temperature.check("NaN").is_err());
    }

    #[test]
    fn stop_texts_may_have_spaces() {
        assert_eq!(texts("User: ").unwrap(), ["User:"]);
        assert_eq!(texts(r#""User:" "\n\n""#).unwrap(), ["User:", "\n\n"]);
        assert!(texts("\"open").is_err() && texts("\"\"").is_err());
    }
}
