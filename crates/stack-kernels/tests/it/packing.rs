//! What is packed can be read again.

use std::sync::Mutex;

use stack_kernels::{Cpu, Format, Level, LoadError, Matrix};

use crate::inputs;

/// Each file of the engine has random blocks and what the Python package `gguf` makes of them.
#[test]
fn packed_rows_are_what_the_oracle_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../stack-engine/tests/data/quants");
    let cpu = Cpu::new(Level::detect(), 2);
    let mut compared = 0;
    for format in Format::ALL {
        let Ok(file) = std::fs::read(format!("{folder}/{}.bin", format.name())) else { continue };
        let blocks = file.len() / (format.block_bytes() + 4 * format.block());
        let (bytes, expected) = file.split_at(blocks * format.block_bytes());
        let expected: Vec<f32> =
            expected.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        // One row per block, then all blocks in one row.
        for (rows, cols) in [(blocks, format.block()), (1, blocks * format.block())] {
            let matrix = Matrix::pack(&cpu, format, rows, cols, bytes).unwrap();
            let mut row = vec![f32::NAN; cols];
            for (index, expected) in expected.chunks_exact(cols).enumerate() {
                matrix.row(index, &mut row);
                let same = row.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits() || a == b);
                assert!(same, "{format} row {index} of {rows}: {row:?} instead of {expected:?}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 15);
}

#[test]
fn loading_reads_every_byte_once_and_equals_packing() {
    let cpu = Cpu::new(Level::detect(), 3);
    for (format, rows, cols) in [(Format::Q4K, 1300, 2048), (Format::Q8_0, 33, 96), (Format::F16, 5, 7)] {
        let native = inputs::native(format, rows, cols, 1);
        let seen = Mutex::new(vec![0u8; native.len()]);
        let loaded = Matrix::load::<()>(&cpu, format, rows, cols, &|offset, bytes| {
            let range = offset as usize..offset as usize + bytes.len();
            bytes.copy_from_slice(&native[range.clone()]);
            seen.lock().unwrap()[range].iter_mut().for_each(|count| *count += 1);
            Ok(())
        })
        .unwrap();
        assert!(seen.into_inner().unwrap().iter().all(|&count| count == 1));
        let packed = Matrix::pack(&cpu, format, rows, cols, &native).unwrap();
        let (mut a, mut b) = (vec![0.0; cols], vec![0.0; cols]);
        for row in 0..rows {
            loaded.row(row, &mut a);
            packed.row(row, &mut b);
            assert_eq!(a, b, "{format} row {row}");
        }
    }
}

#[test]
fn failed_reads_and_bad_shapes_are_errors() {
    let cpu = Cpu::new(Level::detect(), 2);
    let failed = Matrix::load(&cpu, Format::Q4K, 4096, 4096, &|offset, _| match offset {
        0 => Ok(()),
        _ => Err("disk on fire"),
    });
    assert!(matches!(failed, Err(LoadError::Read("disk on fire"))));
    let bad = [(0, 256), (1, 0), (1, 255), (usize::MAX / 2, 256), (1, usize::MAX / 256 * 256)];
    for (rows, cols) in bad {
        assert!(Matrix::pack(&cpu, Format::Q4K, rows, cols, &[]).is_err(), "{rows} × {cols}");
    }
    let short = Matrix::pack(&cpu, Format::Q8_0, 2, 32, &[0; 67]).unwrap_err();
    assert_eq!(short.to_string(), "a matrix of 2 rows and 32 columns of Q8_0 does not take 67 bytes");
}
