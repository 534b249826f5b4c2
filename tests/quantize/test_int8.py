"""Labels in units of their own span: the same logits, in finer steps, none of them cut off."""

from __future__ import annotations

import keras
import numpy as np

from edge_app.classifier import Classifier
from quantize.convert import to_int8
from quantize.int8 import NO_SPAN, Spans, in_int8, in_spans, label_spans
from quantize.repairs.registry import as_input
from quantize.studies.faults import Conversion
from train.predict import logits_only, predict


def uneven(network: keras.Model) -> keras.Model:
    """The first label's logits reach ten times as far as they did, far from the others'."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    kernel, bias = copy.get_layer("map").get_weights()
    kernel[..., 0] *= 10
    bias[0] = 10 * bias[0] - 20
    copy.get_layer("map").set_weights([kernel, bias])
    return copy


def test_the_graph_in_spans_and_the_spans_give_the_same_answers(conversion: Conversion) -> None:
    images = as_input(conversion.bench.pictures)
    spans = Spans(*np.random.default_rng(1).uniform(1, 9, (2, 15)).astype(np.float32))
    for one, other in zip(
        conversion.folded(images), in_spans(conversion.folded, spans)(images), strict=True
    ):
        np.testing.assert_allclose(one, other * spans.slope + spans.intercept, atol=1e-4)


def test_a_label_of_wide_logits_does_not_make_the_others_coarse(conversion: Conversion) -> None:
    network, bench = uneven(conversion.repaired), conversion.bench
    truth = predict(logits_only(uneven(conversion.folded)), bench.cached)[:, 1:]
    flatbuffer, spans = in_int8(
        network,
        uneven(conversion.folded),
        conversion.bench.pictures,
        conversion.bench.span_pictures,
    )
    plain = bench.package("plain", to_int8(network, conversion.bench.pictures), {"scheme": "int8"})
    finer = bench.package("finer", flatbuffer, {"scheme": "int8"}, spans.as_dict())
    plain_off, finer_off = (
        np.sqrt(np.square(bench.report(model).evaluated.logits[:, 1:] - truth).mean())
        for model in (plain, finer)
    )
    assert finer_off < 0.6 * plain_off
    steps = [model.logit_steps for model in (plain, finer)]
    assert steps[0] is not None
    assert steps[1] is not None
    assert (steps[0] == steps[0][0]).all()
    assert (steps[1][1:] < steps[0][1:] / 3).all()


def test_no_training_image_is_beyond_the_ends(conversion: Conversion) -> None:
    flatbuffer, spans = in_int8(
        conversion.repaired,
        conversion.folded,
        conversion.bench.pictures,
        conversion.bench.span_pictures,
    )
    model = conversion.bench.package("ends", flatbuffer, {"scheme": "int8"}, spans.as_dict())
    classifier, stored = Classifier(model), model.manifest["outputs"]["logits"]["quantization"]
    ends = [(end - stored["zero_point"]) * stored["scale"] for end in (-128, 127)]
    low, high = (spans.slope * end + spans.intercept for end in ends)
    exact = conversion.folded(as_input(conversion.bench.span_pictures))[0].numpy()
    room = 3 * spans.slope * stored["scale"]
    assert (exact > low - room).all()
    assert (exact < high + room).all()
    answers = np.stack([classifier.logits(picture)[0] for picture in conversion.bench.pictures])
    goals = conversion.folded(as_input(conversion.bench.pictures))[0].numpy()
    assert np.abs((answers - goals).mean(axis=0)).max() < 1e-3


def test_a_map_that_is_the_same_everywhere_has_a_span_still() -> None:
    spans = label_spans(np.full((4, 15), -2, np.float32), np.full((4, 2, 15), -2, np.float32))
    assert np.allclose(spans.slope, NO_SPAN)
    assert np.allclose(spans.intercept, -2)
