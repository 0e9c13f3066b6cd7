use super::{Fit, Kind, Work, length, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;
use std::time::Duration;

/// `BLPOP` from a list of the call's own, in which jobs wait. A job that is popped and handed to nobody is lost.
pub struct Pop;

/// Jobs in each list: enough that every repeat of a retrying client finds one.
const JOBS: u64 = 6;

fn key(call: u64) -> String {
    format!("pop:{call}")
}

fn job(call: u64, number: u64) -> String {
    format!("job {number} of call {call}")
}

impl Work for Pop {
    fn name(&self) -> &'static str {
        "BLPOP"
    }
    fn kind(&self) -> Kind {
        Kind::Write
    }
    fn prepare(&self, calls: &[u64]) -> Vec<Words> {
        calls
            .iter()
            .map(|&call| {
                let mut command = words(["RPUSH", &key(call)]);
                command.extend((0..JOBS).map(|number| job(call, number).into_bytes()));
                command
            })
            .collect()
    }
    fn request(&self, call: u64) -> Request {
        Request::Command(words(["BLPOP", &key(call), "1"]))
    }
    fn blocks_for(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        let Reply::Array(parts) = reply else {
            return Fit::Foreign;
        };
        let [Reply::Text(list), Reply::Text(element)] = parts.as_slice() else {
            return Fit::Foreign;
        };
        if *list != key(call).as_bytes() {
            return Fit::Foreign;
        }
        match (0..JOBS).find(|&number| *element == job(call, number).as_bytes()) {
            Some(0) => Fit::Fits,
            Some(_) => Fit::Repeated,
            None => Fit::Foreign,
        }
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["LLEN", &key(call)])]
    }
    fn times_run(&self, _call: u64, state: &[Value], _reply: Option<&Reply>) -> u64 {
        JOBS.saturating_sub(length(state.first()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(call: u64, number: u64) -> Reply {
        Reply::Array(vec![
            Reply::Text(key(call).into_bytes()),
            Reply::Text(job(call, number).into_bytes()),
        ])
    }

    #[test]
    fn getting_the_second_job_tells_that_the_first_was_lost() {
        assert_eq!(Pop.fit(1, &popped(1, 0)), Fit::Fits);
        assert_eq!(Pop.fit(1, &popped(1, 1)), Fit::Repeated);
        assert_eq!(Pop.fit(1, &popped(2, 0)), Fit::Foreign);
        assert_eq!(Pop.times_run(1, &[Value::Integer(4)], None), 2);
    }
}
