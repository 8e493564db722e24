"""1a's best recipe beside two scikit-learn baselines on bags of n-grams, on the same token files in one run.

    python -m pip install -r benchmarks/requirements.txt
    python benchmarks/peers.py --data preprocessed_data

Times each from the token files to the test accuracy. Ours are four commands: the teacher, its labels for the unlabelled
reviews, the best recipe, and its test. The baselines learn from the labelled reviews: logistic regression on TF-IDF of
one and two words, and on n-grams of up to three words weighted by naive Bayes (Wang and Manning 2012).
"""

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from common.arguments import Parser, path
from common.data.token_files import read_review_table
from common.errors import UserError, run_script
from common.parts import PARTS
from common.results.records import read_table


def ours(data):
    """Test accuracy in percent of 1a's best recipe, trained and tested by its scripts."""
    with tempfile.TemporaryDirectory() as folder:
        teacher, best = Path(folder) / "teacher", Path(folder) / "best"
        labels = "--pseudo-labels", teacher / "pseudo_labels.npz"
        for script, *options in ((PARTS["1a"].train, "--recipe", "teacher", "--output", teacher),
                                 (PARTS["1a"].test, "--unlabelled", "--output", teacher),
                                 (PARTS["1a"].train, "--recipe", "best", *labels, "--output", best),
                                 (PARTS["1a"].test, "--output", best)):
            started = time.perf_counter()
            subprocess.run([sys.executable, ROOT / script, "--data", data, *options], check=True,
                           stdout=subprocess.DEVNULL)
            print(f"    {time.perf_counter() - started:6.1f} s  {script} {' '.join(map(str, options[:2]))}", flush=True)
        return float(read_table(best / "test_table.csv")[0]["test accuracy"])


def read_split(data, split):
    """(lines of token ids, labels) of the labelled reviews of a split."""
    labels = np.array(read_review_table(data / f"imdb_{split}_reviews.tsv")[0])
    lines = (data / f"imdb_{split}.txt").read_text().splitlines()
    return [line for line, label in zip(lines, labels) if label == label], labels[labels == labels]


def tf_idf(data):
    """Test accuracy in percent of logistic regression on TF-IDF of one and two words."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # not a requirement of the project
    return fit(data, TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), min_df=2, sublinear_tf=True), C=10)


def naive_bayes(data):
    """Test accuracy in percent of logistic regression on n-grams of up to three words, weighted by naive Bayes."""
    from sklearn.feature_extraction.text import CountVectorizer
    return fit(data, CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 3), binary=True, dtype=np.float32),
               weigh=True, C=1, solver="liblinear", dual=True)


def fit(data, vectorizer, weigh=False, **regression):
    """Test accuracy in percent of logistic regression on the features of a vectorizer."""
    from sklearn.linear_model import LogisticRegression
    (train, t), (test, labels) = read_split(data, "train"), read_split(data, "test")
    x, x_test = vectorizer.fit_transform(train), vectorizer.transform(test)
    if weigh:
        positive, negative = (1 + np.asarray(x[t == label].sum(axis=0)) for label in (1, 0))
        ratio = np.log((positive / positive.sum()) / (negative / negative.sum())).astype(np.float32)
        x, x_test = x.multiply(ratio).tocsr(), x_test.multiply(ratio).tocsr()
    return 100 * (LogisticRegression(max_iter=1000, **regression).fit(x, t).predict(x_test) == labels).mean()


def main():
    parser = Parser(__doc__)
    parser.add_argument("--data", type=path, default=ROOT / "preprocessed_data",
                        help="folder of the preprocessed files")
    data = parser.parse_args().data
    if not importlib.util.find_spec("sklearn"):
        raise UserError("scikit-learn: not installed; install it with `python -m pip install -r "
                        "benchmarks/requirements.txt`")
    for name, run in (("TF-IDF of 1 and 2 words, logistic regression", tf_idf),
                      ("n-grams of 1 to 3 words by naive Bayes, logistic regression", naive_bayes),
                      ("1a, recipe best, with its teacher", ours)):
        started = time.perf_counter()
        accuracy = run(data)
        print(f"{name}: test accuracy {accuracy:.2f} % in {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    run_script(main)
