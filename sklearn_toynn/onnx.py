"""Converters to ONNX. Importing this module registers them with `skl2onnx`.

The module requires the extra `onnx`. It converts each fitted classifier of this package, alone or
at the end of a pipeline, with the options of scikit-learn's classifiers:

- `zipmap`: True (the default), False or "columns", the format of the probabilities;
- `nocl`: True for class indices instead of labels;
- `raw_scores`: True for scores instead of probabilities. The scores of several nets are the
  logarithms of the mean probabilities.

A fitted `FusedGridSearchCV` or `FusedRandomizedSearchCV` becomes the graph of its
`best_estimator_`, with the options of this estimator.
"""

import numpy as np

try:
    from skl2onnx import update_registered_converter
except ImportError as error:
    raise ImportError(
        "sklearn_toynn.onnx requires skl2onnx. Install it, or the extra sklearn-toynn[onnx]."
    ) from error
from skl2onnx._parse import _parse_sklearn_grid_search_cv
from skl2onnx.algebra import onnx_ops
from skl2onnx.common.data_types import guess_numpy_type
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from skl2onnx.operator_converters.grid_search_cv import (
    convert_sklearn_grid_search_cv as convert_search,
)
from skl2onnx.proto import onnx_proto
from skl2onnx.shape_calculators.grid_search_cv import (
    convert_sklearn_grid_search_cv as set_shapes_of_search,
)

from ._cross_validated import (
    MultiLayerNetClassifierCV,
    SoftmaxClassifierCV,
    TwoLayerNetClassifierCV,
)
from ._net_classifiers import MultiLayerNetClassifier, TwoLayerNetClassifier
from ._softmax import SoftmaxClassifier
from .model_selection import FusedGridSearchCV, FusedRandomizedSearchCV

__all__ = []

ONNX_TYPES = {
    np.dtype(np.float32): onnx_proto.TensorProto.FLOAT,
    np.dtype(np.float64): onnx_proto.TensorProto.DOUBLE,
}


def gelu(op, z, dtype):
    """Return z (1 + erf(z / sqrt 2)) / 2. ONNX Runtime has Erf for float32 only."""
    erf = op("Erf", op("Cast", op("Mul", z, 2**-0.5), to=ONNX_TYPES[np.dtype(np.float32)]))
    phi = op("Add", op("Cast", erf, to=ONNX_TYPES[dtype]), 1.0)
    return op("Mul", op("Mul", z, 0.5), phi)


#: The activations as functions of `op` (see `convert`), the input and its dtype.
ACTIVATIONS = {
    "relu": lambda op, z, _: op("Relu", z),
    "leaky_relu": lambda op, z, _: op("Max", z, op("Mul", z, 0.01)),
    "logistic": lambda op, z, _: op("Sigmoid", z),
    "tanh": lambda op, z, _: op("Tanh", z),
    "gelu": gelu,
    "silu": lambda op, z, _: op("Mul", z, op("Sigmoid", z)),
    "identity": lambda op, z, _: z,  # noqa: ARG005
}


def encode(op, X, encoding):
    """Add the encoded columns of a `PiecewiseEncoding`."""
    sources, shift, slope, lowest, highest = encoding.functions
    z = op("Mul", op("Sub", op("Gather", X, sources, axis=1), shift), slope)
    return op("Min", op("Max", z, lowest), highest)


def add_model(op, X, model, dtype):
    """Add a fitted single net or average of nets; return its scores and probabilities."""
    if model._is_encoded:
        X = encode(op, X, model._get_encoding(dtype))
    nets = []
    for network in model._get_networks():
        outputs = X
        for layer, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            if layer > 0:
                outputs = ACTIVATIONS[model._fitted_activation](op, outputs, dtype)
            outputs = op("Add", op("MatMul", outputs, W.T.astype(dtype)), b.astype(dtype))
        nets.append(outputs)
    if len(nets) == 1:
        return nets[0], op("Softmax", nets[0], axis=1)
    total = op("Sum", *(op("Softmax", net, axis=1) for net in nets))
    probabilities = op("Mul", total, 1 / len(nets))
    return op("Log", probabilities), probabilities


def convert(scope, operator, container):
    """Add the operators of a fitted model: labels, and probabilities or scores."""

    def op(name, *inputs, **attributes):
        inputs = [np.array([x], dtype) if isinstance(x, float) else x for x in inputs]
        make = getattr(onnx_ops, f"Onnx{name}")
        return make(*inputs, op_version=container.target_opset, **attributes)

    model = operator.raw_operator
    options = container.get_options(model, {"raw_scores": False, "nocl": False})
    X = operator.inputs[0]
    dtype = np.dtype(guess_numpy_type(X.type))
    if dtype not in ONNX_TYPES:
        dtype = np.dtype(np.float32)
        X = op("Cast", X, to=ONNX_TYPES[dtype])
    members = getattr(model, "estimators_", [model])
    outputs = [add_model(op, X, member, dtype) for member in members]
    scores, probabilities = outputs[0]
    if len(members) > 1:
        weighted = zip(outputs, model.weights_.tolist(), strict=True)
        probabilities = op("Sum", *(op("Mul", p, weight) for (_, p), weight in weighted))
        scores = op("Log", probabilities)
    indices = op("ArgMax", probabilities, axis=1, keepdims=0)
    label_output, score_output = operator.outputs
    classes = model.classes_
    if options["nocl"] or np.array_equal(classes, np.arange(len(classes))):
        labels = op("Identity", indices, output_names=[label_output])
    else:
        classes = classes.astype(str if classes.dtype.kind in "OUS" else np.int64)
        labels = op("ArrayFeatureExtractor", classes, indices)
        labels = op("Reshape", labels, np.array([-1], np.int64), output_names=[label_output])
    labels.add_to(scope, container)
    chosen = scores if options["raw_scores"] else probabilities
    op("Identity", chosen, output_names=[score_output]).add_to(scope, container)


for _class in (
    MultiLayerNetClassifier,
    MultiLayerNetClassifierCV,
    SoftmaxClassifier,
    SoftmaxClassifierCV,
    TwoLayerNetClassifier,
    TwoLayerNetClassifierCV,
):
    update_registered_converter(
        _class,
        f"SklearnToynn{_class.__name__}",
        calculate_linear_classifier_output_shapes,
        convert,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
        },
    )

for _class in (FusedGridSearchCV, FusedRandomizedSearchCV):
    update_registered_converter(
        _class,
        "SklearnGridSearchCV",
        set_shapes_of_search,
        convert_search,
        parser=_parse_sklearn_grid_search_cv,
        options="passthrough",
    )
