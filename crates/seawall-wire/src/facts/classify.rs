use super::blocking::Blocking;
use super::command::{Access, CommandFacts};
use super::lookup::lookup;
use super::options::Arguments;
use super::replay::Replay;

/// What a command does with the arguments it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What is known of the command; `None`: no pinned server knows it.
    pub facts: Option<&'static CommandFacts>,
    /// Whether it can be sent again after it may have run. The connection's state may lower it further.
    pub replay: Replay,
    /// What it does to the data. A read by its arguments (SORT without STORE) is refused all the same by a server that
    /// refuses writes: that goes by [`CommandFacts::access`].
    pub access: Access,
    /// How long it may wait inside the server; `None`: it answers at once.
    pub blocking: Option<Blocking>,
}

impl Classified {
    /// A command that no pinned server knows: a write that is never sent twice.
    pub const UNKNOWN: Self = Self {
        facts: None,
        replay: Replay::Never,
        access: Access::Write,
        blocking: None,
    };
}

/// Classifies a command by its name and its arguments, without allocating.
///
/// Arguments that were not understood get the class of the command's worst arguments.
pub fn classify<A: AsRef<[u8]>>(args: &[A]) -> Classified {
    lookup(args).map_or(Classified::UNKNOWN, |facts| facts.classify(args))
}

