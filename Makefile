# Everything a newcomer needs: `make quickstart` and `make test`. PYTHON chooses the interpreter,
# JOBS how many processes test.
PYTHON ?= python3
JOBS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: venv quickstart test test-all check lint docs clean
venv: $(VENV)/installed

$(VENV)/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'tfgans needs Python 3.11 or newer: make PYTHON=python3.12 ...')"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

quickstart: venv
	$(RUN) launch/train.py --gin_file=gin_configs/quickstart.gin --model_dir=runs/quickstart
	$(RUN) launch/evaluate.py --model_dir=runs/quickstart
	$(RUN) launch/generate.py --model_dir=runs/quickstart --output_dir=runs/quickstart/generated --overwrite --num_images=100 --labels=0,1,2,3,4,5,6,7,8,9

# `test` leaves out tests of some seconds and further cases of harnesses (tests/slow.py), `test-all` nothing.
TEST = $(RUN) -m pytest tests --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder
test: venv
	$(TEST) -m "not slow"

test-all: venv
	$(TEST)

# Lint and a core of the tests, in minutes: the house, every hook and method one step, one resume, one command each.
CORE = tests/test_house.py tests/config tests/gan/test_gan.py tests/methods/test_pairs.py::test_what_travels_in_a_batch_is_documented \
  tests/methods/test_pairs.py::test_attributes_of_methods_do_not_meet tests/run/test_resume.py::test_any_split_is_the_same_run \
  tests/commands/test_help.py tests/commands/test_fid_command.py tests/compare/test_collect.py tests/test_losses.py \
  tests/test_penalties.py tests/test_optimizers.py tests/evaluate/test_published_metrics.py tests/evaluate/test_resizing.py \
  tests/commands/test_finished_runs.py::test_evaluate_prints_and_appends_one_repeatable_row \
  tests/commands/test_finished_runs.py::test_generate_writes_images_and_a_grid
check: lint
	$(RUN) -m pytest $(CORE) --deselect tests/test_house.py::test_python_of_pages_runs --numprocesses=$(JOBS) --dist=worksteal

lint: venv
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# Every module but the one that has only names of others; packages bring their modules a second time.
MODULES = $(sort $(subst /,.,$(patsubst %/__init__,%,$(basename $(filter-out tfgans/__init__.py %/__main__.py,$(shell find tfgans -name '*.py'))))))
# First a copy of all pages that lie where they lie here, so that links and pictures are found; pdoc adds its own to them.
PAGES = build/pages
docs: venv
	$(RUN) -m pip install --quiet --constraint constraints.txt mkdocs pdoc
	rm -rf $(PAGES) build/docs
	mkdir -p $(PAGES)
	cp -R README.md CONTRIBUTING.md CHANGELOG.md docs gin_configs $(PAGES)
	@echo "reading the docstrings of tfgans (half a minute)"
	@TF_CPP_MIN_LOG_LEVEL=3 PDOC_ALLOW_EXEC=1 $(RUN) -W "ignore:The module specification" -m pdoc --docformat google --template-directory docs/site --output-directory $(PAGES)/api $(MODULES)
	$(RUN) -m mkdocs build --quiet
	@echo "build/docs/index.html has all pages"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
