//! What a server's operator sets for requests that say nothing.

use std::sync::Arc;

use stack_chat::{ChatModel, ChatRequest, EventStream, Failure, ModelCard, Sampling};

/// A model whose requests get the operator's parameters wherever they leave one open. What the model's own file
/// recommends comes after that, in the engine.
pub(crate) struct WithDefaults {
    model: Arc<dyn ChatModel>,
    sampling: Sampling,
    max_tokens: Option<u32>,
}

impl WithDefaults {
    /// Puts the parameters in front of a model, if there are any.
    pub(crate) fn wrap(
        model: Arc<dyn ChatModel>,
        sampling: &Sampling,
        max_tokens: Option<u32>,
    ) -> Arc<dyn ChatModel> {
        if *sampling == Sampling::default() && max_tokens.is_none() {
            return model;
        }
        Arc::new(Self { model, sampling: sampling.clone(), max_tokens })
    }
}

impl ChatModel for WithDefaults {
    fn card(&self) -> &ModelCard {
        self.model.card()
    }

    fn sampling(&self) -> Sampling {
        completed(self.sampling.clone(), &self.model.sampling())
    }

    fn chat(&self, request: ChatRequest) -> Result<EventStream, Failure> {
        let sampling = completed(request.sampling, &self.sampling);
        let max_tokens = request.max_tokens.or(self.max_tokens);
        self.model.chat(ChatRequest { sampling, max_tokens, ..request })
    }
}

/// Fills in what was not asked for. Every field is named, so that a new one is not forgotten.
fn completed(asked: Sampling, defaults: &Sampling) -> Sampling {
    Sampling {
        temperature: asked.temperature.or(defaults.temperature),
        top_k: asked.top_k.or(defaults.top_k),
        top_p: asked.top_p.or(defaults.top_p),
        min_p: asked.min_p.or(defaults.min_p),
        typical_p: asked.typical_p.or(defaults.typical_p),
        xtc: asked.xtc.or(defaults.xtc),
        dry: asked.dry.or_else(|| defaults.dry.clone()),
        repeat_penalty: asked.repeat_penalty.or(defaults.repeat_penalty),
        repeat_last_n: asked.repeat_last_n.or(defaults.repeat_last_n),
        frequency_penalty: asked.frequency_penalty.or(defaults.frequency_penalty),
        presence_penalty: asked.presence_penalty.or(defaults.presence_penalty),
        logit_bias: if asked.logit_bias.is_empty() { defaults.logit_bias.clone() } else { asked.logit_bias },
        seed: asked.seed.or(defaults.seed),
    }
}

#[cfg(test)]
mod tests {
    use stack_chat::LogitBias;

    use super::*;

    #[test]
    fn a_request_wins_over_the_operator() {
        let bias = |token| vec![LogitBias { token, bias: 1.0 }];
        let defaults = Sampling {
            temperature: Some(0.1),
            top_k: Some(1),
            seed: Some(7),
            logit_bias: bias(1),
            ..Sampling::default()
        };
        assert_eq!(completed(Sampling::default(), &defaults), defaults);
        let asked =
            Sampling { temperature: Some(0.9), top_p: Some(0.5), logit_bias: bias(2), ..Sampling::default() };
        let expected = Sampling {
            temperature: Some(0.9),
            top_k: Some(1),
            top_p: Some(0.5),
            seed: Some(7),
            logit_bias: bias(2),
            ..Sampling::default()
        };
        assert_eq!(completed(asked, &defaults), expected);
    }
}
