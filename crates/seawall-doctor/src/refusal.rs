//! What a server does not tell the doctor: what that costs, and how to get it all the same.

use crate::facts::Unseen;
use crate::managed::Service;

/// A question that may be refused.
struct Question {
    /// As an operator types it, without arguments.
    command: &'static str,
    /// Servers know it since that major version.
    since: u32,
    /// What is not known without its answer.
    leaves: &'static str,
    /// The rules that can say nothing without it.
    out_of_reach: &'static [u16],
    /// The rules that can say less, or that with less certainty.
    less_sure: &'static [u16],
}

/// What each is worth, the dearest first. A test holds this against the rules.
const QUESTIONS: &[Question] = &[
    Question {
        command: "INFO",
        since: 0,
        leaves: "uptime, role, memory and counters stay unknown, and with them whether Redis stayed up",
        out_of_reach: &[105, 502, 505, 508, 751],
        less_sure: &[],
    },
    Question {
        command: "CONFIG GET",
        since: 0,
        leaves: "timeouts, limits and addresses stay unknown",
        out_of_reach: &[103, 201, 205, 710, 910],
        less_sure: &[109, 202, 203, 204, 301, 718, 909],
    },
    Question {
        command: "CLIENT LIST",
        since: 0,
        leaves: "who holds connections, and who does not read, stays unknown",
        out_of_reach: &[2, 14, 304, 311, 751, 910],
        less_sure: &[202, 203, 301, 504, 604, 809],
    },
    Question {
        command: "SLOWLOG GET",
        since: 0,
        leaves: "which command held the server up stays unknown",
        out_of_reach: &[],
        less_sure: &[208, 509, 601, 603, 604, 609, 750],
    },
    Question {
        command: "LATENCY LATEST",
        since: 3,
        leaves: "what else held the server up (forks, disk, expiry) stays unknown",
        out_of_reach: &[605, 606, 607, 615, 708, 712],
        less_sure: &[509, 601, 609, 702, 703],
    },
    Question {
        command: "CLUSTER INFO",
        since: 3,
        leaves: "whether the cluster is whole stays unknown",
        out_of_reach: &[840],
        less_sure: &[831],
    },
    Question {
        command: "CLUSTER NODES",
        since: 3,
        leaves: "which nodes the others see, and where slots are, stays unknown",
        out_of_reach: &[],
        less_sure: &[831, 833, 834, 836],
    },
    Question {
        command: "SENTINEL MASTERS",
        since: 2,
        leaves: "what the Sentinel watches stays unknown",
        out_of_reach: &[],
        less_sure: &[824, 827],
    },
    Question {
        command: "LLEN",
        since: 0,
        leaves: "whether that queue grows stays unknown",
        out_of_reach: &[14],
        less_sure: &[],
    },
    Question {
        command: "ACL LOG",
        since: 6,
        leaves: "whom the server refused, and what, stays unknown",
        out_of_reach: &[],
        less_sure: &[901, 902],
    },
    Question {
        command: "MEMORY STATS",
        since: 4,
        leaves: "no verdict needs it: INFO memory tells the most of it",
        out_of_reach: &[],
        less_sure: &[],
    },
    Question {
        command: "ROLE",
        since: 2,
        leaves: "no verdict needs it: INFO replication tells the most of it",
        out_of_reach: &[],
        less_sure: &[],
    },
];

/// Where what could not be looked at stands among all that could not: what costs most first.
pub(crate) fn place(unseen: &Unseen) -> usize {
    let command = unseen.what.split_once(" of ").map(|(command, _)| command);
    let place = |command| QUESTIONS.iter().position(|known| known.command == command);
    command.and_then(place).map_or(0, |place| place + 1)
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The server knows no such command: it is renamed, or taken away.
    Unknown,
    /// The user may not (NOPERM).
    NotPermitted,
    /// Not now: the word of its answer, LOADING, BUSY or MASTERDOWN.
    NotNow(String),
    /// Another answer: in words.
    Else(String),
    /// No answer: in words, and what to do.
    Lost(String, String),
}

impl Why {
    /// What an error of that first word and message means.
    pub(crate) fn of(word: &str, message: &str) -> Self {
        // `unknown command 'CONFIG'`, `Unknown subcommand`, and what proxies of services write.
        let message = message.to_ascii_lowercase();
        let unknown = [
            "unknown",
            "not supported",
            "unsupported",
            "not allowed",
            "disabled",
        ];
        match word {
            "NOPERM" => Self::NotPermitted,
            "LOADING" | "BUSY" | "MASTERDOWN" => Self::NotNow(word.to_owned()),
            "ERR" if unknown.iter().any(|word| message.contains(word)) => Self::Unknown,
            _ => Self::Else(format!("refused ({word})")),
        }
    }
}

