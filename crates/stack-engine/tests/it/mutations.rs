//! Small changes to a model of every architecture: each is refused by name, or changes nothing, or the answer is that of
//! llama.cpp. None is answered with other numbers.
//!
//! `tests/data/mutations.json` holds what llama.cpp (libllama 0.5.0) makes of those changed files that it loads: the logits of
//! the last of six tokens. Set `STACK_MUTATIONS_OUT` to a folder to write the files for which it is asked.

use std::collections::BTreeMap;

use stack_engine::executor::{Chunk, Output, Placement, Wanted};
use stack_engine::spec::known_architectures;
use stack_testkit::nmse;

use crate::architectures::tiny;
use crate::placements;
use crate::tiny::{Key, LAYERS, Tiny, WIDTH};

/// What became of a changed model.
enum Outcome {
    Refused(String),
    Answered(Vec<f32>),
}

/// What must be said of a changed model, at least one of these texts, if it is refused.
struct Mutation {
    label: String,
    names: Vec<String>,
    model: Tiny,
}

#[test]
fn every_architecture_has_a_tiny_model_that_runs_alike_on_both_executors() {
    for architecture in known_architectures() {
        let model = tiny(architecture);
        let answers = [cpu(), placements::candle()].map(|placement| match outcome(&model, &placement) {
            Outcome::Answered(row) => row,
            Outcome::Refused(error) => panic!("{architecture}: {error}"),
        });
        let error = nmse(&answers[0], &answers[1]);
        assert!(error < 2e-3, "{architecture}: NMSE {error:.1e}");
    }
}

#[test]
fn a_tensor_that_is_lost_renamed_added_or_damaged_is_refused_by_name() {
    let mut count = 0;
    for architecture in known_architectures() {
        let model = tiny(architecture);
        for mutation in tensor_mutations(&model) {
            count += 1;
            match outcome(&mutation.model, &cpu()) {
                Outcome::Refused(error) => assert_named(&mutation, &error),
                Outcome::Answered(row) => {
                    // A model without an output matrix uses its embeddings.
                    let mut tied = model.clone();
                    tied.copied = Some(("output.weight".to_owned(), "token_embd.weight".to_owned()));
                    let is_tied = mutation.label.ends_with("without output.weight");
                    let Outcome::Answered(expected) = outcome(&tied, &cpu()) else {
                        panic!("{architecture}")
                    };
                    assert!(is_tied && row == expected, "{} was answered", mutation.label);
                }
            }
        }
    }
    assert!(count >= 300, "only {count}");
    println!("{count} changed tensors");
}

#[test]
fn a_key_is_refused_by_name_or_harmless_or_means_what_llama_cpp_takes_it_for() {
    let folder = out_folder();
    let golden: BTreeMap<String, Vec<f32>> =
        serde_json::from_str(include_str!("../data/mutations.json")).unwrap();
    let (mut refused, mut same, mut right, mut alike, mut failures) = (0, 0, 0, 0, Vec::new());
    for architecture in known_architectures() {
        let model = tiny(architecture);
        let Outcome::Answered(unchanged) = outcome(&model, &cpu()) else { panic!("{architecture}") };
        let nothing =
            Mutation { label: format!("{architecture} unchanged"), names: Vec::new(), model: model.clone() };
        for mutation in key_mutations(&model).into_iter().chain([nothing]) {
            let row = match outcome(&mutation.model, &cpu()) {
                Outcome::Refused(error) => {
                    assert_named(&mutation, &error);
                    refused += 1;
                    continue;
                }
                Outcome::Answered(row) => row,
            };
            if let Some(folder) = &folder {
                std::fs::write(folder.join(format!("{}.gguf", mutation.label)), mutation.model.bytes())
                    .unwrap();
            }
            let is_excepted = EXCEPTIONS.iter().any(|(label, _)| *label == mutation.label);
            match golden.get(&mutation.label).filter(|_| !is_excepted) {
                Some(expected) => {
                    let error = nmse(&row, expected);
                    right += 1;
                    if error.is_nan() || error > 1e-3 {
                        failures.push(format!("{}: NMSE {error:.1e}", mutation.label));
                    }
                }
                // llama.cpp does not load the file, so the key must not have mattered, or be one that this
                // architecture uses: then at least two executors agree about it.
                _ if row == unchanged => same += 1,
                _ => match outcome(&mutation.model, &placements::candle()) {
                    Outcome::Answered(other) if nmse(&row, &other) < 2e-3 => alike += 1,
                    _ => failures.push(format!("{}: is answered in two ways", mutation.label)),
                },
            }
        }
    }
    println!(
        "{refused} refused, {same} without effect, {right} as llama.cpp, {alike} alike on two executors"
    );
    assert!(failures.is_empty() || folder.is_some(), "{}: {failures:#?}", failures.len());
    assert!(refused + same + right >= 300);
}

