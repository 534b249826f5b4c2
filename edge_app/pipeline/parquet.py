"""Answers as rows of a Parquet file.

A row is what `classify --json` prints of an image, key by key. What the answer's schema leaves open
(`image`, `preprocessing`, `runtime`) is JSON text. Null is what an answer of its kind does not
have: a row with `error` is a refusal. What follows from the model or site file, `caution` and each
label's `ppv`, is not repeated in every row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_app.core import strict_json
from edge_app.core.errors import MissingExtraError, ReportError

if TYPE_CHECKING:
    import pyarrow

TEXTS: Final = ("image", "preprocessing", "runtime")
"""Keys whose objects are stored as JSON text."""

MAX_UNPACKED: Final = 256 << 20
"""The largest unpacked size, in bytes, of a group of rows, or of a whole foreign file."""

MANY: Final = 1 << 16
"""Rows that are read at once if only a few small columns are needed."""

AT_ONCE: Final = 500
"""Rows in a group, and rows that are read at once, so that memory does not grow."""

TURNED: Final = 50
"""Rows that are converted into columns at once, which takes some milliseconds."""


def packages() -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`.

    Raises:
        MissingExtraError: they are not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("Parquet needs pyarrow: pip install 'edge-cxr[archive]'") from None
    return pyarrow, pyarrow.parquet


def schema() -> pyarrow.Schema:
    """The schema of every Parquet file that is written here."""
    pa, _ = packages()
    text, number, yes, count = pa.string(), pa.float64(), pa.bool_(), pa.int32()
    numbers = dict.fromkeys(("probability", "usually", "percentile", "threshold"), number)
    finding = {
        "label": text,
        "kind": text,
        "rank": count,
        "probability": number,
        **dict.fromkeys(("prevalence", "percentile", "score", "logit", "threshold"), number),
        **dict.fromkeys(("above", "raised"), yes),
    }
    check = {"score": number, "flagged": yes, "kind": text, "reason": text}
    columns = {
        "file": text,
        "error": pa.struct({"kind": text, "message": text}),
        "overall": pa.struct({**numbers, "flagged": yes}),
        "findings": pa.list_(pa.struct(finding)),
        "input_check": pa.struct(check),
        "blank": yes,
        "warnings": pa.list_(text),
        "image": text,
        "model": pa.struct(dict.fromkeys(("name", "sha256", "digest", "dtype"), text)),
        "site": text,
        "operating_point": text,
        "label_operating_point": text,
        "preprocessing": text,
        "runtime": text,
        "disclaimer": text,
    }
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


def row_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer's row."""
    texts = {key: json.dumps(answer[key], ensure_ascii=False) for key in TEXTS if key in answer}
    return {**answer, **texts}


class Rows:
    """Answers for a Parquet file, converted into columns a few at a time, so that the last step is
    short."""

    def __init__(self) -> None:
        self._kind = schema()
        self._rows: list[dict[str, Any]] = []
        self._tables: list[pyarrow.Table] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, answer: Mapping[str, Any]) -> None:
        self._rows.append(row_of(answer))
        self._count += 1
        if len(self._rows) >= TURNED:
            self._turn()

    def encoded(self) -> bytes:
        """A Parquet file of the answers; the same answers give the same bytes."""
        pa, parquet = packages()
        self._turn()
        buffer = BytesIO()
        with parquet.ParquetWriter(buffer, self._kind, compression="zstd") as writer:
            if self._tables:
                writer.write_table(pa.concat_tables(self._tables).combine_chunks(), AT_ONCE)
        return buffer.getvalue()

    def _turn(self) -> None:
        pa, _ = packages()
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            table = pa.Table.from_pylist(rows, self._kind)
        except UnicodeEncodeError:  # a file's tag may hold invalid text
            text = json.dumps(rows, ensure_ascii=False).encode("utf-8", "replace")
            table = pa.Table.from_pylist(strict_json.parse(text), self._kind)
        self._tables.append(table)