/// Who was asked, as whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The server's address, or the bundle.
    pub server: String,
    /// The user, as the server knows it; none where that is not known.
    pub user: Option<String>,
    /// Whose server it is, where that is known.
    pub service: Option<Service>,
    /// The server's major version; 0 where it is not known.
    pub major: u32,
}

impl Asked {
    /// What the answer to `words` would have told, and how to get it. `None` where such a server has no such command.
    pub(crate) fn unseen(&self, words: &[&str], why: &Why) -> Option<Unseen> {
        let command = words[..words.len().min(2)].join(" ");
        let known = QUESTIONS.iter().find(|known| {
            known.command == command || known.command == words[0] && !known.command.contains(' ')
        });
        if *why == Why::Unknown && known.is_some_and(|known| (1..known.since).contains(&self.major))
        {
            return None;
        }
        let costs = known.map_or_else(
            || "what it would tell stays unknown".to_owned(),
            Question::costs,
        );
        let command = known.map_or(command.as_str(), |known| known.command);
        let (reason, how) = match why {
            Why::Unknown => (
                "the server knows no such command, it is renamed or taken away".to_owned(),
                self.instead(command),
            ),
            Why::NotPermitted => ("refused (NOPERM)".to_owned(), self.permit(&[rule(words)])),
            Why::NotNow(word) => (
                format!("refused ({word})"),
                "seawall doctor again once it answers: it does not for now".to_owned(),
            ),
            Why::Lost(reason, how) => (reason.clone(), how.clone()),
            Why::Else(reason) => (
                reason.clone(),
                format!(
                    "redis-cli {command} of an administrator on the server's host > answer.txt, then: seawall doctor answer.txt"
                ),
            ),
        };
        Some(Unseen {
            what: format!("{command} of {}", self.server),
            why: format!("{reason}: {costs}"),
            how,
        })
    }