impl CommandFacts {
    /// Classifies a call of this command; the arguments begin with its name.
    pub fn classify<A: AsRef<[u8]>>(&'static self, args: &[A]) -> Classified {
        let (replay, access) = self
            .rule
            .and_then(|rule| rule.apply(self, &Arguments(args)))
            .unwrap_or((self.replay, self.access));
        Classified {
            facts: Some(self),
            replay,
            access,
            blocking: self.blocking.and_then(|at| at.read(args)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::{ALL, keys, located_keys, miss};
    use super::*;

    fn of(line: &str) -> Classified {
        classify(&line.split(' ').collect::<Vec<_>>())
    }

    /// A line a command, under the class that its arguments deserve.
    const CASES: &[(Replay, &str)] = &[
        (
            Replay::Read,
            "get k|ping|config get maxmemory|xread streams s 0|xread count 1 block 0 streams s t 0 5-1
            |sort l|sort l by w_* get # limit 0 store|georadius g 0 0 1 m|georadiusbymember g store 1 m
            |bitfield b|bitfield b get u8 0 get u8 8|getex k|hgetex h fields 1 f|eval_ro s 0|scan 0|pfcount h
            |client id|lolwut",
        ),
        (
            Replay::Overwrite,
            "set k v|SET k nx|set k v ex 10|set k v PX 10|set k v exat 9|set k v pxat 9|set k v keepttl|mset a 1 b 2
            |setex k 10 v|psetex k 10 v|msetex 2 a nx b xx ex 5|msetex 1 a 1",
        ),
        (
            Replay::SameState,
            "del a b|unlink a|sadd s a|srem s a|hset h f v|hdel h f|hmset h f v|zadd z 1 a|zadd z ch 1 a|zadd z 1 nx
            |geoadd g 0 0 m|geoadd g ch 0 0 m|expire k 5|expireat k 5|pexpire k 5|hexpire h 5 fields 1 f|persist k
            |getex k ex 5|getex k persist|hgetex h ex 5 fields 1 f|hsetex h ex 5 fields 1 f v|setbit b 1 1
            |setrange k 0 v|ltrim l 0 9|ltrim l 0 -1|ltrim l -10 -1|zremrangebyrank z 0 -101|zremrangebyrank z 100 -1
            |zremrangebyscore z 0 1|lrem l 0 a|sunionstore d a b|zunionstore d 2 a b weights 1 2|bitop and d a b
            |sort l store d|sort l by nosort get # store d|georadius g 0 0 1 m store d|geosearchstore d g frommember m byradius 1 m
            |zrangestore d z 0 1|copy a b replace|copy a b db 1 REPLACE|restore k 0 x replace|function load replace x
            |bitfield b set u8 0 1|bitfield b overflow sat set u8 0 1 get u8 0|xreadgroup group g c streams s 0
            |xtrim s maxlen 5|xack s g 1|xdel s 1|pfadd h a|pfmerge d a|script load x",
        ),
        (
            Replay::Never,
            "set k v nx|set k v XX|set k v get|set k v ifeq w|set k v ex 10 nx|set k v ex|set k v new|set k|msetex 1 a 1 nx
            |msetex 9 a 1|msetex 0 a 1|setnx k v|getset k v|getdel k|incr k|append k v|lpush l a|lpop l|spop s|blpop l 0
            |rpoplpush a b|lset l 0 a|linsert l before a b|zadd z nx 1 a|zadd z xx 1 a|zadd z gt 1 a|zadd z lt ch 1 a
            |zadd z ch lt 1 a|zadd z incr 1 a|geoadd g nx 0 0 m|zincrby z 1 a|expire k 5 nx|expire k 5 GT
            |hexpire h 5 nx fields 1 f|hsetex h fxx ex 5 fields 1 f v|hsetex h ex fields 1 f v|ltrim l 1 -1|ltrim l 0 -2
            |ltrim l -10 5|ltrim l x 9|zremrangebyrank z 0 5|zremrangebyrank z 1 5|zremrangebyrank z -5 -1|lrem l 1 a
            |lrem l -1 a|sunionstore a a b|zunionstore a 2 b a|zunionstore d 9 a|bitop xor a b a|sort l store l
            |sort l get w_* store d|georadius g 0 0 1 m store g|zrangestore z z 0 1|copy a b|copy replace b|restore k 0 x
            |restore k 0 replace|function load x|function load replace|bitfield b incrby u8 0 1|bitfield b set u8 0
            |bitfield b new|xread streams s $|xread block 5 streams s t 0 $|xread new streams s 0|xread streams s
            |xreadgroup group g c streams s >|xreadgroup group g c claim 5 streams s 0|xadd s * f v|xclaim s g c 0 1
            |rename a b|move k 1|flushall|swapdb 0 1|eval s 0|fcall f 0|exec|multi|select 1|publish c m|wait 1 0
            |config set a b|delifeq k v|nosuch k|config nosuch|",
        ),
    ];

    #[test]
    fn arguments_decide_the_replay_class() {
        for (class, lines) in CASES {
            for line in lines.split('|').map(str::trim) {
                assert_eq!(of(line).replay, *class, "{line}");
            }
        }
    }

    #[test]
    fn arguments_decide_what_is_read_and_what_is_written() {
        let cases = [
            (Access::Read, "get k|sort l|getex k|bitfield b get u8 0|georadius g 0 0 1 m|xread streams s 0"),
            (
                Access::Write,
                "set k v|sort l store d|getex k persist|bitfield b set u8 0 1|xreadgroup group g c streams s 0|eval s 0
                |blpop l 0|nosuch k|sort",
            ),
            (Access::Neither, "ping|multi|exec|config set a b|publish c m|subscribe c|wait 1 0"),
        ];
        for (access, lines) in cases {
            for line in lines.split('|').map(str::trim) {
                assert_eq!(of(line).access, access, "{line}");
            }
        }
    }

    #[test]
    fn a_call_that_may_wait_says_how_long() {
        assert_eq!(of("BLPOP l 0").blocking, Some(Blocking::Forever));
        let two = Some(Blocking::For(Duration::from_secs(2)));
        assert_eq!(of("BLMPOP 2 1 l LEFT").blocking, two);
        assert_eq!(of("xread block 2000 streams s $").blocking, two);
        assert_eq!(of("xread streams s $").blocking, None);
        assert_eq!(of("CLIENT PAUSE 1000").blocking, None);
    }

    #[test]
    fn a_command_that_no_server_knows_is_a_write_that_is_never_repeated() {
        assert_eq!(of("FT.SEARCH idx q"), Classified::UNKNOWN);
        assert_eq!(classify::<&str>(&[]), Classified::UNKNOWN);
    }

    #[test]
    fn every_command_that_blocks_has_its_own_connection_in_mind() {
        for facts in ALL.iter().filter(|facts| facts.blocking.is_some()) {
            assert!(facts.replay == Replay::Never, "{}", facts.name);
        }
    }

    /// Words that rules look for, and some that they do not.
    const WORDS: &[&str] = &[
        "",
        "k",
        "d",
        "0",
        "1",
        "2",
        "-1",
        "9999999999999999999",
        "nx",
        "XX",
        "GT",
        "lt",
        "ch",
        "INCR",
        "GET",
        "set",
        "EX",
        "PX",
        "keepttl",
        "ifeq",
        "STORE",
        "storedist",
        "BY",
        "w_*",
        "LIMIT",
        "REPLACE",
        "FIELDS",
        "STREAMS",
        "BLOCK",
        "COUNT",
        "GROUP",
        "CLAIM",
        "NOACK",
        "$",
        ">",
        "KEYS",
        "AUTH",
        "AUTH2",
        "OVERFLOW",
        "incrby",
        "u8",
    ];

    fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let name = prop_oneof![
            9 => prop::sample::select(ALL)
                .prop_map(|facts| facts.name.split(' ').map(|word| word.as_bytes().to_vec()).collect()),
            1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(|word| vec![word]),
        ];
        let argument = prop_oneof![
            9 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..12),
        ];
        (name, prop::collection::vec(argument, 0..12)).prop_map(
            |(mut name, arguments): (Vec<Vec<u8>>, _)| {
                name.extend(arguments);
                name
            },
        )
    }

    proptest! {
        #[test]
        fn any_arguments_stay_between_the_best_and_the_worst_class(args in words()) {
            let found = classify(&args);
            match found.facts {
                None => prop_assert_eq!(found, Classified::UNKNOWN),
                Some(facts) => {
                    prop_assert!(facts.replay_at_best <= found.replay && found.replay <= facts.replay);
                    prop_assert!(found.access == facts.access || found.access == Access::Read);
                    prop_assert!(found.access != Access::Write || found.replay != Replay::Read);
                    prop_assert!(miss(&args).is_none() || found.replay != Replay::Never);
                }
            }
        }

        #[test]
        fn keys_are_arguments_and_never_the_name(args in words()) {
            for located in located_keys(&args) {
                prop_assert!(located.at > 0);
                prop_assert_eq!(located.key, &args[located.at]);
            }
            prop_assert!(keys(&args).count() < args.len().max(1) * 3);
        }
    }
}