def parts_of(path: Path) -> list[Path]:
    """The Parquet files of an archive's folder, or the named one; none for any other path."""
    if path.is_dir():
        return sorted(path.glob("part-*.parquet"))
    return [path] if path.suffix == ".parquet" else []


def read(paths: Iterable[Path], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of some files, one by one, with some of their columns.

    Raises:
        ReportError: a file cannot be read or is no archive's.
    """
    for batch in batches(paths, columns, AT_ONCE):
        yield from batch.to_pylist()


def names(paths: Iterable[Path]) -> Iterator[str]:
    """The sources in some files, one by one; see `read`."""
    for batch in batches(paths, ["file"], MANY):
        yield from batch.column(0).to_pylist()


def batches(paths: Iterable[Path], columns: Sequence[str], size: int) -> Iterator[Any]:
    """Rows as record batches of at most `size` rows; see `read`."""
    for path in paths:
        yield from _batches(path, columns, size)


def count(path: Path) -> int:
    """Rows of a file, without reading them.

    Raises:
        ReportError: it cannot be read.
    """
    pa, parquet = packages()
    with _reading(path, pa):
        return int(parquet.read_metadata(path).num_rows)


def _batches(path: Path, columns: Sequence[str], size: int) -> Iterator[Any]:
    pa, parquet = packages()
    kind = schema()
    with _reading(path, pa), path.open("rb") as stream, parquet.ParquetFile(stream) as file:
        _require_small(path, file.metadata, each=True)
        for name in columns:
            place = file.schema_arrow.get_field_index(name)
            if place < 0 or not _known(file.schema_arrow.field(place).type, kind.field(name).type):
                raise ReportError(f"{path}: is no Parquet file of edge-cxr archive: {name}")
        yield from file.iter_batches(size, columns=list(columns))


def _known(stored: pyarrow.DataType, kind: pyarrow.DataType) -> bool:
    """Whether a column has a type that this version writes, or an earlier one, without `raised`."""
    pa, _ = packages()
    if stored == kind or not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return bool(stored == kind)
    earlier = [field for field in kind.value_type if field.name != "raised"]
    return bool(stored == pa.list_(pa.struct(earlier)))


def is_archive(path: Path) -> bool:
    """Whether a file holds answers rather than foreign columns.

    Raises:
        ReportError: it cannot be read.
    """
    pa, parquet = packages()
    with _reading(path, pa):
        return {"file", "findings", "error"} <= set(parquet.read_schema(path).names)


def plain_columns(path: Path) -> dict[str, list[Any]]:
    """The columns of a foreign file, as texts or numbers.

    Raises:
        ReportError: it cannot be read, or a column has another type.
    """
    pa, parquet = packages()
    with _reading(path, pa):
        _require_small(path, parquet.read_metadata(path), each=False)
        table = parquet.read_table(path, partitioning=None)
        for field in table.schema:
            kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean)
            numbers = (pa.types.is_integer, pa.types.is_floating)
            if not any(is_kind(field.type) for is_kind in (*kinds, *numbers)):
                raise ReportError(f"{path}: its column {field.name!r} is {field.type}")
        return {name: table.column(name).to_pylist() for name in table.column_names}


def _require_small(path: Path, metadata: Any, *, each: bool) -> None:
    sizes = [metadata.row_group(place).total_byte_size for place in range(metadata.num_row_groups)]
    if (max(sizes, default=0) if each else sum(sizes)) > MAX_UNPACKED:
        raise ReportError(f"{path}: unpacks to more than {MAX_UNPACKED} bytes")


@contextmanager
def _reading(path: Path, pa: Any) -> Iterator[None]:
    try:
        yield
    except ReportError:
        raise
    except FileNotFoundError:
        raise ReportError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError):
        raise ReportError(f"{path}: cannot be read, is damaged or no Parquet file") from None
