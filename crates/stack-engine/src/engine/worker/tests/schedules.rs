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
    (prompt, any::<u64>(), temperature, 1..3_u32, priority, 1..16_u32).prop_map(
        |(prompt, seed, temperature, choices, priority, max_tokens)| Ask {
            prompt,
            seed: Some(seed),
            temperature,
            choices,
            priority,
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
    (any::<bool>(), 100..600_usize, 0..300_usize, speculation).prop_map(
        |(cuts_anywhere, cache_tokens, prefix_tokens, speculation)| Setting {
            rows_are_independent: true,
            cuts_anywhere,
            limits: WorkerLimits { cache_tokens, prefix_tokens, speculation, ..Setting::default().limits },
        },
    )
}

/// The answer that a request gets when it is alone and nothing is cached or guessed.
fn alone(ask: &Ask) -> Vec<u32> {
    let mut bench = Bench::new(Setting::default());
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
        let mut bench = Bench::new(setting);
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
                prop_assert_eq!(read(events).0, alone(&ask));
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
        let mut bench = Bench::new(Setting { limits, ..Setting::default() });
        let events = bench.hand_in(ask);
        // Rows cost nothing here.
        bench.worker.pace = Pace::default();
        let steps = bench.finish().len();
        (steps, read(events).0)
    };
    let round: Vec<u32> = alone(&ask);
    ask.prompt.extend(&round[..round.len().min(20)]);
    let (plain, said) = steps(Speculation::Off, &ask);
    let (guessed, same) = steps(Speculation::Ngram, &ask);
    assert_eq!(said, same);
    assert!(guessed < plain, "{guessed} of {plain} steps");
}
