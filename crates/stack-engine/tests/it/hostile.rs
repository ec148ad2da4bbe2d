//! Models that lie: whatever a file says, it gets an error or an answer, never a panic or an absurd allocation.

use stack_engine::executor::{Chunk, ExecutorError, Output, Placement, Wanted};
use stack_engine::spec::DecoderSpec;
use stack_engine::weights::GgufFile;
use stack_testkit::GgufBuilder;

use crate::placements;
use crate::tiny::{Key, Tiny, VOCABULARY};

#[test]
fn a_missing_tensor_is_an_error_or_an_answer() {
    for model in models() {
        for index in 0..model.tensors.len() {
            let mut changed = model.clone();
            let (name, _) = changed.tensors.remove(index);
            let answers = answers(&changed);
            // What is optional in every architecture: norms and the output matrix.
            let optional = name.contains("norm") || name == "output.weight" || name.contains("gate");
            assert!(
                !answers || optional || name.contains("shexp"),
                "{} runs without {name}",
                model.architecture
            );
        }
    }
}

#[test]
fn a_tensor_of_another_shape_is_an_error() {
    for model in models() {
        for index in 0..model.tensors.len() {
            let shape = model.tensors[index].1.clone();
            let doubled = [&[shape[0] * 2], &shape[1..]].concat();
            let halved = [&[shape[0].div_ceil(2)], &shape[1..]].concat();
            let longer = [&shape[..shape.len() - 1], &[shape[shape.len() - 1] + 1]].concat();
            let flat = vec![shape.iter().product()];
            let deeper = [&[1], shape.as_slice()].concat();
            let empty = [&[0], &shape[1..]].concat();
            for other in [doubled, halved, longer, flat, deeper, empty] {
                if other == shape {
                    continue;
                }
                let mut changed = model.clone();
                changed.tensors[index].1 = other;
                answers(&changed);
            }
        }
    }
}

#[test]
fn outer_dimensions_of_one_change_nothing() {
    for (model, placement) in
        models().iter().flat_map(|model| executors().map(move |placement| (model, placement)))
    {
        let logits = |model: &Tiny| {
            let mut executor = model.load(32, &placement).unwrap();
            let sequence = executor.open();
            let chunk = Chunk { sequence, tokens: &[1, 2, 3], wanted: Wanted::All };
            executor.forward(&[chunk], Output::Logits).unwrap()
        };
        let expected = logits(model);
        let mut changed = model.clone();
        for (_, shape) in &mut changed.tensors {
            // A file has at most four dimensions.
            shape.splice(..0, vec![1; 4 - shape.len()]);
        }
        assert_eq!(logits(&changed), expected, "{}", model.architecture);
    }
}

#[test]
fn an_output_matrix_for_more_tokens_than_there_are_embeddings_is_refused() {
    let mut model = Tiny::llama();
    let (_, shape) = model.tensors.iter_mut().find(|(name, _)| name == "output.weight").unwrap();
    shape[0] += 1;
    for placement in executors() {
        let error = model.load(32, &placement).err().unwrap().to_string();
        assert!(error.contains("output.weight: has 17 rows, but token_embd.weight has 16"), "{error}");
    }
}

#[test]
fn a_changed_key_is_an_error_or_an_answer() {
    let values = [
        Key::U32(0),
        Key::U32(1),
        Key::U32(1 << 31),
        Key::U32(u32::MAX),
        Key::U64(1 << 63),
        Key::U64(u64::MAX),
        Key::I32(-1),
        Key::F32(0.0),
        Key::F32(-1.0),
        Key::F32(1e-38),
        Key::F32(3e38),
        Key::F32(f32::NAN),
        Key::F32(f32::INFINITY),
        Key::Bool(true),
        Key::Text("what"),
        Key::I32s(vec![]),
        Key::I32s(vec![-1, 3, i32::MAX]),
    ];
    let before = virtual_peak_kib();
    for model in models() {
        for index in 0..model.keys.len() {
            for value in &values {
                let mut changed = model.clone();
                changed.keys[index].1 = value.clone();
                answers(&changed);
            }
            let mut changed = model.clone();
            changed.keys.remove(index);
            answers(&changed);
        }
    }
    if let (Some(before), Some(after)) = (before, virtual_peak_kib()) {
        assert!(after - before < 8 << 20, "took {} KiB", after - before);
    }
}

