//! Charts as SVG.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{CYCLES_PER_MICRO, ReportError};

/// Width and height of a chart.
const SIZE: (u32, u32) = (620, 240);
const TEXT: i32 = 15;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour(pub u8, pub u8, pub u8);

/// Okabe and Ito's, which most people can tell apart, and the same again darker.
const COLOURS: [Colour; 8] = [
    Colour(0, 114, 178),
    Colour(230, 159, 0),
    Colour(0, 158, 115),
    Colour(204, 121, 167),
    Colour(213, 94, 0),
    Colour(86, 180, 233),
    Colour(150, 140, 20),
    Colour(60, 60, 60),
];

/// A processor's colour.
pub(super) fn colour(number: usize) -> Colour {
    let Colour(r, g, b) = COLOURS[number % COLOURS.len()];
    if number < COLOURS.len() { Colour(r, g, b) } else { Colour(r / 2, g / 2, b / 2 + 40) }
}

/// Something over time: cycles and values.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub colour: Colour,
    pub points: Vec<(u64, f64)>,
}

/// What is around the lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chart<'a> {
    pub title: &'a str,
    pub axis: &'a str,
    /// The first and the last cycle.
    pub range: (u64, u64),
    /// The value axis goes up to this at least.
    pub least_top: f64,
}

fn problem(error: impl std::fmt::Display) -> ReportError {
    ReportError(error.to_string())
}

fn micros(cycle: u64) -> f64 {
    cycle as f64 / CYCLES_PER_MICRO as f64
}

type Canvas<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Problem = DrawingAreaErrorKind<std::io::Error>;

/// Axes from 0, for values up to `top`.
struct Axes<'a> {
    across: (Range<f64>, &'a str),
    up: (f64, &'a str),
    has_upright_lines: bool,
}

impl Axes<'_> {
    /// The chart with what `fill` draws into it.
    fn draw(self, fill: impl FnOnce(&mut Canvas<'_, '_>) -> Result<(), Problem>) -> Result<String, ReportError> {
        let mut drawing = String::new();
        {
            let area = SVGBackend::with_string(&mut drawing, SIZE).into_drawing_area();
            let mut chart = ChartBuilder::on(&area)
                .margin(6)
                .x_label_area_size(36)
                .y_label_area_size(52)
                .build_cartesian_2d(self.across.0, 0.0..self.up.0 * 1.05)
                .map_err(problem)?;
            let text = ("sans-serif", TEXT).into_font();
            let mut mesh = chart.configure_mesh();
            if !self.has_upright_lines {
                mesh.disable_x_mesh();
            }
            mesh.x_desc(self.across.1)
                .y_desc(self.up.1)
                .label_style(text.clone())
                .axis_desc_style(text)
                .light_line_style(WHITE)
                .bold_line_style(RGBColor(225, 225, 225))
                .x_label_formatter(&|value| number(*value))
                .y_label_formatter(&|value| number(*value))
                .draw()
                .map_err(problem)?;
            fill(&mut chart).map_err(problem)?;
            area.present().map_err(problem)?;
        }
        Ok(drawing)
    }
}

impl Chart<'_> {
    /// The chart with these lines.
    pub fn lines(&self, lines: &[Line]) -> Result<String, ReportError> {
        let values = lines.iter().flat_map(|line| line.points.iter().map(|point| point.1));
        let top = values.fold(self.least_top, f64::max);
        let range = micros(self.range.0)..micros(self.range.1.max(self.range.0 + 1));
        let axes = Axes { across: (range, "time (µs)"), up: (top, self.axis), has_upright_lines: true };
        axes.draw(|chart| {
            for Line { colour: Colour(r, g, b), points } in lines {
                let style = RGBColor(*r, *g, *b).stroke_width(1);
                let points = points.iter().map(|(cycle, value)| (micros(*cycle), *value));
                chart.draw_series(LineSeries::new(points, style))?;
            }
            Ok(())
        })
    }
}

/// Counts of values in ranges of so many cycles.
pub(super) fn bars(bars: &[(u64, u64)], width: u64) -> Result<String, ReportError> {
    let (first, last) = (bars.first().map_or(0, |bar| bar.0), bars.last().map_or(0, |bar| bar.0));
    let most = bars.iter().map(|bar| bar.1).max().unwrap_or(0).max(1);
    let range = micros(first)..micros(last + width);
    let axes = Axes { across: (range, "latency (µs)"), up: (most as f64, "how often"), has_upright_lines: false };
    axes.draw(|chart| {
        let Colour(r, g, b) = colour(0);
        let rectangle = |&(start, count): &(u64, u64)| {
            Rectangle::new([(micros(start), 0.0), (micros(start + width), count as f64)], RGBColor(r, g, b).filled())
        };
        chart.draw_series(bars.iter().filter(|bar| bar.1 > 0).map(rectangle))?;
        Ok(())
    })
}

/// As few digits as say it.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_no_more_digits_than_they_need() {
        assert_eq!([0.0, 1.0, 2.5, 0.126, 1200.0].map(number), ["0", "1", "2.5", "0.13", "1200"]);
    }

    #[test]
    fn sixteen_processors_have_sixteen_colours() {
        let colours: Vec<_> = (0..16).map(colour).collect();
        assert!((0..16).all(|a| (0..a).all(|b| colours[a] != colours[b])));
    }

    #[test]
    fn a_line_goes_where_its_values_are() {
        let line = Line { colour: Colour(1, 2, 3), points: vec![(0, 0.0), (1250, 10.0), (2500, 5.0)] };
        let chart = Chart { title: "", axis: "frames", range: (0, 2500), least_top: 1.0 };
        let drawing = chart.lines(&[line]).unwrap();
        let polyline = drawing.split("<polyline").find(|part| part.contains("#010203")).unwrap();
        let points = polyline.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let points: Vec<(f64, f64)> = points
            .split_whitespace()
            .filter_map(|point| point.split_once(','))
            .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
            .collect();
        let [low, high, middle] = points[..] else { panic!("{points:?}") };
        assert!(low.0 < high.0 && high.0 < middle.0 && low.1 > middle.1 && middle.1 > high.1);
        assert!(((low.1 + high.1) / 2.0 - middle.1).abs() <= 1.0, "{points:?}");
    }
}
