"""`edge-cxr models`: which model files there are, what is in them, whether they work here."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import JsonOption, ThreadsOption
from edge_app.model.shipped import DEFAULT_MODEL

app = typer.Typer(no_args_is_help=True, help="List, inspect and verify model files.")


@app.command("list")
def models_list(json: JsonOption = False) -> None:
    """The models that came with this package."""
    from edge_app.inspection import catalogue
    from edge_app.model.model_file import shipped_models

    catalogue.print_list(shipped_models(), DEFAULT_MODEL, json)


@app.command("inspect")
def models_inspect(
    model: Annotated[str, typer.Argument(help="A shipped model's name, or a model file.")],
    json: JsonOption = False,
) -> None:
    """Manifest, metrics, input and outputs of a model."""
    from edge_app.inspection import catalogue
    from edge_app.model.model_file import locate, read

    catalogue.print_model(read(locate(model)), json)


@app.command("verify")
def models_verify(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all shipped models.")
    ] = None,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Check digest, schema and tensors, and run the golden vectors on this machine."""
    from edge_app.inspection import catalogue
    from edge_app.model.model_file import locate, shipped_models

    paths = [locate(name) for name in models] if models else shipped_models()
    options = BackendOptions(chosen(backend, runtime, delegate), threads)
    raise typer.Exit(catalogue.verify(paths, options, json))
