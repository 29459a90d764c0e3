"""Write a fitted net as a C file for a microcontroller.

The script trains a net on the digits and writes the C program `digits_net.c` to a folder:

    python docs/examples/net_to_c.py FOLDER

If there is a C compiler, the script compiles the program, runs it on the test set, and checks that
it predicts the same classes as the net. The last line of the output is then

    the program agrees on 450 of 450 rows

A microcontroller needs all of `digits_net.c` except `main`, which reads rows from standard input.
Call `predict` with the values of a row, in the order of the columns that the net was fitted to.

`to_c` accepts a single net with one hidden layer and the activation "relu". If the net has
`encoding="piecewise"`, its inputs are standardized columns, followed by pieces: functions that
rise from 0 to 1 between two quantiles of a column. For such a net, the program computes these
inputs before the first layer.

The script needs only the package itself.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_toynn import TwoLayerNetClassifier

LAYER = """
static const float weights_{i}[{n_in}][{n_out}] = {{{weights}}};
static const float biases_{i}[{n_out}] = {{{biases}}};

static void layer_{i}(const float *in, float *out)
{{
    for (int j = 0; j < {n_out}; j++) {{
        out[j] = biases_{i}[j];
        for (int k = 0; k < {n_in}; k++)
            out[j] += weights_{i}[k][j] * in[k];
    }}
}}
"""
ENCODE = """
static const int column[{n_in}] = {{{column}}};
static const float start[{n_in}] = {{{start}}};
static const float width[{n_in}] = {{{width}}};
static const float mean[{n_in}] = {{{mean}}};
static const float scale[{n_in}] = {{{scale}}};

/* Compute the inputs of the first layer: the standardized columns, then the standardized pieces.
   For a column, `start` is its mean and `width` its standard deviation. A piece rises from 0 to 1
   between `start` and `start + width`, and is then standardized with `mean` and `scale`. */
static void encode(const float *row, float *out)
{{
    for (int j = 0; j < {n_in}; j++) {{
        out[j] = (row[column[j]] - start[j]) / width[j];
        if (j >= {n_features})
            out[j] = ((out[j] < 0 ? 0 : out[j] > 1 ? 1 : out[j]) - mean[j]) / scale[j];
    }}
}}
"""
PREDICT = """
/* Return the index of the predicted class of a row of {n_features} values. */
int predict(const float *row)
{{
    float hidden[{n_hidden}], scores[{n_classes}];
    int best = 0;
    {first_layer}
    for (int j = 0; j < {n_hidden}; j++)
        hidden[j] = hidden[j] > 0 ? hidden[j] : 0;
    layer_1(hidden, scores);
    for (int k = 1; k < {n_classes}; k++)
        if (scores[k] > scores[best])
            best = k;
    return best;
}}
"""
MAIN = """
#include <stdio.h>

int main(void)
{{
    float row[{n_features}];
    for (;;) {{
        for (int j = 0; j < {n_features}; j++)
            if (scanf("%f", &row[j]) != 1)
                return 0;
        printf("%d\\n", predict(row));
    }}
}}
"""


def as_list(array):
    """Return the values of an array as a C initializer, without its outer braces."""
    if array.ndim == 2:
        return ", ".join(f"{{{as_list(row)}}}" for row in array)
    return ", ".join(f"{value:.9e}f" for value in array)


def encoding_to_c(net):
    """Return the C function that encodes a row for a net with ``encoding="piecewise"``."""
    n, mean, scale = net.n_features_in_, net.encoding_mean_, net.encoding_scale_
    n_pieces = [max(len(edges) - 1, 0) for edges in net.bin_edges_]
    return ENCODE.format(
        n_features=n,
        n_in=len(mean),
        column=", ".join(map(str, [*range(n), *np.repeat(range(n), n_pieces)])),
        start=as_list(np.concatenate([mean[:n], *(edges[:-1] for edges in net.bin_edges_)])),
        width=as_list(np.concatenate([scale[:n], *map(np.diff, net.bin_edges_)])),
        mean=as_list(mean),
        scale=as_list(scale),
    )


def to_c(net):
    """Return a C program that reads rows and prints the index of the predicted class of each.

    The net must be a single fitted net with one hidden layer and the activation "relu".
    """
    if net.n_nets != 1 or len(net.coefs_) != 2 or net.activation != "relu":
        raise ValueError("to_c needs a single net with one hidden layer and activation='relu'.")
    layers = enumerate(zip(net.coefs_, net.intercepts_, strict=True))
    (n_in, n_hidden), n_classes = net.coefs_[0].shape, len(net.classes_)
    sizes = {"n_features": net.n_features_in_, "n_hidden": n_hidden, "n_classes": n_classes}
    parts, first_layer = [], "layer_0(row, hidden);"
    if hasattr(net, "bin_edges_"):
        parts = [encoding_to_c(net)]
        first_layer = f"float in[{n_in}];\n    encode(row, in);\n    layer_0(in, hidden);"
    parts += [
        LAYER.format(
            i=i,
            n_in=len(coef),
            n_out=len(intercept),
            weights=as_list(coef),
            biases=as_list(intercept),
        )
        for i, (coef, intercept) in layers
    ]
    return "".join(
        [*parts, PREDICT.format(**sizes, first_layer=first_layer), MAIN.format(**sizes)]
    )


def predict_in_c(source, X, compiler):
    """Compile a C file and return the indices of the predicted classes of the rows of X."""
    program = source.resolve().with_suffix("")  # a bare name would be looked up in PATH
    subprocess.run([compiler, "-std=c99", "-O2", source, "-o", program], check=True)
    rows = "\n".join(" ".join(map(str, row)) for row in X.tolist())
    out = subprocess.run([program], input=rows, capture_output=True, text=True, check=True)
    return np.array(out.stdout.split(), int)


def main(folder):
    """Train a net, write it as C, and compare the predictions."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X.astype(np.float32), y, stratify=y, random_state=0
    )
    net = TwoLayerNetClassifier(16, random_state=0).fit(X_train, y_train)
    source = Path(folder, "digits_net.c")
    source.write_text(to_c(net))
    print(f"accuracy {net.score(X_test, y_test):.3f}")
    compiler = shutil.which("cc")
    if compiler is None:
        print("no C compiler found")
        return
    agree = net.classes_[predict_in_c(source, X_test, compiler)] == net.predict(X_test)
    print(f"the program agrees on {agree.sum()} of {len(agree)} rows")
    assert agree.all()


if __name__ == "__main__":
    main(sys.argv[1])
