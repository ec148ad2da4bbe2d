//! Packed weights.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::buffer::{Arena, Buffer, Line};
use crate::cpu::Cpu;
use crate::format::Format;
use crate::pack;
use crate::tile::{self, LANES};

/// A matrix of weights, packed for multiplication: rows are outputs, columns inputs.
///
/// It takes about as many bits as the file, and is the only copy.
#[derive(Debug)]
pub struct Matrix {
    format: Format,
    rows: usize,
    cols: usize,
    lines: Buffer,
}

/// Reads bytes of a tensor: from an offset in it, as many as the slice takes.
type Read<'a, E> = &'a (dyn Fn(u64, &mut [u8]) -> Result<(), E> + Sync);

impl Matrix {
    /// Reads the rows of a tensor and packs them, in one pass and with every thread.
    ///
    /// Each range of bytes is read once; ranges come in no particular order, and together they are the tensor.
    ///
    /// # Errors
    ///
    /// When the shape is not one of the format or a read fails.
    pub fn load<E: Send>(
        cpu: &Cpu,
        format: Format,
        rows: usize,
        cols: usize,
        read: Read<'_, E>,
    ) -> Result<Self, LoadError<E>> {
        let shape = Shape::new(format, rows, cols)?;
        let mut lines = cpu.arena().zeroed(shape.groups * shape.group_lines);
        let groups_per_task = (READ_BYTES / (LANES * shape.row_bytes)).max(1);
        let failure = Mutex::new(None);
        let buffers: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
        cpu.pool().for_chunks(&mut lines, groups_per_task * shape.group_lines, &|task, lines| {
            if lock(&failure).is_some() {
                return;
            }
            let first = task * groups_per_task * LANES;
            let count = (groups_per_task * LANES).min(rows - first);
            let mut native = lock(&buffers).pop().unwrap_or_default();
            native.resize(count * shape.row_bytes, 0);
            match read((first * shape.row_bytes) as u64, &mut native) {
                Ok(()) => shape.pack(&native, lines),
                Err(error) => *lock(&failure) = Some(error),
            }
            lock(&buffers).push(native);
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(LoadError::Read(error)),
            None => Ok(Self { format, rows, cols, lines }),
        }
    }

    /// Packs a tensor that is in memory.
    ///
    /// # Errors
    ///
    /// When the shape is not one of the format or `native` is not as long as it says.
    pub fn pack(
        cpu: &Cpu,
        format: Format,
        rows: usize,
        cols: usize,
        native: &[u8],
    ) -> Result<Self, ShapeError> {
        let shape = Shape::new(format, rows, cols)?;
        if native.len() != rows * shape.row_bytes {
            return Err(ShapeError { format, rows, cols, problem: Problem::Bytes(native.len()) });
        }
        let mut lines = cpu.arena().zeroed(shape.groups * shape.group_lines);
        let group_bytes = LANES * shape.row_bytes;
        let groups_per_task = (READ_BYTES / group_bytes).max(1);
        cpu.pool().for_chunks(&mut lines, groups_per_task * shape.group_lines, &|task, lines| {
            let first = task * groups_per_task * group_bytes;
            let end = (first + groups_per_task * group_bytes).min(native.len());
            shape.pack(&native[first..end], lines);
        });
        Ok(Self { format, rows, cols, lines })
    }

    /// Makes a matrix of zeros in memory of its own, every page of it touched.
    ///
    /// # Panics
    ///
    /// When the shape is not one of the format.
    pub(crate) fn zeros(cpu: &Cpu, format: Format, rows: usize, cols: usize) -> Self {
        let shape = Shape::new(format, rows, cols).expect("the caller knows the format");
        let mut lines = Arena::default().zeroed(shape.groups * shape.group_lines);
        // Pages that were never written to are all the same one, which never leaves the cache.
        cpu.pool().for_chunks(&mut lines, shape.group_lines, &|_, lines| lines.fill(Line::ZERO));
        Self { format, rows, cols, lines }
    }

    /// Bytes that a matrix of this shape would take.
    ///
    /// # Errors
    ///
    /// When the shape is not one of the format.
    pub fn bytes_for(format: Format, rows: usize, cols: usize) -> Result<usize, ShapeError> {
        let shape = Shape::new(format, rows, cols)?;
        Ok(shape.groups * shape.group_lines * 64)
    }

    /// Number of rows: of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns: of inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The format that it was packed from.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        64 * self.lines.len()
    }

