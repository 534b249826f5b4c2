# Three commands: `make demo` scores a picture, `make check` runs the quick checks, `make
# test` runs everything. Each makes the environment that it needs.
PYTHON ?= python3
DEMO := .venv/demo
CHECK := .venv/check
DEVICE := .venv/device
WORKSTATION := .venv/workstation
DOCS := .venv/docs
APPLICATION := pyproject.toml $(wildcard edge_app/*.py edge_app/*/*.py edge_app/*/*.json edge_app/*/*.css edge_app/model/shipped/*)
CODE := edge_app train quantize benchmarks boards tools tests examples
INSTALL := tools/pip_install.sh

# Tests start many processes: without bytecode each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
# Two files of tests at a time on two cores, in the order of tests/conftest.py: left to itself pytest-xdist begins with
# files of many tests, and one core would wait for a slow file of few at the end. There, what takes longest is told.
PYTEST := -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 15
FAST := not slow and not process and not data
EMULATED := tests/boards/test_emulated.py
OWN_MODEL := tests/boards/test_own_model.py

.PHONY: demo check test quick-lint format lint peers test-device test-workstation test-pi coverage wheel kit docs clean

demo: $(DEMO)/installed
	@echo "== edge-cxr classify examples/synthetic-radiograph.png"
	@$(DEMO)/bin/edge-cxr classify examples/synthetic-radiograph.png
	@echo "== your own picture: $(DEMO)/bin/edge-cxr classify IMAGE"

# What waits for the network, unpacks or has one process runs beside something else. The two environments are made one
# after the other: both write the checkout's egg-info.
test:
	@$(MAKE) --no-print-directory -j2 peers $(DEVICE)/installed
	@$(MAKE) --no-print-directory -j2 test-pi $(WORKSTATION)/installed
	@$(MAKE) --no-print-directory -j2 lint test-device
	@$(MAKE) --no-print-directory test-workstation
	@echo "== all checks passed"

# Every step runs, whatever became of those before it; the last line names those that failed.
define ALL_OF
	@failed=; \
	step() { name=$$1; shift; echo "== $$name"; "$$@" || failed="$$failed$${failed:+, }$$name"; }; \
	$(1) \
	case "$$failed" in formatting*) echo "== make format mends the formatting" >&2;; esac; \
	if [ "$$failed" ]; then echo "== failed: $$failed" >&2; exit 1; fi
endef

# The same tools in whichever environment is at hand: mypy does not follow TensorFlow or Keras.
define LINT
	step formatting $(1)/bin/ruff format --check $(CODE); \
	step lint $(1)/bin/ruff check $(CODE); \
	step types $(1)/bin/mypy; \
	step "import contracts" $(1)/bin/lint-imports --no-logo;
endef

# mypy computes beside the other steps and is told after them. The tests' files lie in memory where there is enough of it:
# they wait for no disk, and `make test` runs the same tests on one.
define CHECKS
	files=$$(mktemp -d); \
	trap 'kill $$typing 2>/dev/null; rm -rf "$$files" "$$memory"' EXIT; trap 'exit 130' INT; trap 'exit 143' HUP TERM; \
	$(CHECK)/bin/mypy >"$$files/types" 2>&1 & typing=$$!; \
	typed() { wait $$typing; code=$$?; cat "$$files/types"; return $$code; }; \
	room=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $$4 }'); \
	memory=; if [ "$${room:-0}" -gt 1000000 ]; then memory=$$(mktemp -d /dev/shm/edge-cxr.XXXXXX); fi; \
	step formatting $(CHECK)/bin/ruff format --check $(CODE); \
	step lint $(CHECK)/bin/ruff check $(CODE); \
	step "import contracts" $(CHECK)/bin/lint-imports --no-logo; \
	step "fast device tests" env TMPDIR="$${memory:-$$files}" $(CHECK)/bin/python $(PYTEST) -m "$(FAST)" tests/device tests/tools; \
	step types typed;
endef

check: $(CHECK)/installed
	$(call ALL_OF,$(CHECKS))
	@skipped=$$(cat .pytest_cache/v/edge-cxr/skipped 2>/dev/null | tr -d '"'); \
	echo "== the quick checks passed; $${skipped:+$$skipped: }make test runs all of them, and the slow ones"

quick-lint: $(CHECK)/installed
	$(call ALL_OF,$(call LINT,$(CHECK)))

format: $(CHECK)/installed
	@$(CHECK)/bin/ruff format $(CODE)
	@$(CHECK)/bin/ruff check --fix $(CODE)

lint: $(WORKSTATION)/installed
	$(call ALL_OF,$(call LINT,$(WORKSTATION)))

peers:
	@tests/install_peers.sh

# Three processes on two cores: these tests often wait, for the disk, for peers and for processes of their own.
test-device: peers $(DEVICE)/installed
	@echo "== device tests, in an environment without TensorFlow"
	@$(DEVICE)/bin/python $(PYTEST) --numprocesses $$(($$(nproc) * 3 / 2)) tests/device tests/tools

# The first of them take a network that is imported here to an emulated board.
test-workstation: $(WORKSTATION)/installed
	@echo "== workstation tests"
	@$(WORKSTATION)/bin/python $(PYTEST) $(OWN_MODEL) \
		$(filter-out %/__pycache__/ tests/device/ tests/boards/ tests/tools/,$(wildcard tests/*/))