    /// All that the user may not, in one line to copy: of one command alone its own line says it.
    pub(crate) fn together(&self, refused: &[Vec<String>]) -> Option<Unseen> {
        if refused.len() < 2 {
            return None;
        }
        let rules: Vec<_> = refused
            .iter()
            .map(|words| rule(&words.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        Some(Unseen {
            what: format!("{} commands of {}", refused.len(), self.server),
            why: "refused (NOPERM): each of them is told with what it costs".to_owned(),
            how: self.permit(&rules),
        })
    }

    fn permit(&self, rules: &[String]) -> String {
        if let Some(service) = self.service {
            return service.permits(&rules.join(" "));
        }
        let plain = |user: &String| {
            let letter = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@".contains(&b);
            (!user.is_empty() && user.bytes().all(letter)).then(|| user.clone())
        };
        let user = self.user.as_ref().and_then(plain);
        let user = user.unwrap_or_else(|| "<user>".to_owned());
        // A shell takes what follows a bar for another command.
        let rules: Vec<_> = rules.iter().map(|rule| quoted(rule)).collect();
        format!(
            "redis-cli ACL SETUSER {user} {} (as an administrator)",
            rules.join(" ")
        )
    }

    /// Where what a command would tell stands, if nobody can give it back.
    fn instead(&self, command: &str) -> String {
        let told = match (command, self.service) {
            ("CONFIG GET", Some(Service::ElastiCache)) => {
                "aws elasticache describe-cache-parameters --cache-parameter-group-name GROUP > config.json, then: seawall doctor config.json (its parameter group; no ACL permits CONFIG there)"
            }
            ("CONFIG GET", Some(Service::MemoryDb)) => {
                "aws memorydb describe-parameters --parameter-group-name GROUP > config.json, then: seawall doctor config.json (its parameter group; no ACL permits CONFIG there)"
            }
            ("CONFIG GET", Some(Service::Azure)) => {
                "az redis show --resource-group GROUP --name CACHE > config.json, then: seawall doctor config.json (its advanced settings; no policy permits CONFIG there)"
            }
            ("CONFIG GET", None) => {
                "its other name stands in redis.conf (rename-command); of a managed service: aws elasticache describe-cache-parameters --cache-parameter-group-name GROUP > config.json; az redis show --resource-group GROUP --name CACHE > config.json; gcloud redis instances describe INSTANCE --region REGION --format json > config.json; then: seawall doctor config.json"
            }
            ("ACL LOG", Some(Service::ElastiCache | Service::MemoryDb)) => {
                "the metrics AuthenticationFailures, CommandAuthorizationFailures and KeyAuthorizationFailures of CloudWatch; who it was, the applications' logs tell: seawall doctor app.log"
            }
            ("ACL LOG", _) => {
                "the applications' logs tell who was refused: seawall doctor app.log (managed services show ACL LOG to nobody; metrics of theirs count the errors)"
            }
            ("CLIENT LIST", _) => {
                "who holds how many, on the applications' hosts: ss -tn dport = :6379; how many there are, the service's metrics tell (CurrConnections, connectedclients, clients/connected)"
            }
            ("SLOWLOG GET", Some(Service::ElastiCache | Service::MemoryDb)) => {
                "aws logs tail LOG-GROUP --since 1d (slow log, where its delivery is on)"
            }
            ("INFO", _) => {
                "the service's metrics: CloudWatch, az monitor metrics list, or redis.googleapis.com of Cloud Monitoring"
            }
            ("MEMORY STATS" | "ROLE", _) => "not needed: INFO tells",
            (_, Some(Service::ElastiCache | Service::MemoryDb)) => {
                "the service's metrics in CloudWatch, and aws elasticache describe-events --duration 1440"
            }
            (_, Some(Service::Azure)) => {
                "az monitor metrics list --resource RESOURCE-ID (errors, server load, latency)"
            }
            _ => {
                "its other name stands in redis.conf (rename-command); a managed service's metrics tell some of it"
            }
        };
        told.to_owned()
    }
}

impl Question {
    fn costs(&self) -> String {
        let mut costs = self.leaves.to_owned();
        for (codes, what) in [
            (self.out_of_reach, "cannot be told"),
            (self.less_sure, "with less certainty or detail"),
        ] {
            if !codes.is_empty() {
                let codes: Vec<_> = codes.iter().map(|code| format!("SW{code:03}")).collect();
                costs = format!("{costs}; {} {what}", codes.join(", "));
            }
        }
        costs
    }
}

/// The rule of an ACL that permits a command: `+config|get`.
fn rule(words: &[&str]) -> String {
    match words {
        ["INFO" | "ROLE" | "LLEN", ..] | [_] => format!("+{}", words[0]),
        [container, sub, ..] => format!("+{container}|{sub}"),
        [] => String::new(),
    }
    .to_ascii_lowercase()
}

/// A rule of an ACL as a shell takes it.
pub(crate) fn quoted(rule: &str) -> String {
    if rule.contains('|') {
        format!("'{rule}'")
    } else {
        rule.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(service: Option<Service>) -> Asked {
        Asked {
            server: "cache:6379".to_owned(),
            user: Some("app".to_owned()),
            service,
            major: 7,
        }
    }

    fn how(asked: &Asked, words: &[&str], why: &Why) -> String {
        asked.unseen(words, why).expect("it is told").how
    }

    #[test]
    fn what_is_not_permitted_is_unlocked_by_a_line_that_a_shell_takes() {
        let asked = asked(None);
        let get = ["CONFIG", "GET", "timeout"];
        assert_eq!(
            how(&asked, &get, &Why::NotPermitted),
            "redis-cli ACL SETUSER app '+config|get' (as an administrator)"
        );
        assert_eq!(
            how(&asked, &["INFO", "everything"], &Why::NotPermitted),
            "redis-cli ACL SETUSER app +info (as an administrator)"
        );
        let hostile = Asked {
            user: Some("a; rm -rf /".to_owned()),
            ..asked
        };
        assert!(how(&hostile, &get, &Why::NotPermitted).contains("SETUSER <user> "));
    }

    #[test]
    fn no_service_is_told_to_use_acl_setuser_and_none_gives_back_what_it_took_away() {
        for service in [Service::ElastiCache, Service::MemoryDb, Service::Azure] {
            let asked = asked(Some(service));
            for known in QUESTIONS {
                let words: Vec<_> = known.command.split(' ').collect();
                let told = [Why::NotPermitted, Why::Unknown].map(|why| how(&asked, &words, &why));
                assert!(told.iter().all(|how| !how.contains("SETUSER")), "{told:?}");
                let cloud = if service == Service::Azure {
                    "az "
                } else {
                    "aws "
                };
                assert!(told[0].contains(cloud), "{told:?}");
            }
        }
    }

    #[test]
    fn an_old_server_is_not_blamed_for_what_came_later() {
        let old = Asked {
            major: 5,
            ..asked(None)
        };
        assert_eq!(old.unseen(&["ACL", "LOG", "128"], &Why::Unknown), None);
        assert!(old.unseen(&["SLOWLOG", "GET"], &Why::Unknown).is_some());
        let unknown = Asked {
            major: 0,
            ..asked(None)
        };
        assert!(
            unknown
                .unseen(&["ACL", "LOG", "128"], &Why::Unknown)
                .is_some()
        );
    }

    #[test]
    fn errors_are_told_apart() {
        let of = |text: &str| {
            let word = text.split(' ').next().unwrap_or_default();
            Why::of(word, text)
        };
        for unknown in [
            "ERR unknown command 'CONFIG', with args beginning with: 'GET' 'timeout' ",
            "ERR unknown command `CONFIG`, with args beginning with: `GET`, `timeout`, ",
            "ERR Unknown subcommand or wrong number of arguments for 'LATEST'. Try LATENCY HELP.",
        ] {
            assert_eq!(of(unknown), Why::Unknown, "{unknown}");
        }
        assert_eq!(
            of("NOPERM User app has no permissions to run the 'config|get' command"),
            Why::NotPermitted
        );
        assert_eq!(
            of("LOADING Redis is loading the dataset in memory"),
            Why::NotNow("LOADING".to_owned())
        );
        assert_eq!(of("WEIRD any"), Why::Else("refused (WEIRD)".to_owned()));
    }

    /// How a rule asks for what a command tells: itself, or by what several rules share.
    fn asks(command: &str, source: &str) -> bool {
        let marks: &[&str] = match command {
            "CONFIG GET" => &[
                ".setting(",
                ".config",
                ".is_on(",
                "limits::hard",
                "Rested::",
                "sw202_swallowed",
            ],
            "CLIENT LIST" => &[".clients", "Rested::", "sw202_swallowed", "limits::counted"],
            "SLOWLOG GET" => &["look.slow", ".slow\n", "commands::slow("],
            "LATENCY LATEST" => &["stall::monitored("],
            "MEMORY STATS" => &["look.memory"],
            "ACL LOG" => &[".denied"],
            "ROLE" => &["look.role"],
            "CLUSTER INFO" => &[".cluster.", ".cluster\n"],
            "CLUSTER NODES" => &[".nodes"],
            "SENTINEL MASTERS" => &["&look.watched", ".watched.", ".watched\n"],
            "LLEN" => &[".queues"],
            _ => &[".number(", ".rose(", ".word(", "look.info"],
        };
        marks.iter().any(|mark| source.contains(mark))
    }

    fn sources() -> Vec<(u16, String)> {
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules");
        let mut sources = Vec::new();
        for file in std::fs::read_dir(rules).expect("they are there") {
            let path = file.expect("it is there").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let Some(code) = name.get(2..5).and_then(|code| code.parse().ok()) else {
                continue;
            };
            let text = std::fs::read_to_string(&path).expect("it is text");
            let code_alone = text
                .split("#[cfg(test)]")
                .next()
                .unwrap_or_default()
                .to_owned();
            sources.push((code, code_alone));
        }
        sources
    }

    #[test]
    fn the_rules_that_are_named_ask_for_what_is_missing() {
        let sources = sources();
        for known in QUESTIONS {
            for code in known.out_of_reach.iter().chain(known.less_sure) {
                let (_, source) = sources
                    .iter()
                    .find(|(rule, _)| rule == code)
                    .unwrap_or_else(|| panic!("{code}"));
                assert!(
                    asks(known.command, source),
                    "SW{code:03} does not ask {}",
                    known.command
                );
            }
        }
    }

    #[test]
    fn the_rules_that_ask_are_named() {
        // What of these is no more than a detail of the advice.
        let details = [
            (
                "CONFIG GET",
                &[
                    2_u16, 105, 113, 304, 305, 307, 504, 505, 509, 706, 805, 825, 837,
                ][..],
            ),
            ("CLIENT LIST", &[13, 105, 201, 204, 205, 302, 303, 827][..]),
        ];
        let mut untold = Vec::new();
        // INFO is asked by most.
        for known in QUESTIONS.iter().filter(|known| known.command != "INFO") {
            for (code, source) in sources() {
                let detail = details
                    .iter()
                    .any(|(command, codes)| *command == known.command && codes.contains(&code));
                let named = known.out_of_reach.contains(&code) || known.less_sure.contains(&code);
                if !named && !detail && asks(known.command, &source) {
                    untold.push((known.command, code));
                }
            }
        }
        assert_eq!(untold, [], "they ask, and nobody is told what it costs");
    }
}
