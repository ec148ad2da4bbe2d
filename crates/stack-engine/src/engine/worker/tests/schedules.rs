//! Answers do not depend on who else is there, on what is cached, or on what was guessed.

use proptest::prelude::*;

use super::*;

/// What happens at a worker.
#[derive(Clone, Debug)]
enum Event {
    Arrives(Ask),
    /// One of those that have arrived leaves.
    Leaves(usize),
    Turns(usize),
}

fn ask() -> impl Strategy<Value = Ask> {
    // Few different beginnings, so that most are shared.
    let prompt =
        (0..3_u32, 1..45_usize, prop::collection::vec(0..4_u32, 1..6)).prop_map(|(first, length, end)| {
            let begin = (0..length as u32).map(|place| (first + place * place) % VOCABULARY);
            begin.chain(end).collect::<Vec<u32>>()
        });
    let temperature = prop_oneof![Just(0.0_f32), Just(1.0)];
    let priority = prop_oneof![3 => Just(Priority::Interactive), 1 => Just(Priority::Batch)];
    let tenant = prop_oneof![Just("a"), Just("b")].prop_map(Tenant::new);
    (prompt, any::<u64>(), temperature, 1..3_u32, priority, tenant, 1..16_u32).prop_map(
        |(prompt, seed, temperature, choices, priority, tenant, max_tokens)| Ask {
            prompt,
            seed: Some(seed),
            temperature,
            choices,
            priority,
            tenant,
            max_tokens,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => ask().prop_map(Event::Arrives),
        1 => (0..12_usize).prop_map(Event::Leaves),
        3 => (1..4_usize).prop_map(Event::Turns),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    let speculation = prop_oneof![Just(Speculation::Off), Just(Speculation::Ngram)];
    let draft_errs = prop::option::of(1..10_u32);
    (any::<[bool; 2]>(), 100..600_usize, 0..300_usize, speculation, draft_errs).prop_map(
        |([cuts_anywhere, rows_are_independent], cache_tokens, prefix_tokens, speculation, draft_errs)| {
            Setting {
                rows_are_independent,
                cuts_anywhere,
                draft_errs,
                limits: WorkerLimits {
                    cache_tokens,
                    prefix_tokens,
                    speculation,
                    ..Setting::default().limits
                },
            }
        },
    )
}

/// The answer that a request gets when it is alone and nothing is cached or guessed.
fn alone(ask: &Ask, setting: &Setting) -> Vec<u32> {
    let limits = Setting::default().limits;
    let mut bench = Bench::new(Setting { limits, draft_errs: None, ..setting.clone() });
    let events = bench.hand_in(ask);
    bench.finish();
    read(events).0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_answer_is_the_one_of_a_request_alone(
        events in prop::collection::vec(event(), 1..24),
        setting in setting(),
    ) {
        let mut bench = Bench::new(setting.clone());
        let mut asked: Vec<(Ask, Option<EventReceiver>)> = Vec::new();
        for event in events {
            match event {
                Event::Arrives(ask) => {
                    let events = bench.hand_in(&ask);
                    asked.push((ask, Some(events)));
                }
                Event::Leaves(which) => {
                    if let Some((_, events)) = asked.get_mut(which) {
                        *events = None;
                    }
                }
                Event::Turns(turns) => (0..turns).for_each(|_| {
                    bench.turn();
                }),
            }
        }
        bench.finish();
        for (ask, events) in asked {
            if let Some(events) = events {
                prop_assert_eq!(read(events).0, alone(&ask, &setting));
            }
        }
        bench.empty();
    }
}

#[test]
fn an_answer_that_repeats_itself_takes_fewer_steps_with_guesses() {
    let mut ask = Ask { temperature: 0.0, max_tokens: 30, ..Ask::new(&[1, 2, 3], Some(1)) };
    let steps = |speculation, ask: &Ask| {
        let limits = WorkerLimits { speculation, ..Setting::default().limits };
        steps(Setting { limits, ..Setting::default() }, ask)
    };
    let round: Vec<u32> = alone(&ask, &Setting::default());
    ask.prompt.extend(&round[..round.len().min(20)]);
    let (plain, said) = steps(Speculation::Off, &ask);
    let (guessed, same) = steps(Speculation::Ngram, &ask);
    assert_eq!(said, same);
    assert!(guessed < plain, "{guessed} of {plain} steps");
}

/// Steps that an answer takes, and what it says.
fn steps(setting: Setting, ask: &Ask) -> (usize, Vec<u32>) {
    let mut bench = Bench::new(setting);
    let events = bench.hand_in(ask);
    // What is worth a guess must not depend on how busy the machine is.
    let mut free = || {
        bench.worker.pace = Pace::where_rows_are_free();
        bench.worker.draft.iter_mut().for_each(DraftModel::forget_pace);
        bench.turn()
    };
    while free() {}
    let steps = bench.finish().len();
    let said = read(events).0;
    bench.empty();
    (steps, said)
}

#[test]
fn an_answer_takes_fewer_steps_where_a_draft_model_knows_it() {
    for temperature in [0.0, 1.0] {
        let ask = Ask { temperature, max_tokens: 40, ..Ask::new(&[1, 2, 3, 9, 27], Some(1)) };
        let (plain, said) = steps(Setting::default(), &ask);
        let limits = WorkerLimits { speculation: Speculation::Ngram, ..Setting::default().limits };
        let drafted = |errs| {
            steps(Setting { draft_errs: Some(errs), limits: limits.clone(), ..Setting::default() }, &ask)
        };
        let (fewer, same) = drafted(7);
        assert_eq!((said.len(), &same), (40, &said));
        assert!(fewer < plain / 2, "{fewer} of {plain} steps at temperature {temperature}");
        assert_eq!(drafted(1).1, said, "a draft model that always errs changes nothing either");
    }
}

#[test]
fn what_the_draft_model_holds_goes_with_the_request() {
    let limits =
        WorkerLimits { speculation: Speculation::Ngram, prefix_tokens: 0, ..Setting::default().limits };
    let mut bench = Bench::new(Setting { draft_errs: Some(9), limits, ..Setting::default() });
    let leaves = bench.hand_in(&Ask { max_tokens: 40, choices: 2, ..Ask::new(&[5; 20], Some(3)) });
    for _ in 0..4 {
        bench.turn();
    }
    let held = |bench: &Bench| bench.worker.draft.as_ref().unwrap().held_tokens();
    assert!(held(&bench) > 40, "the draft model has begun for both choices");
    drop(leaves);
    bench.turn();
    assert_eq!((held(&bench), bench.worker.executor.held_tokens()), (0, 0));
}
