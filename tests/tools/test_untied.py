"""Numbers that nothing ties to a file are found, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.manual import figures, printed
from tools.manual.untied import own, untied

PAGE = """# Version 2

Of 2,012 images 38 % were found, 12.5 % in 3 s by python3.11 (see §2.1.3).

<!-- printed: two -->
```
4.5 ms
```

<!-- made -->
0.75
<!-- end of made -->
| a | 0.25 |
| b | 0.35 |

## 5.1 Chapters

Enter `--share 0.5` or `python -m train fit DATA --set mixup=0.2` with Python
3.10 to 3.14, for 95 % intervals. By Somebody 61 % are right, and `0.7` are not.

```
$ edge-cxr evaluate FOLDER --share 0.5 \\
    --other 0.6
printed 4.25 s
```

```python
share = 0.8
```

The area is 0.85. A UID is 2.25.n, and takes 4
seconds, 1.5x as long. Of all 138 % were found.

From 11,665 images of 73 patients and 250 without a name 15 further runs and 2012 images came, 7 of
them twice. On Debian 12 in 2017, by PS3.10, RFC 1950 and tag 284, at 128×128 pixels turned by 180°,
at 19:03:15 at port 11112 of 127.0.0.1:8042, it ended with HTTP 404 (121071, DCM) by cxr-lite0-128.
"""
LIST = """
figure = [{pages = ["docs/page.md"], phrase = "{r[found]:.0%} were found", files = {r = "r.json"}}]
section = [{page = "docs/page.md", name = "made", file = "made.md"}]
lines = [{page = "docs/page.md", file = "made.md", begin = ["| a"]}]
fact = [{pages = ["docs/page.md"], phrase = "61 % are right", source = "Somebody"}]
"""


def test_what_no_file_has_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    page, ties = tmp_path / "docs" / "page.md", tmp_path / "docs" / "figures.toml"
    page.write_text(PAGE)
    ties.write_text(LIST)
    (tmp_path / "r.json").write_text(json.dumps({"found": 0.38}))
    for module in (figures, printed):
        monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(figures, "LIST", ties)
    assert [numbers for _, numbers in untied(page)] == [
        ["2,012", "12.5 %", "3 s"],
        ["0.35"],
        ["0.7"],
        ["4.25 s"],
        ["0.85", "4 seconds"],
        ["1.5x", "138 %"],
        ["11,665", "73", "250", "15", "2012"],
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("on 2012 test images", ["2012"]),
        ("in 2012 test images", ["2012"]),
        ("drawn in 2012 images", ["2012"]),
        ("1923 of them, and of 2012 of them", ["1923", "2012"]),
        ("In 2012 of them, by 2000 resamples", ["2012", "2000"]),
        ("of the images, 2012 were read (all 2012)", ["2012", "2012"]),
        ("after Siddiqi, 2,006 runs", ["2,006"]),
        ("in 2021, since 1970 and on 27 November 2026", []),
        ("(Wilks, 1941; Peduzzi et al., 1996; Wang et al., CVPR 2017)", []),
        ("on 2026-11-27 of JPEG 2000 in 1970", []),
    ],
)
def test_a_year_is_one_by_the_words_around_it(text: str, numbers: list[str]) -> None:
    assert own(text) == numbers


@pytest.mark.parametrize(
    ("phrase", "numbers"),
    [
        ("{r[found]:.0%} of {r[b][n]:,} images", []),
        ("600 images: {r[found]:.3f}", ["600"]),
        ("(801 crops) {r[found]:.0%}, not 10 %", ["801", "10 %"]),
        ("`--share 0.5` finds {r[found]:.1%}", []),
    ],
)
def test_what_a_tied_phrase_says_itself_is_found(phrase: str, numbers: list[str]) -> None:
    assert own(phrase) == numbers
