//! Whose words a message is written in.

/// The client that writes so; the more particular first.
pub(super) fn of(words: &str) -> Option<&'static str> {
    let known = CLIENTS.iter().find(|(clue, _)| words.contains(clue));
    known.map(|(_, client)| *client)
}

const CLIENTS: &[(&str, &str)] = &[
    ("kombu.exceptions", "kombu, for Celery (Python)"),
    ("Connection to broker lost", "Celery (Python)"),
    ("Error while reading from ", "redis-py (Python)"),
    ("while writing to socket", "redis-py (Python)"),
    ("Connection closed by server", "redis-py (Python)"),
    ("Timeout reading from ", "redis-py (Python)"),
    ("Timeout writing to socket", "redis-py (Python)"),
    ("Timeout connecting to server", "redis-py (Python)"),
    ("connecting to unix socket", "redis-py (Python)"),
    ("MaxConnectionsError", "redis-py (Python)"),
    ("redis.exceptions.", "redis-py (Python)"),
    ("Stream isn't writeable", "ioredis (Node)"),
    ("Reached the max retries per request", "ioredis (Node)"),
    ("Socket closed unexpectedly", "node-redis (Node)"),
    ("Socket timeout timeout", "node-redis (Node)"),
    ("timeout during maintenance", "node-redis (Node)"),
    ("All the root nodes are unavailable", "node-redis (Node)"),
    ("Socket timeout. Expecting data", "ioredis (Node)"),
    ("Failed to refresh slots cache", "ioredis (Node)"),
    ("None of startup nodes is available", "ioredis (Node)"),
    ("All sentinels are unreachable", "ioredis (Node)"),
    ("Unknown RESP type", "ioredis or node-redis (Node)"),
    ("ECONN", "ioredis or node-redis (Node)"),
    ("EPIPE", "ioredis or node-redis (Node)"),
    ("ETIMEDOUT", "ioredis or node-redis (Node)"),
    ("getaddrinfo E", "ioredis or node-redis (Node)"),
    ("redis: ", "go-redis (Go)"),
    ("read tcp ", "go-redis (Go)"),
    ("write tcp ", "go-redis (Go)"),
    ("dial tcp ", "go-redis (Go)"),
    ("i/o timeout", "go-redis (Go)"),
    ("jedis", "Jedis (Java)"),
    ("Jedis", "Jedis (Java)"),
    ("Unexpected end of stream", "Jedis (Java)"),
    ("Could not get a resource from the pool", "Jedis (Java)"),
    ("lettuce", "Lettuce (Java)"),
    ("RedisCommandTimeoutException", "Lettuce (Java)"),
    ("Connection initialization timed out", "Lettuce (Java)"),
    ("java.net.", "Jedis or Lettuce (Java)"),
    ("Timeout performing ", "StackExchange.Redis (.NET)"),
    ("Timeout awaiting response", "StackExchange.Redis (.NET)"),
    (
        "It was not possible to connect to the redis",
        "StackExchange.Redis (.NET)",
    ),
    ("(os error ", "redis-rs (Rust)"),
    ("Predis", "Predis (PHP)"),
    ("read error on connection to", "phpredis (PHP)"),
    ("Redis server went away", "phpredis (PHP)"),
    ("php_network_getaddresses", "Predis or phpredis (PHP)"),
    // Python's words for what the system said.
    ("[Errno ", "Python's socket, under redis-py"),
    ("Error 1", "redis-py (Python)"),
    ("Error -", "redis-py (Python)"),
];
