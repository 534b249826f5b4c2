"""Every study and its command: a function in a file of its own, and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from quantize.studies.alarms import alarms_study
from quantize.studies.faults import sabotage
from quantize.studies.film import film_study
from quantize.studies.forms import forms_study
from quantize.studies.imports import imports_study, open_imports
from quantize.studies.input_check import input_check_study
from quantize.studies.inputs import (
    open_bench,
    open_model,
    open_model_and_adjudicated,
    open_model_and_folder,
    open_model_and_report,
    open_model_and_reports,
    open_model_and_run,
)
from quantize.studies.layers import layers
from quantize.studies.localisation import localisation_study
from quantize.studies.mirrored import mirrored_study
from quantize.studies.outputs import outputs
from quantize.studies.overall import overall_study
from quantize.studies.raised import raised_study
from quantize.studies.resize import resize_study
from quantize.studies.result import Result
from quantize.studies.runtimes import runtimes_study
from quantize.studies.schemes import matrix
from quantize.studies.second_reference import second_reference_study
from quantize.studies.sites import sites_study


class Inputs(Protocol):
    """What a study starts from."""

    @property
    def folder(self) -> Path:
        """Where the result goes."""


@runtime_checkable
class Judging(Protocol):
    """Inputs with images of patients whom a run may know."""

    @property
    def notes(self) -> Sequence[str]:
        """See `finished_run.images_to_judge`."""


class Study(NamedTuple):
    """A measurement with a command of its own.

    Attributes:
        name: of the command.
        open: what it starts from; its parameters are arguments and options of the command.
        function: the study: inputs, and further parameters that are options of the command → a
            result.
        help: one line.
        defaults: of options of `open`, where the study's differ.
    """

    name: str
    open: Callable[..., Inputs]
    function: Callable[..., Result]
    help: str
    defaults: Mapping[str, Any] = MappingProxyType({})


STUDIES: Final = (
    Study(
        "matrix", open_bench, matrix,
        "Every scheme and every repair of int8 in one table: size, fidelity, latency here.",
    ),
    Study(
        "layers", open_bench, layers,
        "Where int8's error comes from: each kernel and activation rounded alone.",
        {"split": "validation"},
    ),
    Study(
        "outputs", open_bench, outputs,
        "What an int8 sigmoid output does to rare labels, compared with int8 logits.",
    ),
    Study(
        "sabotage", open_bench, sabotage,
        "Convert with deliberate faults: is each caught by what is meant to catch it?",
    ),
    Study(
        "runtimes", open_model_and_folder, runtimes_study,
        "One model file under two runtimes: differences in steps, and decisions that change.",
    ),
    Study(
        "refusals", open_model, input_check_study,
        "What a model file's input check refuses: radiographs, near misses, everything else.",
    ),
    Study(
        "localise", open_model_and_run, localisation_study,
        "Do the maps point where radiologists drew boxes? With float maps and the centre.",
    ),
    Study(
        "overall", open_model_and_reports, overall_study,
        "One score of the whole image: the ways to make it of the labels, side by side.",
    ),
    Study(
        "raised", open_model_and_reports, raised_study,
        "What an answer marks as raised: how often it is right, and on how many normal images.",
    ),
    Study(
        "alarms", open_model_and_reports, alarms_study,
        "Which normal images are flagged: by their patients' number of images, and by view.",
    ),
    Study(
        "adjudicated", open_model_and_adjudicated, second_reference_study,
        "How well a model ranks by what radiologists agreed on, compared with NIH's labels.",
    ),
    Study(
        "sites", open_model_and_report, sites_study,
        "What calibrate promises, kept at simulated sites: intervals, targets, drift's alarms.",
    ),
    Study(
        "mirrored", open_model, mirrored_study,
        "Do the maps' peaks move to the other side when the picture is mirrored?",
    ),
    Study(
        "resize", open_model, resize_study,
        "Shrinking in two steps beside one: time, gray levels, decisions that stay.",
    ),
    Study(
        "film", open_model, film_study,
        "How much scores change in a synthetic photograph of the film, rectified and not.",
    ),
    Study(
        "forms", open_model, forms_study,
        "Which decisions change with the form of storage: bit depths, signs, tables, padding …",
    ),
    Study(
        "imports",
        open_imports,
        imports_study,
        "Networks of keras.applications, from a file to an answer in two commands.",
    ),
)  # fmt: skip