# Lines and branches of edge_app that the device tests run, and those that they do not: no part of
# `make test`, because counting them makes the tests take longer.
coverage: peers $(DEVICE)/installed
	@$(INSTALL) $(DEVICE) 'pytest-cov>=6' 'coverage>=7.10'
	@$(DEVICE)/bin/python $(PYTEST) --cov --cov-report term-missing:skip-covered tests/device

# Systems and wheels of the boards are kept in .boards. What takes longest begins first.
test-pi: $(DEVICE)/installed
	@echo "== boards: the kit, small boards, and Raspberry Pis under emulation"
	@$(DEVICE)/bin/python $(PYTEST) $(EMULATED) $(filter-out $(EMULATED) $(OWN_MODEL),$(wildcard tests/boards/test_*.py))

kit: $(DEVICE)/installed
	@for target in pi64 pi32 x86-64; do $(DEVICE)/bin/python -m boards kit --target $$target || exit; done

wheel: $(DEMO)/installed
	@rm -rf build
	@$(DEMO)/bin/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls -l dist

# The manual as a site, in site/: no link dead, nothing loaded from elsewhere. To search in it, let
# `python3 -m http.server --directory site` serve it.
docs: $(DOCS)/installed
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs --quiet build --strict
	@echo "== the manual is in site/index.html"

# The demo's environment holds what a device would: the wheel and its few dependencies.
$(DEMO)/installed: $(APPLICATION)
	@echo "== making $(DEMO): the device application, no TensorFlow; half a minute or so"
	@test -d $(DEMO) || $(PYTHON) -m venv $(DEMO)
	@rm -rf build  # what an earlier build left there would come along
	@$(INSTALL) $(DEMO) --force-reinstall --no-deps .
	@$(INSTALL) $(DEMO) .
	@touch $@

# Without OpenCV (150 MB) and DICOM's codecs (40 MB): tests that need them are skipped, and left to
# `make test`. Without pip and its setuptools.
$(CHECK)/installed: pyproject.toml
	@echo "== making $(CHECK): the device application, pydicom, the linters and the test tools; half a minute or so"
	@$(PYTHON) -m venv --clear $(CHECK)
	@$(INSTALL) $(CHECK) --editable '.[test,lint]' 'pydicom>=3.0,<4'
	@$(CHECK)/bin/python -m pip --disable-pip-version-check uninstall -qq --yes setuptools pip
	@touch $@
	@echo "== $(CHECK) takes $$(du -sm $(CHECK) | cut -f1) MB"

$(DEVICE)/installed: pyproject.toml
	@echo "== making $(DEVICE): the device application, its extras and the test tools; a minute or two"
	@test -d $(DEVICE) || $(PYTHON) -m venv $(DEVICE)
	@$(INSTALL) $(DEVICE) --editable '.[dicom,clinic,opencv,openvino,archive,test,oracles,s3-server,browser,boards]'
	@touch $@

$(WORKSTATION)/installed: pyproject.toml
	@echo "== making $(WORKSTATION): TensorFlow, JAX and the rest, some GB; two to three minutes, or as long as the network takes"
	@test -d $(WORKSTATION) || $(PYTHON) -m venv $(WORKSTATION)
	@$(INSTALL) $(WORKSTATION) --editable '.[dicom,opencv,workstation,jax,test,lint]'
	@touch $@

$(DOCS)/installed: pyproject.toml
	@echo "== making $(DOCS): MkDocs, and the device application, whose code the reference is made from; half a minute or so"
	@test -d $(DOCS) || $(PYTHON) -m venv $(DOCS)
	@$(INSTALL) $(DOCS) --editable '.[docs]'
	@touch $@

clean:
	rm -rf .venv .boards build dist site *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
