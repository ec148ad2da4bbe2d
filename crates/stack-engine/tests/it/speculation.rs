//! What is guessed ahead changes nothing of what is said: from what was said before or by a draft model, with a good one and
//! with a bad one, greedily and with a seed, alone and beside others.

use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use stack_chat::{ChatEvent, ChatRequest, EventStream, Logprobs, Prompt, Sampling};
use stack_engine::load::{self, Loaded};
use stack_engine::weights::{Files, LoadError, LoadErrorKind, WeightSource};
use stack_engine::{EngineOptions, Speculation};
use stack_testkit::reference_data;

use crate::tiny::{Key, Tiny, VOCABULARY};

#[test]
fn guesses_change_no_answer_of_a_made_model() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, model: &Tiny| {
        let path = folder.path().join(name);
        std::fs::write(&path, model.bytes()).unwrap();
        path
    };
    let target = long(Tiny::llama());
    // It says the same words to the same thoughts, and thinks otherwise.
    let other = Tiny {
        copied: Some(("blk.1.ffn_up.weight".to_owned(), "blk.0.ffn_gate.weight".to_owned())),
        ..target.clone()
    };
    let (target, other) = (write("target.gguf", &target), write("other.gguf", &other));
    let prompts = (0..200).map(|number: u32| {
        let length = 3 + number % 37;
        Prompt::Tokens((0..length).map(|place| (number + place * place) % VOCABULARY as u32).collect())
    });
    say_the_same(&target, &[&target, &other], &prompts.collect::<Vec<_>>(), 24);
}

#[test]
fn guesses_change_no_answer_of_a_real_model() {
    let Some(path) = reference_data("stories260K/stories260K.gguf") else { return };
    let names = ["Lily", "Tom", "The big dog", "A little bird", "Once upon a time, a boy"];
    let deeds = ["saw a", "liked to", "was very", "went to the park and", "said, \"Hello"];
    let prompts = (0..200).map(|number: usize| {
        let (name, deed) = (names[number % 5], deeds[number / 5 % 5]);
        Prompt::Text(format!("{name} had {number} cats. {name} {deed}"))
    });
    say_the_same(&path, &[&path], &prompts.collect::<Vec<_>>(), 24);
}

#[test]
fn a_draft_model_of_another_vocabulary_is_refused_by_the_first_token_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let vocabulary = |name: &str, last: &str, kind: i32| {
        let path = folder.path().join(name);
        let model = stack_testkit::GgufBuilder::new("llama")
            .u32("llama.embedding_length", 8)
            .u32("llama.block_count", 1)
            .u32("llama.feed_forward_length", 16)
            .u32("llama.context_length", 8)
            .u32("llama.attention.head_count", 2)
            .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
            .text("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &["<unk>", "a", last])
            .f32s("tokenizer.ggml.scores", &[0.0; 3])
            .i32s("tokenizer.ggml.token_type", &[2, 1, kind])
            .f32_tensor("token_embd.weight", &[3, 8], &[0.5; 24])
            .f32_tensor("output_norm.weight", &[8], &[1.0; 8]);
        let layer = [
            ("attn_norm", &[8][..]),
            ("attn_q", &[8, 8]),
            ("attn_k", &[8, 8]),
            ("attn_v", &[8, 8]),
            ("attn_output", &[8, 8]),
            ("ffn_norm", &[8]),
            ("ffn_gate", &[16, 8]),
            ("ffn_up", &[16, 8]),
            ("ffn_down", &[8, 16]),
        ];
        let model = layer.into_iter().fold(model, |model, (name, shape)| {
            let count = shape.iter().product();
            model.f32_tensor(&format!("blk.0.{name}.weight"), shape, &vec![0.5; count])
        });
        std::fs::write(&path, model.build()).unwrap();
        path
    };
    let target = vocabulary("target.gguf", "b", 1);
    let refusal = |draft: &Path| with_draft(&target, draft, &EngineOptions::default()).err().unwrap();
    let error = refusal(&vocabulary("draft.gguf", "c", 1));
    assert_eq!(error.kind, LoadErrorKind::Draft, "{error}");
    assert!(error.problem.contains("token 2 is \"c\" there and \"b\" here"), "{}", error.problem);
    let error = refusal(&vocabulary("draft.gguf", "b", 5));
    assert!(error.problem.contains("token 2 is unused there and \"b\" here"), "{}", error.problem);
    assert!(with_draft(&target, &vocabulary("draft.gguf", "b", 1), &EngineOptions::default()).is_ok());
}

