use super::{Report, Run, first_good, percent, span};
use std::fmt::Write as _;

impl Report {
    /// The scoreboard as one Markdown table, what fell short below it.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "{}, {} cores, seed {}\n\n",
            self.server, self.cores, self.seed
        );
        page.push_str(
            "| scenario | contender | verdict | possible | answered | refused | in doubt | doubled | lost \
             | mismatched | hung | worst | first good | cause |\n",
        );
        page.push_str("|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n");
        for run in &self.runs {
            row(&mut page, run);
        }
        let short: Vec<&Run> = self
            .runs
            .iter()
            .filter(|run| !run.shortfalls().is_empty())
            .collect();
        if !short.is_empty() {
            page.push('\n');
        }
        for run in short {
            let shortfalls = run.shortfalls().join("; ");
            // Writing to a string does not fail.
            let _ = writeln!(
                page,
                "- **{}** / {}: {}",
                run.scenario,
                run.contender,
                escape(&shortfalls)
            );
        }
        page
    }
}

fn row(page: &mut String, run: &Run) {
    let name = run.verdict().name();
    let _ = write!(
        page,
        "| {} | {} | {name} |",
        run.scenario,
        escape(&run.contender)
    );
    let Ok(score) = &run.result else {
        page.push_str(" | | | | | | | | | | |\n");
        return;
    };
    let availability = &score.availability;
    let _ = writeln!(
        page,
        " {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        availability.all.possible,
        percent(score),
        availability.refused,
        availability.in_doubt,
        score.doubled(),
        score.lost(),
        score.mismatched(),
        score.timing.hung,
        span(score.timing.worst),
        first_good(score),
        score.naming.verdict.map_or("-", seawall_model::Cause::name),
    );
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use crate::report::testing::sample;

    #[test]
    fn every_row_has_as_many_cells_as_the_heading() {
        let page = sample().markdown();
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.len() >= 4);
        assert!(
            rows.iter().all(|row| row.matches('|').count() == 15),
            "{page}"
        );
        insta::assert_snapshot!(page);
    }
}