/// Numbers that are none, in every tensor of every architecture, on both executors.
#[test]
fn a_number_that_is_none_is_refused_by_the_tensors_name() {
    for architecture in known_architectures() {
        let model = tiny(architecture);
        for (index, (name, _)) in model.tensors.iter().enumerate() {
            let value = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][index % 3];
            let mut changed = model.clone();
            changed.spoiled = Some((name.clone(), value));
            let placements = if index % 4 == 0 { vec![cpu(), placements::candle()] } else { vec![cpu()] };
            for placement in placements {
                match outcome(&changed, &placement) {
                    Outcome::Refused(error) => {
                        assert!(error.contains(name), "{architecture} {name}: {error}");
                    }
                    Outcome::Answered(_) => panic!("{architecture}: {value} in {name} was answered"),
                }
            }
        }
    }
}

#[test]
fn rotary_factors_must_fit_and_divide() {
    for architecture in ["llama", "phi3", "granite", "qwen2"] {
        for (name, length, value) in [
            ("rope_freqs.weight", 1, 1.0),
            ("rope_freqs.weight", 3, 1.0),
            ("rope_freqs.weight", 2, 0.0),
            ("rope_freqs.weight", 2, f32::NAN),
            ("rope_factors_long.weight", 2, 1.0),
        ] {
            let mut model = tiny(architecture);
            model.tensors.push((name.to_owned(), vec![length]));
            model.spoiled = Some((name.to_owned(), value));
            match outcome(&model, &cpu()) {
                Outcome::Refused(error) => assert!(error.contains("rope_"), "{error}"),
                Outcome::Answered(_) => panic!("{architecture}: {length} × {value} in {name} was answered"),
            }
        }
    }
}

fn tensor_mutations(model: &Tiny) -> Vec<Mutation> {
    let mut all = Vec::new();
    let mut add = |what: String, names: &[&str], change: &dyn Fn(&mut Tiny)| {
        let mut changed = model.clone();
        change(&mut changed);
        let names = names.iter().map(|&name| name.to_owned()).collect();
        all.push(Mutation { label: format!("{} {what}", model.architecture), names, model: changed });
    };
    for (index, (name, shape)) in model.tensors.iter().enumerate() {
        // What else is said when a tensor is not there: what decides the kind of its layer, or is counted in it.
        let stem = name.strip_suffix(".weight").unwrap_or(name);
        let layer = name.split_inclusive('.').take(2).collect::<String>();
        let near: Vec<&str> =
            if name.starts_with("blk.") { vec![stem, &layer, "metadata key"] } else { vec![stem] };
        let output_norm = ["output_norm", "token_embd_norm"];
        let names: &[&str] = if output_norm.contains(&stem) { &output_norm } else { &near };
        add(format!("without {name}"), names, &|model| {
            model.tensors.remove(index);
        });
        let renamed = format!("{stem}_mystery.weight");
        let mut names = names.to_vec();
        names.push(&renamed);
        add(format!("{name} renamed"), &names, &|model| model.tensors[index].0.clone_from(&renamed));
        let doubled: Vec<usize> = shape.iter().map(|length| length * 2).collect();
        names.push("token_embd");
        add(format!("{name} doubled"), &names, &|model| model.tensors[index].1.clone_from(&doubled));
    }
    for name in [
        "blk.2.attn_norm.weight",
        "blk.7.ffn_up.weight",
        "blk.1.mystery.weight",
        "mystery.weight",
        "blk.0.ssm_a",
    ] {
        add(format!("with {name}"), &[name], &|model| model.tensors.push((name.to_owned(), vec![WIDTH])));
    }
    if !model.tensors.iter().any(|(name, _)| name == "position_embd.weight") && model.architecture != "mpt" {
        let name = "position_embd.weight";
        add(format!("with {name}"), &[name], &|model| model.tensors.push((name.to_owned(), vec![32, WIDTH])));
    }
    all
}

fn key_mutations(model: &Tiny) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (index, (name, value, shapes)) in changes().into_iter().enumerate() {
        let mut changed = model.clone();
        match changed.keys.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => changed.keys.push((name, value)),
        }
        let mut names = vec![format!("{}.{name}", model.architecture)];
        if shapes {
            names.extend(["blk.", "token_embd", "output", "metadata key"].map(str::to_owned));
        }
        all.push(Mutation {
            label: format!("{} with {name} {index}", model.architecture),
            names,
            model: changed,
        });
    }
    for index in 0..model.keys.len() {
        let mut changed = model.clone();
        let (name, _) = changed.keys.remove(index);
        let names = ["metadata key", "blk.", "token_embd", "output"].map(str::to_owned).to_vec();
        all.push(Mutation { label: format!("{} without {name}", model.architecture), names, model: changed });
    }
    all
}

