"""`edge-cxr calibrate` and `edge-cxr drift`, after their command lines were parsed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_app.core.console import complain
from edge_app.core.errors import EXIT_DONE, EXIT_GATE, EXIT_INPUT, DatasetError, OutputError
from edge_app.core.files import write_whole
from edge_app.core.plain_text import plain
from edge_app.evaluation.demographics import age_in_years
from edge_app.evaluation.labelled import facts
from edge_app.evaluation.report import read as read_report
from edge_app.model.model_file import locate, read
from edge_app.site.calibrate import calibrate
from edge_app.site.labelled_set import LabelledSet, groups, pooled
from edge_app.site.target import Target
from edge_app.site.words import summary

if TYPE_CHECKING:
    from edge_app.model.site import Site


def calibrate_site(
    reports: Sequence[Path],
    model: str,
    out: Path,
    aim: Target,
    prevalence: float | None,
    subgroups: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Read, fit, write the site file and its page, print what it says."""
    for place in (out, html):
        if place is not None and not place.absolute().parent.is_dir():
            raise OutputError(f"{place}: there is no such folder to write it to")
    known = read(locate(model))
    labelled = pooled([read_report(path) for path in reports], known)
    members = _members(subgroups, labelled) if subgroups else {}
    site = calibrate(labelled, known, aim, prevalence, members)
    text = json.dumps(site, indent=1, allow_nan=False)
    try:
        write_whole(out, f"{text}\n".encode())
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror}") from None
    try:  # before anything is printed: a reader that goes away takes no page with it
        if html:
            from edge_app.core.page import write
            from edge_app.site.page import page

            write(page(site), html)
    finally:
        print(text if as_json else summary(site))
        complain(f"written: {out}, site file {site['digest'][:16]}")
    if html:
        complain(f"written: {html}")


def _members(table: Path, labelled: LabelledSet) -> dict[str, Any]:
    """Which images belong to which group; standard error says how many the table leaves out.

    Raises:
        DatasetError: the table cannot be read, or tells nothing of any of the images.
    """
    about = facts(table)
    if not any(about.values()):
        raise DatasetError(f"{table}: tells neither age nor sex nor view: add a column of one")
    absent = sum(str(image) not in about for image in labelled.images)
    if absent == len(labelled.images):
        raise DatasetError(
            f"{table}: names none of the images of the report, such as {labelled.images[0]}, but "
            f"{next(iter(about))}: write the names as the report has them"
        )
    if absent:
        complain(f"{table}: {absent} of {len(labelled.images)} images are not in it: in no group")
    ages = [about.get(str(image), {}).get("age", "") for image in labelled.images]
    unread = [age for age in ages if age and math.isnan(age_in_years(age))]
    if unread:
        first = plain(unread[0][:40])
        complain(f"{table}: {len(unread)} ages are not known, first {first}: in no age band")
    return groups(about, labelled.images)


def drift_of(
    results: Sequence[Path], model: str, site: Site | None, looks: int, as_json: bool
) -> int:
    """Read, compare, print; returns the exit code."""
    from edge_app.site import drift
    from edge_app.site.results import Maker
    from edge_app.site.results import read as read_results

    known = read(locate(model))
    names = [known.labels[channel].name for channel in known.labels.findings]
    period = read_results(results, names, Maker.of(known, site))
    found = drift.drift(period, known, site, looks)
    print(json.dumps(found, indent=1) if as_json else drift.summary(found))
    codes = {drift.CHANGED: EXIT_GATE, drift.AS_BEFORE: EXIT_DONE, drift.TOO_FEW: EXIT_INPUT}
    return codes[found["verdict"]]
