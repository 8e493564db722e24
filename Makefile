# The pipeline: what is made from what.
#
#   make                                  every part on the embedded sample, in minutes on a CPU
#   make test                             the tests
#   make test-slow                        those that kill runs, fill the disk and start a Slurm, minutes more
#   make lint                             ruff and mypy
#   make bench                            every part beside the machine's limit, timed
#   make all IMDB=aclImdb_v1.tar.gz GLOVE=glove.840B.300d.zip
#                                         the real thing at the assignment's settings, on a GPU node;
#                                         without IMDB it is downloaded, without GLOVE vectors are learned
#   make trials PARTS="1a 2a" RECIPES="overfit underfit" SEEDS="0 1 2"
#                                         parts at other settings, by recipe and seed; best trains 1a's teacher
#                                         first, and for 3c a language model of its own, by 3a's recipe long
#   make report                           one page about all that was trained, results/report.html, and a sheet to hand
#                                         in, results/hand_in.csv
#   make ... OPTIONS_2a="--epochs 30"     with options of a part's training script
#   make ... PYTHON=python3.12            with another Python than python3 in the virtual environment
#   make ... VENV= PYTHON=python          with a Python of your own instead of a virtual environment
#   make ... VERSIONS=newest              of the packages, in a new virtual environment; see below
#
# The scripts know whether their work is done: make starts those whose inputs are newer, whose reviews, vectors or
# options are named, or that were stopped, and they resume, end at once, or refuse.
#
# Variables count on the command line alone: a PYTHON or DATA in a site's environment means something else.

VENV     := .venv
PYTHON   := python3
python   := $(if $(VENV),$(VENV)/bin/python,$(PYTHON))
VERSIONS := tested
IMDB     :=
GLOVE    := train

# Of the trials: which parts, with which recipes and seeds, and where.
CLASSIFIERS := 1a 1b 2a 2b 3c
PARTS    := 1a 1b 2a 2b
RECIPES  := assignment overfit underfit
SEEDS    := 0
TRIALS   := results/trials

# The recursive calls below set these for the sample.
DATA     := preprocessed_data
RESULTS  := .
REPORT   := results
quoted    = '$(subst ','\'',$(1))'
SOURCE   := $(if $(IMDB),--imdb $(call quoted,$(IMDB)),--download) --glove $(call quoted,$(GLOVE))

