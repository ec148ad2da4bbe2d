//! Hidden states of a text as one vector.

use std::ops::Range;

use crate::executor::Rows;

/// How a text's vectors become one. The numbers are those of `pooling_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// 1, and for models that do not say.
    Mean,
    /// 2.
    First,
    /// 3.
    Last,
}

/// Makes one vector of some rows, of which there is at least one.
pub(crate) fn pool(rows: &Rows, range: Range<usize>, pooling: Pooling) -> Vec<f32> {
    match pooling {
        Pooling::First => rows.row(range.start).to_vec(),
        Pooling::Last => rows.row(range.end - 1).to_vec(),
        Pooling::Mean => {
            let mut sum = vec![0.0; rows.row(range.start).len()];
            let count = range.len() as f32;
            for row in range {
                sum.iter_mut().zip(rows.row(row)).for_each(|(sum, x)| *sum += x);
            }
            sum.iter_mut().for_each(|x| *x /= count);
            sum
        }
    }
}

/// Scales a vector to length 1; the zero vector stays.
pub(crate) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}
