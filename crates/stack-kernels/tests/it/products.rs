//! Products are right, and the same on every level and for every batch.

use proptest::prelude::*;
use stack_kernels::{
    Activations, Cpu, Epilogue, Format, Input, Level, Matrix, Nonlinearity, PrefetchPolicy, Product,
};

use crate::inputs::{self, Numbers};

/// Multiplies as a user does.
fn multiply(cpu: &Cpu, weights: &Matrix, x: &[f32]) -> Vec<f32> {
    stored(cpu, weights, x, Epilogue::Set)
}

fn stored(cpu: &Cpu, weights: &Matrix, x: &[f32], epilogue: Epilogue<'_>) -> Vec<f32> {
    let mut input = Activations::new();
    cpu.quantize(weights.format().input(), x, weights.cols(), &mut input);
    let mut output = vec![f32::NAN; input.rows() * weights.rows()];
    cpu.multiply(&mut [Product { weights, input: &input, output: &mut output, bias: None, epilogue }]);
    output
}

/// The product of float weights and activations as the format rounds them, in double precision; and the sum of the
/// magnitudes of its terms.
fn expected(weights: &Matrix, x: &[f32]) -> Vec<(f64, f64)> {
    let cols = weights.cols();
    let mut row = vec![0.0; cols];
    let x: Vec<f64> = x.chunks_exact(cols).flat_map(|x| rounded(weights.format().input(), x)).collect();
    let mut expected = vec![(0.0, 0.0); x.len() / cols * weights.rows()];
    for index in 0..weights.rows() {
        weights.row(index, &mut row);
        for (m, x) in x.chunks_exact(cols).enumerate() {
            let terms = row.iter().zip(x).map(|(&w, x)| f64::from(w) * x);
            expected[m * weights.rows() + index] = (terms.clone().sum(), terms.map(f64::abs).sum());
        }
    }
    expected
}

/// What activations are worth after rounding, computed apart from the kernels.
fn rounded(input: Input, x: &[f32]) -> Vec<f64> {
    let block = match input {
        Input::Float => return x.iter().map(|&x| f64::from(x)).collect(),
        Input::Bf16 => return x.iter().map(|&x| half::bf16::from_f32(x).to_f64()).collect(),
        Input::Q8_0 => 32,
        Input::Q8K => 256,
    };
    let round = |x: &[f32]| {
        let extreme = x.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).expect("not empty");
        let (forward, back) = match input {
            Input::Q8_0 => (127.0 / extreme.abs(), extreme.abs() / 127.0),
            _ => (-127.0 / extreme, 1.0 / (-127.0 / extreme)),
        };
        let worth = |x: &f32| f64::from(back) * f64::from((forward * x).round_ties_even().min(127.0));
        x.iter().map(|x| if extreme == 0.0 { 0.0 } else { worth(x) }).collect::<Vec<_>>()
    };
    x.chunks_exact(block).flat_map(round).collect()
}

#[test]
fn products_are_right_for_every_format_level_and_shape() {
    for level in Level::available() {
        let cpu = Cpu::new(level, 2);
        for format in Format::ALL {
            let block = format.block();
            for (rows, blocks, batch) in [(1, 1, 1), (17, 3, 3), (40, 9, 7), (16, 8, 14)] {
                let cols = blocks * block;
                let native = inputs::native(format, rows, cols, 7);
                let weights = Matrix::pack(&cpu, format, rows, cols, &native).unwrap();
                let x = Numbers::new(3).floats(batch * cols);
                let found = multiply(&cpu, &weights, &x);
                for (index, (found, (value, magnitude))) in
                    found.iter().zip(expected(&weights, &x)).enumerate()
                {
                    assert!(
                        (f64::from(*found) - value).abs() <= 1e-5 * magnitude + 1e-30,
                        "{format} {level} {rows}×{cols}×{batch} at {index}: {found} instead of {value}"
                    );
                }
            }
        }
    }
}

