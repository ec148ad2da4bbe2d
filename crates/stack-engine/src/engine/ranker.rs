//! A decoder that says yes or no to whether a document answers a query, as a reranker (Qwen3-Reranker).

use stack_chat::{Failure, RankRequest};

use crate::executor::load::{Tensors, missing};
use crate::tokenizer::{Segment, Specials, Tokenizer};
use crate::weights::{LoadError, Metadata, WeightSource};

/// The head of a decoder that ranks, and how it is asked.
pub(super) struct Ranker {
    /// The rows of the output matrix for the answers: yes, then no.
    answers: Vec<f32>,
    /// The prompt, in which `{query}` and `{document}` stand for the texts.
    template: String,
}

impl Ranker {
    /// Reads the head, if the file says that the model ranks.
    ///
    /// # Errors
    ///
    /// When it says so, and lacks what it takes.
    pub(super) fn read(source: &dyn WeightSource, architecture: &str) -> Result<Option<Self>, LoadError> {
        let metadata = source.metadata();
        if metadata.integer(&format!("{architecture}.pooling_type")).ok().flatten() != Some(RANK) {
            return Ok(None);
        }
        let name = "cls.output.weight";
        let tensors = Tensors::new(source, &[], &|_, _| ());
        if !tensors.has(name) {
            return Err(missing(name));
        }
        if tensors.rows(name)? != 2 || source.tensor("cls.output.bias").is_some() {
            let problem =
                "is not the head of a reranker that answers yes or no, the only one that is known here";
            return Err(LoadError::new(name, problem));
        }
        Ok(Some(Self { answers: tensors.floats(name)?, template: template(metadata)?.to_owned() }))
    }

    /// How probable yes is after the last hidden state of a prompt.
    pub(super) fn score(&self, hidden: &[f32]) -> f32 {
        let dot = |row: &[f32]| row.iter().zip(hidden).map(|(a, b)| a * b).sum::<f32>();
        let (yes, no) = self.answers.split_at(self.answers.len() / 2);
        1.0 / (1.0 + (dot(no) - dot(yes)).exp())
    }

    /// The prompt for each document. Nothing in a query or a document is a control token, and neither's text is taken for
    /// a place in the template.
    pub(super) fn prompts(
        &self,
        tokenizer: &Tokenizer,
        request: &RankRequest,
        check: impl Fn(&str, usize) -> Result<(), Failure>,
    ) -> Result<Vec<Vec<u32>>, Failure> {
        // Alone first: it is repeated before every document.
        let query = tokenizer.encode_segments(&[Segment::literal(request.query.as_str())], Specials::Omit);
        check("query", query.len())?;
        let prompt = |document: &String| {
            let tokens = tokenizer.encode_segments(&self.segments(&request.query, document), Specials::Omit);
            check("documents", tokens.len())?;
            Ok(tokens)
        };
        request.documents.iter().map(prompt).collect()
    }

    fn segments<'a>(&'a self, query: &'a str, document: &'a str) -> Vec<Segment<'a>> {
        let mut segments = Vec::new();
        let mut rest = self.template.as_str();
        while let Some((at, place, text)) = [("{query}", query), ("{document}", document)]
            .into_iter()
            .filter_map(|(place, text)| rest.find(place).map(|at| (at, place, text)))
            .min_by_key(|(at, ..)| *at)
        {
            segments.push(Segment::parsed(&rest[..at]));
            segments.push(Segment::literal(text));
            rest = &rest[at + place.len()..];
        }
        segments.push(Segment::parsed(rest));
        segments
    }
}

/// The template of a model that ranks.
fn template(metadata: &Metadata) -> Result<&str, LoadError> {
    let key = "tokenizer.chat_template.rerank";
    match metadata.text(key)? {
        Some(text) if text.contains("{query}") && text.contains("{document}") => Ok(text),
        Some(_) => Err(LoadError::new(format!("metadata key {key}"), "lacks {query} or {document}")),
        None => Err(LoadError::new(format!("metadata key {key}"), "is missing, but the model ranks")),
    }
}

/// The number of `pooling_type` that means ranking.
const RANK: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Control;

    fn ranker(template: &str) -> Ranker {
        Ranker { answers: vec![1.0, 0.0, 0.0, 2.0], template: template.to_owned() }
    }

    #[test]
    fn a_score_is_the_probability_of_yes() {
        let ranker = ranker("");
        let expected = 1f32.exp() / (1f32.exp() + 0.5f32.exp());
        assert!((ranker.score(&[1.0, 0.25]) - expected).abs() < 1e-6);
        assert_eq!(ranker.score(&[0.0, 0.0]), 0.5);
        assert_eq!((ranker.score(&[500.0, 0.0]), ranker.score(&[-500.0, 0.0])), (1.0, 0.0));
    }

    #[test]
    fn texts_stand_in_their_places_and_nowhere_else() {
        let ranker = ranker("<s>Q: {query} D: {document}</s>");
        let segments = ranker.segments("what is {document}?", "{query}</s>");
        let found: Vec<_> =
            segments.iter().map(|segment| (&*segment.text, segment.control == Control::Literal)).collect();
        assert_eq!(
            found,
            [
                ("<s>Q: ", false),
                ("what is {document}?", true),
                (" D: ", false),
                ("{query}</s>", true),
                ("</s>", false),
            ]
        );
    }
}
