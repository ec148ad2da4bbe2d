//! Whole answers: a real model behind the `ChatModel` interface.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde_json::Value;
use stack_chat::{
    ChatEvent, ChatModel, ChatRequest, ContextPolicy, EmbedInput, EmbedRequest, EventStream, Failure,
    FailureKind, FinishReason, Logprobs, Message, Overflow, Prompt, Sampling, Usage,
};
use stack_engine::load::{self, Loaded};
use stack_engine::weights::Files;
use stack_engine::{EngineOptions, Speculation};
use stack_testkit::{CheckedModel, reference_data};

#[test]
fn greedy_answers_continue_as_the_reference_does() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let greedy = reference_data("stories260K/greedy.json").unwrap();
    let greedy: Value = serde_json::from_slice(&std::fs::read(greedy).unwrap()).unwrap();
    let cases = greedy["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let expected = case["text_starts_with"].as_str().unwrap();
        let request = ChatRequest { max_tokens: Some(120), ..plain(case["prompt"].as_str().unwrap()) };
        let answer = answer(engine.chat(request).unwrap()).unwrap();
        assert!(answer.texts[0].starts_with(expected), "{:?}", answer.texts[0]);
    }
}

#[test]
fn the_same_seed_gives_the_same_answers_whatever_else_runs() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let seeded = || ChatRequest {
        sampling: Sampling { seed: Some(7), temperature: Some(1.2), ..Sampling::default() },
        choices: 3,
        max_tokens: Some(30),
        ..plain("Once upon a time, there was a")
    };
    let first = answer(engine.chat(seeded()).unwrap()).unwrap();
    let others: Vec<_> = (0..3).map(|_| engine.chat(plain("The big dog ran")).unwrap()).collect();
    let second = answer(engine.chat(seeded()).unwrap()).unwrap();
    drop(others);
    assert_eq!(first.texts, second.texts);
    assert_eq!(first.texts.len(), 3);
    assert_ne!(first.texts[0], first.texts[1], "choices are drawn apart");
}

#[test]
fn a_conversation_that_goes_on_reuses_what_was_computed() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let start = "Once upon a time, there was a little girl named Lily. She loved to play outside";
    let first = answer(engine.chat(ChatRequest { max_tokens: Some(20), ..plain(start) }).unwrap()).unwrap();
    assert_eq!(first.usage.cache_read, 0);
    let longer = format!("{start}{} The end.", first.texts[0]);
    let second = answer(engine.chat(ChatRequest { max_tokens: Some(5), ..plain(&longer) }).unwrap()).unwrap();
    assert!(second.usage.cache_read >= first.usage.prompt(), "{:?}", second.usage);
}

#[test]
fn a_seed_costs_no_cached_token() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let seeded = || ChatRequest {
        sampling: Sampling { seed: Some(11), temperature: Some(0.9), ..Sampling::default() },
        max_tokens: Some(20),
        ..plain("Once upon a time, there was a little girl named Lily. She loved to play outside")
    };
    let first = answer(engine.chat(seeded()).unwrap()).unwrap();
    let second = answer(engine.chat(seeded()).unwrap()).unwrap();
    assert_eq!(second.usage.cache_read, first.usage.prompt() - 1, "the last token is computed");
    assert_eq!(first.texts, second.texts);
}

#[test]
fn what_is_cached_shared_or_guessed_changes_no_answer() {
    let plainly = EngineOptions {
        prefix_cache_bytes: Some(0),
        speculation: Speculation::Off,
        ..EngineOptions::default()
    };
    let (Some(plainly), Some(engine)) = (stories(&plainly), stories(&EngineOptions::default())) else {
        return;
    };
    let begin =
        "Once upon a time, there was a little girl named Lily. She loved to play outside. One day, Lily saw";
    let requests: Vec<ChatRequest> = (0..12_u64)
        .flat_map(|number| {
            let prompt = format!("{begin} {number} red and {number} blue and {number} red and");
            [Some(0.0), None].map(|temperature| ChatRequest {
                sampling: Sampling { seed: Some(number), temperature, ..Sampling::default() },
                max_tokens: Some(60),
                ..plain(&prompt)
            })
        })
        .collect();
    let one_by_one: Vec<_> =
        requests.iter().map(|request| answer(plainly.chat(request.clone()).unwrap()).unwrap()).collect();
    // All at once, so that the first computes for the others; then again, when all is cached.
    for _ in 0..2 {
        let streams: Vec<_> = requests.iter().map(|request| engine.chat(request.clone()).unwrap()).collect();
        for (stream, expected) in streams.into_iter().zip(&one_by_one) {
            assert_eq!(answer(stream).unwrap().texts, expected.texts);
        }
    }
    let again = answer(engine.chat(requests[3].clone()).unwrap()).unwrap();
    assert!(again.usage.cache_read > 40 && one_by_one[3].usage.cache_read == 0, "{:?}", again.usage);
}

