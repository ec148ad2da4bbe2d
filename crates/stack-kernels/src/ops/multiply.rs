//! Products of packed weights and activations.
//!
//! ```text
//! for each task: a range of row groups of one product's weights
//!   for each block of up to 128 activation rows        # stays in the second cache
//!     for each two groups of sixteen weight rows
//!       for each tile of 256 columns
//!         unpack the tiles of both                     # once for all activation rows
//!         for each activation row: sums += tiles × activations
//!       store the sums, through a function or a gate  # whose sums are computed beside them
//! ```
//!
//! Float weights are never unpacked as such: see [`crate::float`].
//!
//! A sum takes its terms in the same order whatever the number of rows, tasks or threads is, so none of them changes
//! a result.

use std::ops::Range;

use super::epilogue::{Epilogue, Order, StoreSums};
use crate::activations::{Activations, Storage};
use crate::cpu::Cpu;
use crate::disjoint::Disjoint;
use crate::dispatch::with_kernels;
use crate::float::{self, FloatTask};
use crate::kernels::{Kernels, Operands};
use crate::lanes;
use crate::level::Level;
use crate::matrix::Matrix;
use crate::prefetch::PrefetchPolicy;
use crate::scratch::{ProductScratch, TILES};
use crate::tile::LANES;
use crate::unpacked_tile::UnpackedTile;

/// One product: each row of the input times each row of the weights.
#[derive(Debug)]
pub struct Product<'a> {
    /// The weights.
    pub weights: &'a Matrix,
    /// The activations, in the form that the weights' format takes.
    pub input: &'a Activations,
    /// The results: as many rows as the input has, as many columns as the weights have rows.
    pub output: &'a mut [f32],
    /// One number for each row of the weights, which is added to the sums of that row.
    pub bias: Option<&'a [f32]>,
    /// The last step between sums and results.
    pub epilogue: Epilogue<'a>,
}

impl Cpu {
    /// Computes products in one parallel region.
    ///
    /// # Panics
    ///
    /// When shapes or forms do not fit each other.
    pub fn multiply(&self, products: &mut [Product<'_>]) {
        let jobs: Vec<Job<'_>> =
            products.iter_mut().map(|product| Job::new(product, self.prefetch_policy())).collect();
        let cost: usize = jobs.iter().map(|job| job.weights.groups() * job.group_cost()).sum();
        let task_cost = (cost / (self.threads() * TASKS_PER_THREAD)).max(TASK_COST_MIN);
        let tasks = jobs.iter().map(|job| job.tasks(task_cost)).sum();
        self.pool().run_on_workers(tasks, &|worker, mut task| {
            for job in &jobs {
                let tasks = job.tasks(task_cost);
                if task < tasks {
                    let groups = job.groups_of(task, task_cost);
                    return self.product_scratch().with(worker, |scratch| {
                        with_kernels!(self.level(), kernels => job.run(kernels, self.level(), groups, scratch));
                    });
                }
                task -= tasks;
            }
        });
    }
}

/// A product whose output several threads write.
struct Job<'a> {
    weights: &'a Matrix,
    input: &'a Activations,
    output: Disjoint<'a, f32>,
    bias: Option<&'a [f32]>,
    epilogue: Epilogue<'a>,
    prefetch: PrefetchPolicy,
}

impl<'a> Job<'a> {
    fn new(product: &'a mut Product<'_>, prefetch: PrefetchPolicy) -> Self {
        let Product { weights, input, output, bias, epilogue } = product;
        for weights in std::iter::once(*weights).chain(epilogue.gate()) {
            let format = weights.format();
            assert_eq!(weights.cols(), input.cols(), "columns of weights and activations");
            assert_eq!(format.input(), input.input(), "the form of activations for {format}");
            assert_eq!(output.len(), input.rows() * weights.rows(), "the length of the output");
        }
        let biases = bias.map_or(weights.rows(), <[f32]>::len);
        assert_eq!(biases, weights.rows(), "one bias for each row of the weights");
        Self { weights, input, output: Disjoint::new(output), bias: *bias, epilogue: *epilogue, prefetch }
    }

    /// Whether results are stored past the caches; those that are added to what is there were read just before.
    fn is_streamed(&self) -> bool {
        !matches!(self.epilogue, Epilogue::Add) && lanes::is_streamed(self.output.len())
    }

