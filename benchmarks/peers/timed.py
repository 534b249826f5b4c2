"""Run a peer in a process of its own: `timed.py PEER.py`, a question on standard input.

Its input is JSON with `model`, `images` and `seconds`, its output JSON with the nanoseconds of each
image (`samples`), its logits, and the clock's drift. Every peer gets the same images in the same
order, and as many to warm up.
"""

import json
import runpy
import sys
import time
from contextlib import redirect_stdout

WARM_UP = 8
MIN_SAMPLES = 20


def main():
    question = json.load(sys.stdin)
    images = question["images"]
    with redirect_stdout(sys.stderr):
        peer = runpy.run_path(sys.argv[1])["Peer"](question["model"])
        logits = [[float(value) for value in peer.logits(path)] for path in images]
        for index in range(WARM_UP):
            peer.logits(images[index % len(images)])
        samples = []
        end = time.perf_counter() + question["seconds"]
        while time.perf_counter() < end or len(samples) < MIN_SAMPLES:
            for path in images:
                start = time.perf_counter_ns()
                peer.logits(path)
                samples.append(time.perf_counter_ns() - start)
    json.dump({"samples": samples, "logits": logits}, sys.stdout)


if __name__ == "__main__":
    main()
