//! Hidden states of a text as one vector.

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

/// Makes one vector of the rows, of which there is at least one.
pub(crate) fn pool(rows: &Rows, pooling: Pooling) -> Vec<f32> {
    match pooling {
        Pooling::First => rows.row(0).to_vec(),
        Pooling::Last => rows.row(rows.len() - 1).to_vec(),
        Pooling::Mean => {
            let mut sum = vec![0.0; rows.row(0).len()];
            for row in rows.iter() {
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            sum.iter_mut().for_each(|x| *x /= rows.len() as f32);
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
