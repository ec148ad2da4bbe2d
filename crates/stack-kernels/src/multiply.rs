//! Products of packed weights and activations.
//!
//! ```text
//! for each task: a range of row groups of one product's weights
//!   for each block of up to 128 activation rows        # stays in the second cache
//!     for each group of sixteen weight rows
//!       for each tile of 256 columns
//!         unpack the tile                              # once for all activation rows
//!         for each activation row: sums += tile × activations
//!       store the sums
//! ```
//!
//! Float weights are never unpacked as such: see [`crate::float`].
//!
//! A sum takes its terms in the same order whatever the number of rows, tasks or threads is, so none of them changes
//! a result.

use std::ops::Range;

use crate::activations::{Activations, Held, Rounded32, Rounded256};
use crate::buffer::Line;
use crate::cpu::Cpu;
use crate::disjoint::Disjoint;
use crate::dispatch::with_kernels;
use crate::float::{self, FloatRows, FloatTask};
use crate::format::Format;
use crate::matrix::Matrix;
use crate::panel::Panel;
use crate::tile::{self, LANES};

/// One product: each row of the input times each row of the weights.
#[derive(Debug)]
pub struct Product<'a> {
    /// The weights.
    pub weights: &'a Matrix,
    /// The activations, in the form that the weights' format takes.
    pub input: &'a Activations,
    /// The results: as many rows as the input has, as many columns as the weights have rows.
    pub output: &'a mut [f32],
    /// What happens to what `output` holds.
    pub store: Store,
}

/// What happens to what an output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// It is replaced.
    Set,
    /// The results are added to it.
    Add,
}

impl Cpu {
    /// Computes products in one parallel region.
    ///
    /// # Panics
    ///
    /// When shapes or forms do not fit each other.
    pub fn multiply(&self, products: &mut [Product<'_>]) {
        let jobs: Vec<Job<'_>> = products.iter_mut().map(Job::new).collect();
        let cost: usize = jobs.iter().map(|job| job.weights.groups() * job.group_cost()).sum();
        let task_cost = (cost / (self.threads() * TASKS_PER_THREAD)).max(TASK_COST_MIN);
        let tasks = jobs.iter().map(|job| job.tasks(task_cost)).sum();
        self.pool().run_on_workers(tasks, &|worker, mut task| {
            for job in &jobs {
                let tasks = job.tasks(task_cost);
                if task < tasks {
                    let groups = job.groups_of(task, task_cost);
                    return self.multiplying().with(worker, |workspace| {
                        with_kernels!(self.level(), kernels => job.run(kernels, groups, workspace));
                    });
                }
                task -= tasks;
            }
        });
    }
}

/// What a level does with tiles.
pub(crate) trait Kernels: Copy {
    /// Unpacks a tile of so many blocks.
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, panel: &mut Panel);

    /// Adds the products of a panel and each row's activations to that row's sums.
    fn accumulate_256(self, format: Format, panel: &Panel, inputs: &[Rounded256], sums: &mut [[f32; LANES]]);

    /// Adds the products of a panel and each row's activations to that row's sums.
    fn accumulate_32(self, format: Format, panel: &Panel, inputs: &[Rounded32], sums: &mut [[f32; LANES]]);

    /// Adds the products of float weights to their sums.
    fn floats(self, task: &mut FloatTask<'_>);

    /// Computes the sums of quantized weights for few rows, straight from the tiles, and says whether it did. The panel
    /// is there to be used.
    fn few_rows(self, work: &Work<'_>, panel: &mut Panel, sums: &mut [[f32; LANES]]) -> bool;

    /// Rounds 256 columns of activations with one scale.
    fn round_256(self, x: &[f32; 256], out: &mut Rounded256);

    /// Rounds 256 columns of activations with a scale per 32.
    fn round_32(self, x: &[f32; 256], out: &mut Rounded32);
}

/// What a thread multiplies in, kept because clearing it takes longer than a short task.
#[derive(Default)]
pub(crate) struct Workspace {
    panel: Panel,
    sums: Vec<[f32; LANES]>,
}

impl Workspace {
    /// The panel, and so many sums of which nobody knows the values.
    fn parts(&mut self, sums: usize) -> (&mut Panel, &mut [[f32; LANES]]) {
        if self.sums.len() < sums {
            self.sums.resize(sums, [0.0; LANES]);
        }
        (&mut self.panel, &mut self.sums[..sums])
    }
}

/// A group of weights and some rows of activations.
pub(crate) struct Work<'a> {
    pub(crate) weights: &'a Matrix,
    pub(crate) group: usize,
    pub(crate) input: &'a Activations,
    pub(crate) rows: Range<usize>,
}

/// A product whose output several threads write.
struct Job<'a> {
    weights: &'a Matrix,
    input: &'a Activations,
    output: Disjoint<'a, f32>,
    store: Store,
}

impl<'a> Job<'a> {
    fn new(product: &'a mut Product<'_>) -> Self {
        let Product { weights, input, output, store } = product;
        assert_eq!(weights.cols(), input.cols(), "columns of weights and activations");
        assert_eq!(
            weights.format().input(),
            input.input(),
            "the form of activations for {}",
            weights.format()
        );
        assert_eq!(output.len(), input.rows() * weights.rows(), "the length of the output");
        Self { weights, input, output: Disjoint::new(output), store: *store }
    }

