use super::*;

fn machine() -> Machine {
    Machine { isa: "avx2".into(), gpu: None, nodes: 1 }
}

/// The oracle of a program whose commands say no more than the file of data.
fn oracle() -> Oracle {
    let commands = COMPONENTS.iter().filter(|component| component.is_command());
    let help = |component: &Component| CommandHelp {
        name: component.name.clone(),
        about: component.ask.clone(),
        options: Vec::new(),
    };
    Oracle::new(commands.map(help).collect())
}

fn asked(question: &str) -> Recommendation {
    oracle().ask(question, &machine()).unwrap_or_else(|| panic!("no answer to {question:?}"))
}

#[test]
fn serving_a_model_is_inference_by_the_engine() {
    let advice = asked("How do I serve a Llama model locally?");
    assert_eq!(
        (advice.class, advice.primary.name.as_str(), advice.primary.layer),
        ("Inference", "stack serve", "engine")
    );
    assert_eq!(advice.primary.confidence, 0.85);
    let supporting = &advice.supporting[0];
    assert_eq!((supporting.name.as_str(), supporting.confidence), ("registry", 0.70));
    assert_eq!(advice.backend, Hardware::Simd("avx2".into()));
    assert_eq!(advice.example, "stack serve MODEL");
    assert!((1..=3).contains(&advice.related.len()), "{:?}", advice.related);
}

#[test]
fn a_random_forest_lies_outside() {
    let advice = asked("Train random forest on 1M samples");
    assert_eq!(
        (advice.class, advice.algorithm, advice.size),
        ("Supervised learning", Some("random_forest"), Some(1_000_000))
    );
    let Suggestion { name, layer, confidence, module, .. } = &advice.primary;
    assert_eq!((name.as_str(), *layer, *confidence), ("aprender", "external", 0.90));
    assert_eq!(*module, Some("aprender::tree::RandomForestClassifier"));
    assert_eq!((advice.backend, advice.distributed), (Hardware::Simd("avx2".into()), false));
}

#[test]
fn what_is_named_is_surest() {
    let advice = asked("what does stack trust add do");
    assert_eq!((advice.primary.name.as_str(), advice.primary.confidence), ("stack trust add", 0.95));
    assert_eq!(asked("how do I start with trueno-db").primary.confidence, 0.95);
}

#[test]
fn endless_and_empty_questions_are_nothing() {
    let oracle = oracle();
    for question in ["", "?", "the of and", &"x ".repeat(100_000), &"é".repeat(3000)] {
        assert_eq!(oracle.ask(question, &machine()), None);
    }
}
