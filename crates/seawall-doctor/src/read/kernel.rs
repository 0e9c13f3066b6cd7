//! The kernel's log: dmesg and `journalctl -k`.

use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, OnceLock};

use super::envelope::{self, Opened};
use super::{Given, Hit, Searcher, clock};
use crate::facts::{Fact, Facts, Kept, KernelLine, Place, Spot};
use crate::rule::Need;
use crate::stamp::Stamp;
use crate::text::{Listened, Said, Text};

const KILLED: &str = "Killed process ";
/// Before it, since 4.19: `oom-kill:constraint=CONSTRAINT_MEMCG,..,task_memcg=/system.slice/redis.service,task=redis-server,pid=9,uid=0`
const SCOPE: &str = "oom-kill:constraint=";
const FLOODED: &str = "ossible SYN flooding on port ";

/// Whether this is a line of such a log.
pub(super) fn is(line: &str) -> bool {
    line.contains(" kernel: ") || boot_seconds(line).is_some() || meaning(line).is_some()
}

/// `[12345.678901] ..`
fn boot_seconds(line: &str) -> Option<f64> {
    let (seconds, _) = line.strip_prefix('[')?.split_once(']')?;
    let (whole, part) = seconds.trim().split_once('.')?;
    (part.len() == 6 && whole.chars().all(|c| c.is_ascii_digit()))
        .then(|| seconds.trim().parse().ok())?
}

pub(super) fn listened() -> &'static Listened {
    static LISTENED: OnceLock<Listened> = OnceLock::new();
    Listened::once(&LISTENED, Need::Kernel, [KILLED, SCOPE, FLOODED])
}

#[derive(Clone)]
pub(super) struct Kernel {
    source: Arc<str>,
    found: Kept<Discriminant<KernelLine>, KernelLine>,
    said: Kept<Text, Said>,
    /// The process that is about to be killed, and its cgroup.
    condemned: Option<(u32, String)>,
    given: Given,
    timeless: bool,
    zoneless: bool,
}

impl Kernel {
    pub(super) fn new(name: &str, given: Given) -> Self {
        Self {
            source: name.into(),
            found: Kept::default(),
            said: Kept::default(),
            condemned: None,
            given,
            timeless: false,
            zoneless: false,
        }
    }

    /// Takes a line that was opened.
    pub(super) fn take(&mut self, hit: &Hit<'_>, opened: &Opened<'_>) {
        // `dmesg -T` has its time in the line itself.
        let told = opened
            .told
            .or_else(|| clock::find(&opened.text, self.given.now));
        self.timeless |= told.is_none();
        self.zoneless |= told.is_some_and(|told| !told.zoned);
        let at = told.map(|told| told.at);
        let place = Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(hit.number),
        };
        for what in self.listened().said(&opened.text, None) {
            let place = place.clone();
            self.said.push(what.text, Fact { at, place, what });
        }
        if let Some(condemned) = condemned(&opened.text) {
            self.condemned = Some(condemned);
        }
        if let Some(mut what) = meaning(&opened.text) {
            if let KernelLine::OomKilled { pid, group, .. } = &mut what {
                let of_it = self.condemned.take().filter(|(known, _)| known == pid);
                *group = of_it.map(|(_, group)| group);
            }
            self.found
                .push(discriminant(&what), Fact { at, place, what });
        }
    }
}

impl Searcher for Kernel {
    fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    fn listened(&self) -> &'static Listened {
        listened()
    }

    fn time(&self, line: &str) -> Option<Stamp> {
        super::application::time_of(line, self.given.now)
    }

    fn line(&mut self, hit: &Hit<'_>) {
        let opened = envelope::open(&hit.line, self.given.now);
        self.take(hit, &opened);
    }

    fn at(&mut self, given: Given) {
        self.given = given;
    }

    fn copy(&self) -> Box<dyn Searcher> {
        Box::new(self.clone())
    }

    fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::Kernel);
        if self.zoneless {
            facts.without_zone(&self.source, "they have no zone");
        }
        if self.timeless {
            facts.assumed.insert(format!(
                "{}: its lines have no date (journalctl -k -o short-iso gives one): they are joined by process, not by time",
                self.source
            ));
        }
        let found = self.found.end(&self.source, facts);
        facts.kernel_log.extend(found);
        let said = self.said.end(&self.source, facts);
        facts.said.extend(said);
    }
}

/// `2026-11-23T02:58:11+0100 ..` or with a colon in its zone.
pub(super) fn iso(line: &str) -> Option<Stamp> {
    // The year is told in this form, so that no other moment is needed.
    let told = clock::find(line, Stamp(i64::MAX / 2)).filter(|told| told.dated)?;
    Some(told.at)
}

/// A path of more is no cgroup's.
const GROUP_MAX: usize = 400;

fn condemned(line: &str) -> Option<(u32, String)> {
    let (_, rest) = line.split_once(SCOPE)?;
    let field = |name: &str| {
        let mut fields = rest.split(',');
        fields.find_map(|field| field.trim().strip_prefix(name))
    };
    let group = field("task_memcg=").filter(|group| group.len() <= GROUP_MAX)?;
    Some((field("pid=")?.parse().ok()?, group.to_owned()))
}

fn meaning(line: &str) -> Option<KernelLine> {
    if let Some(place) = line.find(KILLED) {
        let rest = &line[place + KILLED.len()..];
        let (pid, rest) = rest.split_once([' ', ','])?;
        let name = rest.split_once('(')?.1.split_once(')')?.0;
        return Some(KernelLine::OomKilled {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            cgroup: line.contains("emory cgroup out of memory"),
            group: None,
        });
    }
    let place = line.find(FLOODED)?;
    let rest = &line[place + FLOODED.len()..];
    let port = rest.split(['.', ' ']).next()?;
    // Newer kernels write the address before it.
    let port = port.rsplit(':').next()?;
    Some(KernelLine::SynFlood {
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::kernel;

    /// As Linux 6 wrote it when a cgroup of the laboratory's was full.
    const KILL: &str = "[26187.597537] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/seawall-clinic-20484,task_memcg=/seawall-clinic-20484,task=redis-server,pid=21572,uid=0
[26187.597576] Memory cgroup out of memory: Killed process 21572 (redis-server) total-vm:123288kB, anon-rss:51712kB, file-rss:9356kB, shmem-rss:0kB, UID:0 pgtables:220kB oom_score_adj:0
";

    #[test]
    fn a_kill_has_its_cgroup_and_no_others() {
        let group = |text: &str| match &kernel(text).kernel_log[0].what {
            KernelLine::OomKilled { group, pid, .. } => (*pid, group.clone()),
            KernelLine::SynFlood { .. } => panic!("no kill"),
        };
        assert_eq!(
            group(KILL),
            (21_572, Some("/seawall-clinic-20484".to_owned()))
        );
        let other = KILL.replace("pid=21572", "pid=9");
        assert_eq!(group(&other), (21_572, None));
    }
}
