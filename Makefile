# The pipeline: what is made from what.
#
#   make                                  every part on the embedded sample, in minutes on a CPU
#   make test                             the tests
#   make test-slow                        those that kill runs, fill the disk and start a Slurm, minutes more
#   make bench                            every part beside the assignment's loops, timed
#   make all IMDB=aclImdb_v1.tar.gz GLOVE=glove.840B.300d.zip
#                                         the real thing at the assignment's settings, on a GPU node;
#                                         without IMDB it is downloaded, without GLOVE vectors are learned
#   make trials PARTS="1a 2a" RECIPES="overfit underfit" SEEDS="0 1 2"
#                                         parts at other settings, by recipe and seed; best trains 1a's teacher
#                                         first, and for 3c a language model of its own, by 3a's recipe long
#   make report                           one page about all that was trained, results/report.html, and a sheet to hand
#                                         in, results/hand_in.csv
#   make ... VENV= PYTHON=python          with a Python of your own instead of a virtual environment
#
# A part counts as trained when its stamp .trained is there, which holds its options. The stamp goes before the part's
# script runs, so that a run that is killed is trained again.

VENV   ?= .venv
PYTHON ?= $(VENV)/bin/python
# Two workers with a core each; a file's tests stay together, since they share what they train.
PYTEST := OMP_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses 2 --dist loadfile
IMDB   ?=
GLOVE  ?= train

CLASSIFIERS := 1a 1b 2a 2b 3c
# Of the trials: which parts, with which recipes and seeds, and where.
PARTS   ?= 1a 1b 2a 2b
RECIPES ?= assignment overfit underfit
SEEDS   ?= 0
TRIALS  ?= results/trials

