//! The laboratory against a real server, with a contender in which defects are planted.

mod scoreboard;