#[test]
fn what_is_not_a_model_that_can_run_is_refused_by_name() {
    let refusal = |builder: GgufBuilder| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), builder.build()).unwrap();
        DecoderSpec::read(&GgufFile::open(file.path()).unwrap()).unwrap_err().to_string()
    };
    let model = || GgufBuilder::new("llama").f32_tensor("token_embd.weight", &[1, 1], &[0.0]);
    assert!(refusal(model().text("general.type", "adapter")).contains("adapter"));
    assert!(refusal(model().text("general.type", "mmproj")).contains("mmproj"));
    assert!(refusal(model().boolean("llama.attention.causal", false)).contains("causal"));
    assert!(refusal(model().u32("llama.num_loops", 2)).contains("num_loops"));
    assert!(refusal(model().f32("llama.swiglu_clamp_exp", 7.0)).contains("swiglu_clamp_exp"));
    let unknown = refusal(GgufBuilder::new("mamba").f32_tensor("token_embd.weight", &[1, 1], &[0.0]));
    assert!(unknown.contains("mamba") && unknown.contains("llama"), "{unknown}");
}

#[test]
fn a_part_of_a_layer_that_is_not_known_is_refused_by_name() {
    let mut model = Tiny::llama();
    model.tensors.push(("blk.1.ssm_in.weight".to_owned(), vec![2, 2]));
    for placement in executors() {
        let error = model.load(32, &placement).err().unwrap().to_string();
        assert!(error.contains("blk.1.ssm_in.weight"), "{error}");
    }
}

#[test]
fn impossible_batches_are_errors_and_leave_the_executor_usable() {
    for (model, placement) in
        models().iter().flat_map(|model| executors().map(move |placement| (model, placement)))
    {
        let mut executor = model.load(32, &placement).unwrap();
        assert!(executor.forward(&[], Output::Logits).unwrap().is_empty());
        let sequence = executor.open();
        let all = |tokens| [Chunk { sequence, tokens, wanted: Wanted::All }];
        assert!(executor.forward(&all(&[]), Output::Logits).unwrap().is_empty());
        let unknown = executor.forward(&all(&[1, VOCABULARY as u32]), Output::Logits);
        assert!(matches!(unknown, Err(ExecutorError::UnknownToken { token: 16, .. })));
        let overflow = executor.forward(&all(&[1; 33]), Output::Logits);
        assert!(matches!(overflow, Err(ExecutorError::ContextFull { tokens: 33, context: 32 })));
        assert_eq!(executor.forward(&all(&[1; 32]), Output::Logits).unwrap().len(), 32);
        assert!(executor.forward(&all(&[1]), Output::Logits).is_err());
    }
}

fn models() -> [Tiny; 5] {
    [Tiny::llama(), Tiny::windowed(), Tiny::experts(), Tiny::latent(), Tiny::convolution()]
}

/// The executors that must not be harmed.
fn executors() -> [Placement; 2] {
    [Placement { threads: 1, ..placements::best() }, placements::candle()]
}

/// Whether a model loads and computes, on whatever executor.
fn answers(model: &Tiny) -> bool {
    executors().map(|placement| answers_on(model, &placement)).contains(&true)
}

fn answers_on(model: &Tiny, placement: &Placement) -> bool {
    let Ok(mut executor) = model.load(32, placement) else { return false };
    let sequence = executor.open();
    let batch = |tokens| [Chunk { sequence, tokens, wanted: Wanted::All }];
    let first = executor.forward(&batch(&[1, 2, 3]), Output::Logits).is_ok();
    first && executor.forward(&batch(&[4]), Output::Logits).is_ok()
}

/// The most address space that this process ever had, where the system tells.
fn virtual_peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