# The recursive calls below set these for the sample; a variable DATA that a site's environment has is not ours.
DATA    := preprocessed_data
RESULTS := .
REPORT  := results
quoted   = '$(subst ','\'',$(1))'
SOURCE  := $(if $(IMDB),--imdb $(call quoted,$(IMDB)),--download) --glove $(call quoted,$(GLOVE))
$(foreach name,DATA RESULTS REPORT TRIALS VENV,$(if $(word 2,$(subst ',. .,$($(name)))),$(error \
	$(name)=$($(name)): make takes no folder with spaces or quotes in its name here; choose another)))

SMALL := --batch-size 50 --learning-rate 0.003
SAMPLE := DATA=preprocessed_data/sample RESULTS=results/sample REPORT=results/sample TRIALS= \
	SOURCE='--sample --glove train' \
	OPTIONS_1a='--hidden-units 100 --epochs 12' OPTIONS_1b='--hidden-units 100 --epochs 12' \
	OPTIONS_2a='--hidden-units 64 --sequence-length 50 --epochs 12 $(SMALL)' \
	OPTIONS_2b='--hidden-units 64 --sequence-length 50 --epochs 18 --dropout 0.2 $(SMALL)' \
	OPTIONS_3a='--hidden-units 64 --sequence-length 20 --epochs 12 --step-epochs 10 $(SMALL)' \
	OPTIONS_3b='--length 40' \
	OPTIONS_3c='--fine-tune all --sequence-length 50 --epochs 12 --dropout 0.2 $(SMALL)'

.PHONY: sample all test test-slow bench ladder trials report
.DELETE_ON_ERROR:

sample:
	@$(MAKE) --no-print-directory ladder $(SAMPLE)

all:
	@$(MAKE) --no-print-directory ladder

test: $(if $(VENV),$(VENV)/installed-for-tests)
	$(PYTEST)

test-slow: $(if $(VENV),$(VENV)/installed-for-tests)
	$(PYTEST) -m slow

bench: $(if $(VENV),$(VENV)/installed)
	$(PYTHON) benchmarks/bench.py

ladder: $(foreach part,$(CLASSIFIERS),$(RESULTS)/$(part)/test_table.csv) $(RESULTS)/3b/.trained
	@echo
	@$(MAKE) --no-print-directory report

$(if $(filter-out $(CLASSIFIERS),$(PARTS)),$(error PARTS: any of $(CLASSIFIERS)))
KINDS := $(foreach part,$(PARTS),$(addprefix $(part)/,$(RECIPES)))
trials: $(foreach kind,$(KINDS),$(foreach seed,$(SEEDS),$(TRIALS)/$(kind)-$(seed)/test_table.csv))

report: $(if $(VENV),$(VENV)/installed)
	@$(PYTHON) -m common.results.report $(wildcard $(foreach part,$(CLASSIFIERS) 3a 3b,$(RESULTS)/$(part)) $(TRIALS)) \
		--output $(REPORT)

$(VENV)/installed: requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(VENV)/installed-for-tests: tests/requirements.txt $(VENV)/installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The last file that preprocess_data.py writes stands for all of them.
READY := $(DATA)/imdb_test_glove.txt
$(READY): | $(if $(VENV),$(VENV)/installed)
	$(PYTHON) preprocess_data.py $(SOURCE) --output $(DATA)
	@printf '%s\n' $(call quoted,$(SOURCE)) > $(DATA)/.source

# Reviews or vectors that are named, but are not those that the files were made from, are preprocessed anew.
ifneq ($(IMDB)$(filter-out train,$(GLOVE)),)
ifneq ($(shell cat $(DATA)/.source 2>/dev/null),$(SOURCE))
$(READY): FORCE
endif
endif
FORCE:

# The language model that 3b and 3c start from; the best 3c's has not read the duplicates of test reviews.
LANGUAGE_MODEL = $(if $(filter best,$(4)),$(TRIALS)/3a/long-0,$(RESULTS)/3a)
# The best recipes but 3c's learn from the unlabelled reviews as 1a's teacher of the same seed labels them.
LABELS = $(if $(filter best,$(4)),$(if $(filter-out 3c,$(1)),$(TRIALS)/1a/teacher-$(3)/pseudo_labels.npz))
# FORCE where options are named, but are not those that the part was trained with: its script then says what to do.
CHANGED = $(if $(OPTIONS_$(1)),$(if $(subst =$(OPTIONS_$(1)),,=$(shell cat $(2)/.trained 2>/dev/null)),FORCE))
# FORCE where what the part's script writes is gone.
WRITES_3a := test_table.csv
WRITES_3b := generated_reviews.txt
GONE = $(if $(wildcard $(2)/$(or $(WRITES_$(1)),*.model)),,FORCE)
# train part folder seed recipe
define train
$(2)/.trained: $(READY) $(if $(filter 3b 3c,$(1)),$(LANGUAGE_MODEL)/.trained) $(LABELS) $(CHANGED) $(GONE)
	@rm -f $$@
	$(PYTHON) $$$$($(PYTHON) -m common.parts train $(1)) --data $(DATA) --output $(2) \
		$(if $(filter 3b 3c,$(1)),--language-model $(LANGUAGE_MODEL)/language.model) \
		$(if $(4),--recipe $(4) --seed $(3)) $(addprefix --pseudo-labels ,$(LABELS)) $$(OPTIONS_$(1))
	@printf '%s\n' $$(call quoted,$$(OPTIONS_$(1))) > $$@
endef

# train_and_test classifier folder seed recipe
define train_and_test
$(train)

$(2)/test_table.csv: $(2)/.trained
	$(PYTHON) $$$$($(PYTHON) -m common.parts test $(1)) --data $(DATA) --output $(2)
endef

$(TRIALS)/1a/%/pseudo_labels.npz: $(TRIALS)/1a/%/.trained
	$(PYTHON) $$($(PYTHON) -m common.parts test 1a) --data $(DATA) --output $(@D) --unlabelled

$(foreach part,$(CLASSIFIERS),$(eval $(call train_and_test,$(part),$(RESULTS)/$(part))))
$(foreach part,3a 3b,$(eval $(call train,$(part),$(RESULTS)/$(part))))
$(foreach kind,$(sort $(KINDS) 1a/teacher),$(foreach seed,$(SEEDS),$(eval \
	$(call train_and_test,$(firstword $(subst /, ,$(kind))),$(TRIALS)/$(kind)-$(seed),$(seed),$(notdir $(kind))))))
$(eval $(call train,3a,$(TRIALS)/3a/long-0,0,long))
