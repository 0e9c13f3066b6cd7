//! The laboratory: breaks a real Redis on purpose, under load, and counts what its clients saw.
//!
//! * [`world`] holds the real things: servers, a relay that breaks the network, an independent probe.
//! * [`scenario`] says what is broken when, under which load, and what must hold. Each is one file.
//! * [`work`] is what clients are asked to do, and how to see on the server afterwards how often it was done.
//! * [`contender`] is the line protocol by which a child process stands for a client, in any language.
//! * [`app`] puts somebody's own application in the place of clients.
//! * [`run`] brings these together, [`oracle`] judges what came of it, [`report`] tells.
//!
//! Nothing here uses the engine: what judges it does not run on it.
//!
//! ```no_run
//! use seawall_lab::run::{self, Contender, Interrupt, Options, Selection};
//!
//! let mine = Contender::judged("mine", ["./my-contender"]);
//! let mut options = Options::new(vec![mine]);
//! options.scenarios = Selection::Named(vec!["restart".into(), "lost-incr".into()]);
//! options.interrupt = Interrupt::on_signals()?;
//! let result = run::run(&options);
//! if let Ok(report) = &result {
//!     println!("{report}");
//! }
//! std::process::exit(run::exit_code(&result).into());
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod app;
pub mod contender;
pub mod oracle;
pub mod report;
pub mod run;
pub mod scenario;
mod scenarios;
pub mod work;
pub mod world;
