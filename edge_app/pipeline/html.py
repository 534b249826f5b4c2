"""A writer that makes one HTML page of all answers, and lets another print them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.classifier import Classifier, Findings
from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.errors import EdgeCxrError, OutputError, UsageError
from edge_app.core.page import POLICY, document, section, table, write
from edge_app.core.plain_text import percent
from edge_app.core.svg import element, escape
from edge_app.heatmap.colours import INFERNO
from edge_app.heatmap.draw import ODDS, overlay, sized
from edge_app.heatmap.maps import SIDES, EvidenceScale
from edge_app.images.radiograph import Radiograph
from edge_app.model.decisions import RAISED_MEANS, Finding, marked
from edge_app.model.input_check import NO_CHECK, NO_QUALITY
from edge_app.model.usual import of_normal, referred_to
from edge_app.pipeline.words import known_of, promises, right_above, seen_at
from edge_app.pipeline.writers import Writer

if TYPE_CHECKING:
    from PIL import Image

STYLE: Final = Path(__file__).with_name("answers.css")
WITH_PICTURES: Final = f"{POLICY}; img-src data:"

MAX_PICTURES: Final = 30
"""The most images on a page with their pictures, about 20 MB; it states how many more there are."""

SIDE: Final = 512
"""Pixels of a picture's longer side."""

CHECKED: Final = f"taken for a frontal chest radiograph; {NO_QUALITY}"

FLAGGED: Final = "flagged"
CLEAR: Final = "not flagged"
SCORED: Final = "scored"
NOT_SCORED: Final = "not scored"
UNREADABLE: Final = "could not be read"
STATES: Final = {FLAGGED: "bad", CLEAR: "open", SCORED: "", NOT_SCORED: "warm", UNREADABLE: "warm"}
"""States of an image, and the CSS class of each."""


