//! Unpacks the quants of a block into eight groups of bytes.

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_set1_epi8, _mm512_shuffle_epi8, _mm512_slli_epi16, _mm512_srli_epi16,
    _mm512_ternarylogic_epi32,
};

use super::load;
use crate::buffer::Line;

/// Four lines: low nibbles, high nibbles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn nibbles(lines: &[Line; 4]) -> [__m512i; 8] {
    let mask = _mm512_set1_epi8(15);
    let [a, b, c, d] =
        [load::line(&lines[0]), load::line(&lines[1]), load::line(&lines[2]), load::line(&lines[3])];
    [
        _mm512_and_si512(a, mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(a), mask),
        _mm512_and_si512(b, mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(b), mask),
        _mm512_and_si512(c, mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(c), mask),
        _mm512_and_si512(d, mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(d), mask),
    ]
}

/// Nibbles, then a line with a fifth bit for each group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn five_bits(lines: &[Line; 5]) -> [__m512i; 8] {
    let [low @ .., high] = lines;
    let [a, b, c, d, e, f, g, h] = nibbles(low);
    let high = load::line(high);
    let bit = _mm512_set1_epi8(16);
    [
        or_masked(a, _mm512_slli_epi16::<4>(high), bit),
        or_masked(b, _mm512_slli_epi16::<3>(high), bit),
        or_masked(c, _mm512_slli_epi16::<2>(high), bit),
        or_masked(d, _mm512_slli_epi16::<1>(high), bit),
        or_masked(e, high, bit),
        or_masked(f, _mm512_srli_epi16::<1>(high), bit),
        or_masked(g, _mm512_srli_epi16::<2>(high), bit),
        or_masked(h, _mm512_srli_epi16::<3>(high), bit),
    ]
}

/// Twice three lines: three groups in the low bits, a fourth in the high ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn six_bits(lines: &[Line; 6]) -> [__m512i; 8] {
    let mask = _mm512_set1_epi8(63);
    let mut groups = [mask; 8];
    for (groups, lines) in groups.as_chunks_mut::<4>().0.iter_mut().zip(lines.as_chunks::<3>().0) {
        let [a, b, c] = [load::line(&lines[0]), load::line(&lines[1]), load::line(&lines[2])];
        let last = _mm512_and_si512(_mm512_srli_epi16::<6>(a), _mm512_set1_epi8(3));
        let last = or_masked(last, _mm512_srli_epi16::<4>(b), _mm512_set1_epi8(12));
        let last = or_masked(last, _mm512_srli_epi16::<2>(c), _mm512_set1_epi8(48));
        *groups = [_mm512_and_si512(a, mask), _mm512_and_si512(b, mask), _mm512_and_si512(c, mask), last];
    }
    groups
}

/// Eight lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn bytes(lines: &[Line; 8]) -> [__m512i; 8] {
    let mut groups = [_mm512_set1_epi8(0); 8];
    for (group, line) in groups.iter_mut().zip(lines) {
        *group = load::line(line);
    }
    groups
}

/// Two lines of four groups each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn two_bits(lines: &[Line; 2]) -> [__m512i; 8] {
    let mask = _mm512_set1_epi8(3);
    let [a, b] = [load::line(&lines[0]), load::line(&lines[1])];
    [
        _mm512_and_si512(a, mask),
        _mm512_and_si512(_mm512_srli_epi16::<2>(a), mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(a), mask),
        _mm512_and_si512(_mm512_srli_epi16::<6>(a), mask),
        _mm512_and_si512(b, mask),
        _mm512_and_si512(_mm512_srli_epi16::<2>(b), mask),
        _mm512_and_si512(_mm512_srli_epi16::<4>(b), mask),
        _mm512_and_si512(_mm512_srli_epi16::<6>(b), mask),
    ]
}

/// Two bits, then a line with a third bit for each group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn three_bits(lines: &[Line; 3]) -> [__m512i; 8] {
    let [low @ .., high] = lines;
    let [a, b, c, d, e, f, g, h] = two_bits(low);
    let high = load::line(high);
    let bit = _mm512_set1_epi8(4);
    [
        or_masked(a, _mm512_slli_epi16::<2>(high), bit),
        or_masked(b, _mm512_slli_epi16::<1>(high), bit),
        or_masked(c, high, bit),
        or_masked(d, _mm512_srli_epi16::<1>(high), bit),
        or_masked(e, _mm512_srli_epi16::<2>(high), bit),
        or_masked(f, _mm512_srli_epi16::<3>(high), bit),
        or_masked(g, _mm512_srli_epi16::<4>(high), bit),
        or_masked(h, _mm512_srli_epi16::<5>(high), bit),
    ]
}

/// Nibbles that are indices into a table.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn looked_up(lines: &[Line; 4], table: &[u8; 16]) -> [__m512i; 8] {
    let table = load::table(table);
    let mut groups = nibbles(lines);
    for group in &mut groups {
        *group = _mm512_shuffle_epi8(table, *group);
    }
    groups
}

/// Returns `a | (b & mask)`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
fn or_masked(a: __m512i, b: __m512i, mask: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xF8>(a, b, mask)
}