#[test]
fn levels_agree_bit_for_bit() {
    for format in Format::ALL {
        let cols = 5 * 256 + if format.block() == 256 { 0 } else { 96 };
        let native = inputs::native(format, 50, cols, 11);
        let x = Numbers::new(5).floats(19 * cols);
        let results = Level::available().into_iter().map(|level| {
            let cpu = Cpu::new(level, 1);
            let weights = Matrix::pack(&cpu, format, 50, cols, &native).unwrap();
            (level, multiply(&cpu, &weights, &x))
        });
        let results: Vec<_> = results.collect();
        let (_, scalar) = results.last().expect("one level at least");
        for (level, found) in &results {
            assert_same(found, scalar, &format!("{format} on {level}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn levels_agree_for_any_shape(
        format in prop::sample::select(&Format::ALL[..]),
        rows in 1usize..70,
        blocks in 1usize..20,
        batch in 1usize..34,
        seed in 0u64..1000,
        scale in prop::sample::select(vec![1e-30f32, 1e-3, 1.0, 1e4]),
    ) {
        let cols = blocks * format.block().max(17);
        let native = inputs::native(format, rows, cols, seed);
        let x: Vec<f32> = Numbers::new(seed).floats(batch * cols).iter().map(|x| x * scale).collect();
        let mut results = Level::available().into_iter().map(|level| {
            let cpu = Cpu::new(level, 1);
            let weights = Matrix::pack(&cpu, format, rows, cols, &native).unwrap();
            (level, multiply(&cpu, &weights, &x))
        });
        let (_, best) = results.next().expect("one level at least");
        for (level, found) in results {
            assert_same(&found, &best, &format!("{format} on {level}, {rows}×{cols}×{batch}"));
        }
    }
}

#[test]
fn the_prefetch_policy_changes_no_bit() {
    for level in Level::available() {
        let mut cpu = Cpu::new(level, 2);
        for format in Format::ALL {
            // Far more lines than are asked for ahead of their use, and an end that is asked for beyond.
            let (rows, cols) = (75, 5 * 256);
            let weights =
                Matrix::pack(&cpu, format, rows, cols, &inputs::native(format, rows, cols, 19)).unwrap();
            for batch in [1, 2] {
                let x = Numbers::new(23).floats(batch * cols);
                let [software, hardware] = PrefetchPolicy::ALL.map(|policy| {
                    cpu.set_prefetch_policy(policy);
                    multiply(&cpu, &weights, &x)
                });
                assert_same(&software, &hardware, &format!("{format} on {level}, batch of {batch}"));
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch_or_on_threads() {
    for level in Level::available() {
        let cpus = [1, 3].map(|threads| Cpu::new(level, threads));
        for format in Format::ALL {
            let (rows, cols) = (75, 3 * 256);
            let native = inputs::native(format, rows, cols, 13);
            let weights = Matrix::pack(&cpus[0], format, rows, cols, &native).unwrap();
            let x = Numbers::new(17).floats(200 * cols);
            let single: Vec<f32> =
                x.chunks_exact(cols).take(33).flat_map(|x| multiply(&cpus[0], &weights, x)).collect();
            for (batch, cpu) in (1..=33).flat_map(|batch| cpus.iter().map(move |cpu| (batch, cpu))) {
                let found = multiply(cpu, &weights, &x[..batch * cols]);
                assert_same(&found, &single[..batch * rows], &format!("{format} on {level}, {batch} rows"));
            }
            if level == Level::detect() {
                let found = multiply(&cpus[1], &weights, &x);
                assert_same(&found[..single.len()], &single, &format!("{format} on {level}, 200 rows"));
            }
        }
    }
}

#[test]
fn extreme_codes_scales_and_activations_do_not_overflow() {
    for level in Level::available() {
        let cpu = Cpu::new(level, 1);
        for format in inputs::quantized() {
            let cols = 2 * 256;
            for (byte, sign) in [(0x00, 1.0), (0xFF, 1.0), (0x7F, -1.0), (0x80, -1.0), (0xFF, 0.0)] {
                let native = inputs::native_of(format, 16, cols, 19, || byte);
                let weights = Matrix::pack(&cpu, format, 16, cols, &native).unwrap();
                let x = vec![sign * 3e4; 5 * cols];
                for (found, (value, magnitude)) in
                    multiply(&cpu, &weights, &x).iter().zip(expected(&weights, &x))
                {
                    let error = (f64::from(*found) - value).abs();
                    assert!(error <= 1e-5 * magnitude, "{format} {level}: {found} instead of {value}");
                }
            }
        }
    }
}

#[test]
fn several_products_share_a_region_and_may_add() {
    let cpu = Cpu::new(Level::detect(), 2);
    let cols = 512;
    let matrices = [(Format::Q4K, 64), (Format::Q6K, 33), (Format::Q4K, 5)].map(|(format, rows)| {
        Matrix::pack(&cpu, format, rows, cols, &inputs::native(format, rows, cols, 29)).unwrap()
    });
    let x = Numbers::new(31).floats(3 * cols);
    let mut input = Activations::new();
    cpu.quantize(Input::Q8K, &x, cols, &mut input);
    let mut outputs = [0, 1, 2].map(|index: usize| vec![1.0; 3 * matrices[index].rows()]);
    let mut products: Vec<_> = matrices
        .iter()
        .zip(&mut outputs)
        .map(|(weights, output)| Product {
            weights,
            input: &input,
            output,
            bias: None,
            epilogue: Epilogue::Add,
        })
        .collect();
    cpu.multiply(&mut products);
    for (weights, output) in matrices.iter().zip(&outputs) {
        let added: Vec<f32> = multiply(&cpu, weights, &x).iter().map(|sum| 1.0 + sum).collect();
        assert_same(output, &added, "added");
    }
}

#[test]
fn a_bias_is_added_before_the_last_step() {
    for level in Level::available() {
        let cpu = Cpu::new(level, 2);
        for (format, rows) in [(Format::Q4K, 70), (Format::Q8_0, 64), (Format::F32, 37), (Format::Bf16, 5)] {
            let weights =
                Matrix::pack(&cpu, format, rows, 256, &inputs::native(format, rows, 256, 59)).unwrap();
            let bias = Numbers::new(61).floats(rows);
            for count in [1, 5, 150] {
                let x = Numbers::new(67).floats(count * 256);
                let mut expected = multiply(&cpu, &weights, &x);
                for row in expected.chunks_exact_mut(rows) {
                    row.iter_mut().zip(&bias).for_each(|(y, bias)| *y += bias);
                }
                let mut input = Activations::new();
                cpu.quantize(format.input(), &x, 256, &mut input);
                let mut activated = expected.clone();
                cpu.activate(&mut activated, Nonlinearity::GeluErf);
                let added: Vec<f32> = expected.iter().map(|y| 1.0 + y).collect();
                for (epilogue, expected) in [
                    (Epilogue::Set, &expected),
                    (Epilogue::Add, &added),
                    (Epilogue::Activate(Nonlinearity::GeluErf), &activated),
                ] {
                    let mut output = vec![1.0; expected.len()];
                    let bias = Some(bias.as_slice());
                    cpu.multiply(&mut [Product {
                        weights: &weights,
                        input: &input,
                        output: &mut output,
                        bias,
                        epilogue,
                    }]);
                    assert_same(&output, expected, &format!("{level} {format} {count} rows {epilogue:?}"));
                }
            }
        }
    }
}

#[test]
fn functions_and_gates_are_applied_to_what_is_stored() {
    let function = Nonlinearity::Silu;
    for level in Level::available() {
        let cpu = Cpu::new(level, 2);
        for (format, rows) in [(Format::Q4K, 70), (Format::Q8_0, 64), (Format::F32, 37), (Format::Bf16, 32)] {
            let matrix = |seed| {
                Matrix::pack(&cpu, format, rows, 256, &inputs::native(format, rows, 256, seed)).unwrap()
            };
            let (weights, gate) = (matrix(43), matrix(47));
            for count in [1, 5, 150] {
                let x = Numbers::new(53).floats(count * 256);
                let (plain, gates) = (multiply(&cpu, &weights, &x), multiply(&cpu, &gate, &x));
                let (mut activated, mut gated) = (plain.clone(), vec![0.0; plain.len()]);
                cpu.activate(&mut activated, function);
                cpu.gated(&gates, &plain, function, &mut gated);
                let gate = Epilogue::Gate { weights: &gate, function };
                for (epilogue, expected) in [(Epilogue::Activate(function), activated), (gate, gated)] {
                    let what = format!("{level} {format} {count} rows {epilogue:?}");
                    assert_same(&stored(&cpu, &weights, &x, epilogue), &expected, &what);
                }
            }
        }
    }
}

#[test]
fn an_output_larger_than_the_caches_is_the_same() {
    let (rows, cols, count) = (1030, 256, 300);
    let native = inputs::native(Format::Q4K, rows, cols, 59);
    let x = Numbers::new(61).floats(count * cols);
    for level in Level::available().into_iter().filter(|level| level.name() != "scalar") {
        let cpu = Cpu::new(level, 2);
        let weights = Matrix::pack(&cpu, Format::Q4K, rows, cols, &native).unwrap();
        let all = multiply(&cpu, &weights, &x);
        for (x, found) in x.chunks(100 * cols).zip(all.chunks(100 * rows)) {
            assert_same(found, &multiply(&cpu, &weights, x), level.name());
        }
    }
}

#[test]
fn gathered_rows_are_the_rows() {
    let cpu = Cpu::new(Level::detect(), 2);
    for format in [Format::Q4K, Format::Q8_0, Format::F32, Format::Bf16] {
        let cols = 512;
        let weights = Matrix::pack(&cpu, format, 20, cols, &inputs::native(format, 20, cols, 37)).unwrap();
        let x = Numbers::new(41).floats(4 * cols);
        let all = multiply(&cpu, &weights, &x);
        let (mut input, mut some) = (Activations::new(), Activations::new());
        cpu.quantize(format.input(), &x, cols, &mut input);
        input.gather(&[2, 0, 2], &mut some);
        let mut output = vec![0.0; 3 * 20];
        cpu.multiply(&mut [Product {
            weights: &weights,
            input: &some,
            output: &mut output,
            bias: None,
            epilogue: Epilogue::Set,
        }]);
        let expected: Vec<f32> =
            [2, 0, 2].iter().flat_map(|row| all[row * 20..(row + 1) * 20].to_vec()).collect();
        assert_same(&output, &expected, "gathered");
    }
}

#[track_caller]
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(found.to_bits() == expected.to_bits(), "{what} at {index}: {found} instead of {expected}");
    }
}
