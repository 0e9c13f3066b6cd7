use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use seawall_doctor::facts::Cost;

/// What all the looks of a watch cost the servers.
pub(super) struct Load {
    since: Instant,
    servers: BTreeMap<Arc<str>, Sum>,
}

#[derive(Default)]
struct Sum {
    looks: u64,
    /// `None` once a look was not counted by the server.
    took: Option<Duration>,
}

impl Load {
    pub(super) fn new(first: &[(Arc<str>, Cost)]) -> Self {
        let since = Instant::now();
        let lasted = first.iter().map(|(_, cost)| cost.lasted).sum();
        let mut load = Self {
            // The first look is over by now.
            since: since.checked_sub(lasted).unwrap_or(since),
            servers: BTreeMap::new(),
        };
        load.add(first);
        load
    }

    pub(super) fn add(&mut self, costs: &[(Arc<str>, Cost)]) {
        for (server, cost) in costs {
            let sum = self.servers.entry(Arc::clone(server)).or_insert(Sum {
                looks: 0,
                took: Some(Duration::ZERO),
            });
            sum.looks += 1;
            sum.took = sum.took.zip(cost.took()).map(|(all, one)| all + one);
        }
    }

    /// A line for each server.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines_after(self.since.elapsed())
    }

    fn lines_after(&self, watched: Duration) -> Vec<String> {
        let seconds = watched.as_secs_f64().max(0.001);
        let line = |(server, sum): (&Arc<str>, &Sum)| {
            let looks = match sum.looks {
                1 => "1 look".to_owned(),
                looks => format!("{looks} looks"),
            };
            let told = match sum.took {
                Some(took) => format!(
                    "{:.2} % of the server's time: {looks} took it {:.1} ms of {seconds:.0} s, by its own count",
                    took.as_secs_f64() / seconds * 100.0,
                    took.as_secs_f64() * 1_000.0,
                ),
                None => format!("{looks} in {seconds:.0} s; what they took it does not tell"),
            };
            format!("COST   {server}: {told}")
        };
        self.servers.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use seawall_doctor::facts::Spent;

    use super::*;

    fn cost(micros: Option<u64>) -> Vec<(Arc<str>, Cost)> {
        let spent = micros.map(|micros| Spent {
            command: "info".to_owned(),
            calls: 2,
            took: Duration::from_micros(micros),
        });
        let cost = Cost {
            spent: spent.into_iter().collect(),
            ..Cost::default()
        };
        vec![("cache:6379".into(), cost)]
    }

    #[test]
    fn the_looks_of_a_watch_are_held_against_all_of_its_time() {
        let mut load = Load::new(&cost(Some(3_000)));
        load.add(&cost(Some(2_000)));
        assert_eq!(
            load.lines_after(Duration::from_secs(10)),
            [
                "COST   cache:6379: 0.05 % of the server's time: 2 looks took it 5.0 ms of 10 s, by its own count"
            ]
        );
        load.add(&cost(None));
        assert_eq!(
            load.lines_after(Duration::from_secs(10)),
            ["COST   cache:6379: 3 looks in 10 s; what they took it does not tell"]
        );
    }
}
