"""The time of a folder without any network: files read and decoded to gray, with some threads."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

from PIL import Image


def decode(path):
    with Image.open(path) as image:
        return image.convert("L").size


def main():
    question = json.load(sys.stdin)
    images, workers = question["images"], question["workers"]

    def run(count):
        start = time.perf_counter()
        if workers == 1:
            for path in islice(cycle(images), count):
                decode(path)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(decode, islice(cycle(images), count)))
        return time.perf_counter() - start

    run(4 * workers)
    count = max(8, int(4 * workers / run(4 * workers) * question["seconds"]))
    json.dump({"images": count, "seconds": run(count)}, sys.stdout)


if __name__ == "__main__":
    main()
