# Two commands: `make demo` scores a picture, `make test` runs every check. Each makes what it needs.
PYTHON ?= python3
DEMO := .venv/demo
DEVICE := .venv/device
WORKSTATION := .venv/workstation
APPLICATION := pyproject.toml $(wildcard edge_app/*.py edge_app/*/*.py edge_app/*/*.json edge_app/model/shipped/*)
CODE := edge_app train quantize benchmarks boards tools tests examples
PIP := -m pip --disable-pip-version-check install --quiet

# Tests start hundreds of processes: without bytecode each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
# Two files of tests at a time on two cores.
PYTEST := -m pytest --numprocesses auto --dist loadfile

.PHONY: demo test lint test-device test-workstation test-pi wheel kit clean

demo: $(DEMO)/installed
	@echo "== edge-cxr classify examples/synthetic-radiograph.png"
	@$(DEMO)/bin/edge-cxr classify examples/synthetic-radiograph.png

test: lint test-device test-workstation test-pi
	@echo "== all checks passed"

lint: $(WORKSTATION)/installed
	@echo "== ruff, mypy and the import contracts"
	@$(WORKSTATION)/bin/ruff check $(CODE)
	@$(WORKSTATION)/bin/ruff format --check $(CODE)
	@$(WORKSTATION)/bin/mypy
	@$(WORKSTATION)/bin/lint-imports --no-logo

test-device: $(DEVICE)/installed
	@echo "== device tests, in an environment without TensorFlow"
	@$(DEVICE)/bin/python $(PYTEST) tests/device tests/tools

test-workstation: $(WORKSTATION)/installed
	@echo "== workstation tests"
	@$(WORKSTATION)/bin/python $(PYTEST) tests --ignore tests/device --ignore tests/boards --ignore tests/tools

# Systems and wheels of the boards are kept in .boards.
test-pi: $(DEVICE)/installed
	@echo "== boards: the kit, small boards, and Raspberry Pis under emulation"
	@$(DEVICE)/bin/python -m pytest tests/boards

kit: $(DEVICE)/installed
	@for target in pi64 pi32 x86-64; do $(DEVICE)/bin/python -m boards kit --target $$target || exit; done

wheel: $(WORKSTATION)/installed
	@rm -rf build
	@$(WORKSTATION)/bin/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -l dist

# The demo's environment holds what a device would: the wheel and its few dependencies.
$(DEMO)/installed: $(APPLICATION)
	@echo "== making $(DEMO): the device application, no TensorFlow"
	@test -d $(DEMO) || $(PYTHON) -m venv $(DEMO)
	@rm -rf build  # what an earlier build left there would come along
	@$(DEMO)/bin/python $(PIP) --force-reinstall --no-deps .
	@$(DEMO)/bin/python $(PIP) .
	@touch $@

$(DEVICE)/installed: pyproject.toml
	@echo "== making $(DEVICE): the device application, its extras and the test tools"
	@test -d $(DEVICE) || $(PYTHON) -m venv $(DEVICE)
	@$(DEVICE)/bin/python $(PIP) --editable '.[dicom,opencv,openvino,test,boards]'
	@touch $@

$(WORKSTATION)/installed: pyproject.toml
	@echo "== making $(WORKSTATION): TensorFlow and the rest, about 2.5 GB; minutes the first time"
	@test -d $(WORKSTATION) || $(PYTHON) -m venv $(WORKSTATION)
	@$(WORKSTATION)/bin/python $(PIP) --editable '.[dicom,opencv,workstation,test,lint]'
	@touch $@

clean:
	rm -rf .venv .boards build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
