"""The commands of a parcel: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from train.console import console, say
from train.options import CACHE, CacheOption, DataArgument, LimitOption
from train.parcel.recipes import SHIPPED

app = typer.Typer(no_args_is_help=True, help="Train on a machine with a GPU and no network.")

MEBIBYTE: Final = 1 << 20

VolumeOption = Annotated[
    float, typer.Option(min=0.01, help="MiB a file; what is larger is cut into pieces.")
]


@app.command()
def make(
    data: DataArgument,
    folder: Annotated[Path, typer.Argument(help="The parcel, made anew.")],
    recipes: Annotated[Path, typer.Option(help="List of runs, as JSON.")] = SHIPPED,
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="WebP's; at 100 every gray level stays.")
    ] = 100,
    volume: VolumeOption = 1000,
    package: Annotated[
        list[str] | None,
        typer.Option(help="NAME or NAME==VERSION to take along; can be repeated."),
    ] = None,
    wheels: Annotated[bool, typer.Option(help="Take along Keras and what it needs.")] = True,
    python: Annotated[str, typer.Option(help="The machine's version of Python.")] = "3.12",
    limit: LimitOption = None,
) -> None:
    """Write what travels: pictures, ImageNet weights, recipes, wheels, a script."""
    from train.parcel import make as making

    packages = (package or making.PACKAGES) if wheels else ()
    about = making.make(
        data,
        folder,
        recipes,
        quality=quality,
        volume=int(volume * MEBIBYTE),
        limit=limit,
        packages=packages,
        python=python,
        console=console,
    )
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    error = about["error"]
    say(
        console,
        f"written: {folder}, {total / MEBIBYTE:.1f} MiB; {about['images']} pictures, off by "
        f"{error['mean']} gray levels on average ({error['rms']} root mean square)",
    )


@app.command()
def run(
    parcel: Annotated[Path, typer.Argument(help="What `make` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of results.")],
    seconds: Annotated[float, typer.Option(help="The time there is.")] = float("inf"),
    runs: Annotated[Path, typer.Option(help="Folder of runs; the same one goes on.")] = Path(
        "runs"
    ),
    precision: Annotated[str, typer.Option(help="auto, float32 or mixed_bfloat16.")] = "auto",
    half: Annotated[bool, typer.Option(help="Results in float16, half as large.")] = False,
    state: Annotated[
        bool, typer.Option(help="With the optimizer's state, so that runs go on exactly.")
    ] = False,
    volume: VolumeOption = 15.5,
    cache: CacheOption = CACHE,
) -> None:
    """Train the list, there, within the time there is."""
    from train import backend
    from train.parcel.run import run_parcel

    failed = run_parcel(
        parcel,
        out,
        runs,
        cache,
        console,
        seconds=seconds,
        precision=backend.precision(precision),
        half=half,
        state=state,
        volume=int(volume * MEBIBYTE),
    )
    raise typer.Exit(4 if failed else 0)


@app.command()
def unpack(
    results: Annotated[Path, typer.Argument(help="Folder of what came back.")],
    data: DataArgument,
    runs: Annotated[Path, typer.Option(help="Folder for the run folders.")] = Path("runs"),
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Make run folders of what came back, at home."""
    from train.parcel.unpack import unpack as unpack_results

    unpack_results(results, data, runs, cache, limit, console)