    /// The cost of a group: its multiplications, where few rows take as long as four because memory is slower.
    fn group_cost(&self) -> usize {
        let rows = if self.input.rows() == 0 { 0 } else { self.input.rows().max(4) };
        let matrices = if self.epilogue.gate().is_some() { 2 } else { 1 };
        LANES * self.weights.cols() * rows * matrices
    }

    fn groups_per_task(&self, task_cost: usize) -> usize {
        (task_cost / self.group_cost().max(1)).clamp(1, self.weights.groups())
    }

    fn tasks(&self, task_cost: usize) -> usize {
        if self.input.rows() == 0 {
            0
        } else {
            self.weights.groups().div_ceil(self.groups_per_task(task_cost))
        }
    }

    fn groups_of(&self, task: usize, task_cost: usize) -> Range<usize> {
        let count = self.groups_per_task(task_cost);
        task * count..((task + 1) * count).min(self.weights.groups())
    }

    /// Runs a task.
    fn run<K: Kernels>(&self, kernels: K, level: Level, groups: Range<usize>, scratch: &mut ProductScratch) {
        let ProductScratch { tiles, sums, gates } = scratch;
        let (order, rows_at_once, sums_at_once) = match &self.input.storage {
            Storage::Float(_) => (Order::ByRow, float::ROWS, FLOAT_SUMS),
            // Blocks of one size, so that none is much shorter than the others.
            _ => (Order::ByGroup, self.input.rows().div_ceil(self.input.rows().div_ceil(ROWS)), SUMS),
        };
        for rows in steps(0..self.input.rows(), rows_at_once) {
            for groups in steps(groups.clone(), sums_at_once / rows.len()) {
                let mut sum = |weights, sums: &mut Vec<[f32; LANES]>| {
                    sums.resize(rows.len() * groups.len(), [0.0; LANES]);
                    sums.as_flattened_mut().fill(0.0);
                    self.sum(kernels, weights, &rows, &groups, tiles, sums);
                };
                sum(self.weights, sums);
                if let Some(weights) = self.epilogue.gate() {
                    sum(weights, gates);
                }
                let kernel = StoreSums {
                    bias: self.bias,
                    epilogue: self.epilogue,
                    sums,
                    gates,
                    order,
                    is_streamed: self.is_streamed(),
                    // A task owns its groups, that is these columns of all rows.
                    output: &self.output,
                    width: self.weights.rows(),
                    rows: rows.clone(),
                    groups: groups.clone(),
                };
                lanes::run(level, kernel);
            }
        }
    }

    /// Computes the sums of some rows and groups, which are zero before, in the order of the input's form.
    fn sum<K: Kernels>(
        &self,
        kernels: K,
        weights: &Matrix,
        rows: &Range<usize>,
        groups: &Range<usize>,
        tiles: &mut [UnpackedTile; TILES],
        sums: &mut [[f32; LANES]],
    ) {
        if let Storage::Float(input) = &self.input.storage {
            let (format, weights) = (weights.format(), weights.groups_lines(groups.clone()));
            return kernels.floats(&mut FloatTask { format, weights, input, rows: rows.clone(), sums });
        }
        for (groups, sums) in steps(groups.clone(), TILES).zip(sums.chunks_mut(TILES * rows.len())) {
            let operands =
                Operands { weights, groups, input: self.input, rows: rows.clone(), prefetch: self.prefetch };
            operands.run(kernels, tiles, sums);
        }
    }
}

/// Cuts a range into steps of some length, and what is left.
fn steps(range: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(length).map(move |start| start..(start + length).min(range.end))
}

/// Rows of activations at a time: all columns of them fit the second cache.
const ROWS: usize = 128;

/// Sums that are stored together, 32 KiB: of four groups for the most rows, a few lines side by side of each.
const SUMS: usize = 4 * ROWS;

/// Sums of float weights, 96 KiB.
const FLOAT_SUMS: usize = 16 * float::ROWS;

/// Enough tasks that threads finish together although some run slower.
const TASKS_PER_THREAD: usize = 8;

/// Work that is worth a task: some microseconds.
const TASK_COST_MIN: usize = 1 << 18;
