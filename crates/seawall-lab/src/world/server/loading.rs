//! Reading data that takes as long as wished.

use std::time::Duration;

use super::{Server, ServerError};
use crate::world::admin::Admin;

/// The setting by which a server waits after each key that it reads, in microseconds.
const KEY_DELAY: &str = "key-load-delay";

/// The setting that says after how many bytes a loading server looks at its clients: after each key.
const LOOK_EVERY: &str = "loading-process-events-interval-bytes";
const LOOK_EVERY_BYTES: &str = "1024";

/// Keys beyond the scenario's own, so that a start can be drawn out in small steps.
const PADDING_KEYS: usize = 500;

/// Bytes in each. The server looks at its clients each time it has read another KiB: after each key.
const PADDING_BYTES: usize = 1024;

/// The last of the 16 databases, which scenarios leave alone.
const PADDING_DATABASE: &[u8] = b"15";

impl Server {
    /// Restarts the server so that it answers `-LOADING` for about `span` (longer on a busy host, which wakes it late
    /// after each key); returns when it does.
    ///
    /// The data are rewritten as one snapshot, with padding in database 15, and read back with a delay after each key
    /// (`key-load-delay`, a setting that servers keep for such tests). The padding stays.
    /// Redis 6 looks at its clients too rarely while it loads: [`ServerError::TooOld`].
    pub fn restart_loading_for(&self, span: Duration) -> Result<(), ServerError> {
        let delay = self.prepare_to_load(span)?;
        self.rewrite()?;
        self.sigterm()?;
        self.begin(&[
            format!("--{KEY_DELAY}"),
            delay,
            format!("--{LOOK_EVERY}"),
            LOOK_EVERY_BYTES.into(),
        ])?;
        self.wait_until_refusing("LOADING")
    }

    /// Has the server drop its data and read them anew (DEBUG RELOAD), as a replica does after a full resync, so that it
    /// answers `-LOADING` for about `span`, on the connections that stand; returns when it does.
    ///
    /// Delay, padding and Redis 6 as for [`restart_loading_for`](Self::restart_loading_for). Until it has loaded the
    /// laboratory's own connection is answered `-LOADING` too.
    pub fn reload_for(&self, span: Duration) -> Result<(), ServerError> {
        let delay = self.prepare_to_load(span)?;
        self.config_set(KEY_DELAY, &delay)?;
        self.config_set(LOOK_EVERY, LOOK_EVERY_BYTES)?;
        Admin::connect(self.addr(), &self.access())?.send(&[b"DEBUG", b"RELOAD"])?;
        self.wait_until_refusing("LOADING")
    }

    /// Pads the data, and says how long to wait after each key, in microseconds.
    fn prepare_to_load(&self, span: Duration) -> Result<String, ServerError> {
        if !self.binary.has_settings_of_7() {
            return Err(ServerError::TooOld {
                binary: self.binary.to_string(),
                what: "draw out its loading",
            });
        }
        self.pad()?;
        let keys = self.count_keys()?;
        Ok((span.as_micros() / u128::from(keys.max(1))).to_string())
    }

    fn pad(&self) -> Result<(), ServerError> {
        let keys: Vec<String> = (0..PADDING_KEYS)
            .map(|number| format!("padding:{number}"))
            .collect();
        let mut noise = Noise(1);
        let values: Vec<Vec<u8>> = keys.iter().map(|_| noise.take(PADDING_BYTES)).collect();
        let pairs = keys.iter().zip(&values);
        let sets: Vec<[&[u8]; 3]> = pairs
            .map(|(key, value)| [b"SET", key.as_bytes(), value.as_slice()])
            .collect();
        let select: [&[u8]; 2] = [b"SELECT", PADDING_DATABASE];
        let back: [&[u8]; 2] = [b"SELECT", b"0"];
        let mut commands: Vec<&[&[u8]]> = vec![&select];
        commands.extend(sets.iter().map(<[&[u8]; 3]>::as_slice));
        commands.push(&back);
        self.pipeline(&commands).map(drop)
    }

    /// Brings all data into one snapshot: commands of an append-only file are read without looking at clients.
    fn rewrite(&self) -> Result<(), ServerError> {
        self.wait_until_no_child()?;
        let appending = self
            .config_get("appendonly")?
            .is_some_and(|value| value == "yes");
        self.command(if appending {
            &[b"BGREWRITEAOF"]
        } else {
            &[b"BGSAVE"]
        })?;
        self.wait_until_no_child()
    }

    fn count_keys(&self) -> Result<u64, ServerError> {
        let keyspace = self.info("keyspace")?;
        let counts = keyspace.values().filter_map(|facts| {
            facts
                .strip_prefix("keys=")?
                .split(',')
                .next()?
                .parse::<u64>()
                .ok()
        });
        Ok(counts.sum())
    }
}

/// Bytes that do not compress, so that the snapshot is as long as the data (xorshift64).
struct Noise(u64);

impl Noise {
    fn take(&mut self, bytes: usize) -> Vec<u8> {
        std::iter::repeat_with(|| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()[3]
        })
        .take(bytes)
        .collect()
    }
}
