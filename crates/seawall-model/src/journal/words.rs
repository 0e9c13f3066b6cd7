use crate::words::words;

words! {
    /// How an endpoint is.
    pub enum HealthState {
        /// Calls are sent.
        Up = 1, "up";
        /// Something failed, and the probes have not decided yet.
        Suspect = 2, "suspect";
        /// The probes failed.
        Down = 3, "down";
    }
}

words! {
    /// Whether the server accepts writes.
    pub enum WriteGate {
        /// It does.
        Open = 1, "open";
        /// It refuses them, and goes on answering reads.
        Closed = 2, "closed";
    }
}

words! {
    /// Whether a server that is back is the one that was there before.
    pub enum Restarted {
        /// The same process, by its run id.
        No = 1, "no";
        /// Another process.
        Yes = 2, "yes";
        /// One of the two run ids is not known.
        Unknown = 3, "unknown";
    }
}

words! {
    /// What answers a call when Redis cannot.
    pub enum OutagePolicy {
        /// An error at once.
        Fail = 1, "fail";
        /// The call waits up to a set time.
        Wait = 2, "wait";
        /// What an empty cache would say.
        Miss = 3, "miss";
        /// The last value seen.
        Stale = 4, "stale";
        /// A local store.
        Standby = 5, "standby";
        /// Writes are kept and replayed.
        Spool = 6, "spool";
        /// A configured constant.
        Answer = 7, "answer";
        /// Counted and gone.
        Drop = 8, "drop";
    }
}

words! {
    /// Why a call was not tried again.
    pub enum RetryRefusal {
        /// It may have run, and running it twice could change something.
        MayHaveRun = 1, "may-have-run";
        /// It was sent as often as allowed.
        Attempts = 2, "attempts";
        /// The budget is spent.
        Budget = 3, "budget";
        /// No time is left.
        Deadline = 4, "deadline";
        /// The same would happen again.
        NotRetryable = 5, "not-retryable";
    }
}