/// Keys with values that say something, and whether they say what shapes tensors have.
fn changes() -> Vec<(&'static str, Key, bool)> {
    let number = |name, value| (name, Key::F32(value), false);
    let count = |name, value| (name, Key::U32(value), false);
    let shape = |name, value| (name, Key::U32(value), true);
    let flag = |name, value| (name, Key::Bool(value), false);
    vec![
        number("a_new_scale", 0.5),
        count("a_new_count", 3),
        flag("a_new_flag", true),
        ("a_new_kind", Key::Text("swirl"), false),
        number("logit_scale", 3.0),
        number("embedding_scale", 3.0),
        number("residual_scale", 3.0),
        number("attention.scale", 0.123),
        number("attention.output_scale", 0.7),
        number("attention.value_scale", 0.7),
        number("attention.clamp_kqv", 0.05),
        number("attention.max_alibi_bias", 4.0),
        number("attn_logit_softcapping", 0.7),
        number("final_logit_softcapping", 0.7),
        number("router_logit_softcapping", 5.0),
        number("attention.layer_norm_epsilon", 0.3),
        number("attention.layer_norm_rms_epsilon", 0.3),
        number("attention.temperature_scale", 0.5),
        count("attention.sliding_window", 2),
        count("attention.sliding_window_pattern", 3),
        flag("attention.causal", false),
        number("rope.freq_base", 500.0),
        number("rope.freq_base_swa", 333.0),
        shape("rope.dimension_count", 2),
        number("rope.scaling.factor", 3.0),
        ("rope.scaling.type", Key::Text("swirl"), false),
        number("rope.scaling.attn_factor", 1.5),
        number("rope.scaling.yarn_attn_factor", 2.0),
        number("rope.scaling.yarn_ext_factor", 0.5),
        number("rope.scaling.yarn_log_multiplier", 0.5),
        number("rope.scaling.alpha", 5.0),
        shape("expert_count", 3),
        shape("expert_used_count", 1),
        shape("expert_group_count", 2),
        number("expert_weights_scale", 2.5),
        flag("expert_weights_norm", true),
        count("expert_gating_func", 2),
        flag("use_parallel_residual", true),
        count("nextn_predict_layers", 1),
        shape("block_count", LAYERS as u32 - 1),
        shape("block_count", LAYERS as u32 + 1),
        shape("embedding_length", 2 * WIDTH as u32),
        shape("attention.head_count", 4),
        shape("attention.head_count_kv", 2),
        shape("attention.key_length", 2),
        shape("attention.value_length", 2),
        count("num_loops", 2),
        number("swiglu_clamp_exp", 7.0),
        count("hyper_connection.count", 2),
        count("attention.indexer.top_k", 8),
        count("ssm.conv_kernel", 4),
        count("kda.head_dim", 4),
        count("full_attention_interval", 4),
        count("expert_chunk_feed_forward_length", 4),
        count("embedding_length_per_layer_input", 4),
    ]
}

fn assert_named(mutation: &Mutation, error: &str) {
    let named = mutation.names.iter().any(|name| error.contains(name.as_str()));
    assert!(named, "{}: {error}", mutation.label);
}

fn cpu() -> Placement {
    Placement { threads: 1, ..placements::best() }
}

/// The logits of the last of a few tokens.
fn outcome(model: &Tiny, placement: &Placement) -> Outcome {
    let mut executor = match model.load(32, placement) {
        Ok(executor) => executor,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let sequence = executor.open();
    let batch = [Chunk { sequence, tokens: &TOKENS, wanted: Wanted::Last }];
    match executor.forward(&batch, Output::Logits) {
        Ok(rows) => Outcome::Answered(rows.row(0).to_vec()),
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test has no other way to be told of a folder")]
fn out_folder() -> Option<std::path::PathBuf> {
    std::env::var_os("STACK_MUTATIONS_OUT").map(Into::into)
}

const TOKENS: [u32; 6] = [11, 0, 5, 10, 15, 4];

/// Where llama.cpp computes otherwise than the model means, and why its answer is not the reference.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("qwen2vl with attention.layer_norm_rms_epsilon 16", "it does not read the key for this architecture"),
    ("minicpm without logit_scale", "it multiplies by what the model's own code divides by"),
];
