use clap::Args;
use seawall_doctor::collect;

use crate::{Exit, output};

/// Print a script that collects what the doctor reads, for hosts on which there is no seawall.
///
/// It runs in any POSIX shell and needs redis-cli alone; it only reads, and leaves keys, values, arguments and secrets out of
/// what it collects. A password comes from the environment: `REDISCLI_AUTH`. It writes one file, a bundle, and says which;
/// `seawall doctor BUNDLE` reads it.
#[derive(Debug, Args)]
pub(crate) struct Collect {
    /// Print the script: `seawall collect --script > collect.sh; sh collect.sh -h HOST -p PORT`
    #[arg(long)]
    script: bool,
}

impl Collect {
    pub(crate) fn run(self) -> Exit {
        if !self.script {
            let hint = "seawall collect --script > collect.sh, and on the host: sh collect.sh -h HOST -p PORT";
            output::fail("it is the script that collects", hint);
            return Exit::Unable;
        }
        match output::out(collect::script().trim_end()) {
            Ok(()) => Exit::Well,
            Err(error) => {
                output::fail(format_args!("the script could not be written: {error}"), "");
                Exit::Unable
            }
        }
    }
}
