//! The training loop.

use std::sync::Mutex;

use anyhow::{Context, Result};
use candle_core::Tensor;

use crate::batch::{Example, batches};
use crate::model::{Batch, Model, Parameter};
use crate::ops::with_floats;
use crate::optimizer::{Optimizer, Rates};

/// How long and how fast to train.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Number of optimizer steps.
    pub(crate) steps: usize,
    /// Tokens of text in each step.
    pub(crate) tokens_per_step: usize,
    /// Learning rates at the peak.
    pub(crate) rates: Rates,
}

/// Trains `model` on examples from `source`; after each step tells `observe` its number and loss.
///
/// The same plan, source and first weights give the same model: batches may be worked on in any order, but
/// their gradients are always added in the same one.
pub(crate) fn train(
    model: &Model,
    plan: Plan,
    mut source: impl FnMut() -> Example,
    mut observe: impl FnMut(usize, f32) -> Result<()>,
) -> Result<()> {
    let parameters = model.parameters();
    let mut optimizer = Optimizer::new(model.parameters(), plan.rates);
    for step in 0..plan.steps {
        let mut examples = Vec::new();
        let mut tokens = 0;
        while tokens < plan.tokens_per_step {
            let example = source();
            tokens += example.tokens.len();
            examples.push(example);
        }
        let (loss, gradients) = gradients(model, &parameters, &batches(examples, TOKENS_PER_BATCH))?;
        optimizer.step(&gradients, pace(step, plan.steps))?;
        observe(step, loss)?;
    }
    Ok(())
}

/// Returns the mean loss over all targets, without training.
pub(crate) fn mean_loss(model: &Model, examples: Vec<Example>) -> Result<f32> {
    let batches = batches(examples, TOKENS_PER_BATCH);
    let targets: usize = batches.iter().map(|batch| batch.targets.len()).sum();
    let mut sum = 0.0;
    for batch in &batches {
        sum += model.loss(batch, 1.0 / targets as f32)?.to_scalar::<f32>()?;
    }
    Ok(sum)
}

/// Returns the mean loss over all batches and its gradient for each parameter.
fn gradients(model: &Model, parameters: &[Parameter], batches: &[Batch]) -> Result<(f32, Vec<Vec<f32>>)> {
    let targets: usize = batches.iter().map(|batch| batch.targets.len()).sum();
    let weight = 1.0 / targets.max(1) as f32;
    let mut parts: Vec<Option<Part>> = (0..batches.len()).map(|_| None).collect();
    let queue = Mutex::new(batches.iter().zip(&mut parts));
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let next = queue.lock().expect("no thread panics while it holds this lock").next();
                let Some((batch, part)) = next else { return Ok(()) };
                *part = Some(Part::of(model, parameters, batch, weight)?);
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    let mut parts = parts.into_iter().flatten();
    let mut sum = parts.next().context("a step has at least one batch")?;
    for part in parts {
        sum.loss += part.loss;
        for (sum, part) in sum.gradients.iter_mut().zip(part.gradients) {
            for (sum, part) in sum.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
    Ok((sum.loss, sum.gradients))
}

/// One batch's share of a step.
struct Part {
    loss: f32,
    gradients: Vec<Vec<f32>>,
}

impl Part {
    fn of(model: &Model, parameters: &[Parameter], batch: &Batch, weight: f32) -> Result<Self> {
        let loss = model.loss(batch, weight)?;
        let store = loss.backward()?;
        let gradient = |parameter: &Parameter| -> Result<Vec<f32>> {
            let gradient: &Tensor = store.get(&parameter.value).context("every parameter takes part")?;
            Ok(with_floats(&gradient.contiguous()?, <[f32]>::to_vec)?)
        };
        let gradients = parameters.iter().map(gradient).collect::<Result<_>>()?;
        Ok(Self { loss: loss.to_scalar()?, gradients })
    }
}

/// The learning rate's course: a short warm-up, a plateau, then down to zero along a cosine.
fn pace(step: usize, steps: usize) -> f32 {
    let warm_up = WARM_UP.min(steps / 5).max(1);
    let falling = steps * 2 / 5;
    if step < warm_up {
        (step + 1) as f32 / warm_up as f32
    } else if step < falling {
        1.0
    } else {
        let part = (step - falling) as f32 / (steps - falling) as f32;
        0.5 * (1.0 + (part * std::f32::consts::PI).cos()).max(0.01)
    }
}

/// Small enough for a batch's activations to stay in the processor's cache for the most part.
const TOKENS_PER_BATCH: usize = 2048;

/// Steps until the learning rate is at its peak.
const WARM_UP: usize = 20;

/// Threads that each work on a whole batch. The matrices are too small to be shared by more.
const WORKERS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dimensions;
    use crate::random::Random;

    /// Trains a tiny model to count.
    fn trained(steps: usize) -> (Vec<f32>, f32) {
        let dimensions =
            Dimensions { vocabulary: 16, width: 16, layers: 1, heads: 2, feed_forward: 32, context: 16 };
        let model = Model::new(dimensions, &mut Random::new(1)).unwrap();
        let mut random = Random::new(2);
        let source = || {
            let first = random.below(16) as u32;
            Example { tokens: (first..first + 8).map(|token| token % 16).collect(), learned: vec![true; 8] }
        };
        let plan = Plan { steps, tokens_per_step: 256, rates: Rates { matrices: 0.02, rest: 0.01 } };
        let mut losses = Vec::new();
        train(&model, plan, source, |_, loss| {
            losses.push(loss);
            Ok(())
        })
        .unwrap();
        let weights = model.embedding.flatten_all().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        (losses, weights)
    }

    #[test]
    fn the_loss_falls() {
        let (losses, _) = trained(30);
        assert!(losses[0] > 2.0, "{}", losses[0]);
        assert!(losses[29] < losses[0] / 2.0, "{} {}", losses[0], losses[29]);
    }

    #[test]
    fn training_twice_gives_the_same_weights() {
        assert_eq!(trained(5), trained(5));
    }

    #[test]
    fn the_pace_rises_stays_and_falls() {
        assert!(pace(0, 1000) < 0.1);
        assert!((pace(200, 1000) - 1.0).abs() < 1e-6);
        assert!(pace(999, 1000) < 0.02);
    }
}
