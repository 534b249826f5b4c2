"""This package's pipeline driven by MLPerf's LoadGen: does it measure the same as this suite?

It is no MLPerf result, which takes minutes of each scenario and an accuracy run.

Input: `model`, `images`, `scenario` (SingleStream or Offline), `seconds`, `folder`.
"""

import array
import io
import json
import re
import sys
from functools import partial
from pathlib import Path

import mlperf_loadgen as loadgen

from edge_app.images.radiograph import Limits
from edge_app.performance.combinations import Cell, opened
from edge_app.pipeline.batch import classify_all
from edge_app.pipeline.reader import read_source
from edge_app.pipeline.writers import CsvWriter

MEASURES = {
    "SingleStream": ("latency_90", r"90(?:\.0)?th percentile latency \(ns\)\s*:\s*(\d+)", 1e-9),
    "Offline": ("rate", r"Samples per second\s*:\s*([\d.e+]+)", 1.0),
}


def main():
    question = json.load(sys.stdin)
    images = question["images"]
    classifier = opened(Cell(question["model"], backend="cpu").question())
    min_side = classifier.model.input_spec.min_side

    read = partial(read_source, min_side=min_side, digest=False)

    def classify(paths):
        tally = classify_all(
            paths, classifier, CsvWriter(classifier, io.StringIO()), Limits(), read=read
        )
        if tally.answered < len(paths):
            sys.exit("an image was not answered")

    classify(images)

    def answer(queries):
        classify([images[query.index % len(images)] for query in queries])
        for query in queries:
            nothing = array.array("B", b"\0")
            place, length = nothing.buffer_info()
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, place, length)])

    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, question["scenario"])
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(question["seconds"] * 1000)
    settings.min_query_count = 64 if question["scenario"] == "SingleStream" else 1
    settings.offline_expected_qps = question["rate"]
    output = loadgen.LogOutputSettings()
    output.outdir = question["folder"]
    output.copy_summary_to_stdout = False
    log = loadgen.LogSettings()
    log.log_output = output
    library = loadgen.ConstructQSL(256, 256, lambda indices: None, lambda indices: None)
    system = loadgen.ConstructSUT(answer, lambda: None)
    loadgen.StartTestWithLogSettings(system, library, settings, log)
    loadgen.DestroySUT(system)
    loadgen.DestroyQSL(library)
    summary = Path(question["folder"], "mlperf_log_summary.txt").read_text()
    name, pattern, unit = MEASURES[question["scenario"]]
    found = re.search(pattern, summary)
    if not found:
        sys.exit(f"LoadGen's summary has no {name}")
    json.dump({name: float(found[1]) * unit}, sys.stdout)


if __name__ == "__main__":
    main()