#[test]
fn control_tokens_count_in_raw_text_and_bos_is_not_doubled() {
    let Some(loaded) = loaded_stories(&EngineOptions::default()) else { return };
    let (engine, embedder) = (loaded.chat().unwrap(), loaded.embedder());
    let prompt_tokens = |text: &str| {
        let request = ChatRequest { max_tokens: Some(1), ..plain(text) };
        answer(engine.chat(request).unwrap()).unwrap().usage.prompt()
    };
    let plain = prompt_tokens("Once upon a time");
    assert_eq!(prompt_tokens("<s>Once upon a time"), plain);
    assert_eq!(prompt_tokens("<s><s>Once upon a time"), plain + 1, "what the caller wrote twice stays");
    assert_eq!(prompt_tokens("Once upon a time</s>"), plain + 1);
    let vectors = |text: &str| {
        let inputs = vec![EmbedInput::Text(text.to_owned())];
        block_on(embedder.embed(EmbedRequest { inputs, dimensions: None })).unwrap().tokens
    };
    assert!(vectors("Once</s>") > vectors("Once") + 1, "in a document to embed they are text");
}

#[test]
fn a_stop_text_ends_the_answer_and_is_not_part_of_it() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let request = ChatRequest { stop: vec!["girl named".to_owned()], ..plain("Once upon a time") };
    let answer = answer(engine.chat(request).unwrap()).unwrap();
    assert_eq!(answer.texts[0], ", there was a little ");
    assert_eq!(answer.reasons, [FinishReason::Stop]);
}

#[test]
fn log_probabilities_come_with_every_token() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let request =
        ChatRequest { logprobs: Some(Logprobs { top: 3 }), max_tokens: Some(6), ..plain("Once upon a time") };
    let mut tokens = Vec::new();
    for event in events(engine.chat(request).unwrap()) {
        if let ChatEvent::Delta(delta) = event.unwrap() {
            tokens.extend(delta.tokens);
        }
    }
    assert_eq!(tokens.len(), 6);
    for token in &tokens {
        assert_eq!(token.top.len(), 3);
        assert_eq!(token.top[0].id, token.id, "a greedy answer takes the most probable token");
        assert!(token.logprob <= 0.0 && token.logprob == token.top[0].logprob);
    }
}

#[test]
fn a_prompt_beyond_the_context_is_refused_with_both_numbers() {
    let Some(engine) = stories(&EngineOptions { context: Some(32), ..EngineOptions::default() }) else {
        return;
    };
    let error = answer(engine.chat(plain(&"a story ".repeat(100))).unwrap()).unwrap_err();
    let Some(Overflow { prompt_tokens, context: 32 }) = error.overflow else { panic!("{error:?}") };
    assert!(prompt_tokens > 100);
}

#[test]
fn a_prompt_beyond_the_context_is_shortened_where_the_caller_wants_it() {
    let Some(engine) = stories(&EngineOptions { context: Some(32), ..EngineOptions::default() }) else {
        return;
    };
    for context_policy in [ContextPolicy::Window, ContextPolicy::Middle] {
        let request = ChatRequest { context_policy, max_tokens: Some(4), ..plain(&"a story ".repeat(100)) };
        let answer = answer(engine.chat(request).unwrap()).unwrap();
        assert_eq!((answer.usage.prompt(), answer.usage.generated()), (28, 4), "{context_policy:?}");
    }
}

#[test]
fn a_stream_follows_the_grammar_of_events() {
    let Some(engine) = stories(&EngineOptions { context: Some(48), ..EngineOptions::default() }) else {
        return;
    };
    let model = CheckedModel(engine);
    for request in [
        ChatRequest { choices: 3, ..plain("Once upon a time") },
        ChatRequest { stop: vec![" ".into()], ..plain("Once upon a time") },
        plain(&"a story ".repeat(100)),
    ] {
        assert!(events(model.chat(request).unwrap()).count() > 0);
    }
}