#[test]
fn a_model_that_takes_no_guess_back_has_no_draft_model() {
    let folder = tempfile::tempdir().unwrap();
    let [target, draft] = [("target", Tiny::llama()), ("draft", Tiny::convolution())].map(|(name, model)| {
        let path = folder.path().join(name).with_extension("gguf");
        std::fs::write(&path, model.bytes()).unwrap();
        path
    });
    for (target, draft) in [(&target, &draft), (&draft, &target)] {
        let error = with_draft(target, draft, &EngineOptions::default()).err().unwrap();
        assert!(error.problem.contains("cannot be taken back from the state of lfm2"), "{}", error.problem);
    }
}

/// Compares the answers of one model without guesses, with guesses from what was said, and with those of each draft model.
fn say_the_same(target: &Path, drafts: &[&Path], prompts: &[Prompt], max_tokens: u32) {
    let requests: Vec<ChatRequest> = prompts
        .iter()
        .zip(0..)
        .flat_map(|(prompt, seed)| {
            [0.0, 0.8].map(|temperature| ChatRequest {
                sampling: Sampling {
                    seed: Some(seed),
                    temperature: Some(temperature),
                    ..Sampling::default()
                },
                max_tokens: Some(max_tokens),
                ignore_eos: true,
                logprobs: Some(Logprobs { top: 0 }),
                ..ChatRequest::new(prompt.clone())
            })
        })
        .collect();
    let plainly = EngineOptions { speculation: Speculation::Off, ..EngineOptions::default() };
    let plain = load::load(Files::at(target).unwrap(), &plainly, &|_, _| {}).unwrap();
    let expected = answers(&plain, &requests);
    assert!(expected.iter().all(|tokens| tokens.len() == max_tokens as usize));
    let options = EngineOptions::default();
    let ngram = load::load(Files::at(target).unwrap(), &options, &|_, _| {}).unwrap();
    assert_eq!(answers(&ngram, &requests), expected, "from what was said");
    for draft in drafts {
        let drafted = with_draft(target, draft, &options).unwrap();
        assert_eq!(answers(&drafted, &requests), expected, "by {}", draft.display());
    }
}

fn with_draft(target: &Path, draft: &Path, options: &EngineOptions) -> Result<Loaded, LoadError> {
    let open = |path: &Path| -> Result<Box<dyn WeightSource>, LoadError> { load::open(Files::at(path)?) };
    let target = open(target)?;
    let draft = load::load_draft(open(draft)?, &*target, options, &|_, _| {})?;
    load::load_source(target, Some(draft), options, &|_, _| {})
}

/// The tokens of each answer; all are asked for at once.
fn answers(model: &Loaded, requests: &[ChatRequest]) -> Vec<Vec<u32>> {
    let chat = model.chat().unwrap();
    let streams: Vec<_> = requests.iter().map(|request| chat.chat(request.clone()).unwrap()).collect();
    streams.into_iter().map(tokens).collect()
}

fn tokens(mut stream: EventStream) -> Vec<u32> {
    let mut tokens = Vec::new();
    loop {
        match stream.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => std::thread::sleep(Duration::from_micros(200)),
            Poll::Ready(Some(event)) => {
                if let ChatEvent::Delta(delta) = event.unwrap() {
                    tokens.extend(delta.tokens.iter().map(|token| token.id));
                }
            }
            Poll::Ready(None) => return tokens,
        }
    }
}

/// The same model with a context that whole answers fit.
fn long(mut model: Tiny) -> Tiny {
    for (key, value) in &mut model.keys {
        if *key == "context_length" {
            *value = Key::U32(128);
        }
    }
    model
}