$(foreach name,DATA RESULTS REPORT TRIALS VENV,$(if $(word 2,$(subst ',. .,$($(name)))),$(error \
	$(name)=$($(name)): make takes no folder with spaces or quotes in its name here; choose another)))
$(if $(filter-out $(CLASSIFIERS),$(PARTS)),$(error PARTS: any of $(CLASSIFIERS)))
unexport PYTHONSAFEPATH			# with it, Python does not find common/

SMALL := --batch-size 50 --learning-rate 0.003
SAMPLE := DATA=preprocessed_data/sample RESULTS=results/sample REPORT=results/sample TRIALS= \
	SOURCE='--sample --glove train' \
	OPTIONS_1a='--hidden-units 100 --epochs 12' OPTIONS_1b='--hidden-units 100 --epochs 12' \
	OPTIONS_2a='--hidden-units 64 --sequence-length 50 --epochs 12 $(SMALL)' \
	OPTIONS_2b='--hidden-units 64 --sequence-length 50 --epochs 18 --dropout 0.2 $(SMALL)' \
	OPTIONS_3a='--hidden-units 64 --sequence-length 20 --epochs 12 --step-epochs 10 $(SMALL)' \
	OPTIONS_3b='--length 40' \
	OPTIONS_3c='--fine-tune all --sequence-length 50 --epochs 12 --dropout 0.2 $(SMALL)'

.PHONY: sample all ladder trials report bench test test-slow lint FORCE

sample:
	@$(MAKE) --no-print-directory ladder $(SAMPLE)

all:
	@$(MAKE) --no-print-directory ladder

# Packages. `tested` has the torch that the tests run on; any that requirements.txt allows will do.
tested := torch==2.13.0
oldest  = $(shell sed -n 's/>=/==/p' requirements.txt)
newest :=
INSTALLED := $(if $(VENV),$(VENV)/installed)
READY_TO_TEST := $(if $(VENV),$(VENV)/installed-for-tests)

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: $(PYTHON) is Python %d.%d; name \
	3.10 or newer, as in make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $< $($(VERSIONS))
	touch $@

$(VENV)/installed-for-tests: tests/requirements.txt $(VENV)/installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Tests, on two workers with a core each; a file's tests stay together, since they share what they train.
PYTEST := OMP_NUM_THREADS=1 $(python) -m pytest --numprocesses 2 --dist loadfile
TESTS  := tests

test: $(READY_TO_TEST)
	$(PYTEST) $(TESTS)

test-slow: $(READY_TO_TEST)
	$(PYTEST) $(TESTS) -m slow

lint: $(READY_TO_TEST)
	$(python) -m ruff check .
	$(python) -m mypy

bench: $(INSTALLED)
	$(python) benchmarks/bench.py

# Preprocessed files; the last one that is written stands for all of them.
READY := $(DATA)/imdb_test_glove.txt
$(READY): $(if $(filter-out --download --glove 'train',$(SOURCE)),FORCE) | $(INSTALLED)
	$(python) preprocess_data.py $(SOURCE) --output $(DATA)

# Folders of results: of the parts, and PART/RECIPE-SEED of the trials.
LADDER   := $(addprefix $(RESULTS)/,$(CLASSIFIERS))
CHOSEN   := $(foreach part,$(PARTS),$(foreach recipe,$(RECIPES),$(addprefix $(TRIALS)/$(part)/$(recipe)-,$(SEEDS))))
TEACHERS := $(addprefix $(TRIALS)/1a/teacher-,$(SEEDS))
LONG     := $(TRIALS)/3a/long-0
BAGS     := $(filter $(RESULTS)/1% $(TRIALS)/1%,$(sort $(LADDER) $(CHOSEN) $(TEACHERS)))
LSTMS    := $(filter-out $(BAGS),$(sort $(LADDER) $(CHOSEN)))
MODELS   := $(BAGS:=/BOW.model) $(LSTMS:=/rnn.model) $(RESULTS)/3a/language.model $(LONG)/language.model
REVIEWS  := $(RESULTS)/3b/generated_reviews.txt

ladder: $(LADDER:=/test_table.csv) $(REVIEWS)
	@echo
	@$(MAKE) --no-print-directory report

trials: $(CHOSEN:=/test_table.csv)

report: $(INSTALLED)
	@$(python) -m common.results.report $(wildcard $(LADDER) $(RESULTS)/3a $(RESULTS)/3b $(TRIALS)) --output $(REPORT)

# What the parts start from. The best 3c's language model has not read the duplicates of test reviews; the other best
# recipes learn from the unlabelled reviews as 1a's teacher of the same seed labels them.
$(MODELS) $(REVIEWS): $(READY)
BEST_3C := $(filter $(TRIALS)/3c/best-%,$(LSTMS))
$(BEST_3C:=/rnn.model): $(LONG)/language.model
$(addsuffix /rnn.model,$(filter-out $(BEST_3C),$(filter $(RESULTS)/3c $(TRIALS)/3c/%,$(LSTMS)))) $(REVIEWS): \
	$(RESULTS)/3a/language.model
$(foreach seed,$(SEEDS),$(eval \
	$(filter-out $(TRIALS)/3c/%,$(filter $(addprefix %/best-$(seed)/,BOW.model rnn.model),$(MODELS))): \
	$(TRIALS)/1a/teacher-$(seed)/pseudo_labels.npz))

# A stopped training leaves a model, too, but no record.
part      = $(lastword $(filter $(CLASSIFIERS) 3a 3b,$(subst /, ,$(1))))
stopped   = $(if $(wildcard $(dir $(1))record.json),,$(filter $(MODELS),$(1)))
$(foreach file,$(MODELS) $(REVIEWS),$(if $(OPTIONS_$(call part,$(file)))$(call stopped,$(file)),$(file))): FORCE
.PRECIOUS: $(MODELS)			# Ctrl-C leaves the model of the last epoch

# With make -j4 four parts train at once, and share the cores.
at_once   = $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS)))
share     = $(if $(filter -j%,$(MAKEFLAGS)),$(if $(OMP_NUM_THREADS),,OMP_NUM_THREADS=$(shell \
	cores=$$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN); \
	echo $$((cores > $(or $(at_once),cores) ? cores / $(or $(at_once),cores) : 1)))))
trial     = $(subst -, ,$(filter-out $(call part,$@),$(notdir $(@D))))
run       = $(share) $(python) $(1) --data $(DATA) --output $(@D)
train     = $(run) $(if $(trial),--recipe $(firstword $(trial)) --seed $(lastword $(trial))) \
	$(addprefix --language-model ,$(filter %/language.model,$^)) \
	$(addprefix --pseudo-labels ,$(filter %/pseudo_labels.npz,$^)) $(OPTIONS_$(call part,$@))

$(BAGS:=/BOW.model):
	$(call train,$(call part,$@)/BOW_sentiment_analysis.py)
$(LSTMS:=/rnn.model):
	$(call train,$(call part,$@)/RNN_sentiment_analysis.py)
%/language.model:
	$(call train,3a/train_language_model.py)
%/generated_reviews.txt:
	$(call train,3b/generate_review.py)

$(BAGS:=/test_table.csv): %/test_table.csv: %/BOW.model
	$(call run,$(call part,$@)/BOW_test.py)
$(LSTMS:=/test_table.csv): %/test_table.csv: %/rnn.model
	$(call run,$(call part,$@)/RNN_test.py)
%/pseudo_labels.npz: %/BOW.model
	$(call run,1a/BOW_test.py) --unlabelled
