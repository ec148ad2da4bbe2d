//! Throughput against the number of clients, as a picture.

use std::collections::BTreeMap;

use anyhow::Result;
use plotters::prelude::*;

/// Tokens per second of each line (a side at a workload), by the number of clients.
#[derive(Default)]
pub(crate) struct Plot(BTreeMap<String, Vec<(usize, f64)>>);

impl Plot {
    pub(crate) fn add(&mut self, line: String, clients: usize, rate: f64) {
        self.0.entry(line).or_default().push((clients, rate));
    }

    /// Draws it; both axes begin at zero.
    pub(crate) fn to_svg(&self) -> Result<String> {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let text = |size: u32| TextStyle::from((FontFamily::SansSerif, size)).color(&BLACK);
        let points = || self.0.values().flatten();
        let most = points().map(|(clients, _)| *clients).max().unwrap_or(1);
        let fastest = points().map(|(_, rate)| *rate).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&root)
            .caption("Throughput by number of clients", text(24))
            .margin(20)
            .x_label_area_size(50)
            .y_label_area_size(70)
            .build_cartesian_2d(0..most, 0.0..fastest * 1.1)?;
        chart
            .configure_mesh()
            .x_desc("clients at once")
            .y_desc("tokens per second, all together")
            .label_style(text(15))
            .bold_line_style(BLACK.mix(0.15))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for ((line, points), color) in self.0.iter().zip(COLORS.iter().cycle()) {
            let mut points = points.clone();
            points.sort_by_key(|(clients, _)| *clients);
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                .label(line)
                .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(3)));
            chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, color.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(text(16))
            .draw()?;
        root.present()?;
        drop(chart);
        drop(root);
        Ok(svg)
    }
}

const SIZE: (u32, u32) = (860, 540);

/// Colours that the colour-blind tell apart.
const COLORS: [RGBColor; 6] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(110, 110, 110),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_has_a_line_for_each_workload() {
        let mut plot = Plot::default();
        for (line, clients, rate) in
            [("stack, shared", 4, 300.0), ("stack, mixed", 4, 100.0), ("peer, shared", 1, 90.0)]
        {
            plot.add(line.to_owned(), clients, rate);
        }
        let svg = plot.to_svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(["stack, shared", "stack, mixed", "peer, shared"].iter().all(|line| svg.contains(line)));
        assert!(svg.contains("clients at once"));
    }
}