class HtmlWriter:
    """Keeps answers and their pictures for a page, and passes the answers on.

    Args:
        inner: prints the answers.
        classifier: that answers.
        path: of the page; an existing file is replaced.

    Attributes:
        left_out: how many images the page has no room for.

    Raises:
        UsageError: the page's name does not end in ``.html``.
        OutputError: there is no folder for it.
    """

    needs_picture = True

    def __init__(self, inner: Writer, classifier: Classifier, path: Path) -> None:
        if path.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--html {path}: a page's name ends in .html")
        if not path.parent.is_dir():
            raise OutputError(f"{path}: cannot be written: there is no folder {path.parent}")
        if path.is_dir():
            raise OutputError(f"{path}: cannot be written: it is a folder")
        self.inner, self.path, self._classifier = inner, path, classifier
        self._scale = EvidenceScale(classifier.model.manifest)
        self._images: list[_Shown] = []
        self._count = dict.fromkeys(STATES, 0)
        self.left_out = 0

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        self.inner.answer(name, image, findings)
        state = _state(findings)
        if self._has_room(state):
            body = "\n".join(self._parts(image, findings, state))
            self._images.append(_Shown(name, state, _in_short(findings, state), body))

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        self.inner.refusal(name, error)
        if self._has_room(UNREADABLE):
            said = _note(f"Could not be read: {error}")
            self._images.append(_Shown(name, UNREADABLE, str(error), said))

    def close(self) -> None:
        self.inner.close()

    def write(self, interrupted: bool = False) -> None:
        """Write the page, whole or not at all.

        Args:
            interrupted: whether images are missing; the page says so.

        Raises:
            OutputError: it cannot be written.
        """
        name = self._classifier.model.name
        sections = (
            section(f"{number}. {each.name}", "", each.body).replace(
                "<section>", f'<section id="image-{number}">', 1
            )
            for number, each in enumerate(self._images, 1)
        )
        about = section("About these answers", "", "\n".join(self._about()))
        note = [_note("Interrupted: images are missing here.")] if interrupted else []
        body = [self._header(name), *note, *sections, about]
        write(document(f"Answers of {name}", STYLE, body, WITH_PICTURES), self.path)

    def _has_room(self, state: str) -> bool:
        """Whether an image has a place on the page; it is counted either way."""
        self._count[state] += 1
        self.left_out += (full := len(self._images) >= MAX_PICTURES)
        return not full

    def _header(self, name: str) -> str:
        counts = [f"{count} {state}" for state, count in self._count.items() if count]
        images = sum(self._count.values())
        lead = f"{images} image{'' if images == 1 else 's'}: {', '.join(counts)}"
        links = (
            f'<li><a href="#image-{number}">{escape(each.name)}</a> '
            f"{_pill(each.state)} {escape(each.words)}</li>"
            for number, each in enumerate(self._images, 1)
        )
        left_out = ""
        if self.left_out:
            said = f"{self.left_out} more images have no place on this page: it shows the first"
            left_out = f'<p class="note">{said} {MAX_PICTURES}.</p>'
        return (
            f'<header>\n<p class="eyebrow">edge-cxr, {escape(name)}</p>\n<h1>Answers</h1>\n'
            f'<p class="lead">{escape(lead)}</p>\n{left_out}\n'
            f'<p class="lead"><b>{escape(DISCLAIMER)}</b></p>\n{"".join(self._cautions())}\n'
            f'<ol class="images">{"".join(links)}</ol>\n</header>'
        )

    def _cautions(self) -> Iterator[str]:
        """What the verdicts in the list are worth, each once."""
        cautions = self._classifier.cautions
        for state, said in ((FLAGGED, cautions.flagged), (CLEAR, cautions.clear)):
            if self._count[state]:
                yield f'<p class="caution">{escape(said)}</p>'

    def _parts(self, image: Radiograph, findings: Findings, state: str) -> Iterator[str]:
        """One image's part of the page, as HTML."""
        facts = image.facts
        described = f"{facts['width']} × {facts['height']} {facts['format']}"
        described += "" if state == NOT_SCORED else f", {seen_at(self._classifier.spec)}"
        yield f'<p class="quiet">{escape(described)}</p>'
        warnings = "".join(_note(f"The picture {warning}") for warning in findings.warnings)
        if state == NOT_SCORED:
            yield f"{_note(f'Not scored: the picture {_reason(findings)}.')}{warnings}"
            yield f'<div class="pictures">{self._plain(image)}</div>'
            return
        yield f'<div class="whole {STATES[state]}">{_verdict(findings)}</div>{warnings}'
        yield f'<p class="quiet">{escape(DISCLAIMER)}</p>'
        yield f'<div class="pictures">{"".join(self._pictures(image, findings))}</div>'
        yield self._check(findings)
        yield _table(findings)
        lines = [escape(f"{line[0].upper()}{line[1:]}.") for line in right_above(findings.ranked)]
        yield "".join(f'<p class="quiet">{line}</p>' for line in lines)

    def _plain(self, image: Radiograph, *legend: str) -> str:
        picture = sized(image.pixels, SIDE)
        lines = "<br>".join(map(escape, legend))
        return _figure(picture, "Picture", "The picture as it was read", lines)

    def _pictures(self, image: Radiograph, findings: Findings) -> Iterator[str]:
        """The picture and its heatmap; without the heatmap if the map shows nothing."""
        legend = f"As it was read; {SIDES}"
        if findings.map is None:
            yield self._plain(image, legend)
            return
        height, width = image.pixels.shape
        seen = self._classifier.spec.seen(width, height)
        made = overlay(image.pixels, findings, self._scale, seen, SIDE)
        if not made.peaks:
            yield self._plain(image, legend, *made.legend)
            return
        yield self._plain(image, legend)
        lines = "<br>".join([*map(escape, made.legend), _scale(self._scale.words)])
        yield _figure(made.image, "Heatmap", "The heatmap over the picture", lines)

    def _check(self, findings: Findings) -> str:
        said = NO_CHECK if findings.check is None else findings.check.reason or CHECKED
        return f"<p><b>Input check:</b> {escape(said)}</p>"

    def _about(self) -> Iterator[str]:
        classifier = self._classifier
        model, site = classifier.model, classifier.site
        lines = [f"The network {known_of(classifier.labels)}"]
        lines += promises(classifier)
        lines += referred_to(model.manifest, site)
        if classifier.image_point:
            lines.append(RAISED_MEANS)
        yield "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
        session = classifier.session.as_dict()
        rows = [
            ("model", f"{model.name}, {model.precision}"),
            ("its network’s SHA-256", model.sha256),
            ("its digest", model.digest or "not known"),
            ("site file", site.digest if site else "none"),
            ("operating point", classifier.points.name),
            ("computed by", f"{session['name']} {session['version']}"),
            ("made by", f"edge-cxr {__version__}"),
        ]
        yield table(("", ""), ([escape(name), escape(value)] for name, value in rows), "facts")