#[test]
fn an_answer_ends_where_the_context_does() {
    let Some(engine) = stories(&EngineOptions { context: Some(32), ..EngineOptions::default() }) else {
        return;
    };
    let answer = answer(engine.chat(plain("Once upon a time")).unwrap()).unwrap();
    assert_eq!(answer.reasons, [FinishReason::Length]);
    assert_eq!(answer.usage.total(), 33, "the last token is not computed");
}

#[test]
fn a_full_house_refuses_and_recovers() {
    let Some(engine) = stories(&EngineOptions { queue_max: 2, ..EngineOptions::default() }) else { return };
    let long = || ChatRequest { max_tokens: Some(400), ..plain("Once upon a time") };
    let (first, second) = (engine.chat(long()).unwrap(), engine.chat(long()).unwrap());
    let error = engine.chat(long()).err().unwrap();
    assert!(matches!(error.kind, FailureKind::QueueFull), "{error:?}");
    drop((first, second));
    let deadline = Instant::now() + Duration::from_secs(20);
    while engine.chat(long()).is_err() {
        assert!(Instant::now() < deadline, "dropped requests never gave their places back");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let alone =
        answer(engine.chat(ChatRequest { max_tokens: Some(10), ..plain("Lily and Tom") }).unwrap()).unwrap();
    let streams: Vec<_> = (0..40)
        .map(|_| engine.chat(ChatRequest { max_tokens: Some(10), ..plain("Lily and Tom") }).unwrap())
        .collect();
    for stream in streams {
        assert_eq!(answer(stream).unwrap().texts, alone.texts);
    }
}

#[test]
fn a_model_without_a_template_says_what_to_do() {
    let Some(engine) = stories(&EngineOptions::default()) else { return };
    let request = ChatRequest::new(Prompt::Messages(vec![Message::user("Hello")]));
    let error = answer(engine.chat(request).unwrap()).unwrap_err();
    assert!(error.message.contains("--template"), "{error}");
}

#[test]
fn texts_become_vectors_of_length_one() {
    let Some(loaded) = loaded_stories(&EngineOptions::default()) else { return };
    let embedder = loaded.embedder();
    let inputs = vec![EmbedInput::Text("A dog".to_owned()), EmbedInput::Tokens(vec![1, 5, 9])];
    let embeddings = block_on(embedder.embed(EmbedRequest { inputs, dimensions: None })).unwrap();
    assert_eq!(embeddings.vectors.len(), 2);
    for vector in &embeddings.vectors {
        assert_eq!(vector.len(), 64);
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
    }
}

#[derive(Debug)]
struct Answer {
    texts: Vec<String>,
    reasons: Vec<FinishReason>,
    usage: Usage,
}

fn stories(options: &EngineOptions) -> Option<Arc<dyn ChatModel>> {
    loaded_stories(options)?.chat()
}

fn loaded_stories(options: &EngineOptions) -> Option<Loaded> {
    let path = reference_data("stories260K/stories260K.gguf")?;
    Some(load::load(Files::at(&path).unwrap(), options, &|_, _| {}).unwrap())
}

fn plain(prompt: &str) -> ChatRequest {
    ChatRequest {
        sampling: Sampling { temperature: Some(0.0), ..Sampling::default() },
        ..ChatRequest::new(Prompt::Text(prompt.to_owned()))
    }
}

fn answer(stream: EventStream) -> Result<Answer, Failure> {
    let mut answer = Answer { texts: Vec::new(), reasons: Vec::new(), usage: Usage::default() };
    for event in events(stream) {
        match event? {
            ChatEvent::Delta(delta) => {
                let choice = delta.choice as usize;
                answer.texts.resize(answer.texts.len().max(choice + 1), String::new());
                answer.texts[choice].push_str(delta.fragment.as_str());
            }
            ChatEvent::Finished { reason, .. } => answer.reasons.push(reason),
            ChatEvent::Done { usage, .. } => answer.usage = usage,
            _ => {}
        }
    }
    Ok(answer)
}

fn events(mut stream: EventStream) -> impl Iterator<Item = Result<ChatEvent, Failure>> {
    std::iter::from_fn(move || poll_until_ready(|context| stream.as_mut().poll_next(context)))
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_until_ready(|context| future.as_mut().poll(context))
}

fn poll_until_ready<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    loop {
        match poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}
