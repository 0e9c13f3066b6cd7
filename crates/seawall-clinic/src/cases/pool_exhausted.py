"""A web application whose workers share one pool with a job queue: the jobs hold every connection."""

import logging
import sys
import threading
import time

import redis

logging.Formatter.converter = time.gmtime
logging.basicConfig(
    format="%(asctime)s.%(msecs)03dZ %(levelname)s app %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
)
pool = redis.ConnectionPool(host=sys.argv[1], port=int(sys.argv[2]), max_connections=2, socket_timeout=10)
client = redis.Redis(connection_pool=pool)
asked = threading.Event()


def works():
    client.blpop("jobs", timeout=0)


def asks():
    try:
        client.get("key")
    except redis.RedisError:
        logging.exception("a request failed")


workers = [threading.Thread(target=works) for _ in range(2)]
for worker in workers:
    worker.start()
# Another client sees that both wait.
watch = redis.Redis(host=sys.argv[1], port=int(sys.argv[2]))
while watch.info("clients")["blocked_clients"] < 2:
    time.sleep(0.01)
requests = [threading.Thread(target=asks) for _ in range(5)]
for request in requests:
    request.start()
for request in requests:
    request.join()
# Until somebody has looked at the server.
watch.blpop("looked", timeout=30)
watch.rpush("jobs", 1, 2)
for worker in workers:
    worker.join()