class _Shown(NamedTuple):
    """An image on the page: its entry in the list, and its part as HTML."""

    name: str
    state: str
    words: str
    body: str


def _state(findings: Findings) -> str:
    if not findings.findings:
        return NOT_SCORED
    if findings.by_label or findings.overall is None:
        return SCORED
    return FLAGGED if findings.overall.flagged else CLEAR


def _pill(state: str) -> str:
    return element("span", escape(state), kind=f"pill {STATES[state]}".strip())


def _in_short(findings: Findings, state: str) -> str:
    """The words after an image's state in the list: the rest of its verdict, or why it has none."""
    if state == NOT_SCORED:
        return _reason(findings)
    return "; ".join(part for part in findings.verdict if part != state)


def _reason(findings: Findings) -> str:
    """Why an image was not scored."""
    return "is blank" if findings.blank else str(findings.withheld)


def _verdict(findings: Findings) -> str:
    """The verdict, its numbers, and what it is worth."""
    html = f"<p><b>{escape('; '.join(findings.verdict))}</b></p>"
    if whole := findings.overall:
        html += f"<p>{escape(whole.in_words())}</p>"
        caution = findings.caution
        html += f'<p class="caution">{escape(caution)}</p>' if caution else ""
        html += _meter(whole.probability, whole.threshold)
    return html


def _note(words: str) -> str:
    return f'<p class="note">{escape(words)}</p>'


def _figure(image: Image.Image, title: str, alt: str, legend: str = "") -> str:
    """A picture embedded in the page; `legend` is HTML."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=6)
    data = base64.b64encode(file.getvalue()).decode()
    width, height = image.size
    return (
        f"<figure><figcaption><b>{title}</b></figcaption>"
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{alt}">'
        f"<figcaption>{legend}</figcaption></figure>"
    )


def _scale(words: Sequence[str]) -> str:
    """The bar of colours, with words along it."""
    colours = ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in INFERNO)
    ramp = f'<i class="ramp" style="background: linear-gradient(90deg, {colours})"></i>'
    ticks = "".join(
        f'<b style="left: {100 * step / (len(words) - 1):.1f}%">{escape(word)}</b>'
        for step, word in enumerate(words)
    )
    return f'{escape(ODDS)}:<span class="scale">{ramp}{ticks}</span>'


def _meter(share: float, limit: float | None) -> str:
    """A bar as long as a probability, with a line at its threshold."""
    bars = element("rect", width=100, height=6, kind="rail")
    bars += element("rect", width=100 * share, height=6, kind="fill")
    if limit is not None:
        bars += element("rect", x=100 * limit, width=0.8, height=6, kind="limit")
    return (
        '<svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f"{bars}</svg>"
    )


def _table(findings: Findings) -> str:
    by_label = findings.by_label
    last = (
        ("Threshold",) if by_label else ("Usually, of all images", "Higher than, of normal images")
    )
    rows = (_row(each, by_label) for each in findings.ranked)
    return table(("Finding", "Probability", *last), rows, "findings")


def _row(finding: Finding, by_label: bool) -> list[str]:
    limit = finding.threshold if by_label else None
    word = marked(finding.score, finding.usually, finding.above, by_label, limit)
    name = escape(finding.name) + (f' <b class="word">{word}</b>' if word else "")
    cells = [f"{name}{_meter(finding.score, limit)}", percent(finding.score)]
    if by_label:
        return [*cells, "none" if limit is None else percent(limit)]
    usually = "–" if finding.usually is None else percent(finding.usually)
    lower = "–" if finding.percentile is None else of_normal(finding.percentile)
    return [*cells, usually, lower]