    /// What a group costs: its multiplications, where few rows take as long as four because memory is slower.
    fn group_cost(&self) -> usize {
        LANES * self.weights.cols() * if self.input.rows() == 0 { 0 } else { self.input.rows().max(4) }
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
    fn run<K: Kernels>(&self, kernels: K, groups: Range<usize>, workspace: &mut Workspace) {
        if let Held::Float(input) = &self.input.held {
            return self.run_floats(kernels, input, groups, workspace);
        }
        let rows = self.input.rows();
        let step = rows.div_ceil(rows.div_ceil(ROWS));
        for first in (0..rows).step_by(step) {
            let rows = first..(first + step).min(rows);
            for first in groups.clone().step_by(GROUPS) {
                let groups = first..(first + GROUPS).min(groups.end);
                let (panel, sums) = workspace.parts(rows.len() * groups.len());
                sums.fill([0.0; LANES]);
                for (group, sums) in groups.clone().zip(sums.chunks_exact_mut(rows.len())) {
                    let work = Work { weights: self.weights, group, input: self.input, rows: rows.clone() };
                    work.run(kernels, panel, sums);
                }
                for (index, row) in rows.clone().enumerate() {
                    let sums = sums[index..].iter().step_by(rows.len());
                    self.store(row, groups.clone(), sums);
                }
            }
        }
    }

    /// Runs a task with float weights.
    fn run_floats<K: Kernels>(
        &self,
        kernels: K,
        input: &FloatRows,
        groups: Range<usize>,
        workspace: &mut Workspace,
    ) {
        for first in (0..input.rows()).step_by(float::ROWS) {
            let rows = first..(first + float::ROWS).min(input.rows());
            for first in groups.clone().step_by(FLOAT_GROUPS) {
                let groups = first..(first + FLOAT_GROUPS).min(groups.end);
                let (_, sums) = workspace.parts(rows.len() * groups.len());
                sums.fill([0.0; LANES]);
                kernels.floats(&mut FloatTask {
                    format: self.weights.format(),
                    weights: self.weights.groups_lines(groups.clone()),
                    input,
                    rows: rows.clone(),
                    sums,
                });
                for (row, sums) in rows.clone().zip(sums.chunks_exact(groups.len())) {
                    self.store(row, groups.clone(), sums.iter());
                }
            }
        }
    }

    /// Stores one row's sums of neighbouring groups.
    fn store<'s>(&self, row: usize, groups: Range<usize>, mut sums: impl Iterator<Item = &'s [f32; LANES]>) {
        let width = self.weights.rows();
        let columns = groups.start * LANES..(groups.end * LANES).min(width);
        // SAFETY: a task owns its groups, that is these columns of all rows, and uses one part at a time.
        let output = unsafe { self.output.part(row * width + columns.start..row * width + columns.end) };
        let (whole, rest) = output.as_chunks_mut::<LANES>();
        for (output, sums) in whole.iter_mut().zip(&mut sums) {
            self.put(output, sums);
        }
        if let Some(sums) = sums.next() {
            self.put(rest, &sums[..rest.len()]);
        }
    }

    /// Stores sums, which are few: inlined, their number is known.
    #[inline]
    fn put(&self, output: &mut [f32], sums: &[f32]) {
        match self.store {
            Store::Set => output.copy_from_slice(sums),
            Store::Add => output.iter_mut().zip(sums).for_each(|(output, sum)| *output += sum),
        }
    }
}

impl Work<'_> {
    /// Computes the sums of each row, which are zero before.
    fn run<K: Kernels>(&self, kernels: K, panel: &mut Panel, sums: &mut [[f32; LANES]]) {
        let (format, cols) = (self.weights.format(), self.weights.cols());
        if kernels.few_rows(self, panel, sums) {
            return;
        }
        for (index, place) in tile::tiles(format, cols).enumerate() {
            kernels.unpack(format, &self.lines()[place.lines], place.blocks, panel);
            match &self.input.held {
                Held::Block32(held) => kernels.accumulate_32(format, panel, &held[self.inputs(index)], sums),
                Held::Block256(held) => {
                    kernels.accumulate_256(format, panel, &held[self.inputs(index)], sums);
                }
                Held::Float(_) => unreachable!("floats have no tiles"),
            }
        }
    }

    /// The lines of the weights.
    pub(crate) fn lines(&self) -> &[Line] {
        self.weights.group(self.group)
    }

    /// Where rounded activations hold the rows' part of a tile.
    pub(crate) fn inputs(&self, tile: usize) -> Range<usize> {
        let first = tile * self.input.rows();
        first + self.rows.start..first + self.rows.end
    }
}

/// Rows of activations at a time: 256 columns of them fit the nearest cache, all columns the second.
const ROWS: usize = 128;

/// Groups of weights whose sums are stored together: a few lines side by side of each row, in 32 KiB for the most rows.
const GROUPS: usize = 4;

/// Groups of float weights of a task at a time: their sums take 96 KiB for the most rows.
const FLOAT_GROUPS: usize = 16;

/// Enough tasks that threads finish together although some run slower.
const TASKS_PER_THREAD: usize = 8;

/// Work that is worth a task: some microseconds.
const TASK_COST_MIN: usize = 1 << 18;