    /// Writes the weights of one row as floats.
    ///
    /// # Panics
    ///
    /// When there is no such row or `out` is not as long as it.
    pub fn row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.rows, "row {index} of {}", self.rows);
        assert_eq!(out.len(), self.cols, "the length of a row");
        pack::row(self.format, self.group(index / LANES), index % LANES, out);
    }

    /// The lines of one group of sixteen rows.
    pub(crate) fn group(&self, group: usize) -> &[Line] {
        self.groups_lines(group..group + 1)
    }

    /// The lines of neighbouring groups.
    pub(crate) fn groups_lines(&self, groups: Range<usize>) -> &[Line] {
        let length = tile::group_lines(self.format, self.cols);
        &self.lines[groups.start * length..groups.end * length]
    }

    /// Number of such groups.
    pub(crate) fn groups(&self) -> usize {
        self.rows.div_ceil(LANES)
    }
}

/// A shape that was checked, and what follows from it.
struct Shape {
    format: Format,
    cols: usize,
    row_bytes: usize,
    groups: usize,
    group_lines: usize,
}

impl Shape {
    fn new(format: Format, rows: usize, cols: usize) -> Result<Self, ShapeError> {
        let error = |problem| ShapeError { format, rows, cols, problem };
        if rows == 0 || cols == 0 {
            return Err(error(Problem::Empty));
        }
        if !cols.is_multiple_of(format.block()) {
            return Err(error(Problem::Columns));
        }
        // Packed lines take less than twice the space of sixteen rows of the file; nothing below overflows then.
        let row_bytes = (cols / format.block())
            .checked_mul(format.block_bytes())
            .filter(|bytes| {
                bytes.checked_mul(rows.next_multiple_of(LANES)).is_some_and(|all| all < MAX_BYTES)
            })
            .ok_or_else(|| error(Problem::Size))?;
        Ok(Self {
            format,
            cols,
            row_bytes,
            groups: rows.div_ceil(LANES),
            group_lines: tile::group_lines(format, cols),
        })
    }

    /// Packs whole rows into the lines of their groups.
    fn pack(&self, native: &[u8], lines: &mut [Line]) {
        let groups = native.chunks(LANES * self.row_bytes).zip(lines.chunks_exact_mut(self.group_lines));
        for (rows, lines) in groups {
            pack::pack(self.format, self.cols, rows, lines);
        }
    }
}

/// A shape that a matrix of some format cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    format: Format,
    rows: usize,
    cols: usize,
    problem: Problem,
}

/// The fault of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Empty,
    Columns,
    Size,
    Bytes(usize),
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a matrix of {} rows and {} columns of {}", self.rows, self.cols, self.format)?;
        match self.problem {
            Problem::Empty => write!(f, " is empty"),
            Problem::Columns => write!(f, " has no whole blocks of {}", self.format.block()),
            Problem::Size => write!(f, " is too large"),
            Problem::Bytes(bytes) => write!(f, " does not take {bytes} bytes"),
        }
    }
}

impl Error for ShapeError {}

/// Why a matrix was not loaded.
#[derive(Debug)]
pub enum LoadError<E> {
    /// The format has no matrix of that shape.
    Shape(ShapeError),
    /// A read failed: the first that did.
    Read(E),
}

impl<E> From<ShapeError> for LoadError<E> {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

impl<E> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(error) => error.fmt(f),
            Self::Read(_) => f.write_str("the weights could not be read"),
        }
    }
}

impl<E: Error + 'static> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Shape(_) => None,
            Self::Read(error) => Some(error),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that a thread reads at once, unless a group of rows is longer.
const READ_BYTES: usize = 1 << 20;

/// More than any machine has, and far from the end of the address space.
const MAX_BYTES: usize = isize::MAX as usize / 8;
