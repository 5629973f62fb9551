"""Visitors of the whole site. The build fails when it is slower, or fails more often, than this."""

import random

import gevent
from locust import FastHttpUser, between, events, task

SLOWEST_MS = 5000  # 95 of 100 requests are faster
FAILURES = 0.01
FEWEST = 20  # requests: fewer say nothing


class Visitor(FastHttpUser):
    wait_time = between(0.1, 0.3)

    @task(3)
    def front(self):
        self.client.get("/")

    @task(2)
    def film(self):
        self.client.get(f"/films/{random.randint(1, 10)}", name="/films/N")

    @task
    def rate(self):
        self.client.post(
            "/films/7/ratings", data={"stars": random.randint(1, 5)}, name="/films/N/ratings"
        )


@events.init.add_listener
def look_at_the_clock(**_):
    """Timers count from when the loop looked last: on a slow machine before all the imports, and
    --run-time would be over at once."""
    gevent.get_hub().loop.update_now()


@events.quitting.add_listener
def judge(environment, **_):
    total = environment.stats.total
    slow = total.get_response_time_percentile(0.95) or 0
    print(f"{total.num_requests} requests, {total.fail_ratio:.1%} failed, 95 of 100 in {slow} ms")
    good = total.num_requests >= FEWEST and total.fail_ratio <= FAILURES and slow <= SLOWEST_MS
    environment.process_exit_code = 0 if good else 1
